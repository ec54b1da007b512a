"""Content on its way from an app's thread to the loop; the thread waits for a slow client."""

import threading
from collections.abc import Callable

from openssl_serve.http1.bodies import StreamBody

WINDOW = 262_144
"""Bytes that the client may be behind before the app has to wait: as much as is read of a file."""


class ClientGoneError(ConnectionError):
    """The client has gone: nobody wants the rest. Raised in the app's thread, where it writes."""


class Outlet:
    """A stream whose producer is a thread. *call* has the loop call something."""

    def __init__(self, call: Callable[[Callable[[], None]], None], length: int | None) -> None:
        self.body = StreamBody(self._closed, length=length)
        """What the response is made of; the loop's."""
        self._call = call
        self._changed = threading.Condition(threading.Lock())
        self._pieces: list[bytes] = []
        self._behind = 0
        self._is_coming = False
        self._is_gone = False
        self._last: Callable[[], None] | None = None

    # In the thread.

    def send(self, data: bytes) -> None:
        """Send *data*; waits while the client is WINDOW behind. Raises ClientGoneError."""
        with self._changed:
            while self._behind >= WINDOW and not self._is_gone:
                self._changed.wait()
            if self._is_gone:
                raise ClientGoneError("the client has gone")
            self._pieces.append(data)
            self._behind += len(data)
            self._come()

    def end(self) -> None:
        """Send no more: the content is complete."""
        self._end_with(self.body.end)

    def abort(self) -> None:
        """Send no more, though the content is not complete."""
        self._end_with(self.body.abort)

    def _end_with(self, last: Callable[[], None]) -> None:
        with self._changed:
            self._last = last
            self._come()

    def _come(self) -> None:
        if not self._is_coming:
            self._is_coming = True
            self._call(self._pass_on)

    # In the loop.

    def _pass_on(self) -> None:
        with self._changed:
            pieces, self._pieces = self._pieces, []
            last = self._last
            self._is_coming = False
        if pieces:
            # Called at once if the client takes it all at once.
            self.body.on_taken = self._taken
            self.body.send(pieces[0] if len(pieces) == 1 else b"".join(pieces))
        if last is not None:
            last()

    def _taken(self) -> None:
        with self._changed:
            self._behind = sum(map(len, self._pieces))
            self._changed.notify_all()

    def _closed(self) -> None:
        with self._changed:
            self._is_gone = True
            self._pieces.clear()
            self._changed.notify_all()
