"""What `--version` says: this program, the Python that serves, and the openssl that makes keys.

It answers before the command line's parser is imported, which takes longer than all of this; so
nothing of typer may be needed here.
"""

import platform

from openssl_serve import __version__
from openssl_serve.cli import render
from openssl_serve.errors import OpensslError


def tell() -> None:
    """Print the three versions; without a usable openssl, why."""
    # The module behind ssl, whose own import takes 10 ms.
    from _ssl import OPENSSL_VERSION  # noqa: PLC0415

    from openssl_serve.openssl.binary import Openssl  # noqa: PLC0415

    openssl = Openssl()
    try:
        program = f"{openssl.path}, {openssl.version}"
    except OpensslError as error:
        program = str(error)
    render.result(f"openssl-serve {__version__}")
    render.result(f"Python {platform.python_version()}, serving with {OPENSSL_VERSION}")
    render.result(program)
