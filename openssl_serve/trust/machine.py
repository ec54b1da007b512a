"""Which trust stores this machine has, in the order in which they are changed.

And what stands beside that: for whom root works here, and the store of Windows around a WSL.
"""

import os
import shlex
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from openssl_serve.errors import TrustStoreError, UsageError
from openssl_serve.programs import find_program
from openssl_serve.trust.java import java_stores
from openssl_serve.trust.macos import login_keychains, system_keychains
from openssl_serve.trust.nss import nss_stores
from openssl_serve.trust.stores import Kind, TrustStore
from openssl_serve.trust.system import system_stores
from openssl_serve.trust.target import Target, Unwanted

# The system's first: Debian's Java follows it by itself.
_FINDERS: dict[Kind, Callable[[], list[TrustStore]]] = {
    Kind.SYSTEM: lambda: [*system_keychains(), *system_stores()],
    Kind.MACOS: login_keychains,
    Kind.NSS: nss_stores,
    Kind.JAVA: java_stores,
}

_ABSENT = {
    Kind.SYSTEM: (
        "there is no trust store of a kind that is known",
        "on Debian and Ubuntu: apt install ca-certificates",
    ),
    Kind.MACOS: ("there is no keychain", "only macOS has one: --store system"),
    Kind.NSS: (
        "there is no browser's certificate database",
        "a browser makes its own when it is first started",
    ),
    Kind.JAVA: ("there is no Java", "name its folder: JAVA_HOME=/path"),
}


def find_stores(kinds: Sequence[Kind] = ()) -> list[TrustStore]:
    """The stores of *kinds*; without any, all that this user has a use for.

    On macOS the system's keychain is only meant when it is named: the login keychain does the same
    without root. And under sudo the user's own are out of reach, for HOME is often root's.

    Raises TrustStoreError when there is none of a kind that is named, UsageError for a user's own
    store under sudo.
    """
    if kinds and sudo_user() and (mine := set(kinds) & {Kind.MACOS, Kind.NSS}):
        raise UsageError(
            f"--store {min(mine)} under sudo: that store is yours, and not root's",
            "the same without sudo",
        )
    found: list[TrustStore] = []
    for kind, find in _FINDERS.items():
        if kind not in (kinds or _usual()):
            continue
        stores = find()
        if kinds and not stores:
            message, hint = _ABSENT[kind]
            if kind is Kind.JAVA and (home := os.environ.get("JAVA_HOME")):
                raise TrustStoreError(f"there is no Java in JAVA_HOME={home} (--store java)", hint)
            raise TrustStoreError(f"{message} on this machine (--store {kind})", hint)
        found += stores
    if not found:
        raise TrustStoreError("there is no trust store on this machine", _ABSENT[Kind.SYSTEM][1])
    return found


def _usual() -> list[Kind]:
    if sudo_user():
        return [Kind.SYSTEM, Kind.JAVA]
    if sys.platform == "darwin":
        # Firefox reads the keychain there (from 120 on); with NSS's tools its profiles get it too.
        return [Kind.MACOS, *([Kind.NSS] if find_program("certutil") else []), Kind.JAVA]
    return list(Kind)


def sudo_user() -> str | None:
    """For whom root works here: who called sudo; None when nobody did, or root itself."""
    if os.geteuid() != 0:
        return None
    name = os.environ.get("SUDO_USER") or os.environ.get("DOAS_USER")
    return name if name != "root" else None


def refuse_second_authority(folder: Path) -> None:
    """Raise TrustStoreError if a local CA that is made in *folder* now would be root's.

    The user would have another one, and servers would go on using that.
    """
    if user := sudo_user():
        raise TrustStoreError(
            f"under sudo, a second local CA would be made in {folder}, and not {user}'s own",
            "the same without sudo: what only root can do is printed, to paste",
            f"or with the CA that {user} has: sudo OPENSSL_SERVE_HOME=/path openssl-serve trust",
        )


def windows_command(cert: Path) -> str | None:
    """Under WSL, what makes the browsers of Windows trust *cert*: they do not look in here."""
    if not _is_wsl():
        return None
    return f'certutil.exe -user -addstore Root "$(wslpath -w {shlex.quote(str(cert))})"'


def windows_removal(target: Unwanted) -> str | None:
    """Under WSL, what takes *target* out of there again; None when only its hash is known."""
    if not (_is_wsl() and isinstance(target, Target) and target.facts):
        return None
    return f"certutil.exe -user -delstore Root {target.facts.serial}"


def _is_wsl() -> bool:
    return "microsoft" in os.uname().release.lower()
