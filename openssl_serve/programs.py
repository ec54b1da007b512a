"""Programs of this machine: where they are, and how one that is missing is installed."""

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

_ADMINISTRATORS = ("/usr/local/sbin", "/usr/sbin", "/sbin")
"""Where update-ca-certificates is, and Debian's users do not have that in PATH."""

_MANAGERS = {
    "apt-get": "apt install",
    "dnf": "dnf install",
    "pacman": "pacman -S",
    "zypper": "zypper install",
    "apk": "apk add",
    "brew": "brew install",
}
"""By the program that shows that a package manager is there, the words that install with it."""


def candidates(name: str) -> list[Path]:
    """Every executable file called *name* in PATH, in its order."""
    paths = [Path(folder) / name for folder in _folders()]
    # Not Path.is_file(), which raises for a folder that may not be entered, as after `su`.
    return [path for path in paths if os.path.isfile(path) and os.access(path, os.X_OK)]


def find_program(name: str) -> str | None:
    """The path of a program in PATH, or where administrators have theirs."""
    return shutil.which(name, path=search_path())


def search_path() -> str:
    """PATH, and where administrators have their programs."""
    return ":".join((*_folders(), *_ADMINISTRATORS))


def how_to_install(what: str, packages: Mapping[str, str] | None = None) -> str:
    """A hint that installs *what* with the package manager of this system.

    *packages* has the name of its package by the manager's, where that is another.
    """
    names = packages or {}
    for manager, command in _MANAGERS.items():
        if find_program(manager):
            return f"install {what}: {command} {names.get(manager, what)}"
    return f"install {what} with the package manager of this system"


def _folders() -> list[str]:
    # A relative entry of PATH (and "" is one) would run whatever lies in the served folder.
    return [entry for entry in os.get_exec_path() if entry.startswith("/")]
