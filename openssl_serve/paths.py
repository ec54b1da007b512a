"""Where things live on this machine; nothing here creates or reads them."""

import os
from pathlib import Path

from openssl_serve.errors import StoreError, UsageError

VARIABLE = "OPENSSL_SERVE_HOME"


def data_folder() -> Path:
    """The folder of kept certificates: `$OPENSSL_SERVE_HOME`, else the user's data folder.

    Raises StoreError when the user has no home to keep it in.
    """
    named = os.environ.get(VARIABLE)
    if named:
        # Absolute, because the path is shown, and because the work is done in other folders.
        return expand(named).absolute()
    # Imported here: most tests and some users name the folder. No longer developed upstream;
    # platformdirs has the same function.
    import appdirs  # noqa: PLC0415

    path = Path(appdirs.user_data_dir("openssl-serve"))
    if not path.is_absolute():
        # No HOME and no entry in the user database, or a relative XDG_DATA_HOME.
        raise StoreError(
            f"there is no home to keep certificates in: {path}", f"name a folder: {VARIABLE}=/path"
        )
    return path


def expand(path: str | Path) -> Path:
    """*path* with a tilde at its beginning replaced. Raises UsageError for a user without home."""
    try:
        return Path(path).expanduser()
    except RuntimeError as error:
        raise UsageError(f"{path}: there is no such user, or no home", "./~ is a file") from error
