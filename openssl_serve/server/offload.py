"""A bounded pool of threads for what may block; results come back into the loop."""

import contextlib
import socket
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from concurrent.futures import Future, ThreadPoolExecutor


T = TypeVar("T")


class Pool:
    """Runs work in threads and wakes the loop through a socket when results are there."""

    def __init__(self, threads: int) -> None:
        self._count = threads
        self._threads: ThreadPoolExecutor | None = None
        self._calls: deque[Callable[[], None]] = deque()
        self._reader, self._writer = socket.socketpair()
        self._reader.setblocking(False)
        self._writer.setblocking(False)

    def fileno(self) -> int:
        """Return the descriptor that is readable when `deliver` has something to do."""
        return self._reader.fileno()

    @property
    def wakeup(self) -> socket.socket:
        """The other end: a byte written here, as by a signal, turns the loop once."""
        return self._writer

    def submit(self, work: Callable[[], T], then: "Callable[[Future[T]], None]") -> None:
        """Run *work* in a thread, then *then* with its future in the loop."""

        def finished(future: "Future[T]") -> None:
            self.call(lambda: then(future))

        if self._threads is None:
            # Imported here: it brings logging, 10 ms that no start needs.
            from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415

            self._threads = ThreadPoolExecutor(self._count, thread_name_prefix="openssl-serve")
        self._threads.submit(work).add_done_callback(finished)

    def call(self, function: Callable[[], None]) -> None:
        """Have the loop call *function* in its next turn; for any thread or signal handler."""
        self._calls.append(function)
        # Blocking: so full that the loop wakes anyway. Closed: there is no loop any more.
        with contextlib.suppress(OSError):
            self._writer.send(b"\0")

    def deliver(self) -> None:
        """Call, in the loop's thread, what waits to be called."""
        with contextlib.suppress(BlockingIOError):
            self._reader.recv(4096)
        while self._calls:
            self._calls.popleft()()

    def close(self) -> None:
        """Let go of threads and sockets; work that has not begun is dropped."""
        if self._threads is not None:
            self._threads.shutdown(wait=False, cancel_futures=True)
        self._reader.close()
        self._writer.close()
