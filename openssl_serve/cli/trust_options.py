"""What `trust` and `untrust` have in common on the command line: which stores, and a dry run."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from openssl_serve.choices import choice
from openssl_serve.cli.options import option
from openssl_serve.errors import TrustStoreError

if TYPE_CHECKING:
    from openssl_serve.trust.stores import Kind

STORES = Annotated[
    list[str] | None,
    option("Only these: system, nss (browsers), java or macos (login keychain); repeat for more.",
           "--store", metavar="STORE"),
]  # fmt: skip
DRY_RUN = Annotated[
    bool, typer.Option("--dry-run", help="Print what would be run, and change nothing.")
]

EXIT_UNTRUSTED = TrustStoreError.exit_code


def kinds(names: Sequence[str] | None) -> "list[Kind]":
    """The kinds of stores that --store names; none for all. Raises UsageError."""
    from openssl_serve.trust.stores import Kind  # noqa: PLC0415 - not for --help

    hint = "without --store, all of them"
    return [choice(Kind, name, "--store", hint) for name in dict.fromkeys(names or ())]
