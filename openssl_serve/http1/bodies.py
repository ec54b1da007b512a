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
    *endless* (events) does not keep a server from ending. Its *length* in bytes may be known.
    """

    def __init__(
        self,
        on_close: Callable[[], None] | None = None,
        *,
        endless: bool = False,
        length: int | None = None,
    ) -> None:
        self._on_close = on_close or _nothing
        self._pending = bytearray()
        self.length = length
        self.endless = endless
        self.chunked = length is None
        """Whether pieces are sent as chunks (RFC 9112 section 7.1); set by the connection."""
        self.wake: Callable[[], None] | None = None
        """Called when there is something to send; set by the connection."""
        self.on_taken: Callable[[], None] | None = None
        """Called once when the client has taken all that was sent; for whoever waits for that."""
        self.is_open = True
        self._is_ended = False
        self._is_lost = False
        self.taken = 0
        """Bytes of content taken from the producer so far."""
        self.is_waiting = False
        """Whether the client still has to take something; kept with the connection's help."""

    @property
    def needs_end(self) -> bool:
        """Whether the content ends where the connection does, and nowhere else."""
        return self.length is None and not self.chunked

    @property
    def left(self) -> int:
        """Bytes sent by the producer and not taken yet: what it should keep small."""
        return len(self._pending) + (self._owes_last_chunk or self._is_lost)

    @property
    def _owes_last_chunk(self) -> bool:
        return self.chunked and not self.is_open and not self._is_ended and not self._is_lost

    def send(self, data: bytes) -> None:
        """Send *data*; dropped when the client has gone."""
        if self.is_open and data:
            self._pending += data
            self.taken += len(data)
            self.is_waiting = True
            if self.wake is not None:
                self.wake()

    def end(self) -> None:
        """Send no more: the content is complete."""
        if self.is_open:
            self.is_open = False
            if self.wake is not None:
                self.wake()

    def abort(self) -> None:
        """Send no more, though the content is not complete: the client has to see that."""
        if self.is_open:
            self._is_lost = True
            self.end()

    def tell_taken(self) -> None:
        """Tell the producer, if it asked for that; the connection calls this."""
        self.is_waiting = False
        on_taken, self.on_taken = self.on_taken, None
        if on_taken is not None:
            on_taken()

    def read_piece(self) -> bytes:
        """Give all that waits, framed; none when the rest has been lost."""
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
        self.wake = self.on_taken = None
        self._pending.clear()
        on_close, self._on_close = self._on_close, _nothing
        on_close()


def _nothing() -> None:
    """What is called in place of what has been called."""
