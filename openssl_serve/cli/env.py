"""`env`: has the programs of a shell trust what is kept here, as `run` has its command."""

import os
import re
import shlex
from collections.abc import Iterable, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from openssl_serve.choices import choice
from openssl_serve.cli import inspection, render
from openssl_serve.cli.options import option
from openssl_serve.errors import StoreError


class Shell(StrEnum):
    """Whose language the variables are set in."""

    SH = "sh"
    FISH = "fish"


def register(app: typer.Typer) -> None:
    """Add the command to *app*."""
    app.command("env", help="Print variables that have programs trust what is kept.")(env)


def env(
    shell: Annotated[
        str, option("For whom: sh (bash, zsh and the like) or fish.",
                    "--shell", metavar="SHELL", show=True)
    ] = "sh",
    json: inspection.JSON = False,
) -> None:  # fmt: skip
    """Print the variables, one a line."""
    from openssl_serve.paths import data_folder  # noqa: PLC0415

    language = choice(Shell, shell, "--shell")
    variables = trust_variables(os.environ)
    if not variables:
        raise StoreError(
            f"no certificate is kept in {data_folder()}, so there is nothing to trust",
            "make one: openssl-serve generate HOST",
        )
    if json:
        from openssl_serve.cli import certificates_text as words  # noqa: PLC0415

        words.as_json({"variables": variables})
        return
    for name, value in variables.items():
        render.result(assignment(name, value, language))


def trust_variables(environ: Mapping[str, str], served: Iterable[Path] = ()) -> dict[str, str]:
    """Return what makes programs trust all that is kept or *served*; warn if not all can."""
    from openssl_serve.certs import bundle  # noqa: PLC0415  not for --help
    from openssl_serve.paths import data_folder  # noqa: PLC0415

    variables = bundle.trust_variables(data_folder(), environ, served)
    if variables and "SSL_CERT_FILE" not in variables:
        render.warning(
            "nothing was found that this system trusts, so that only Node.js can be told",
            "name a file with its certificates: SSL_CERT_FILE=/path/to/ca-certificates.crt",
        )
    return variables


def assignment(name: str, value: str, shell: Shell) -> str:
    """Write the command that sets and exports a variable.

    >>> assignment("A", "a b", Shell.SH), assignment("A", "a b", Shell.FISH)
    ("export A='a b'", "set -gx A 'a b'")
    """
    if shell is Shell.FISH:
        # Within single quotes, fish knows a backslash before these two and no others.
        escaped = re.sub(r"([\\'])", r"\\\1", value)
        return f"set -gx {name} '{escaped}'"
    return f"export {name}={shlex.quote(value)}"
