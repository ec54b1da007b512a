"""All words and colours that reach a terminal: results on stdout, everything else on stderr."""

import os
import sys
from typing import Any, TextIO

import typer

from openssl_serve.hosts import shorten


def result(line: str) -> None:
    """Print one line of what was asked for. Raises BrokenPipeError when nobody reads any more."""
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


def warning(message: str, *hints: str) -> None:
    """Print what may surprise and does not stop anything."""
    note(f"{style('openssl-serve: warning:', 'yellow')} {shorten(message, 1000)}")
    for hint in hints:
        note(f"{style('openssl-serve: hint:', 'cyan')} {shorten(hint, 1000)}")


def usage_error(exception: Any) -> None:
    """Print an error of the command line's own parser in our style."""
    message = exception.format_message().rstrip(".")
    command = getattr(getattr(exception, "ctx", None), "command_path", "openssl-serve")
    error(message[:1].lower() + message[1:], f"{command} --help shows what can be said")


def wants_colour() -> bool:
    """Whether stderr is a terminal that wants colours (no-color.org)."""
    dull = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
    return sys.stderr.isatty() and not dull


def style(text: str, colour: str) -> str:
    """*text* in *colour* when stderr wants it."""
    return typer.style(text, fg=colour, bold=True) if wants_colour() else text


def write_log(text: str) -> None:
    """Write whole lines to stderr, until nobody reads there any more."""
    try:
        sys.stderr.write(text)
        sys.stderr.flush()
    except BrokenPipeError:
        _drop(sys.stderr)
    except OSError:
        # A full disk: later lines may fit again.
        return
