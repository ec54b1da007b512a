"""Content that is not there as bytes: slices of files, and streams that come bit by bit."""

import os
from collections.abc import Callable
from typing import Protocol

PIECE = 262_144
"""Bytes read from a file at a time: 16 TLS records; more gained nothing when measured."""


class Body(Protocol):
    """Content in pieces. Whoever sends it closes it, sent or not."""

    @property
    def length(self) -> int | None:
        """Bytes in all; None when that is not known."""

    @property
    def left(self) -> int:
        """Bytes that `read_piece` could give now, or 0."""

    @property
    def is_open(self) -> bool:
        """Whether more may come when nothing is left."""

    def read_piece(self) -> bytes:
        """Give the next bytes; none, though some are left, means that they have been lost."""

    def close(self) -> None:
        """Give back what the content is made of; harmless when done before."""


class FileBody:
    """A slice of an open file as content; owns the descriptor *fd*. Lengths are bytes."""

    __slots__ = ("_fd", "_offset", "is_open", "left", "length")

    def __init__(self, fd: int, offset: int, length: int) -> None:
        self._fd = fd
        self._offset = offset
        self.length = length
        self.left = length
        """Bytes not read yet."""
        self.is_open = False

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


class StreamBody:
    """Content that its producer sends bit by bit, from the loop's thread.

    *on_close* is called once, when the response has ended or its client has gone. A stream that is
    *endless* (events) does not keep a server from ending.
    """

    def __init__(
        self, on_close: Callable[[], None] | None = None, *, endless: bool = False
    ) -> None:
        self._on_close = on_close or _nothing
        self._pending = bytearray()
        self.length = None
        self.endless = endless
        self.chunked = True
        """Whether pieces are sent as chunks (RFC 9112 section 7.1); set by the connection."""
        self.wake: Callable[[], None] | None = None
        """Called when there is something to send; set by the connection."""
        self.is_open = True
        self._is_ended = False
        self.taken = 0
        """Bytes of content taken from the producer so far."""

    @property
    def left(self) -> int:
        """Bytes sent by the producer and not taken yet: what it should keep small."""
        return len(self._pending) + self._owes_last_chunk

    @property
    def _owes_last_chunk(self) -> bool:
        return self.chunked and not self.is_open and not self._is_ended

    def send(self, data: bytes) -> None:
        """Send *data*; dropped when the client has gone."""
        if self.is_open and data:
            self._pending += data
            self.taken += len(data)
            if self.wake is not None:
                self.wake()

    def end(self) -> None:
        """Send no more: the content is complete."""
        if self.is_open:
            self.is_open = False
            if self.wake is not None:
                self.wake()

    def read_piece(self) -> bytes:
        """Give all that waits, framed."""
        piece = bytes(self._pending)
        self._pending.clear()
        if not self.chunked:
            return piece
        if piece:
            piece = b"%x\r\n%b\r\n" % (len(piece), piece)
        if self._owes_last_chunk:
            self._is_ended = True
            piece += b"0\r\n\r\n"
        return piece

    def close(self) -> None:
        """Drop what waits, and tell the producer."""
        self.is_open = False
        self._is_ended = True
        self.wake = None
        self._pending.clear()
        on_close, self._on_close = self._on_close, _nothing
        on_close()


def _nothing() -> None:
    """What is called in place of what has been called."""
