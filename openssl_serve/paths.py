"""Where things live on this machine; nothing here creates them, or looks into them."""

import os
import sys
from pathlib import Path

from openssl_serve.errors import StoreError, UsageError

VARIABLE = "OPENSSL_SERVE_HOME"

_NAME = "openssl-serve"


def data_folder() -> Path:
    """The folder of kept certificates: `$OPENSSL_SERVE_HOME`, else the user's data folder.

    Raises StoreError when the user has no home to keep it in.
    """
    named = os.environ.get(VARIABLE)
    if named:
        # Absolute, because the path is shown, and because the work is done in other folders.
        return expand(named).absolute()
    if _home_is_empty() and (sys.platform == "darwin" or not os.environ.get("XDG_DATA_HOME")):
        raise StoreError(
            "there is no home to keep certificates in: HOME is empty",
            f"name a folder: {VARIABLE}=/path",
        )
    # Imported here: most tests and some users name the folder. No longer developed upstream;
    # platformdirs has the same function.
    import appdirs  # noqa: PLC0415

    path = Path(appdirs.user_data_dir(_NAME))
    if path == Path(_NAME):
        # An empty XDG_DATA_HOME, which is as good as none (XDG Base Directory Specification).
        path = Path(os.path.expanduser(f"~/.local/share/{_NAME}"))
    if not path.is_absolute():
        # No HOME and no entry in the user database, or a relative XDG_DATA_HOME.
        raise StoreError(
            f"there is no home to keep certificates in: {path}", f"name a folder: {VARIABLE}=/path"
        )
    return path


def users_home() -> Path | None:
    """The home of this user; None for one who has none, as in a container or a service."""
    try:
        home = Path.home()
    except RuntimeError:
        return None
    return home if home.is_dir() and not _home_is_empty() else None


def expand(path: str | Path) -> Path:
    """*path* with a tilde at its beginning replaced. Raises UsageError for a user without home."""
    path = Path(path)
    if path.parts[:1] == ("~",) and _home_is_empty():
        raise UsageError(f"{path}: HOME is empty", "./~ is a file")
    try:
        return path.expanduser()
    except RuntimeError as error:
        raise UsageError(f"{path}: there is no such user, or no home", "./~ is a file") from error


def _home_is_empty() -> bool:
    """Whether HOME is set to nothing, as by a script that lost it; Python would take it for "/"."""
    return os.environ.get("HOME") == ""
