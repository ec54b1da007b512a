"""`--version`: three versions, told at once."""

import os
import platform
import ssl
import subprocess
import sys
import time
from pathlib import Path

import pytest

from e2e.clients import openssl
from e2e.command import INSTALLED, Command
from openssl_serve import __version__

BARE = """
import typer
app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)
@app.command()
def main(version: bool = typer.Option(False, "--version")):
    print("bare 1.0")
app()
"""

ROUNDS = 12
"""The fastest of so many is what the machine can do when nobody else wants it."""


def program(folder: Path, script: str) -> dict[str, str]:
    """An environment in which *script* is the first openssl."""
    folder.mkdir()
    (folder / "openssl").write_text(f"#!/bin/sh\n{script}\n")
    (folder / "openssl").chmod(0o755)
    return {"PATH": f"{folder}{os.pathsep}{os.environ['PATH']}"}


def test_three_versions(command: Command) -> None:
    finished = command.run("--version")

    ours, python, theirs = finished.stdout.splitlines()
    assert ours == f"openssl-serve {__version__}"
    assert python == f"Python {platform.python_version()}, serving with {ssl.OPENSSL_VERSION}"
    path, _, version = theirs.partition(", ")
    assert Path(path).name == "openssl"
    assert openssl("version").startswith(f"{version} ")
    assert (finished.code, finished.stderr) == (0, "")


def test_it_is_the_same_with_the_words_of_another_call(command: Command) -> None:
    """There the parser comes to it."""
    assert command.run("--version", "--help").stdout == command.run("--version").stdout


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("echo 'LibreSSL 3.3.6'", "LibreSSL 3.3.6"),
        ("echo 'BoringSSL'", "BoringSSL"),
        ("echo 'OpenSSL 1.0.2u  20 Dec 2019'", "OpenSSL 1.0.2"),
        ("exit 1", "nothing"),
        ("kill -9 $$", "signal 9"),
    ],
)
def test_whatever_is_called_openssl(command: Command, script: str, said: str) -> None:
    finished = command.run("--version", environment=program(command.folder / "bin", script))

    assert finished.code == 0
    assert said in finished.stdout.splitlines()[2]
    assert finished.stderr == ""


def test_without_an_openssl(command: Command) -> None:
    finished = command.run("--version", environment={"PATH": "/nonexistent"})

    assert finished.stdout.splitlines()[2] == "no openssl program found in PATH"
    assert finished.code == 0


def test_it_needs_neither_the_parser_nor_sh() -> None:
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "openssl_serve", "--version"],
        capture_output=True, text=True, timeout=20, check=True,
    )  # fmt: skip

    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "openssl_serve.openssl.binary" in imported
    assert not imported & {"typer", "sh", "ssl", "rich", "asyncio"}


def test_it_takes_no_longer_than_a_program_that_does_nothing_else(tmp_path: Path) -> None:
    """At most 1.3 times a bare typer program; one openssl is started meanwhile."""
    (tmp_path / "bare.py").write_text(BARE)
    commands = {"ours": [INSTALLED], "bare": [sys.executable, str(tmp_path / "bare.py")]}
    best = dict.fromkeys(commands, float("inf"))
    for _ in range(ROUNDS):
        for name, words in commands.items():
            start = time.perf_counter()
            subprocess.run([*words, "--version"], stdout=subprocess.DEVNULL, check=True)
            best[name] = min(best[name], time.perf_counter() - start)

    assert best["ours"] <= 1.3 * best["bare"], best
