"""Where the openssl program is: at the path that was named, else in PATH."""

import os
from pathlib import Path

from openssl_serve.errors import OpensslNotFoundError
from openssl_serve.paths import expand
from openssl_serve.programs import candidates, how_to_install

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
        how_to_install("openssl"),
        f"or name one: --openssl /path/to/openssl, or ${VARIABLE}",
    )
