"""The command `sign`: a certificate for somebody's request."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from openssl_serve.cli import inspection, render
from openssl_serve.cli.files import check_out, write_new
from openssl_serve.cli.generate import warn_of_key
from openssl_serve.cli.options import option
from openssl_serve.errors import CertificateError

if TYPE_CHECKING:
    from openssl_serve.certs.request import Request


def register(app: typer.Typer) -> None:
    """Add the command to *app*."""
    app.command(
        "sign",
        help="Sign a certificate request with the local CA.\n\n"
        "Its key and its hosts are taken over, its extensions are not.",
    )(sign)


def sign(
    request: Annotated[
        Path, typer.Argument(metavar="CSR", help="A request in PEM form; - for stdin.")
    ],
    days: Annotated[int, option("Days that it is valid.", "--days", metavar="N", show=True)] = 365,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="Write it there, not on stdout.")
    ] = None,
    explain: inspection.EXPLAIN = False,
    openssl: inspection.OPENSSL = None,
) -> None:
    """Sign CSR with the local CA: its key and hosts, never its extensions."""
    from openssl_serve.certs.request import sign as sign_request  # noqa: PLC0415
    from openssl_serve.certs.request import signing_recipe  # noqa: PLC0415
    from openssl_serve.openssl.binary import Openssl  # noqa: PLC0415

    store, tool = inspection.open_store(), Openssl(openssl)
    authority = store.find_authority()
    if authority is None:
        raise CertificateError("there is no local CA", "make one: openssl-serve generate --ca")
    if out is not None:
        check_out(out, "name another file, or remove it")
    wanted = _read(request)
    if explain:
        script = signing_recipe(wanted, authority, days).as_script(str(tool.path))
        render.result(f"# the request is ./request.pem\n{script}")
        return
    signed = sign_request(tool, authority, wanted, days)
    names = ", ".join(signed.facts.names)
    render.note(f"signed for {names}, until {signed.facts.not_after:%Y-%m-%d}")
    warn_of_key(signed.facts)
    if out is None:
        render.result(signed.pem.decode("ascii").rstrip("\n"))
        return
    write_new(out, signed.pem, 0o644, overwrite=False)
    render.result(str(out))


def _read(path: Path) -> "Request":
    from openssl_serve.certs.pem_files import MAX_FILE_SIZE  # noqa: PLC0415
    from openssl_serve.certs.request import read_request_file, request_in  # noqa: PLC0415

    if str(path) != "-":
        return read_request_file(path)
    try:
        return request_in(sys.stdin.buffer.read(MAX_FILE_SIZE), Path("standard input"))
    except CertificateError as error:
        # Its own hints are for a file.
        raise CertificateError(
            str(error), "openssl req -new -key KEY -subj /CN=HOST | openssl-serve sign -"
        ) from error
