"""Where things live on this machine; nothing here creates or reads them."""

import os
from pathlib import Path


def data_folder() -> Path:
    """The folder of kept certificates: `$OPENSSL_SERVE_HOME`, else the user's data folder."""
    named = os.environ.get("OPENSSL_SERVE_HOME")
    if named:
        # Absolute, because the path is shown, and because the work is done in other folders.
        return Path(named).expanduser().absolute()
    # Imported here: most tests and some users name the folder. No longer developed upstream;
    # platformdirs has the same function.
    import appdirs  # noqa: PLC0415

    return Path(appdirs.user_data_dir("openssl-serve"))
