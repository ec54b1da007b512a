"""How wide text is on a terminal, and where it is broken: between words, never within one.

What nobody could read is cut elsewhere; a path or a command stays whole, so that it can be copied.
"""

import re
import unicodedata
from collections.abc import Iterator
from typing import TextIO

from openssl_serve.cli import render

PAINTED = re.compile(r"(\x1b\[[0-9;]+m)([^\x1b]*)(\x1b\[0m)")
"""What `render.paint` and `render.style` make; no other escape code gets through."""

MIN_TEXT = 28
"""Columns that a text needs beside its word; with less it is the terminal that breaks it."""

_FINGERPRINT = re.compile(r"[0-9A-F]{2}(:[0-9A-F]{2}){31}")


def width_of(text: str) -> int:
    """How many columns of a terminal *text* takes, without its colours.

    >>> width_of("abc"), width_of("日本"), width_of("e" + chr(0x301))
    (3, 4, 1)
    """
    text = PAINTED.sub(r"\2", text)
    if text.isascii():
        return len(text)
    return sum(map(_columns_of, text))


def _columns_of(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    # UAX 11: wide and fullwidth take two cells in every terminal.
    return 2 if unicodedata.east_asian_width(character) in ("W", "F") else 1


def hanging(head: str, text: str, stream: TextIO) -> str:
    """*head* and *text* as one line for *stream*: on a terminal, broken to stand below itself."""
    indent = width_of(head) + 1
    room = render.columns(stream) - indent if stream.isatty() else 0
    if room < MIN_TEXT:
        return f"{head} {text}"
    return f"{head} " + f"\n{'':<{indent}}".join(wrapped(text, room))


def wrapped(text: str, width: int) -> list[str]:
    """*text* in lines of at most *width* columns, but for words that are wider.

    >>> wrapped("a path /home/you/site and more", 12)
    ['a path', '/home/you/site', 'and more']
    """
    lines = [""]
    for word in _words(text, width):
        longer = f"{lines[-1]} {word}" if lines[-1] else word
        if lines[-1] and width_of(longer) > width:
            lines.append(word)
        else:
            lines[-1] = longer
    return [line.rstrip() for line in lines]


def _words(text: str, width: int) -> Iterator[str]:
    for word in text.split(" "):
        if _FINGERPRINT.fullmatch(word) and len(word) > width:
            # Halves or quarters can still be compared, by eye, with another screen.
            step = 48 if width >= 48 else 24
            yield from (word[at : at + step] for at in range(0, len(word), step))
        else:
            yield word
