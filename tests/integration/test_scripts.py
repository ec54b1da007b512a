"""`scripts/openssl-serve`, from wherever it is called."""

import os
import subprocess
from pathlib import Path

import pytest

from openssl_serve import __version__

ROOT = Path(__file__).parent.parent.parent
TOOL = ROOT / "scripts" / "openssl-serve"


def run(
    *command: str | Path, cwd: Path, environment: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(word) for word in command],
        cwd=cwd, env=os.environ | (environment or {}), stdin=subprocess.DEVNULL,
        capture_output=True, text=True, timeout=50, check=False,
    )  # fmt: skip


def assert_version(done: subprocess.CompletedProcess[str]) -> None:
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"openssl-serve {__version__}\n")
    # The environment was there: nothing to say about it.
    assert done.stderr == ""


def test_runs_from_another_folder(tmp_path: Path) -> None:
    assert_version(run(TOOL, "--version", cwd=tmp_path))


@pytest.mark.parametrize("path", ["scripts/openssl-serve", "./scripts/openssl-serve"])
def test_runs_by_a_relative_path(path: str) -> None:
    assert_version(run(path, "--version", cwd=ROOT))


def test_runs_through_a_link(tmp_path: Path) -> None:
    """As in ~/bin."""
    (tmp_path / "serve").symlink_to(TOOL)

    assert_version(run(tmp_path / "serve", "--version", cwd=tmp_path))


def test_runs_with_cdpath_set(tmp_path: Path) -> None:
    """With it, cd prints where it went, or goes somewhere else."""
    (tmp_path / "scripts").mkdir()

    done = run(
        "scripts/openssl-serve", "--version", cwd=ROOT, environment={"CDPATH": f"{tmp_path}:."}
    )

    assert_version(done)


def test_stays_in_the_folder_it_is_called_from(tmp_path: Path) -> None:
    (tmp_path / "here.txt").touch()

    done = run(TOOL, "here.txt", cwd=tmp_path)

    assert (done.returncode, done.stdout) == (2, "")
    assert '"here.txt" is a file' in done.stderr


@pytest.mark.parametrize("words", [["no such", "*"], ["a  b"], ["$HOME"], ["no\\such"], ["-x", ""]])
def test_passes_its_arguments_on_as_they_are(tmp_path: Path, words: list[str]) -> None:
    """The words come back as the command itself would give them."""
    (tmp_path / "file").touch()
    itself = ROOT / ".venv" / "bin" / "openssl-serve"

    done, wanted = (run(program, *words, cwd=tmp_path) for program in (TOOL, itself))

    assert (done.returncode, done.stdout, done.stderr) == (
        wanted.returncode, wanted.stdout, wanted.stderr,
    )  # fmt: skip
    assert done.returncode == 2


PYTHON = """#!/bin/sh
case $* in
    *"-m venv"*)
        mkdir -p .venv/bin
        # Debian's, without python3-venv: a folder, a Python in it, and then an error.
        if [ -e installed ]; then code=0; else code=1; fi
        printf '#!/bin/sh\\nexit %d\\n' "$code" >.venv/bin/python
        chmod +x .venv/bin/python
        echo "venv says $code"
        exit "$code" ;;
esac
"""


def test_half_an_environment_is_made_whole(tmp_path: Path) -> None:
    (tmp_path / "scripts").mkdir()
    (tmp_path / "pyproject.toml").touch()
    (tmp_path / "scripts/environment").write_text((ROOT / "scripts/environment").read_text())
    (tmp_path / "python").write_text(PYTHON)
    (tmp_path / "python").chmod(0o755)
    environment = {"OPENSSL_SERVE_PYTHON": str(tmp_path / "python")}
    words = ("sh", tmp_path / "scripts/environment")

    first = run(*words, cwd=tmp_path, environment=environment)
    (tmp_path / "installed").touch()
    second = run(*words, cwd=tmp_path, environment=environment)
    third = run(*words, cwd=tmp_path, environment=environment)

    assert (first.returncode, first.stdout) == (1, "")
    assert "venv says 1" in first.stderr
    assert (second.returncode, second.stdout) == (0, "")
    assert (third.returncode, third.stdout, third.stderr) == (0, "", "")
