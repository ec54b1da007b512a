"""generate, list, path, renew, remove: what they do and what they print."""

import json
import os
import re
import subprocess

import pytest
from certificates import (
    CA_TRUE,
    DAY,
    KEY,
    LOOPBACK,
    NAMES,
    NOW,
    assert_authority,
    assert_leaf,
    assert_pair,
    assert_self_signed,
    handshake,
    load,
    make,
    names_of,
    ours,
    usages_of,
    write,
)  # fmt: skip
from cryptography import x509
from stubs import calls, libressl, saying, stub

from openssl_serve.certs.facts import read_facts_file


class TestGenerate:
    def test_makes_a_pair_and_prints_its_two_paths(self, cli, home):
        finished = cli.good("generate", "a.test")

        assert finished.lines == [f"{home}/a_test.crt", f"{home}/a_test.key"]
        assert finished.err == "made: no certificate yet\n"
        assert_pair(home / "a_test.crt", home / "a_test.key")
        assert_self_signed(home / "a_test.crt", NAMES)

    def test_uses_a_good_one_again(self, cli, home):
        first = cli.good("generate", "a.test")
        before = (home / "a_test.crt").read_bytes()

        second = cli.good("generate", "a.test")

        assert second.out == first.out
        assert second.err.startswith("kept: good until 20")
        assert (home / "a_test.crt").read_bytes() == before

    def test_without_a_host_it_is_for_localhost(self, cli, home):
        assert cli.good("generate").lines[0] == f"{home}/localhost.crt"

    def test_force_makes_it_anew_with_its_key(self, cli, home):
        cli.good("generate", "a.test")
        before = load(home / "a_test.crt")

        cli.good("generate", "a.test", "--force")

        assert load(home / "a_test.crt").serial_number != before.serial_number
        assert load(home / "a_test.crt").public_key() == before.public_key()

    @pytest.mark.parametrize("kind", ["p384", "rsa2048"])
    def test_key_types_and_days(self, cli, home, kind):
        cli.good("generate", "a.test", "--key-type", kind, "--days", "30")

        facts = read_facts_file(home / "a_test.crt")
        assert facts.key in ("EC P-384", "RSA 2048")
        assert_self_signed(home / "a_test.crt", NAMES, days=30)

    def test_the_environment_says_what_the_command_line_does_not(self, cli, home, monkeypatch):
        monkeypatch.setenv("OPENSSL_SERVE_KEY_TYPE", "p384")
        monkeypatch.setenv("OPENSSL_SERVE_DAYS", "30")

        cli.good("generate", "a.test", "--days", "20")

        assert read_facts_file(home / "a_test.crt").key == "EC P-384"
        assert_self_signed(home / "a_test.crt", NAMES, days=20)

    def test_days_that_were_asked_for_are_had(self, cli, home):
        cli.good("generate", "a.test")

        cli.good("generate", "a.test", "--days", "14")

        assert_self_signed(home / "a_test.crt", NAMES, days=14)

    def test_ed25519_is_made_with_a_warning(self, cli):
        """Our lab's case 5: both browsers fail."""
        finished = cli.good("generate", "a.test", "--key-type", "ed25519")

        assert "warning: no browser accepts an Ed25519 key" in finished.err
        assert "hint: openssl-serve generate --key-type p256 a.test\n" in finished.err

    def test_ed25519_on_an_old_libressl_is_our_error(self, cli, tmp_path):
        tool = libressl(tmp_path / "bin")

        error = cli.refused(3, "generate", "--key-type", "ed25519", "--openssl", tool)

        assert error == f"{tool} is LibreSSL 3.3.6, and makes no Ed25519 keys"

    def test_by_a_local_ca(self, cli, home):
        finished = cli.good("generate", "--ca", "a.test")

        assert finished.lines == [f"{home}/a_test.crt", f"{home}/a_test.key"]
        assert f"made a local CA: {home}/_local_ca.crt" in finished.err
        assert_authority(home / "_local_ca.crt")
        assert_leaf(home / "a_test.crt", home / "_local_ca.crt", NAMES)
        # From now on without being asked.
        cli.good("generate", "b.test")
        assert_leaf(home / "b_test.crt", home / "_local_ca.crt", ["b.test", *LOOPBACK])
        cli.good("generate", "c.test", "--self-signed")
        assert_self_signed(home / "c_test.crt", ["c.test", *LOOPBACK])

    def test_a_local_ca_alone(self, cli, home):
        assert cli.good("generate", "--ca").lines == [f"{home}/_local_ca.crt"]
        assert not (home / "localhost.crt").exists()

    def test_with_constraints(self, cli, home):
        cli.good("generate", "--ca", "--permit", "dev.test", "a.dev.test")

        assert_authority(home / "_local_ca.crt", constrained=True)
        error = cli.refused(4, "generate", "--ca", "b.test")
        assert "may not issue for b.test" in error
        # What nobody asked the CA for must still be served.
        finished = cli.good("generate", "b.test")
        assert "self-signed, as the local CA may not issue for b.test" in finished.err
        assert cli.good("generate", "b.test").err.startswith("kept: ")
        assert "--permit" in cli.refused(2, "generate", "--ca", "--permit", "other.test")

    def test_copies_into_a_folder(self, cli, home, tmp_path):
        out = tmp_path / "out"
        out.mkdir()

        finished = cli.good("generate", "a.test", "--out", out)

        assert finished.lines == [f"{out}/a_test.crt", f"{out}/a_test.key"]
        assert (out / "a_test.key").read_bytes() == (home / "a_test.key").read_bytes()
        assert (out / "a_test.key").stat().st_mode & 0o777 == 0o600
        assert "exists already" in cli.refused(2, "generate", "a.test", "--out", out)
        (out / "b_test.key").touch()
        assert "b_test.key exists already" in cli.refused(2, "generate", "b.test", "--out", out)
        assert not (home / "b_test.crt").exists()
        cli.good("generate", "a.test", "--out", out, "--force")

    @pytest.mark.parametrize(
        ("words", "code", "part"),
        [
            (["a\nDNS.9 = evil"], 2, "is not a host"),
            (["$HOME"], 2, "is not a host"),
            (["[a]"], 2, "is not a host"),
            (["../evil"], 2, "is a path"),
            (["a..b"], 2, "label 2 is empty"),
            (["x" * 64], 2, "63 are the most"),
            (["me@a.test"], 2, "e-mail"),
            (["https://a.test/"], 2, "a URL"),
            (["*.localhost"], 2, "wildcard on a single label"),
            (["--days", "825"], 2, "825 days are too long"),
            (["--days", "0"], 2, "0 days"),
            (["--days", "-1"], 2, "-1 days"),
            (["--key-type", "dsa"], 2, '"dsa" is not one of p256'),
            (["--ca", "--self-signed"], 2, "exclude each other"),
            (["--permit", "test"], 2, "--permit is for a new local CA"),
            (["--out", "/nowhere/at/all"], 2, "is not a folder"),
            (["--openssl", "/nowhere/openssl"], 3, "/nowhere/openssl does not exist"),
        ],
    )
    def test_refusals_write_nothing(self, cli, home, words, code, part):
        """P21, and issue 2's list of bad input."""
        assert part in cli.refused(code, "generate", *words)
        assert not home.exists()

    def test_explain_writes_nothing_and_its_script_makes_an_equivalent(self, cli, home, tmp_path):
        script = cli.good("generate", "a.test", "--explain").out

        assert not home.exists()
        run(script, tmp_path)
        assert_self_signed(tmp_path / "cert.pem", NAMES)

    def test_explain_with_a_new_ca(self, cli, home, tmp_path):
        script = cli.good("generate", "--ca", "--permit", "test", "a.test", "--explain").out

        assert not home.exists()
        run(script, tmp_path)
        assert_authority(tmp_path / "ca.crt", constrained=True)
        assert_leaf(tmp_path / "cert.pem", tmp_path / "ca.crt", NAMES)

    def test_explain_the_ca_alone(self, cli, home, tmp_path):
        """As `generate --ca` without a host, which makes no more."""
        script = cli.good("generate", "--ca", "--permit", "10.0.0.0/8", "--explain").out
        assert "leaf" not in script.partition("mv key.pem")[2]
        run(script, tmp_path)
        assert_authority(tmp_path / "ca.crt", constrained=True)

        cli.good("generate", "--ca", "--permit", "10.0.0.0/8")
        again = cli.good("generate", "--ca", "--permit", "10.0.0.0/8", "--explain")

        assert (again.out, again.err) == ("", f"the local CA is {home}/_local_ca.crt, and stays\n")

    def test_a_network_can_be_permitted(self, cli, home):
        cli.good("generate", "--ca", "--permit", "10.0.0.0/8", "--permit", "*.Dev.test")

        assert read_facts_file(home / "_local_ca.crt").extensions.permitted[:2] == (
            "10.0.0.0/8", "dev.test",
        )  # fmt: skip
        cli.good("generate", "--ca", "--permit", "*.dev.test", "10.1.2.3")
        assert "may not issue for 11.0.0.1" in cli.refused(4, "generate", "--ca", "11.0.0.1")
        assert "host bits set" in cli.refused(2, "generate", "--ca", "--permit", "10.0.0.1/8")

    def test_explain_with_the_ca_that_is_there(self, cli, home, tmp_path):
        cli.good("generate", "--ca")

        run(cli.good("generate", "a.test", "--key-type", "rsa2048", "--explain").out, tmp_path)

        assert_leaf(tmp_path / "cert.pem", home / "_local_ca.crt", NAMES, rsa=True)


def run(script, folder):
    """Run what --explain printed."""
    subprocess.run(
        ["sh", "-eu"], input=script, text=True, cwd=folder, check=True, capture_output=True
    )


class TestList:
    def test_a_table(self, cli, home):
        cli.good("generate", "b.test")
        write(home / "a_test.crt", ours(names=["a.test"], end=NOW - DAY / 2))
        write(home / "a_test.key", KEY)

        lines = cli.good("list").lines

        assert lines[0].split()[:3] == ["HOST", "OTHER", "NAMES"]
        assert lines[1].split() == [
            "a.test", "-1", "expired", "EC", "P-256", "self-signed", "itself",
        ]  # fmt: skip
        assert lines[2].split()[:2] == ["b.test", "localhost,"]

    def test_nothing(self, cli, home):
        finished = cli.good("list")

        assert finished.out == ""
        assert str(home) in finished.err
        assert not home.exists()

    def test_json(self, cli, home):
        cli.good("generate", "--ca", "a.test")

        value = json.loads(cli.good("list", "--json").out)

        assert value["schema"] == 1
        (kept,) = value["certificates"]
        assert kept["cert_path"] == f"{home}/a_test.crt"
        assert kept["key_path"] == f"{home}/a_test.key"
        assert kept["ca_path"] == f"{home}/_local_ca.crt"
        assert kept["dns_names"] == ["a.test", "localhost"]
        assert kept["days_left"] == 364
        assert (kept["shape"], kept["key"]) == ("leaf", "EC P-256")
        assert value["local_ca"]["shape"] == "ca"
        assert value["broken"] == []

    @pytest.mark.parametrize("words", [["list"], ["renew"], ["renew", "--all"]])
    def test_what_is_no_pair_is_told(self, cli, home, words):
        cli.good("generate", "c.test")
        write(home / "a_test.key", KEY)
        (home / "a_test.crt").write_text("x")
        write(home / "b_test.crt", ours(names=["b.test"]))

        told = cli.good(*words).err

        for line in (
            f"warning: left out: {home}/a_test.crt is not a certificate in PEM form",
            "hint: make it again: openssl-serve generate a.test",
            f"warning: left out: {home}/b_test.key is missing",
            "hint: make it again: openssl-serve generate b.test",
        ):
            assert f"openssl-serve: {line}\n" in told
        assert "c.test" not in told

    @pytest.mark.parametrize("stem", ["my ca", "CA", "-"])
    def test_what_no_host_has_is_not_to_be_made_again(self, cli, home, stem):
        write(home / f"{stem}.crt", ours(names=["a.test"]))

        assert "hint: move it elsewhere: no host has files of that name\n" in cli.good("list").err

    def test_json_tells_it_too(self, cli, home):
        write(home / "a_test.crt", ours(names=["a.test"]))

        value = json.loads(cli.good("list", "--json").out)

        assert value["certificates"] == []
        assert value["broken"] == [f"{home}/a_test.key is missing"]

    def test_what_is_broken_is_not_nothing(self, cli, home):
        write(home / "a_test.crt", ours(names=["a.test"]))

        assert "nothing" not in cli.good("list").err


def test_path(cli, home):
    cli.good("generate", "--ca", "a.test")

    for words, name in [
        ([], "a_test.crt"), (["--cert"], "a_test.crt"), (["--key"], "a_test.key"),
        (["--chain"], "a_test.crt"), (["--ca"], "_local_ca.crt"),
    ]:  # fmt: skip
        assert cli.good("path", "a.test", *words).out == f"{home}/{name}\n"
    assert "exclude each other" in cli.refused(2, "path", "a.test", "--key", "--ca")
    assert "no certificate is kept for b.test" in cli.refused(4, "path", "b.test")


class TestRenew:
    @pytest.fixture
    def kept(self, cli, home):
        """One that is due, one that is not."""
        cli.good("generate", "good.test")
        write(
            home / "due_test.crt",
            ours(names=["due.test", "x.test"], start=NOW - 90 * DAY, end=NOW + 2 * DAY),
        )
        write(home / "due_test.key", KEY)
        return home

    def serials(self, home):
        return {path.stem: load(path).serial_number for path in sorted(home.glob("*.crt"))}

    def test_what_is_due(self, cli, kept):
        before = self.serials(kept)

        finished = cli.good("renew")

        assert finished.lines == [f"{kept}/due_test.crt"]
        after = self.serials(kept)
        assert after["good_test"] == before["good_test"]
        assert after["due_test"] != before["due_test"]
        assert "nothing is due" in cli.good("renew").err

    def test_all(self, cli, kept):
        before = self.serials(kept)

        assert len(cli.good("renew", "--all").lines) == 2

        assert not set(before.values()) & set(self.serials(kept).values())

    def test_keeps_names_and_key_unless_told_otherwise(self, cli, kept):
        key = (kept / "due_test.key").read_bytes()

        cli.good("renew", "due.test")
        assert (kept / "due_test.key").read_bytes() == key
        assert read_facts_file(kept / "due_test.crt").dns_names == ("due.test", "x.test")

        cli.good("renew", "due.test", "--new-key")
        assert (kept / "due_test.key").read_bytes() != key
        assert_pair(kept / "due_test.crt", kept / "due_test.key")

    def test_check_is_for_cron(self, cli, kept):
        """0 when one is due, 1 when none is, as step's needs-renewal; and nothing is done."""
        before = self.serials(kept)

        assert cli("renew", "--check")[:2] == (0, "due.test\n")
        assert cli("renew", "--check", "due.test").code == 0
        assert cli("renew", "--check", "good.test").code == 1
        assert self.serials(kept) == before
        cli.good("renew", "--all")
        assert cli("renew", "--check").code == 1

    def test_the_ca(self, cli, home):
        cli.good("generate", "--ca", "a.test")
        before = load(home / "_local_ca.crt")

        finished = cli.good("renew", "--ca")

        after = load(home / "_local_ca.crt")
        assert finished.lines == [f"{home}/_local_ca.crt"]
        assert after.public_key() == before.public_key()
        assert after.serial_number != before.serial_number
        assert handshake(home / "a_test.crt", home / "a_test.key", "a.test", home / "_local_ca.crt")
        assert cli("renew", "--ca", "--check").code == 1

    def test_explain(self, cli, kept, tmp_path):
        before = self.serials(kept)

        script = cli.good("renew", "due.test", "--explain").out

        (tmp_path / "work").mkdir()
        run(script, tmp_path / "work")
        assert read_facts_file(tmp_path / "work" / "cert.pem").dns_names == ("due.test", "x.test")
        assert self.serials(kept) == before

    @pytest.mark.parametrize("words", [(), ("--new-key",)])
    def test_explain_shows_what_is_done(self, cli, home, tmp_path, words):
        """Key, usages, subject, names and lifetime: none as they would be for a new one."""
        cli.good("generate", "--ca", "--key-type", "rsa2048", "10.0.0.1", "--days", "90")

        script = cli.good("renew", "10.0.0.1", "--explain", *words).out
        run(script, tmp_path)
        before = load(home / "10_0_0_1.crt")
        cli.good("renew", "10.0.0.1", *words)

        shown, done = load(tmp_path / "cert.pem"), load(home / "10_0_0_1.crt")
        assert shown.subject == done.subject
        assert names_of(shown) == names_of(done)
        assert usages_of(shown) == usages_of(done)
        assert shown.extensions.get_extension_for_class(x509.KeyUsage) == (
            done.extensions.get_extension_for_class(x509.KeyUsage)
        )
        assert read_facts_file(tmp_path / "cert.pem").key == "RSA 2048"
        for each in (shown, done):
            assert (each.public_key() == before.public_key()) == (not words)
            assert (each.not_valid_after_utc - each.not_valid_before_utc).days == 90

    def test_explain_leaves_alone_what_renew_leaves_alone(self, cli, home):
        write(home / "a_test.crt", make(CA_TRUE, start=NOW - 9 * DAY, end=NOW))
        write(home / "a_test.key", KEY)

        assert cli.good("renew", "--all", "--explain").out == ""
        assert "was not made here" in cli.refused(4, "renew", "a.test", "--explain")

    def test_all_of_none(self, cli, home):
        assert cli.good("renew", "--all").err == f"nothing is kept in {home}\n"

    def test_explain_the_ca(self, cli, home, tmp_path):
        cli.good("generate", "--ca", "--permit", "test", "a.test")

        run(cli.good("renew", "--ca", "--explain").out, tmp_path)

        assert_authority(tmp_path / "cert.pem", constrained=True)
        assert_leaf(home / "a_test.crt", tmp_path / "cert.pem", NAMES)

    @pytest.mark.parametrize("names", [["a.test"], []])
    def test_somebody_elses_is_left_alone(self, cli, home, names):
        """Whatever lies there; and nothing breaks on one without a name."""
        write(home / "a_test.crt", make(CA_TRUE, names=names, start=NOW - 9 * DAY, end=NOW))
        write(home / "a_test.key", KEY)
        before = (home / "a_test.crt").read_bytes()

        for words in (["renew"], ["renew", "--all"], ["list"]):
            cli.good(*words)
        assert cli("renew", "--check").code == 0
        assert "was not made here" in cli.refused(4, "renew", "a.test")
        assert "kept are: a.test" in cli("path", "b.test").err
        assert (home / "a_test.crt").read_bytes() == before

    def test_one_that_cannot_be_keeps_no_other_from_it(self, cli, home, monkeypatch):
        for host in ("a.test", "b.test", "c.test"):
            cli.good("generate", host)
        closed = [str(home / "a_test.key"), str(home / "b_test.key")]
        # Root may read all; nobody else may here.
        access = os.access
        monkeypatch.setattr(
            os, "access", lambda path, mode: str(path) not in closed and access(path, mode)
        )
        before = {path: path.read_bytes() for path in home.glob("*.crt")}

        finished = cli("renew", "--all")

        assert finished.code == 4
        assert finished.lines == [f"{home}/c_test.crt"]
        assert finished.errors == [f"{path}: permission denied" for path in closed]
        changed = [path.name for path, data in before.items() if path.read_bytes() != data]
        assert changed == ["c_test.crt"]

    def test_nothing_is_removed_when_one_is_not_there(self, cli, home):
        cli.good("generate", "a.test")

        assert "kept for b.test" in cli.refused(4, "remove", "a.test", "b.test")
        assert (home / "a_test.key").exists()

    def test_what_is_not_there(self, cli, home):
        assert "no certificate is kept for a.test" in cli.refused(4, "renew", "a.test")
        assert "there is no local CA" in cli.refused(4, "renew", "--ca")
        assert "exclude" in cli.refused(2, "renew", "a.test", "--all")
        assert "keeps its key" in cli.refused(2, "renew", "--ca", "--new-key")
        assert not home.exists()


def test_remove(cli, home):
    cli.good("generate", "a.test")
    cli.good("generate", "b.test")

    finished = cli.good("remove", "a.test")

    assert finished.err.splitlines() == [f"removed {home}/a_test.key", f"removed {home}/a_test.crt"]
    assert not list(home.glob("a_test*"))
    assert (home / "b_test.key").exists()
    assert "no certificate is kept for a.test" in cli.refused(4, "remove", "a.test")


class TestOpensslOption:
    def test_names_the_program(self, cli, tmp_path):
        tool = saying(tmp_path / "bin", "OpenSSL 3.0.1")

        cli.good("generate", "a.test", "--openssl", tool)

        assert calls(tool)

    def test_or_the_environment_does(self, cli, tmp_path, monkeypatch):
        tool = saying(tmp_path / "bin", "OpenSSL 3.0.1")
        monkeypatch.setenv("OPENSSL_SERVE_OPENSSL", str(tool))

        cli.good("generate", "a.test")

        assert calls(tool)

    @pytest.mark.parametrize("body", ["echo hello", "exit 0", "echo BoringSSL"])
    def test_a_program_that_is_none(self, cli, home, tmp_path, body):
        tool = stub(tmp_path / "bin", body)

        assert str(tool) in cli.refused(3, "generate", "a.test", "--openssl", tool)
        assert [path.name for path in home.iterdir()] == [".lock"]


class TestChildren:
    """Each costs ten milliseconds, so none is started that is not needed."""

    @pytest.fixture
    def asked(self, tmp_path, monkeypatch):
        """Run a command; what openssl was asked meanwhile."""
        tool = saying(tmp_path / "bin", "OpenSSL 3.0.1")
        monkeypatch.setenv("OPENSSL_SERVE_OPENSSL", str(tool))

        def run(command):
            before = len(calls(tool))
            command()
            return calls(tool)[before:]

        return run

    @pytest.mark.parametrize(
        ("before", "words", "children"),
        [
            ([], ["generate", "a.test"], ["req"]),
            ([], ["generate", "a.test", "--key-type", "rsa2048"], ["req"]),
            (["generate", "a.test"], ["generate", "a.test"], []),
            (["generate", "a.test"], ["generate", "a.test", "b.test"], ["req"]),
            (["generate", "a.test"], ["renew", "a.test", "--new-key"], ["req"]),
            ([], ["generate", "--ca"], ["req"]),
            (["generate", "--ca"], ["generate", "a.test"], ["req", "x509"]),
            (["generate", "--ca"], ["renew", "--ca"], ["req"]),
            (["generate", "a.test"], ["path", "a.test"], []),
        ],
    )
    def test_as_few_as_can_be(self, cli, asked, before, words, children):
        if before:
            cli.good(*before)

        assert [call.split()[0] for call in asked(lambda: cli.good(*words))] == children

    @pytest.mark.parametrize("before", [None, ["generate", "--ca"]])
    def test_what_explain_prints_is_what_is_run(self, cli, asked, before):
        if before:
            cli.good(*before)
        lines = cli.good("generate", "a.test", "--explain").lines
        explained = [line.partition(" ")[2] for line in lines if "/bin/openssl " in line]

        run = asked(lambda: cli.good("generate", "a.test"))

        def without_serial(call):
            return re.sub(r"0x[0-9a-f]{32}", "", call)

        assert explained
        assert list(map(without_serial, explained)) == list(map(without_serial, run))
