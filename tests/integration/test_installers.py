"""The wheel as users install it: pipx, uv, pip --user, from the sdist, with old dependencies.

What they need from a package index is fetched once, so that nothing else depends on the network;
without one these tests are skipped, except in CI.
"""

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from integration.test_packaging import ISSUE, PAGES, ROOT, SCRIPTS, build, shared_in

UV = SCRIPTS / "uv"

PYTHON = Path(sys.base_prefix) / "bin" / f"python3.{sys.version_info.minor}"
"""The interpreter behind this environment; in an environment there is no pip --user."""


def run(*command: str | Path, cwd: Path, **variables: str) -> str:
    """The stdout of *command* for a user whose home is *cwd*, and who has no network."""
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(cwd),
        "XDG_CACHE_HOME": str(cwd / "cache"),
        "LC_ALL": "C.UTF-8",
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "PIP_CONFIG_FILE": os.devnull,
        "UV_NO_CONFIG": "1",
        "UV_OFFLINE": "1",
        "UV_PYTHON_DOWNLOADS": "never",
    }
    done = subprocess.run(
        [str(word) for word in command],
        cwd=cwd, env=environment | variables, stdin=subprocess.DEVNULL,
        capture_output=True, text=True, timeout=50, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def fetch(*command: str | Path) -> None:
    """Run what needs a package index, with the settings of whoever runs the tests."""
    done = subprocess.run(
        [str(word) for word in command],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=50, check=False,
    )  # fmt: skip
    if done.returncode and "CI" not in os.environ:
        pytest.skip(f"no package index: {done.stderr.strip().splitlines()[-1][:100]}")
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build("wheel", ROOT, tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def wheelhouse(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with all that an installation of *wheel* needs, and a build of it."""
    folder = tmp_path_factory.mktemp("wheelhouse")
    fetch(
        sys.executable, "-m", "pip", "download", "--quiet", "--only-binary", ":all:",
        "--retries", "1", "--timeout", "10", "--dest", folder, wheel, "hatchling>=1.26",
    )  # fmt: skip
    return folder


def assert_works(command: Path, folder: Path) -> None:
    """It makes a certificate, and is what it says."""
    home = {"OPENSSL_SERVE_HOME": str(folder / "data")}
    assert run(command, "--version", cwd=folder).startswith("openssl-serve ")
    cert, _ = run(command, "generate", "my.dev.local", cwd=folder, **home).splitlines()
    assert Path(cert).is_file()
    assert '"bind-addr"' in run(command, "config", "--json", cwd=folder)


def test_pipx(wheel: Path, wheelhouse: Path, tmp_path: Path) -> None:
    """The command and its manual page are where pipx puts those of everybody."""
    places = {name: str(tmp_path / name) for name in ("PIPX_HOME", "PIPX_BIN_DIR", "PIPX_MAN_DIR")}
    run(
        sys.executable, "-m", "pipx", "install", "--python", PYTHON,
        f"--pip-args=--no-index --find-links {wheelhouse}", wheel,
        cwd=tmp_path, PIPX_SHARED_LIBS=str(tmp_path / "shared"), **places,
    )  # fmt: skip

    assert_works(tmp_path / "PIPX_BIN_DIR" / "openssl-serve", tmp_path)
    assert (tmp_path / "PIPX_MAN_DIR" / "man1" / "openssl-serve.1").is_file()


def test_uvx(wheel: Path, wheelhouse: Path, tmp_path: Path) -> None:
    """Run without an installation."""
    printed = run(
        UV, "tool", "run", "--python", PYTHON, "--no-index", "--find-links", wheelhouse,
        "--from", wheel, "openssl-serve", "generate", "my.dev.local",
        cwd=tmp_path, OPENSSL_SERVE_HOME=str(tmp_path / "data"),
    )  # fmt: skip

    assert Path(printed.splitlines()[0]).is_file()


def test_pip_user(wheel: Path, wheelhouse: Path, tmp_path: Path) -> None:
    """Below ~/.local: the shells and man look there by themselves."""
    variables = {
        "PYTHONUSERBASE": str(tmp_path / "local"),
        "PIP_ROOT_USER_ACTION": "ignore",
        # Debian asks for it; what is installed is not the system's.
        "PIP_BREAK_SYSTEM_PACKAGES": "1",
    }
    # Debian's Python has no pip of its own.
    run(
        sys.executable, "-m", "pip", "--python", PYTHON, "install", "--quiet", "--user",
        "--no-compile", "--no-index", "--ignore-installed", "--no-warn-script-location",
        "--find-links", wheelhouse, wheel,
        cwd=tmp_path, **variables,
    )  # fmt: skip

    found = tmp_path / "local" / "bin" / "openssl-serve"
    assert run(found, "--version", cwd=tmp_path, **variables).startswith("openssl-serve ")
    for name, content in shared_in(wheel).items():
        assert (tmp_path / "local" / name).read_text() == content


def test_a_build_brings_what_the_manual_page_is_made_with(
    wheel: Path, wheelhouse: Path, tmp_path: Path
) -> None:
    """From the sdist, in an environment that has only what the build asks for."""
    sdist = build("sdist", ROOT, tmp_path / "sdist")
    run(
        UV, "build", "--quiet", "--wheel", "--python", PYTHON, "--no-index",
        "--find-links", wheelhouse, "--out-dir", tmp_path / "wheel", sdist,
        cwd=tmp_path, SOURCE_DATE_EPOCH="1767225600",
    )  # fmt: skip

    (other,) = (tmp_path / "wheel").glob("*.whl")
    assert shared_in(other) == shared_in(wheel)


def version_of(name: str, python: Path, folder: Path) -> str:
    code = f"import importlib.metadata as m; print(m.version({name!r}))"
    return run(python, "-c", code, cwd=folder).strip()


def test_with_the_oldest_dependencies(wheel: Path, tmp_path: Path) -> None:
    """What pyproject.toml allows works; scripts/versions runs the unit tests so."""
    text = (ROOT / "pyproject.toml").read_text()
    place = tmp_path / "old"
    fetch(UV, "venv", "--quiet", "--python", PYTHON, place)
    fetch(
        UV, "pip", "install", "--quiet", "--python", place, "--resolution", "lowest-direct",
        "--requirements", ROOT / "pyproject.toml", wheel,
    )  # fmt: skip
    python, command = place / "bin" / "python", place / "bin" / "openssl-serve"
    home = {"OPENSSL_SERVE_HOME": str(tmp_path / "data")}

    for requirement in tomllib.loads(text)["project"]["dependencies"]:
        name, _, oldest = requirement.partition(",")[0].partition(">=")
        assert version_of(name, python, tmp_path).startswith(oldest)
    assert_works(command, tmp_path)
    assert "xn--fa-hia.de" in run(command, "generate", "--explain", "faß.de", cwd=tmp_path, **home)
    assert "names      my.dev.local" in run(command, "verify", "my.dev.local", cwd=tmp_path, **home)
    assert run(python, "-c", ISSUE, cwd=tmp_path, **home)
    assert "200 text/html" in run(python, "-c", PAGES, cwd=tmp_path, **home)
