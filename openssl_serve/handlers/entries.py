"""What of a folder is listed: its entries, in which order, and how names and times are written."""

import os
import re
import stat
import time
from typing import NamedTuple
from urllib.parse import quote_from_bytes

from openssl_serve.handlers.folder import Folder

_CONTROL_PICTURES = (
    {code: 0x2400 + code for code in range(32)}
    | {0x7F: 0x2421}
    | dict.fromkeys((*range(0x80, 0xA0), *range(0x2028, 0x202F), *range(0x2066, 0x206A)), 0xFFFD)
)
"""A newline in a name must not become a line, nor an escape sequence reach a terminal; and with
a bidirectional override `photo(RLO)gpj.exe` would look like a picture."""

_NUMBER = re.compile("0*([0-9]+)")

_YEAR_1, _YEAR_9999 = -62_135_596_800, 253_402_300_799
"""POSIX seconds that a date of four digits can say; file systems hold others."""


class Entry(NamedTuple):
    """A file or folder in a listing; size in bytes, modified in POSIX seconds."""

    name: bytes
    is_folder: bool
    size: int
    modified: float

    @property
    def href(self) -> str:
        """A relative reference; `./` keeps a name with a colon from being read as a scheme."""
        return "./" + quote_from_bytes(self.name, safe="") + ("/" if self.is_folder else "")

    @property
    def text(self) -> str:
        """The name to show, with a slash if it is a folder."""
        return shown(self.name) + ("/" if self.is_folder else "")


class Order(NamedTuple):
    """How a listing is sorted; folders come first in any order."""

    key: str = "name"
    """`name`, `size` or `date`."""
    descending: bool = False

    def sort(self, entries: list[Entry]) -> list[Entry]:
        """Sort *entries*, which are in the order of their names."""
        if self.key == "name":
            if not self.descending:
                return entries
            backwards = entries[::-1]
            return sorted(backwards, key=lambda entry: not entry.is_folder)
        sign = -1 if self.descending else 1
        if self.key == "size":
            return sorted(entries, key=lambda entry: (not entry.is_folder, sign * entry.size))
        return sorted(entries, key=lambda entry: (not entry.is_folder, sign * int(entry.modified)))


def parse_order(target: bytes) -> Order:
    """Read `?sort=` and `order=` of *target*; what is unknown counts as not there.

    >>> parse_order(b"/?sort=size&order=desc"), parse_order(b"/?sort=colour")
    (Order(key='size', descending=True), Order(key='name', descending=False))
    """
    pairs = dict(pair.partition(b"=")[::2] for pair in target.partition(b"?")[2].split(b"&"))
    key = pairs.get(b"sort")
    if key not in (b"name", b"size", b"date"):
        return Order()
    return Order(key.decode(), pairs.get(b"order") == b"desc")


def read_entries(folder: Folder, path: bytes) -> list[Entry]:
    """Read what of the folder *path* would also be served: folders first, then by name."""
    entries = []
    with os.scandir(path) as found:
        for item in found:
            if not folder.shows(item.name):
                continue
            try:
                if item.is_symlink() and not folder.contains(item.path):
                    continue
                status = item.stat()
                if folder.is_key(status):
                    continue
            except OSError:
                # A dangling link, or gone since.
                continue
            if stat.S_ISDIR(status.st_mode):
                entries.append(Entry(item.name, True, 0, status.st_mtime))
            elif stat.S_ISREG(status.st_mode):
                entries.append(Entry(item.name, False, status.st_size, status.st_mtime))
    return sorted(entries, key=lambda entry: (not entry.is_folder, natural(entry.name)))


def natural(name: bytes) -> tuple[str, bytes]:
    """Return a sort key as people count: without case, and with 2 before 10.

    >>> sorted([b"a10", b"B1", b"a2", b"a.txt"], key=natural)
    [b'a.txt', b'a2', b'a10', b'B1']
    """
    return _NUMBER.sub(_by_length, name.decode("utf-8", "replace").casefold()), name


def _by_length(number: re.Match[str]) -> str:
    # Of two numbers without leading zeros the longer is the larger.
    return f"0{chr(len(number[1]))}{number[1]}"


def shown(name: bytes) -> str:
    """Return *name* as text; what is no UTF-8, and what would not show, as a mark for it.

    >>> shown(b"a" + bytes([10]) + b"b")
    'a␊b'
    """
    text = name.decode("utf-8", "replace")
    return text if text.isprintable() else text.translate(_CONTROL_PICTURES)


def utc(seconds: float) -> str:
    """Write a POSIX time as RFC 3339 has it, in UTC.

    >>> utc(784111777.9)
    '1994-11-06T08:49:37Z'
    """
    year, month, day, hour, minute, second, *_ = time.gmtime(min(max(seconds, _YEAR_1), _YEAR_9999))
    return f"{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z"
