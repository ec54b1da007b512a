"""What is installed is what was tested: from a wheel, from an sdist's wheel, and editable."""

import os
import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from importlib.machinery import PathFinder
from pathlib import Path

import pytest

from openssl_serve.cli.completion import script

ROOT = Path(__file__).parent.parent.parent
PACKAGE = ROOT / "openssl_serve"
SCRIPTS = Path(sys.executable).parent
"""Where the tools are that the tests are installed with."""

SOURCES = {
    path.relative_to(ROOT).as_posix(): path
    for path in PACKAGE.rglob("*")
    if path.is_file() and "__pycache__" not in path.parts
} | {"openssl_serve/openssl.cnf.template": ROOT / "openssl.cnf.template"}
"""What a wheel has to hold, and where it comes from."""

ISSUE = """
import openssl_serve, pathlib
from openssl_serve import ensure_certificate
from openssl_serve.openssl import template
print(pathlib.Path(openssl_serve.__file__).parent)
print(ensure_certificate("my.dev.local").cert_path)
"""


def run(*command: str | Path, cwd: Path, home: Path | None = None) -> str:
    """The stdout of *command*; its failure is the test's."""
    environment = {
        name: os.environ[name] for name in ("PATH", "LANG", "TMPDIR") if name in os.environ
    }
    environment |= {
        "HOME": str(home or cwd),
        "OPENSSL_SERVE_HOME": str((home or cwd) / "data"),
        # The manual page has the day of the build: midnight is between two of ours, one day.
        "SOURCE_DATE_EPOCH": "1767225600",
    }
    done = subprocess.run(
        [str(word) for word in command],
        cwd=cwd, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True,
        timeout=50, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def build(kind: str, source: Path, folder: Path) -> Path:
    """The one file that hatchling makes of *source* in *folder*."""
    run(sys.executable, "-m", "hatchling", "build", "-t", kind, "-d", folder, cwd=source)
    (path,) = folder.iterdir()
    return path


def names_in(wheel: Path) -> set[str]:
    """The files of the package in *wheel*."""
    with zipfile.ZipFile(wheel) as archive:
        assert archive.testzip() is None
        names = archive.namelist()
    assert len(names) == len(set(names))
    return {name for name in names if name.startswith("openssl_serve/")}


def shared_in(wheel: Path) -> dict[str, str]:
    """The files that *wheel* puts below the prefix of an environment, with what is in them."""
    with zipfile.ZipFile(wheel) as archive:
        return {
            name.partition(".data/data/")[2]: archive.read(name).decode()
            for name in archive.namelist()
            if ".data/data/" in name
        }


def place_of(name: str) -> Path:
    """The folder to import the module *name* from."""
    # Finding, not importing: sh takes its own module's place, and then has no spec to be found by.
    spec = PathFinder.find_spec(name)
    assert spec
    assert spec.origin
    path = Path(spec.origin)
    return path.parent.parent if path.name == "__init__.py" else path.parent


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build("wheel", ROOT, tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def sdist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build("sdist", ROOT, tmp_path_factory.mktemp("sdist"))


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bin folder of an environment with the wheel in it, and no way to the checkout.

    It sees the dependencies through a .pth file: folders named there have their own .pth files
    left alone, so that of the editable installation does not count.
    """
    folder = tmp_path_factory.mktemp("elsewhere")
    venv.create(folder, symlinks=True)
    paths = sysconfig.get_paths("venv", {"base": str(folder), "platbase": str(folder)})
    dependencies = Path(paths["purelib"]) / "dependencies.pth"
    names = ("appdirs", "httptools", "idna", "rich", "segno", "sh", "typer")
    dependencies.write_text("\n".join({str(place_of(name)) for name in names}))
    run(
        sys.executable, "-m", "pip", "--python", folder, "install", "--quiet", "--no-index",
        "--no-deps", "--no-compile", "--ignore-installed", "--disable-pip-version-check", wheel,
        cwd=folder,
    )  # fmt: skip
    return Path(paths["scripts"])


def test_the_wheel_holds_the_package_and_nothing_else(wheel: Path) -> None:
    assert names_in(wheel) == set(SOURCES)
    kinds = {Path(name).suffix or name.rpartition("/")[2] for name in SOURCES}
    completions = {".bash", ".fish", "_openssl-serve"}
    assert kinds <= {".py", ".html", ".css", ".js", ".cjs", ".template", ".typed", *completions}


def test_the_wheel_holds_every_file_as_it_is(wheel: Path) -> None:
    """Those that are no Python among them: the template, the pages, py.typed."""
    named = {"openssl.cnf.template", "py.typed", "pages/listing.html", "pages/error.html"}

    with zipfile.ZipFile(wheel) as archive:
        content = {name: archive.read(name) for name in names_in(wheel)}

    assert {f"openssl_serve/{name}" for name in named} <= set(content)
    assert content == {name: path.read_bytes() for name, path in SOURCES.items()}


def test_the_wheel_has_completions_and_manual_where_others_look(wheel: Path) -> None:
    """And they are what the program is now."""
    manual = run(sys.executable, ROOT / "scripts" / "manual.py", cwd=ROOT)

    assert shared_in(wheel) == {
        "share/man/man1/openssl-serve.1": manual,
        "share/bash-completion/completions/openssl-serve": script("bash"),
        "share/zsh/site-functions/_openssl-serve": script("zsh"),
        "share/fish/vendor_completions.d/openssl-serve.fish": script("fish"),
    }


def test_the_wheel_names_its_command_its_plugin_and_its_dependencies(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        info = {Path(n).name: archive.read(n).decode() for n in archive.namelist() if "-info/" in n}

    assert "openssl-serve = openssl_serve.__main__:main" in info["entry_points.txt"]
    assert "[pytest11]\nopenssl_serve = openssl_serve.pytest_plugin\n" in info["entry_points.txt"]
    assert "Requires-Python: >=3.11\n" in info["METADATA"]
    required = [
        line.removeprefix("Requires-Dist: ")
        for line in info["METADATA"].splitlines()
        if line.startswith("Requires-Dist: ") and "extra ==" not in line
    ]
    names = {line.replace(">", "<").partition("<")[0] for line in required}
    assert names == {"appdirs", "httptools", "idna", "segno", "sh", "typer"}


def test_a_wheel_made_of_the_sdist_is_the_same(wheel: Path, sdist: Path, tmp_path: Path) -> None:
    """That is how others package it."""
    with tarfile.open(sdist) as archive:
        if hasattr(tarfile, "data_filter"):
            archive.extractall(tmp_path / "source", filter="data")
        else:
            # Python 3.11.2, as in Debian 12, has no filters yet; the archive is our own.
            archive.extractall(tmp_path / "source")
    (source,) = (tmp_path / "source").iterdir()

    other = build("wheel", source, tmp_path / "wheel")

    assert names_in(other) == names_in(wheel)
    assert shared_in(other) == shared_in(wheel)
    assert (source / "tests" / "integration" / "test_packaging.py").is_file()
    assert not (source / ".venv").exists()


def test_who_would_upload_it_has_nothing_to_say(wheel: Path, sdist: Path) -> None:
    """The README as PyPI would show it, the metadata, and what does not belong into a wheel."""
    checked = run(sys.executable, "-m", "twine", "check", "--strict", wheel, sdist, cwd=ROOT)

    assert checked.count("PASSED") == 2
    assert run(SCRIPTS / "check-wheel-contents", wheel, cwd=ROOT).strip().endswith(": OK")


class TestInstalled:
    def test_issues_a_certificate_far_from_the_checkout(
        self, installed: Path, tmp_path: Path
    ) -> None:
        place, cert = run(installed / "python", "-c", ISSUE, cwd=tmp_path).splitlines()

        assert Path(place).is_relative_to(installed.parent)
        assert not Path(place).is_relative_to(ROOT)
        assert "DNS:my.dev.local" in run(
            "openssl", "x509", "-in", cert, "-noout", "-ext", "subjectAltName", cwd=tmp_path
        )

    def test_its_command_runs(self, installed: Path, tmp_path: Path) -> None:
        version = run(installed / "openssl-serve", "--version", cwd=tmp_path)

        assert version == run(sys.executable, "-m", "openssl_serve", "--version", cwd=tmp_path)

    def test_its_completions_are_where_shells_look(self, installed: Path) -> None:
        path = installed.parent / "share/bash-completion/completions/openssl-serve"

        assert path.read_text() == script("bash")
        assert (installed.parent / "share/man/man1/openssl-serve.1").is_file()

    def test_its_pages_are_there(self, installed: Path, tmp_path: Path) -> None:
        """Asked of a running server: a listing, and an error."""
        pages = run(installed / "python", "-c", PAGES, cwd=tmp_path)

        assert "200 text/html" in pages
        assert "404 text/html" in pages


PAGES = """
import http.client, ssl, pathlib
from openssl_serve import running_server
with running_server(pathlib.Path()) as server:
    for path in "/", "/absent":
        client = http.client.HTTPSConnection(
            "127.0.0.1", server.address.port, timeout=20, context=ssl._create_unverified_context()
        )
        client.request("GET", path, headers={"Accept": "text/html"})
        response = client.getresponse()
        print(response.status, response.headers["Content-Type"], len(response.read()) > 100)
        client.close()
"""


def test_an_editable_installation_issues_a_certificate(tmp_path: Path) -> None:
    """The environment of these tests: `pip install --editable`."""
    place, cert = run(sys.executable, "-c", ISSUE, cwd=tmp_path).splitlines()

    assert Path(place) == PACKAGE
    assert "CN=my.dev.local" in run(
        "openssl", "x509", "-in", cert, "-noout", "-subject", "-nameopt", "RFC2253", cwd=tmp_path
    )
