"""`wsgi.file_wrapper`: files that an app returns, sent by the loop without a thread."""

import io
import os
import stat
from collections.abc import Iterator
from typing import Any

from openssl_serve.http1.bodies import FileBody

BLOCK_SIZE = 65_536
"""Bytes read at a time of what only looks like a file: four TLS records."""


class FileWrapper:
    """An iterable over *filelike*, which has `read` and perhaps `close` (PEP 3333)."""

    def __init__(self, filelike: Any, block_size: int = BLOCK_SIZE) -> None:
        self.filelike = filelike
        self.block_size = block_size
        if hasattr(filelike, "close"):
            self.close = filelike.close

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        data: bytes = self.filelike.read(self.block_size)
        if not data:
            raise StopIteration
        return data

    def body(self, most: int | None) -> FileBody | None:
        """Return the rest of the file, or *most* bytes of it; None if it is no plain file.

        Only for what is known to be nothing but a file: gzip.GzipFile and its kin have a `fileno`
        too, of bytes that nobody asked for.
        """
        file = self.filelike
        if type(file).__module__ == "tempfile":
            # A named temporary file has its own inside.
            file = getattr(file, "file", file)
        if type(file) is io.BufferedRandom:
            file.flush()
        raw = file.raw if type(file) in (io.BufferedReader, io.BufferedRandom) else file
        if type(raw) is not io.FileIO:
            return None
        status = os.fstat(raw.fileno())
        if not stat.S_ISREG(status.st_mode):
            return None
        at = file.tell()
        rest = max(0, status.st_size - at)
        return FileBody(os.dup(raw.fileno()), at, rest if most is None else min(rest, most))
