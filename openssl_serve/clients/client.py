"""What every client can do: be asked for a URL, and tell of itself; one family a class elsewhere.

A client has trusted a certificate when its request has come in over TLS, whatever it says: exit
codes and words differ, and some complete the handshake before they look at the certificate.
"""

import functools
import os
import sys
from abc import ABC, abstractmethod
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import ClassVar, NamedTuple

from openssl_serve import tools
from openssl_serve.programs import candidates
from openssl_serve.tools import Output
from openssl_serve.trust.stores import Command, Kind

MOST = 4
"""Of one kind that are asked: PATH has one, or two with a version manager's before it."""

_APPLES = ("/usr/bin/git", "/usr/bin/python3")
"""On macOS they only call the developer tools, and open a window that offers these to who lacks
them."""

_XCODE_SELECT_TIMEOUT_S = 5
"""It reads one link."""


class Trust(StrEnum):
    """Where a client stands with a certificate."""

    TRUSTS = "trusts"
    REFUSES = "refuses"
    BLIND = "checks nothing"
    """It takes a certificate that nobody has signed, too."""
    UNKNOWN = "unknown"
    """It could not be asked."""


class Place(NamedTuple):
    """Where a client has found the CAs that it trusts."""

    path: Path | None
    """A file or folder; None when it is in the program itself, or not told."""
    words: str
    variable: str | None = None
    """The environment variable that led there."""


class Account(NamedTuple):
    """What a client tells of itself, beside what it does."""

    says: str
    """Its last words: why it refuses, if it does. "" when it says nothing."""
    version: str = ""
    place: Place | None = None
    identity: str = ""
    """Equal for two names of one program."""


class Foregone(NamedTuple):
    """A verdict that needs no question, and by what it is known."""

    trust: Trust
    says: str
    proof: str


class Client(ABC):
    """One program. `program` is its path, or that of its database."""

    name: str
    """What people call it."""
    proof: ClassVar[str] = "a TLS handshake"
    store: ClassVar[Kind] = Kind.SYSTEM
    """The trust store that it reads, if it reads one of these."""
    variables: ClassVar[tuple[str, ...]] = ()
    """Those of `openssl-serve env` that it follows, the first that is set before the others."""
    blinding: ClassVar[str | None] = None
    """A variable with which it checks nothing."""
    connects: ClassVar[bool] = True
    """Whether asking it makes a connection."""
    can_be_blind: ClassVar[bool] = True
    """Whether it has a switch to check nothing."""
    environment: ClassVar[Mapping[str, str]] = {}
    """What it needs so as to ask nobody and to write nothing."""
    remedy_if_unknown: ClassVar[str | None] = None
    """What to type when it could not be asked."""

    def __init__(self, program: str) -> None:
        self.program = program

    def foregone(self) -> Foregone | None:
        """What is known without asking; None when that has to be. It may take its time."""
        return None

    @abstractmethod
    def asking(self, url: str) -> Command:
        """What to run for it to ask for *url*; it must write nothing, and use no proxy."""

    def typed(self, url: str) -> bytes:  # noqa: ARG002
        """What it reads from its input, to ask for *url*."""
        return b""

    def introducing(self) -> Command | None:
        """What to run for its version; None when it tells that with its answer."""
        return (self.program, "--version")

    @abstractmethod
    def account(self, output: Output, introduction: str) -> Account | None:
        """What it tells, by its answer and its version; None for one that is not there at all."""

    def accepted(self, output: Output, *, was_heard: bool) -> bool:  # noqa: ARG002
        """Whether it has taken the certificate; *was_heard*: its request came over TLS."""
        return was_heard

    def named_place(self) -> Place | None:
        """What one of its `variables` names."""
        for name in self.variables:
            if value := os.environ.get(name):
                return Place(Path(value), f"{name}={value}", name)
        return None


def place_at(path: str) -> Place:
    """A file or folder that no variable has named."""
    return Place(Path(path), path)


def found(*names: str) -> list[str]:
    """The programs in PATH that are called by one of *names*, each folder once; MOST at most."""
    programs: dict[tuple[str, str], str] = {}
    for name in names:
        for path in candidates(name):
            if str(path) in _APPLES and not _has_apples_tools():
                continue
            # /bin is a link to /usr/bin. A link to a program can be another program: the Python of
            # a virtual environment has packages of its own.
            programs.setdefault((os.path.realpath(path.parent), name), str(path))
    return list(programs.values())[:MOST]


@functools.cache
def _has_apples_tools() -> bool:
    """Whether what calls them can be run; everywhere but on macOS these are programs themselves."""
    if sys.platform == "darwin":
        return tools.run(("/usr/bin/xcode-select", "-p"), {}, _XCODE_SELECT_TIMEOUT_S)
    return True


def last_line(text: str) -> str:
    """The last line of *text* that is not empty."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else ""


def second_word(text: str) -> str:
    """Of "curl 7.88.1 (x86_64…"."""
    words = text.split()
    return words[1] if len(words) > 1 else ""
