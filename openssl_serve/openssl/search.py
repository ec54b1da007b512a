"""Where the openssl program is: at the path that was named, else in PATH."""

import os
from pathlib import Path

from openssl_serve.errors import OpensslNotFoundError
from openssl_serve.paths import expand

VARIABLE = "OPENSSL_SERVE_OPENSSL"

UNNAMED = f"leave out --openssl and ${VARIABLE}, and the first in PATH is taken"
"""The hint when the one that was named will not do."""


def find(named: str) -> Path:
    """The program at the path *named*, or of that name. Raises OpensslNotFoundError."""
    if "/" in named:
        path = expand(named).absolute()
        if os.path.isdir(path):
            raise OpensslNotFoundError(f"{path} is a folder, not the openssl program", UNNAMED)
        if not os.access(path, os.X_OK):
            what = "is not executable" if os.path.lexists(path) else "does not exist"
            raise OpensslNotFoundError(
                f"{path} {what}, and was named as the openssl program", UNNAMED
            )
        return path
    for path in candidates(named):
        return path
    raise OpensslNotFoundError(
        f"no {named} program found in PATH",
        _how_to_install(),
        f"or name one: --openssl /path/to/openssl, or ${VARIABLE}",
    )


def candidates(name: str) -> list[Path]:
    """Every executable file called *name* in PATH, in its order."""
    # A relative entry of PATH (and "" is one) would run whatever lies in the served folder.
    folders = [Path(entry) for entry in os.get_exec_path() if entry.startswith("/")]
    paths = [folder / name for folder in folders]
    # Not Path.is_file(), which raises for a folder that may not be entered, as after `su`.
    return [path for path in paths if os.path.isfile(path) and os.access(path, os.X_OK)]


def _how_to_install() -> str:
    for tool, command in (
        ("apt-get", "apt install openssl"),
        ("dnf", "dnf install openssl"),
        ("pacman", "pacman -S openssl"),
        ("zypper", "zypper install openssl"),
        ("apk", "apk add openssl"),
        ("brew", "brew install openssl"),
    ):
        if candidates(tool):
            return f"install openssl: {command}"
    return "install openssl with the package manager of this system"
