"""The listing of a folder: a page for browsers, plain names for everything else."""

import os
import stat
import time
from html import escape
from typing import NamedTuple
from urllib.parse import quote_from_bytes

from openssl_serve.errors import HttpError
from openssl_serve.handlers.folder import Folder
from openssl_serve.http1.response import Response
from openssl_serve.pages import CONTENT_POLICY, fill

MAX_ENTRIES = 10_000
"""Shown of one folder: more would be megabytes of page."""


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
        """The name to show; bytes that are no UTF-8 become replacement characters."""
        return self.name.decode("utf-8", "replace") + ("/" if self.is_folder else "")


def list_folder(folder: Folder, names: list[bytes], *, html: bool) -> Response:
    """List the folder that *names* lead to; raises HttpError 404 when it cannot be read."""
    path = folder.path_of(names)
    try:
        entries = read_entries(folder, path)
    except OSError as error:
        raise HttpError(404, "there is nothing here") from error
    common = (
        (b"Cache-Control", b"no-cache"),
        (b"X-Content-Type-Options", b"nosniff"),
        (b"Vary", b"Accept"),
    )
    if not html:
        text = "".join(f"{entry.text}\n" for entry in entries)
        kind = (b"Content-Type", b"text/plain; charset=utf-8")
        return Response(200, (kind, *common), text.encode())
    here = "/" + "".join(name.decode("utf-8", "replace") + "/" for name in names)
    rows = [] if not names else ['<tr><td><a href="../">../</a><td><td>']
    rows += [_row(entry) for entry in entries[:MAX_ENTRIES]]
    if len(entries) > MAX_ENTRIES:
        rows.append(f"<tr><td>and {len(entries) - MAX_ENTRIES} more<td><td>")
    page = fill("listing.html", path=escape(here), rows="\n".join(rows))
    kind = (b"Content-Type", b"text/html; charset=utf-8")
    return Response(200, (kind, CONTENT_POLICY, *common), page.encode())


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
            except OSError:
                # A dangling link, or gone since.
                continue
            if stat.S_ISDIR(status.st_mode):
                entries.append(Entry(item.name, True, 0, status.st_mtime))
            elif stat.S_ISREG(status.st_mode):
                entries.append(Entry(item.name, False, status.st_size, status.st_mtime))
    return sorted(entries, key=lambda entry: (not entry.is_folder, entry.name.lower(), entry.name))


def human_size(size: int) -> str:
    """Write a size in bytes as people read it, in powers of 1024.

    >>> human_size(999), human_size(1536), human_size(5 * 1024**3)
    ('999 B', '1.5 KiB', '5.0 GiB')
    """
    if size < 1024:
        return f"{size} B"
    amount = float(size)
    for unit in ("KiB", "MiB", "GiB"):
        amount /= 1024
        if amount < 1024:
            return f"{amount:.1f} {unit}"
    return f"{amount / 1024:.1f} TiB"


def _row(entry: Entry) -> str:
    size = "" if entry.is_folder else human_size(entry.size)
    date = time.strftime("%Y-%m-%d %H:%M", time.localtime(entry.modified))
    return (
        f'<tr><td><a href="{escape(entry.href)}">{escape(entry.text)}</a>'
        f"<td>{size}<td><time>{date}</time>"
    )
