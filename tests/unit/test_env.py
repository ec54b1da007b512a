"""`env`: what it prints is what the shells understand."""

import json
import shutil
import subprocess

import pytest
from certificates import KEY, ours, write

from openssl_serve.certs import bundle
from openssl_serve.certs.bundle import ADDING, REPLACING
from openssl_serve.cli.env import Shell, assignment

STRANGE = "it's a \"path\" with $HOME, `id`, \\, \\', !x, *, #, ~ and ä"


@pytest.mark.parametrize("program", ["sh", "bash", "dash", "zsh", "fish"])
def test_any_path_comes_through_the_shell(program):
    if not shutil.which(program):
        pytest.skip(f"no {program} here")
    shell = Shell.FISH if program == "fish" else Shell.SH
    script = assignment("A_PATH", STRANGE, shell)

    # env prints what was exported, as a program finds it.
    done = subprocess.run(
        [program, "-c", f"{script}; env"], capture_output=True, text=True, timeout=20, check=True
    )

    assert f"A_PATH={STRANGE}" in done.stdout.splitlines()


def test_fish_understands_the_others_too():
    if not shutil.which("fish"):
        pytest.skip("no fish here")
    script = assignment("A_PATH", "/a path", Shell.SH)

    done = subprocess.run(
        ["fish", "-c", f"{script}; env"], capture_output=True, text=True, timeout=20, check=True
    )

    assert "A_PATH=/a path" in done.stdout.splitlines()


@pytest.fixture
def kept(home, tmp_path, monkeypatch):
    """A data folder with a pair, on a system that trusts one certificate."""
    write(home / "a_test.crt", ours())
    write(home / "a_test.key", KEY)
    system = write(tmp_path / "system.pem", ours(subject="the system's"))
    monkeypatch.setattr(bundle, "SYSTEM_BUNDLES", (str(system),))
    for name in (*REPLACING, ADDING):
        monkeypatch.delenv(name, raising=False)
    return home


def test_each_variable_is_a_line(kept, cli):
    assert cli.good("env").lines == [
        *(f"export {name}={kept}/_trusted.pem" for name in REPLACING),
        f"export {ADDING}={kept}/_trusted-here.pem",
    ]
    assert cli.good("env", "--shell", "fish").lines[0] == (
        f"set -gx SSL_CERT_FILE '{kept}/_trusted.pem'"
    )


def test_json_has_them_as_they_are(kept, cli):
    found = json.loads(cli.good("env", "--json").out)

    assert found["variables"]["SSL_CERT_FILE"] == f"{kept}/_trusted.pem"
    assert set(found["variables"]) == {*REPLACING, ADDING}


def test_within_its_own_environment_it_says_the_same(kept, cli, monkeypatch):
    first = cli.good("env").out
    for name, value in json.loads(cli.good("env", "--json").out)["variables"].items():
        monkeypatch.setenv(name, value)

    assert cli.good("env").out == first


def test_a_shell_that_is_not_known(kept, cli):
    assert "is not one of sh, fish" in cli.refused(2, "env", "--shell", "csh")


def test_with_nothing_kept_there_is_nothing_to_say(cli, home):
    assert f"no certificate is kept in {home}" in cli.refused(4, "env")
    assert not home.exists()


def test_where_only_node_can_be_told_that_is_said(kept, cli, monkeypatch):
    monkeypatch.setattr(bundle, "system_bundle", lambda: None)

    finished = cli.good("env")

    assert finished.lines == [f"export {ADDING}={kept}/_trusted-here.pem"]
    assert "openssl-serve: warning: nothing was found that this system trusts" in finished.err
