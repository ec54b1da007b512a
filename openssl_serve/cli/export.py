"""The command `export`: a kept pair in the form that another program takes."""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from openssl_serve.addresses import parse_address
from openssl_serve.choices import choice
from openssl_serve.cli import inspection, render
from openssl_serve.cli.files import check_out, read_secret, write_new
from openssl_serve.errors import UsageError
from openssl_serve.hosts import parse_host

PASSWORD_VARIABLE = "OPENSSL_SERVE_EXPORT_PASSWORD"  # noqa: S105 - a name, not a password

MAX_PASSWORD_SIZE = 1000
"""Bytes. openssl reads one line of a password file and 1023 bytes of that, without a word."""

FORMS = (
    "pem, der, combined, pkcs12, pfx-legacy, p7b, mobileconfig, k8s-secret, cert-manager, "
    "nginx, haproxy, caddy, traefik or apache"
)


def register(app: typer.Typer) -> None:
    """Add the command to *app*."""
    app.command("export", help="Write a kept certificate for another program.")(export)


def export(  # noqa: PLR0913, PLR0917 - every option is spelled out once, here
    host: Annotated[str, typer.Argument(help="A kept host.")] = "localhost",
    form: Annotated[
        str, typer.Option("--format", metavar="FORM", help=f"What to write: {FORMS}.")
    ] = "pem",
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="Write it there, not on stdout.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite --out.")] = False,
    password_file: Annotated[
        Path | None,
        typer.Option("--password-file", metavar="FILE",
                     help=f"The password of PKCS #12; else ${PASSWORD_VARIABLE}, else a prompt."),
    ] = None,
    upstream: Annotated[
        str, typer.Option("--upstream", metavar="HOST:PORT", help="What is behind a web server.")
    ] = "127.0.0.1:3000",
    port: Annotated[
        int,
        typer.Option("--port", metavar="PORT", help="Its HTTPS port.", min=1, max=65535),
    ] = 443,
    http_port: Annotated[
        int,
        typer.Option("--http-port", metavar="PORT", help="Its HTTP port.", min=1, max=65535),
    ] = 80,
    explain: inspection.EXPLAIN = False,
    openssl: inspection.OPENSSL = None,
) -> None:  # fmt: skip
    """Write HOST's certificate in another form."""
    from openssl_serve.certs.export import Export, Form, recipe  # noqa: PLC0415
    from openssl_serve.certs.export import export as exported  # noqa: PLC0415
    from openssl_serve.certs.sites import Site  # noqa: PLC0415
    from openssl_serve.openssl.binary import Openssl  # noqa: PLC0415

    wanted = choice(Form, form, "--format")
    behind = parse_address(upstream, "--upstream")
    if not behind.port:
        raise UsageError(f"--upstream {behind}: no server has port 0", "name the port it is on")
    site = Site(port, http_port, str(behind))
    if out is not None:
        check_out(out, "--force overwrites it", overwrite=force)
    kept, tool = inspection.open_store().get(parse_host(host)), Openssl(openssl)
    if explain:
        if wanted.needs_openssl:
            if wanted.needs_password:
                render.result("# the password is the first line of ./password")
            render.result(recipe(kept, wanted).as_script(str(tool.path)))
        else:
            render.note(f"openssl is not needed for {wanted}")
        return
    password = _password(password_file) if wanted.needs_password else ""
    made = exported(kept, Export(wanted, password, site), tool)
    if out is not None:
        write_new(out, made.data, 0o600 if made.secret else 0o644, overwrite=force)
        render.result(str(out))
        return
    if made.binary and sys.stdout.isatty():
        raise UsageError(f"{wanted} is not text for a terminal", f"--out {host}.{wanted}")
    sys.stdout.buffer.write(made.data)
    sys.stdout.buffer.flush()


def _password(file: Path | None) -> str:
    """The password of an export: from *file*, the environment, or asked for twice."""
    if file is not None:
        hint = "the file holds the password as text; its last line break does not count"
        return _proven(read_secret(file, "--password-file", hint), f"--password-file {file}")
    if PASSWORD_VARIABLE in os.environ:
        return _proven(os.environ[PASSWORD_VARIABLE], f"${PASSWORD_VARIABLE}")
    if sys.stdin.isatty() and sys.stderr.isatty():
        password = typer.prompt(
            "Password of the export", hide_input=True, confirmation_prompt=True, err=True
        )
        return _proven(str(password), "the password")
    raise UsageError(
        "an export with a private key needs a password",
        f"--password-file FILE, or ${PASSWORD_VARIABLE}",
    )


def _proven(password: str, source: str) -> str:
    """*password*, if the file that is made with it opens with it, and with nothing else."""
    size = len(os.fsencode(password))
    if not password:
        raise UsageError(f"{source} is empty, and the private key would be anybody's", "give one")
    if "\n" in password or size > MAX_PASSWORD_SIZE:
        raise UsageError(
            f"{source} has a line break, or {size} bytes", f"one line of {MAX_PASSWORD_SIZE} bytes"
        )
    return password
