"""A word as a member of its enumeration, whoever said it: a command line, a file, a program."""

from enum import StrEnum
from typing import TypeVar

from openssl_serve.errors import UsageError
from openssl_serve.hosts import shorten

Choice = TypeVar("Choice", bound=StrEnum)


def choice(kind: type[Choice], text: str, name: str, hint: str = "") -> Choice:
    """Return the member of *kind* that *text* names for the option or argument *name*.

    Raises UsageError; its hint is *hint*, or that the first one is the default.
    """
    try:
        return kind(text)
    except ValueError as error:
        words = ", ".join(kind)
        hint = hint or f"{name} {next(iter(kind))} is the default"
        raise UsageError(f'{name} "{shorten(str(text))}" is not one of {words}', hint) from error
