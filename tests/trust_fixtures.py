"""Targets and stores for the tests of trust/: a home, a CA and databases of each test alone."""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from certificates import CA_TRUE, make, write
from fast_openssl import FastOpenssl

from openssl_serve.certs.store import Store
from openssl_serve.trust.system import FAMILIES, Family
from openssl_serve.trust.target import Target, target_of

FAST = FastOpenssl()

DEBIAN = next(family for family in FAMILIES if family.name.startswith("Debian"))


@pytest.fixture
def users_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home for browsers and Javas, with nothing in it; nothing of the machine's is found."""
    path = tmp_path / "user"
    path.mkdir()
    monkeypatch.setenv("HOME", str(path))
    for name in ("XDG_DATA_HOME", "XDG_CONFIG_HOME", "SUDO_USER", "DOAS_USER"):
        monkeypatch.delenv(name, raising=False)
    # A Java that is none: without it, the machine's are searched for.
    monkeypatch.setenv("JAVA_HOME", str(path / "no-java"))
    return path


@pytest.fixture
def data(tmp_path: Path) -> Store:
    """A data folder with a local CA."""
    store = Store(tmp_path / "data")
    store.ensure_authority(openssl=FAST)
    return store


@pytest.fixture
def target(data: Store) -> Iterator[Target]:
    """The CA of `data`."""
    with target_of(data.ensure_authority(openssl=FAST), FAST) as found:
        yield found


@pytest.fixture
def other_target(tmp_path: Path) -> Iterator[Target]:
    """Another user's CA."""
    authority = Store(tmp_path / "other").ensure_authority(openssl=FAST)
    with target_of(authority, FAST) as found:
        yield found


def renewed(data: Store) -> AbstractContextManager[Target]:
    """The CA of *data* with a new certificate, as a context manager."""
    return target_of(data.renew_authority(FAST), FAST)


def debian(folder: Path) -> Family:
    """Debian's family with its real tool, on folders below *folder* instead of the machine's."""
    folders = {name: folder / name for name in ("certs", "local", "etc", "hooks")}
    for path in folders.values():
        path.mkdir(parents=True, exist_ok=True)
    (folder / "conf").write_text("somebody.crt\n")
    somebody = make(CA_TRUE, names=(), subject="Somebody's Root")
    write(folders["certs"] / "somebody.crt", somebody)
    options = (
        "--certsconf", str(folder / "conf"), "--certsdir", str(folders["certs"]),
        "--localcertsdir", str(folders["local"]), "--etccertsdir", str(folders["etc"]),
        "--hooksdir", str(folders["hooks"]),
    )  # fmt: skip
    return Family(
        DEBIAN.name,
        folders["local"],
        DEBIAN.suffix,
        folders["etc"] / DEBIAN.bundle.name,
        (*DEBIAN.refresh, *options),
        (*DEBIAN.refresh_after_removal, *options),
    )
