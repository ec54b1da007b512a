"""The commands that look at certificates: show and verify."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from openssl_serve.cli import render
from openssl_serve.cli.options import option

if TYPE_CHECKING:
    from openssl_serve.certs.store import Store

SUBJECT = Annotated[
    str,
    typer.Argument(metavar="HOST|FILE|HOST:PORT", help="Kept, in a file, or being served."),
]
CA = Annotated[
    Path | None,
    typer.Option("--ca", metavar="FILE", help="Trust this certificate, and no other."),
]
OPENSSL = Annotated[
    str | None,
    option("The openssl program.  [default: the first in PATH]", "--openssl", metavar="PATH"),
]
EXPLAIN = Annotated[
    bool, typer.Option("--explain", help="Print the openssl commands instead of running them.")
]
JSON = Annotated[bool, typer.Option("--json", help="Print JSON.")]

EXIT_FAULT = 4
"""A certificate that is not as it should be, as every CertificateError."""


def register(app: typer.Typer) -> None:
    """Add the commands to *app*."""
    app.command("show", help="Show what is in a certificate, and who can trust it.")(show)
    app.command(
        "verify",
        help="Check a certificate with the system's openssl.\n\n"
        "Each check is shown with its command. The exit code is 4 when one fails.",
    )(verify)


def open_store() -> "Store":
    """The user's certificates."""
    from openssl_serve.certs.store import Store  # noqa: PLC0415 - not for --help
    from openssl_serve.paths import data_folder  # noqa: PLC0415

    return Store(data_folder())


def show(
    what: SUBJECT = "localhost",
    json: JSON = False,
) -> None:
    """Show what is in a certificate."""
    from openssl_serve.certs.clients import client_verdicts  # noqa: PLC0415
    from openssl_serve.certs.subject import find_subject  # noqa: PLC0415
    from openssl_serve.cli import certificates_text as words  # noqa: PLC0415

    subject = find_subject(what, open_store())
    clients = client_verdicts(subject.facts, subject.issuer)
    if json:
        words.as_json(words.subject_json(subject, clients))
    else:
        words.show_subject(subject, clients)


def verify(
    what: SUBJECT = "localhost",
    ca: CA = None,
    json: JSON = False,
    explain: EXPLAIN = False,
    openssl: OPENSSL = None,
) -> None:
    """Run every check; leave with 4 when one fails."""
    from openssl_serve.certs.subject import find_subject  # noqa: PLC0415
    from openssl_serve.certs.verify import commands_of  # noqa: PLC0415
    from openssl_serve.certs.verify import verify as checks_of  # noqa: PLC0415
    from openssl_serve.cli import certificates_text as words  # noqa: PLC0415
    from openssl_serve.openssl.binary import Openssl  # noqa: PLC0415
    from openssl_serve.paths import expand  # noqa: PLC0415

    tool = Openssl(openssl)
    subject = find_subject(what, open_store(), expand(ca).absolute() if ca else None)
    if explain:
        for command in commands_of(subject):
            render.result(command)
        return
    if not json:
        render.note(f"with {tool.path}, {tool.version}")
    checks = []
    for check in checks_of(subject, tool):
        checks.append(check)
        if not json:
            words.show_check(check)
    good = all(check.good for check in checks)
    if json:
        words.as_json(
            {
                "name": subject.name,
                "openssl": {"path": str(tool.path), "version": str(tool.version)},
                "good": good,
                "checks": [check._asdict() for check in checks],
            }
        )
    if not good:
        raise typer.Exit(EXIT_FAULT)
