"""`doctor` and the clients of this machine: before anybody trusts the CA, after `trust`, and with
the variables of `env`."""

import json
import os
import shutil
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest
from stubs import stub

from e2e.command import DEADLINE_S, INSTALLED, Command

FOLLOWING_ENV = {"curl": "curl", "git": "git", "openssl": "openssl", "Node.js": "node"}
"""Clients that the variables of `env` reach, besides Python, by the programs that they are."""


@pytest.fixture
def user(command: Command) -> Command:
    """With a folder for temporary files of its own, and no Java: one takes a second to say no."""
    temporary = command.folder / "tmp"
    temporary.mkdir()
    command.environment |= {"TMPDIR": str(temporary), "JAVA_HOME": "/nowhere"}
    return command


def clients(text: str) -> dict[str, set[Any]]:
    """Whether each trusts it; of two of one name, both answers."""
    found: dict[str, set[Any]] = {}
    for each in json.loads(text)["clients"]:
        found.setdefault(each["name"], set()).add(each["trusts"])
    return found


def everything(folder: Path) -> dict[Path, bytes | None]:
    return {path: path.read_bytes() if path.is_file() else None for path in folder.rglob("*")}


def test_before_after_and_in_a_shell(user: Command) -> None:
    home = Path(user.environment["HOME"])
    databases = {"Firefox": home / ".mozilla/firefox/x.default", "Chromium": home / ".pki/nssdb"}
    has_nss = all(map(shutil.which, ("certutil", "tstclnt")))
    if has_nss:
        for folder in databases.values():
            folder.mkdir(parents=True)
            subprocess.run(
                ["certutil", "-N", "--empty-password", "-d", f"sql:{folder}"], check=True
            )
    assert user.run("generate", "--ca", "my.dev.local").code == 0

    before = everything(user.folder)
    nobody = user.run("doctor", "--json")
    assert nobody.code == 0, nobody.stderr
    assert nobody.stderr == ""
    # All that it has made for that is gone.
    assert everything(user.folder) == before

    answers = clients(nobody.stdout)
    there = {name for name, program in FOLLOWING_ENV.items() if shutil.which(program)}
    assert there <= set(answers)
    # A Firefox or a version manager's Python may be there and not to be asked.
    assert True not in set().union(*answers.values())
    if has_nss:
        assert answers["Chromium"] == answers["Firefox"] == {False}
        assert user.run("trust", "--store", "nss").code == 0
        answers = clients(user.run("doctor", "--json").stdout)
        assert answers["Chromium"] == answers["Firefox"] == {True}
        assert answers["openssl"] == {False}

    shell = user.run(
        f'eval "$({INSTALLED} env)" && {INSTALLED} doctor --json', program=("sh", "-c")
    )
    answers = clients(shell.stdout)
    assert all(answers[name] == {True} for name in there), answers
    for library in ("Python", "requests"):
        assert False not in answers.get(library, {True})
    # That one follows none.
    assert answers.get("wget", {False}) == {False}


def test_ctrl_c_ends_those_who_are_asked(user: Command) -> None:
    """They have sessions of their own, where the terminal's signal does not come."""
    pid = user.folder / "pid"
    os.mkfifo(pid)
    version = "case $1 in --version) echo curl 1; exit;; esac"
    stub(user.folder / "bin", f"{version}\necho $$ >{pid}\nexec sleep 60", name="curl")
    path = f"{user.folder / 'bin'}:{user.environment['PATH']}"
    assert user.run("generate", "--ca", "my.dev.local").code == 0

    # A test run in the background of a script ignores it, and so would all that it starts.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    with subprocess.Popen(
        [INSTALLED, "doctor"], env=user.environment | {"PATH": path}, cwd=user.site,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as doctor:  # fmt: skip
        signal.signal(signal.SIGINT, before)
        curl = Path("/proc", pid.read_text().strip())
        assert curl.exists()
        doctor.send_signal(signal.SIGINT)
        _, stderr = doctor.communicate(timeout=DEADLINE_S)

    assert (doctor.returncode, stderr) == (130, "")
    assert not curl.exists()
    assert list(Path(user.environment["TMPDIR"]).iterdir()) == []
