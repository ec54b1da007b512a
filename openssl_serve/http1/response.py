"""Responses: values in, bytes out. A response may be sent many times; only its date changes."""

import os
from collections.abc import Iterable
from http import HTTPStatus

Fields = Iterable[tuple[bytes, bytes]]

PIECE = 262_144
"""Bytes read from a file at a time: 16 TLS records; more gained nothing when measured."""

_FORBIDDEN = frozenset(b"\r\n\0")
_REASONS = {status.value: status.phrase.encode() for status in HTTPStatus}

# RFC 9110 sections 8.6, 15.3.5 and 15.4.5: no content, and a Content-Length would speak of another.
_WITHOUT_CONTENT = {204, 304}


class FileBody:
    """A slice of an open file as content; owns the descriptor *fd*. Lengths are bytes."""

    __slots__ = ("_fd", "_offset", "left", "length")

    def __init__(self, fd: int, offset: int, length: int) -> None:
        self._fd = fd
        self._offset = offset
        self.length = length
        self.left = length
        """Bytes not read yet."""

    def read_piece(self) -> bytes:
        """Read the next bytes; fewer than asked for (perhaps none) means that the file shrank."""
        piece = os.pread(self._fd, min(PIECE, self.left), self._offset)
        self._offset += len(piece)
        self.left -= len(piece)
        return piece

    def slice(self, start: int, stop: int) -> "FileBody":
        """Narrow this body to the bytes from *start* up to *stop* of the file; returns itself."""
        self._offset, self.length, self.left = start, stop - start, stop - start
        return self

    def close(self) -> None:
        """Give the descriptor back; harmless when done before."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    __del__ = close


class Response:
    """Status, fields and content. Content-Length is added here, Date when it is sent.

    Raises ValueError for a field that would break the message: a CR, LF or NUL in it.
    """

    __slots__ = ("body", "close", "head", "length", "status")

    def __init__(
        self,
        status: int,
        fields: Fields = (),
        body: bytes | FileBody = b"",
        *,
        close: bool = False,
    ) -> None:
        self.status = status
        self.body = body
        self.length = len(body) if isinstance(body, bytes) else body.length
        self.close = close
        """Whether the connection ends with this response."""
        lines = [b"HTTP/1.1 %d %s\r\n" % (status, _REASONS.get(status, b"Unknown"))]
        for name, value in fields:
            if not _FORBIDDEN.isdisjoint(name) or not _FORBIDDEN.isdisjoint(value):
                raise ValueError(f"a line break or NUL in field {name!r}")
            lines.append(b"%s: %s\r\n" % (name, value))
        if status not in _WITHOUT_CONTENT:
            lines.append(b"Content-Length: %d\r\n" % self.length)
        self.head = b"".join(lines)
        """All of the head but Date, Connection and the empty line."""

    def discard(self) -> None:
        """Give back what the body holds; for a response that is not sent."""
        if isinstance(self.body, FileBody):
            self.body.close()
