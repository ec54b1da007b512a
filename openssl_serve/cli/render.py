"""All words and colours that reach a terminal: results on stdout, everything else on stderr.

No meaning is in a colour or a sign alone: read aloud, or without colours, each line says the same.
"""

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TextIO

from openssl_serve.hosts import shorten

# SGR parameters (ECMA-48 8.3.117): the eight colours that every terminal has, in its own shades.
_COLOURS = {"red": 31, "green": 32, "yellow": 33, "blue": 34, "cyan": 36, "bright_black": 90}

_ERASE_LINE = "\r\x1b[K"
"""To the first column, and everything right of it away (ECMA-48 8.3.41)."""

_pending = ""
"""The line of a `progress` that is on the terminal now, without a line break after it."""


def result(line: str) -> None:
    """Print one line of what was asked for. Raises BrokenPipeError when nobody reads any more."""
    with _without_progress():
        print(line, flush=True)


def drop_results() -> None:
    """Send what else goes to stdout nowhere."""
    _drop(sys.stdout)


def _drop(stream: TextIO) -> None:
    """Send what *stream* still holds nowhere: Python would flush it at exit, and fail."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def note(line: str = "") -> None:
    """Print one line about what is being done; words are not worth failing for."""
    write_log(line + "\n")


def error(message: str, *hints: str) -> None:
    """Print what is wrong, in one line, and what to do, in a line for each hint."""
    # A path or an openssl message may hold a line break; the terminal must not.
    note(f"{style('openssl-serve: error:', 'red')} {shorten(message, 1000)}")
    for hint in hints:
        note(f"{style('openssl-serve: hint:', 'cyan')} {shorten(hint, 1000)}")


def passage(text: str) -> None:
    """Print lines that are not ours, as they are but for what could harm a terminal."""
    for line in text.splitlines():
        note(shorten(line, 4000))


def warning(message: str, *hints: str) -> None:
    """Print what may surprise and does not stop anything."""
    note(f"{style('openssl-serve: warning:', 'yellow')} {shorten(message, 1000)}")
    for hint in hints:
        note(f"{style('openssl-serve: hint:', 'cyan')} {shorten(hint, 1000)}")


def wants_colour(stream: TextIO | None = None, environment: Mapping[str, str] = os.environ) -> bool:
    """Whether *stream* (stderr) is to have colours: a terminal, unless *environment* says else.

    NO_COLOR (no-color.org) has the last word, as in Python itself; then FORCE_COLOR and
    CLICOLOR_FORCE, which colour a pipe too (CI's logs); then CLICOLOR=0 and TERM=dumb, which ask
    for none.
    """
    if environment.get("NO_COLOR"):
        return False
    if any(environment.get(name, "0") not in ("", "0") for name in _FORCING):
        return True
    if environment.get("CLICOLOR") == "0" or environment.get("TERM") == "dumb":
        return False
    return (stream or sys.stderr).isatty()


_FORCING = ("FORCE_COLOR", "CLICOLOR_FORCE")


def style(text: str, colour: str) -> str:
    """*text* in bold *colour* when stderr wants it."""
    return f"\x1b[1;{_COLOURS[colour]}m{text}\x1b[0m" if wants_colour() else text


def paint(text: str, colour: str) -> str:
    """*text* in *colour* when stdout wants it."""
    return f"\x1b[{_COLOURS[colour]}m{text}\x1b[0m" if wants_colour(sys.stdout) else text


def heading(text: str) -> str:
    """*text* in bold when stdout wants colours."""
    return f"\x1b[1m{text}\x1b[0m" if wants_colour(sys.stdout) else text


@contextmanager
def progress(doing: str) -> Iterator[None]:
    """Say on a terminal what is being done (`making a key`) for as long as the block takes.

    For what may take seconds. One line that does not move, since a screen reader would read each
    step of a spinner; it goes away at the end, and other lines are written above it. Where stderr
    is no terminal nothing is written, and on one that cannot erase the line stays.
    """
    global _pending  # noqa: PLW0603  a terminal has one last line
    if not sys.stderr.isatty() or _pending:
        yield
        return
    # Only one row can be erased again.
    line = f"{shorten(doing, columns(sys.stderr) - len(' ...') - 1)} ..."
    if os.environ.get("TERM", "dumb") == "dumb":
        note(line)
        yield
        return
    _pending = line
    _write(line)
    try:
        yield
    finally:
        _pending = ""
        _write(_ERASE_LINE)


def columns(terminal: TextIO) -> int:
    """How many columns *terminal* has; 80 where it does not tell, as on a serial line."""
    return max(20, os.get_terminal_size(terminal.fileno()).columns or 80)


def write_log(text: str) -> None:
    """Write whole lines to stderr, until nobody reads there any more."""
    with _without_progress():
        _write(text)


@contextmanager
def _without_progress() -> Iterator[None]:
    """Take the line of a `progress` away while something else is written."""
    if not _pending:
        yield
        return
    _write(_ERASE_LINE)
    try:
        yield
    finally:
        _write(_pending)


def _write(text: str) -> None:
    try:
        sys.stderr.write(text)
        sys.stderr.flush()
    except BrokenPipeError:
        _drop(sys.stderr)
    except OSError:
        # A full disk: later lines may fit again.
        return
