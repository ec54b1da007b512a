"""How an option is declared, so that all of them can be set in the environment too, and read."""

from enum import StrEnum
from typing import Any, TypeVar

import typer

from openssl_serve.errors import UsageError
from openssl_serve.hosts import shorten

Choice = TypeVar("Choice", bound=StrEnum)


def option(help_text: str, *names: str, metavar: str, show: bool = False) -> Any:
    """Make an option that OPENSSL_SERVE_… sets as well."""
    variable = "OPENSSL_SERVE_" + names[0].removeprefix("--").replace("-", "_").upper()
    return typer.Option(
        *names,
        help=help_text,
        metavar=metavar,
        envvar=variable,
        show_envvar=False,
        show_default=show,
    )


def choice(kind: type[Choice], text: str, option: str, hint: str = "") -> Choice:
    """Return the member of the enumeration *kind* that *text* names; raises UsageError.

    Its hint is *hint*, or that the first one is the default.
    """
    try:
        return kind(text)
    except ValueError as error:
        names = ", ".join(kind)
        hint = hint or f"{option} {next(iter(kind))} is the default"
        raise UsageError(f'{option} "{shorten(text)}" is none of {names}', hint) from error
