"""The commands `trust` and `untrust` with real tools, in a home and on stores of the test's own."""

import json
import os
import shutil
import subprocess
from contextlib import contextmanager

import pytest
from certificates import CA_TRUE, KEY, assert_leaf, key_usage, make, write
from trust_fixtures import debian

from openssl_serve.certs.authority import Authority
from openssl_serve.certs.constraints import LOCAL
from openssl_serve.certs.facts import read_facts_file
from openssl_serve.certs.profile import Shape
from openssl_serve.cli import render
from openssl_serve.programs import find_program
from openssl_serve.trust import browsers, java, machine
from openssl_serve.trust.java import JavaStore
from openssl_serve.trust.system import SystemStore

pytestmark = pytest.mark.skipif(
    not (shutil.which("certutil") and find_program("update-ca-certificates")),
    reason="no certutil or no update-ca-certificates (apt install libnss3-tools ca-certificates)",
)

DANGER = "What this means"


@pytest.fixture(autouse=True)
def system(tmp_path, users_home, monkeypatch):
    """The machine's store, in a folder; it has Chromium, which was never started."""
    store = SystemStore(debian(tmp_path / "etc"))
    monkeypatch.setattr(machine, "system_stores", lambda: [store])
    monkeypatch.setattr(browsers, "find_program", lambda name: name == "chromium")
    return store


def states(cli):
    """What --check says of each kind of store, with its exit code."""
    finished = cli("trust", "--check", "--json")
    value = json.loads(finished.out)
    assert value["schema"] == 1
    return finished.code, {store["kind"]: store["state"] for store in value["stores"]}


def everything_below(*folders):
    return sorted(str(path) for folder in folders for path in folder.rglob("*"))


class TestTrust:
    def test_all_stores_of_the_machine_and_back(self, cli, home, users_home, system):
        first = cli.good("trust")

        assert DANGER in first.err
        assert str(home / "_local_ca.key") in first.err
        assert "any site: your bank, your mail" in first.err
        assert f"installed in {system}" in first.err
        assert [line.split()[:2] for line in first.lines] == [
            ["STORE", "STATE"], ["system", "trusted"], ["nss", "trusted"]
        ]  # fmt: skip
        assert (users_home / ".pki/nssdb/cert9.db").exists()
        assert states(cli) == (0, {"system": "trusted", "nss": "trusted"})

        assert "when they are started again" in first.err

        again = cli.good("trust")
        assert DANGER not in again.err
        assert again.err == ""
        assert again.out == first.out

        gone = cli.good("untrust")
        assert f"removed from {system}" in gone.err
        assert states(cli) == (5, {"system": "not trusted", "nss": "not trusted"})
        assert cli.good("untrust").err.count("not in ") == 2
        assert (home / "_local_ca.key").exists()

    def test_what_was_self_signed_is_issued_by_it_with_names_and_key(self, cli, home):
        cli.good("generate", "a.test", "b.test")
        before = read_facts_file(home / "a_test.crt")

        finished = cli.good("trust", "--store", "nss")

        after = read_facts_file(home / "a_test.crt")
        assert f"issued by the local CA now: {home / 'a_test.crt'}" in finished.err
        assert_leaf(home / "a_test.crt", home / "_local_ca.crt", list(before.names))
        assert after.public_key_sha256 == before.public_key_sha256
        assert "issued" not in cli.good("trust", "--store", "nss").err

    def test_so_is_what_a_ca_before_it_has_issued(self, cli, home):
        cli.good("generate", "--ca", "a.test")
        for path in home.glob("_local_ca.*"):
            path.unlink()

        cli.good("trust", "--store", "nss")

        assert_leaf(home / "a_test.crt", home / "_local_ca.crt",
                    ["a.test", "localhost", "127.0.0.1", "::1"])  # fmt: skip

    def test_only_the_stores_that_are_named(self, cli):
        cli.good("trust", "--store", "nss")
        assert states(cli) == (5, {"system": "not trusted", "nss": "trusted"})

        cli.good("untrust", "--store", "system")
        assert states(cli) == (5, {"system": "not trusted", "nss": "trusted"})

    def test_the_environment_names_stores_too(self, cli, monkeypatch):
        monkeypatch.setenv("OPENSSL_SERVE_STORE", "nss")

        assert len(cli.good("trust").lines) == 2

    def test_one_store_that_fails_keeps_no_other_from_it(self, cli, users_home, tmp_path):
        folder = users_home / ".pki/nssdb"
        folder.mkdir(parents=True)
        (tmp_path / "word").write_text("correct horse\n")
        subprocess.run(
            ["certutil", "-N", "-f", tmp_path / "word", "-d", f"sql:{folder}"], check=True
        )

        finished = cli("trust")

        assert finished.code == 5
        assert "has a password" in finished.errors[0]
        assert finished.errors[1] == (
            f"the local CA is not trusted by 1 of 2 trust stores: Chromium ({folder})"
        )
        assert "  it has a password" in finished.lines[-1]
        assert states(cli) == (5, {"system": "trusted", "nss": "not trusted"})

    def test_renewed_it_is_trusted_once_more_and_gone_altogether(self, cli):
        cli.good("trust")
        cli.good("renew", "--ca")
        assert states(cli)[1] == {"system": "not trusted", "nss": "not trusted"}

        cli.good("trust")
        assert states(cli)[0] == 0

        cli.good("untrust")
        value = json.loads(cli("trust", "--check", "--json").out)
        assert [store["others"] for store in value["stores"]] == [[], []]

    def test_a_ca_that_was_made_elsewhere_is_not_ours_to_trust(self, cli, home):
        """mkcert's, copied over ours: what it issued would not be known as ours either."""
        signs = key_usage("key_cert_sign")
        write(home / "_local_ca.crt", make(CA_TRUE, signs, names=(), subject="mkcert you@there"))
        write(home / "_local_ca.key", KEY)

        says = cli.refused(5, "trust")

        assert "that CA was not made here" in says
        assert states(cli)[1] == {"system": "not trusted", "nss": "not trusted"}

    def test_a_ca_that_is_over_is_renewed_first(self, cli, home, monkeypatch):
        """No store would trust it, and each would say so in its own words."""
        cli.good("generate", "--ca")
        monkeypatch.setattr(Authority, "days_left", lambda _authority: 0)

        finished = cli("trust")

        assert finished.code == 5
        assert f"{home / '_local_ca.crt'}: the local CA ends on 2" in finished.err
        assert "openssl-serve renew --ca, then openssl-serve trust" in finished.err
        assert states(cli)[1] == {"system": "not trusted", "nss": "not trusted"}


class TestConstrained:
    def test_to_local_names_and_addresses(self, cli, home):
        cli.good("generate", "my.dev.local", "192.168.1.2")
        cli.good("generate", "example.com")

        finished = cli.good("trust", "--store", "nss", "--constrain")

        assert read_facts_file(home / "_local_ca.crt").extensions.permitted == LOCAL
        assert "any site in localhost, test, internal, local, 10.0.0.0/8" in finished.err
        assert read_facts_file(home / "my_dev_local.crt").shape is Shape.LEAF
        # Not with some of its names only.
        assert read_facts_file(home / "example_com.crt").shape is Shape.SELF_SIGNED
        assert "example_com.crt stays as it is: the local CA may not issue" in finished.err
        cli.good("trust", "--store", "nss", "--constrain")

    def test_is_for_a_new_ca(self, cli, tmp_path, monkeypatch):
        """On macOS, the data folder has a space in its name."""
        monkeypatch.setenv("OPENSSL_SERVE_HOME", str(tmp_path / "Application Support"))
        cli.good("generate", "--ca")

        finished = cli("trust", "--store", "nss", "--constrain")

        assert finished.code == 2
        assert "--constrain is for a new local CA" in finished.errors[0]
        assert f"untrust && rm '{tmp_path}/Application Support/_local_ca.crt' '" in finished.err
        assert states(cli)[1]["nss"] == "not trusted"


class TestDryRun:
    def test_changes_nothing(self, cli, home, users_home, tmp_path):
        before = everything_below(users_home, tmp_path / "etc")

        finished = cli.good("trust", "--dry-run")

        assert "made if there is none" in finished.lines[0]
        assert any("update-ca-certificates" in line for line in finished.lines)
        assert any("certutil -A" in line for line in finished.lines)
        assert not home.exists()
        assert everything_below(users_home, tmp_path / "etc") == before

    def test_is_a_script_that_does_it(self, cli):
        cli.good("generate", "--ca")
        script = cli.good("trust", "--dry-run").out

        subprocess.run(["sh", "-e", "-c", script], check=True, capture_output=True, timeout=40)

        assert states(cli)[0] == 0
        assert cli.good("trust", "--dry-run").out.count("trusted already") == 2
        script = cli.good("untrust", "--dry-run").out
        assert states(cli)[0] == 0
        subprocess.run(["sh", "-e", "-c", script], check=True, capture_output=True, timeout=40)
        assert set(states(cli)[1].values()) == {"not trusted"}

    def test_tells_of_every_store_whatever_one_lacks(self, cli, users_home, monkeypatch):
        cli.good("generate", "--ca")
        monkeypatch.setattr("openssl_serve.trust.nss.find_program", lambda _name: None)
        (users_home / ".pki/nssdb").mkdir(parents=True)
        (users_home / ".pki/nssdb/cert9.db").touch()

        for command in ("trust", "untrust"):
            finished = cli(command, "--dry-run")

            assert finished.code == 5
            assert f"# Chromium ({users_home}/.pki/nssdb): certutil is missing" in finished.lines
            assert any(line.startswith("# Debian") for line in finished.lines)
            assert "certutil is missing" in finished.errors[0]


class TestWithoutRights:
    @pytest.fixture(autouse=True)
    def _nobody(self, monkeypatch, tmp_path):
        """The system's store is root's; `sudo` is there, and lets anybody."""
        monkeypatch.setattr(SystemStore, "obstacle", "/etc is not writable")
        (tmp_path / "bin").mkdir()
        (tmp_path / "bin/sudo").write_text('#!/bin/sh\nexec "$@"\n')
        (tmp_path / "bin/sudo").chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")

    def paste(self, finished):
        """Run the lines that are to be pasted, but the last, which is ours."""
        *lines, last = [line[2:] for line in finished.err.splitlines() if line.startswith("  ")
                        and not line.startswith("  |")]  # fmt: skip
        assert lines
        assert all(line.startswith("sudo ") for line in lines)
        subprocess.run(["sh", "-e", "-c", "\n".join(lines)], check=True, capture_output=True)
        return last

    def test_the_commands_are_printed_and_work(self, cli):
        finished = cli("trust")

        assert finished.code == 5
        assert "the local CA is not trusted by 1 of 2 trust stores: Debian" in finished.errors[0]
        assert "paste this where you may become root:" in finished.err
        assert states(cli) == (5, {"system": "not trusted", "nss": "trusted"})
        assert self.paste(finished) == "openssl-serve trust --check"
        assert states(cli) == (0, {"system": "trusted", "nss": "trusted"})

        finished = cli("untrust")
        assert finished.code == 5
        assert "the local CA may still be in 1 of 2" in finished.errors[0]
        assert self.paste(finished) == "openssl-serve untrust"
        cli.good("untrust")
        assert set(states(cli)[1].values()) == {"not trusted"}

    def test_a_dry_run_says_where_root_is_needed(self, cli):
        lines = cli.good("trust", "--dry-run").lines

        assert all(line.startswith("sudo ") for line in lines if "update-ca" in line)
        assert not any(line.startswith("sudo ") for line in lines if "certutil" in line)


@pytest.mark.skipif(not shutil.which("keytool"), reason="no keytool")
class TestJavaThatFollowsTheSystem:
    """As Debian's, into which update-ca-certificates puts what is new by a hook of Java's."""

    @pytest.fixture(autouse=True)
    def java(self, users_home, tmp_path, monkeypatch):
        path = users_home / "jdk"
        keystore = path / "lib/security/cacerts"
        keystore.parent.mkdir(parents=True)
        (path / "bin").mkdir()
        (path / "bin/keytool").symlink_to(os.path.realpath(str(shutil.which("keytool"))))
        monkeypatch.setenv("JAVA_HOME", str(path))
        monkeypatch.setattr(java, "_ADDED_TO", (str(keystore),))
        keytool = [
            path / "bin/keytool",
            *java._QUICK,
            "-keystore",
            keystore,
            "-storepass",
            "changeit",
        ]
        hook = tmp_path / "etc/hooks/jks"
        # It is told what is new and what has gone, by a sign before each file.
        hook.write_text(f"""#!/bin/sh
            keytool='{" ".join(map(str, keytool))}'
            while read -r line; do
                file=${{line#?}}
                alias=debian:$(basename "$file")
                case $line in
                    +*) $keytool -importcert -noprompt -alias "$alias" -file "$file";;
                    -*) $keytool -delete -alias "$alias";;
                esac
            done""")
        hook.chmod(0o755)
        cert = tmp_path / "etc/certs/somebody.crt"
        subprocess.run(
            [*keytool, "-importcert", "-noprompt", "-file", cert], check=True, capture_output=True
        )
        self.list = [*keytool, "-list"]

    def ours(self):
        done = subprocess.run(self.list, check=True, capture_output=True, text=True)
        return done.stdout.count("openssl-serve")

    KINDS = ("--store", "system", "--store", "java")

    def test_is_not_told_twice(self, cli):
        cli.good("trust", *self.KINDS)

        assert self.ours() == 1
        cli.good("untrust", *self.KINDS)
        assert self.ours() == 0

    def test_what_is_pasted_is_the_systems_tool_and_keytool_where_that_forgets(
        self, cli, monkeypatch
    ):
        monkeypatch.setattr(SystemStore, "obstacle", "/etc is not writable")
        monkeypatch.setattr(JavaStore, "obstacle", "/etc/ssl is not writable")

        def paste(*words):
            finished = cli(*words, *self.KINDS)
            assert finished.code == 5
            lines = [line[2:] for line in finished.err.splitlines() if line.startswith("  ")]
            script = "\n".join(
                line.removeprefix("sudo ")
                for line in lines
                if not line.startswith(("|", "openssl-serve"))
            )
            subprocess.run(["sh", "-e", "-c", script], check=True, capture_output=True, timeout=40)
            return script

        assert "keytool" not in paste("trust")
        assert self.ours() == 1
        # With --fresh, the hook is not told what has gone.
        assert "keytool" in paste("untrust")
        assert self.ours() == 0

    def test_where_it_is_made_anew_nothing_is_left_to_keytool(self, cli, monkeypatch):
        monkeypatch.setattr(java, "_MADE_ANEW", java._ADDED_TO)
        cli.good("trust", *self.KINDS)

        lines = cli.good("untrust", "--dry-run", *self.KINDS).lines

        assert not any("keytool" in line for line in lines)
        assert any(line.endswith(": follows the system") for line in lines)


class TestUnderSudo:
    @pytest.fixture(autouse=True)
    def _sudo(self, monkeypatch):
        monkeypatch.setattr(os, "geteuid", lambda: 0)
        monkeypatch.setenv("SUDO_USER", "you")

    def test_no_second_ca_is_made(self, cli, home):
        says = cli.refused(5, "trust")

        assert "a second local CA would be made" in says
        assert not home.exists()

    def test_with_the_users_own_ca_only_what_is_roots(self, cli, home, users_home, monkeypatch):
        with monkeypatch.context() as patch:
            patch.delenv("SUDO_USER")
            cli.good("generate", "a.test")
            cli.good("generate", "--ca")
        before = (home / "a_test.crt").read_bytes()

        finished = cli.good("trust")

        assert [line.split()[0] for line in finished.lines] == ["STORE", "system"]
        # Files of root's in there would lock the user out.
        assert (home / "a_test.crt").read_bytes() == before
        assert list(users_home.iterdir()) == []


class TestUntrust:
    def test_by_fingerprint_when_the_files_are_gone(self, cli, home, system):
        cli.good("trust")
        fingerprint = read_facts_file(home / "_local_ca.crt").fingerprint
        shutil.rmtree(home)

        says = cli.refused(5, "untrust")
        assert f"there is no local CA in {home}" in says
        checked = cli("trust", "--check")
        assert checked.code == 5
        # In two stores, and taken out of both by what is to be pasted.
        assert checked.err.count(fingerprint) == 1
        assert f"      openssl-serve untrust {fingerprint}\n" in checked.err
        assert all(str(store) in checked.err for store in machine.find_stores())

        cli.good("untrust", fingerprint.replace(":", "").lower())

        assert fingerprint not in cli("trust", "--check").err

    @pytest.mark.parametrize("text", ["AB:CD", "x" * 64, "_local_ca"])
    def test_what_is_no_fingerprint(self, cli, text):
        assert "is not a SHA-256 fingerprint" in cli.refused(2, "untrust", text)


def test_options_that_make_no_sense(cli, home):
    assert '"chrome" is not one of system, macos, nss, java' in cli.refused(
        2, "trust", "--store", "nss", "--store", "chrome"
    )
    assert "exclude each other" in cli.refused(2, "trust", "--check", "--dry-run")
    assert "exclude each other" in cli.refused(2, "trust", "--check", "--constrain")
    assert "--dry-run prints a script" in cli.refused(2, "trust", "--dry-run", "--json")
    assert "there is no keychain on this machine" in cli.refused(5, "trust", "--store", "macos")
    assert "there is no Java in JAVA_HOME=" in cli.refused(5, "trust", "--store", "java")
    # And no CA was made for them.
    assert not home.exists()


def test_who_waits_is_told_for_what(cli, system, monkeypatch):
    """For a Java that takes its time, or a certutil that does not end."""
    told = []

    @contextmanager
    def progress(doing):
        told.append(doing)
        yield

    monkeypatch.setattr(render, "progress", progress)

    cli("trust", "--check")

    assert f"asking {system}" in told


def test_check_before_there_is_a_ca(cli, home):
    finished = cli("trust", "--check")

    assert finished.code == 5
    assert f"there is no local CA in {home}: openssl-serve trust makes one" in finished.err
    assert not home.exists()
    assert json.loads(cli("trust", "--check", "--json").out)["local_ca"] is None


def test_a_ca_without_its_key_is_trusted_for_what_it_issues_elsewhere(cli, home):
    cli.good("generate", "a.test")
    cli.good("generate", "--ca")
    (home / "_local_ca.key").unlink()

    finished = cli.good("trust")

    assert "no handshake was tried" in finished.out
    assert "a_test.crt stays as it is" in finished.err
    assert states(cli)[1] == {"system": "trusted", "nss": "trusted"}
