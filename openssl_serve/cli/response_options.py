"""Options of `serve` about what goes with each response, and to whom."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from openssl_serve.cli.address_options import SOURCES
from openssl_serve.cli.files import read_secret
from openssl_serve.cli.options import option
from openssl_serve.errors import UsageError
from openssl_serve.hosts import shorten

if TYPE_CHECKING:
    from openssl_serve.handlers.credentials import Credentials
    from openssl_serve.handlers.decorations import Decorations

Cors = Annotated[bool, option("Let pages of every origin read what is here.", "--cors", metavar="")]
CrossOriginIsolated = Annotated[
    bool,
    option("Send COOP, COEP and CORP, for SharedArrayBuffer and WASM threads.",
           "--cross-origin-isolated", metavar=""),
]  # fmt: skip
Header = Annotated[
    list[str] | None,
    option("Send this field with each response; repeat for more.",
           "--header", metavar="'NAME: VALUE'"),
]  # fmt: skip
Hsts = Annotated[
    bool, option("Tell browsers to come over https only, for 5 minutes.", "--hsts", metavar="")
]
Auth = Annotated[
    str | None, option("Ask for this name and password.", "--auth", metavar="USER:PASSWORD")
]
AuthFile = Annotated[
    Path | None, option("Where to read --auth, unseen in lists of processes.",
                        "--auth-file", metavar="PATH"),
]  # fmt: skip


def decorations(
    *, cors: bool, cross_origin_isolated: bool, headers: list[str], hsts: bool
) -> "Decorations":
    """Return what the words of the command line mean; raises UsageError."""
    # Not with the module: --help needs no server.
    from openssl_serve.handlers.decorations import Decorations, parse_header  # noqa: PLC0415

    return Decorations(tuple(map(parse_header, headers)), cors, cross_origin_isolated, hsts)


def header_lines(values: list[str] | None, source: str) -> list[str]:
    """Return the fields that *values* of --header mean; from the environment, one a line.

    There the command line's parser would split at every space.
    """
    if source == "ENVIRONMENT":
        return [line for line in os.environ["OPENSSL_SERVE_HEADER"].splitlines() if line.strip()]
    return values or []


def credentials(
    auth: str | None, auth_file: Path | None, sources: dict[str, str]
) -> "Credentials | None":
    """Return who may come in; *sources* say where --auth and --auth-file were given.

    Of the two, that from the source with the later word in `SOURCES` wins. Raises UsageError for
    both from one source, and for what is no name and password.
    """
    if auth is None and auth_file is None:
        return None
    from openssl_serve.handlers.credentials import parse_credentials  # noqa: PLC0415

    if auth is not None and auth_file is not None:
        if sources["auth"] == sources["auth_file"]:
            raise UsageError("--auth and --auth-file exclude each other", "leave out one of them")
        if SOURCES.index(sources["auth"]) > SOURCES.index(sources["auth_file"]):
            auth_file = None
    if auth_file is None:
        assert auth is not None
        return parse_credentials(auth, "--auth")
    hint = "the file holds name:password; its last line break does not count"
    text = read_secret(auth_file, "--auth-file", hint)
    return parse_credentials(text, f"--auth-file {shorten(str(auth_file))}")
