"""Content codings: what a client takes, compressed siblings on disk, and gzip made here.

A sibling (`app.js.br` beside `app.js`) is sent in place of its file; where there is none, text is
compressed when it is first asked for, in a thread if it is not small, and the result is kept.
Brotli and zstd are sent only from siblings: the standard library cannot make them.
"""

import functools
import os
import threading
import zlib

from openssl_serve.errors import HttpError
from openssl_serve.handlers.folder import Folder, Opened
from openssl_serve.handlers.representation import Fingerprint, fingerprint
from openssl_serve.http1.negotiation import weights

SUFFIXES = {b"br": b".br", b"zstd": b".zst", b"gzip": b".gz"}
"""What the name of a sibling in this coding ends with; the smallest result first, as a rule."""

GZIP = b"gzip"

MIN_SIZE = 1024
"""Bytes. What is shorter fits into one packet with its head, compressed or not."""

MAX_SIZE = 4_194_304
"""Bytes of the largest file compressed here: 46 ms of a thread, and it is all in memory."""

INLINE = 16_384
"""Bytes up to which the loop itself compresses: 0.2 ms, where a thread's turn costs 0.1."""

LEVEL = 4
"""Of zlib. Measured on 4 MiB of source code: level 1 leaves 30.2 % in 32 ms, 4 leaves 25.9 % in 46,
6 (the usual one) 24.6 % in 106, and 9 takes 435 ms for a thousandth more."""

MAX_HELD = 33_554_432
"""Bytes of compressed content that are kept: as much as of small files."""

MAX_HELD_FILES = 4096
"""Results that are kept, so that a tree of tiny ones has a bound too."""

_ALSO = (b"application/toml", b"application/yaml", b"application/wasm", b"font/otf", b"font/ttf")
"""Neither called text nor compressed in themselves."""


@functools.lru_cache(maxsize=256)
def wanted_codings(accept_encoding: bytes) -> tuple[bytes, ...]:
    """The codings that a client would rather have than none, best first (RFC 9110 12.5.3).

    At equal weights the smallest result wins, and any of them over the content as it is.

    >>> wanted_codings(b"gzip, deflate, br"), wanted_codings(b"gzip;q=0.5, identity")
    ((b'br', b'gzip'), ())
    """
    listed = {name: weight for name, weight, _ in weights(accept_encoding)}
    # RFC 9110 section 8.4.1.3: an old name of the same coding.
    if b"x-gzip" in listed:
        listed.setdefault(GZIP, listed[b"x-gzip"])
    others = listed.get(b"*", 0.0)
    # Without a word about it, identity is as good as any other and larger.
    least = listed.get(b"identity", 0.0)
    wanted = [(listed.get(coding, others), coding) for coding in SUFFIXES]
    wanted = [each for each in wanted if each[0] > 0 and each[0] >= least]
    # A stable sort: SUFFIXES has the order of equals.
    return tuple(coding for _, coding in sorted(wanted, key=lambda each: -each[0]))


def is_compressible(kind: bytes, size: int) -> bool:
    """Whether gzip makes a file of the media type *kind* with *size* bytes noticeably smaller.

    >>> is_compressible(b"text/html; charset=utf-8", 5000), is_compressible(b"image/png", 5000)
    (True, False)
    """
    name = kind.partition(b";")[0]
    return MIN_SIZE <= size <= MAX_SIZE and (
        name.startswith(b"text/") or name.endswith((b"json", b"xml")) or name in _ALSO
    )


def open_sibling(folder: Folder, opened: Opened, coding: bytes) -> Opened | None:
    """Open the sibling of *opened* in *coding*, if there is one that may be served in its place.

    It is held to every rule of the folder, and it must not be older than its file.
    """
    try:
        sibling = folder.open(opened.path + SUFFIXES[coding])
    except HttpError:
        return None
    # In whole seconds: some compressors and archives copy the time of the file without the rest.
    if sibling.status.st_mtime_ns // 10**9 < opened.status.st_mtime_ns // 10**9:
        os.close(sibling.fd)
        return None
    return sibling


def gzip(content: bytes) -> bytes:
    """Compress *content*; the same bytes always, for no time is in them (RFC 1952)."""
    # 31: the largest window (15) with gzip's header and trailer (16).
    compressor = zlib.compressobj(LEVEL, zlib.DEFLATED, 31)
    return compressor.compress(content) + compressor.flush()


class Compressed:
    """Compressed content by path, kept while the file is the same. For the loop and all threads."""

    def __init__(self) -> None:
        self._held: dict[bytes, tuple[Fingerprint, bytes]] = {}
        self._size = 0
        self._lock = threading.Lock()

    def get(self, opened: Opened) -> bytes | None:
        """Return *opened* compressed if that was done before; empty if it did not help."""
        held = self._held.get(opened.path)
        return held[1] if held is not None and held[0] == fingerprint(opened.status) else None

    def make(self, opened: Opened, *, keep: bool) -> bytes:
        """Read and compress *opened*; empty if that did not help. Keep the result if *keep*."""
        content = b""
        size = opened.status.st_size
        while len(content) < size:
            piece = os.pread(opened.fd, size - len(content), len(content))
            if not piece:
                # It has shrunk, and so is not kept; this one response has what is left.
                break
            content += piece
        data = gzip(content)
        if len(data) >= len(content):
            data = b""
        if keep and fingerprint(os.fstat(opened.fd)) == fingerprint(opened.status):
            self._hold(opened, data)
        return data

    def _hold(self, opened: Opened, data: bytes) -> None:
        with self._lock:
            self._drop(opened.path)
            self._held[opened.path] = (fingerprint(opened.status), data)
            self._size += len(data)
            while self._size > MAX_HELD or len(self._held) > MAX_HELD_FILES:
                # The oldest goes: a dictionary keeps the order of insertion.
                self._drop(next(iter(self._held)))

    def _drop(self, path: bytes) -> None:
        held = self._held.pop(path, None)
        if held is not None:
            self._size -= len(held[1])
