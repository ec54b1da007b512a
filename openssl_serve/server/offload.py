"""Bounded pools of threads for what may block; results come back into the loop."""

import contextlib
import functools
import socket
import threading
import time
from collections import deque
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from concurrent.futures import Future


T = TypeVar("T")

CLOSE_S = 0.3
"""Seconds that work has to end when there is no loop any more: enough to tidy up, and short enough
for the prompt to be back within a second after Ctrl-C."""


SWITCH_S = 0.0005
"""After how long a thread that computes lets another run, for sys.setswitchinterval: the loop waits
for each that computes, several times in one response. With Python's 5 ms and twelve of them a
redirect took 110 ms, with this 12, and what they compute takes no longer."""


class Threads:
    """At the most *count* threads, each begun when it is first needed.

    Daemons: work that never ends must not keep the process from ending.
    """

    def __init__(self, count: int, name: str) -> None:
        self._count = count
        self._name = name
        self._work: SimpleQueue[Callable[[], object] | None] = SimpleQueue()
        self._threads: list[threading.Thread] = []
        # One token for each thread that waits for work. Once all have been begun it may hold too
        # many, and nobody asks any more.
        self._free: deque[None] = deque()

    def run(self, work: Callable[[], object]) -> None:
        """Run *work*, which has to see to its own errors, in a thread; only from the loop's.

        Raises RuntimeError when the system allows no thread, not even the first.
        """
        if len(self._threads) < self._count:
            try:
                self._free.pop()
            except IndexError:
                self._begin_another()
        self._work.put(work)

    def _begin_another(self) -> None:
        name = f"{self._name} {len(self._threads) + 1}"
        thread = threading.Thread(target=self._serve, name=name, daemon=True)
        try:
            thread.start()
        except RuntimeError:
            # Those that there are will come to it.
            if not self._threads:
                raise
        else:
            self._threads.append(thread)

    def _serve(self) -> None:
        while (work := self._work.get()) is not None:
            work()
            del work
            self._free.append(None)

    def close(self) -> None:
        """Let the threads end; work that has not begun is dropped."""
        # Until there is none: between a look and a blocking get, a thread can take the last.
        with contextlib.suppress(Empty):
            while True:
                self._work.get_nowait()
        for _ in self._threads:
            self._work.put(None)

    def join(self, until: float) -> None:
        """Wait for the threads to end, at the most *until* then by the monotonic clock."""
        for thread in self._threads:
            thread.join(max(0.0, until - time.monotonic()))


class Pool:
    """Runs work in threads and wakes the loop through a socket when results are there.

    Short work and that of apps have *threads* and *app_threads* of their own: apps may keep all of
    theirs busy for as long as they like.
    """

    def __init__(self, threads: int, app_threads: int = 1) -> None:
        self._threads = Threads(threads, "openssl-serve")
        self._apps = Threads(app_threads, "openssl-serve app")
        self._calls: deque[Callable[[], None]] = deque()
        self._is_woken = False
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
        # Imported here: it brings logging, 10 ms that no start needs.
        from concurrent.futures import Future  # noqa: PLC0415

        self._threads.run(functools.partial(self._do, work, then, Future()))

    def _do(
        self,
        work: Callable[[], T],
        then: "Callable[[Future[T]], None]",
        future: "Future[T]",
    ) -> None:
        try:
            future.set_result(work())
        except BaseException as error:  # noqa: BLE001  for whoever asks for the result
            future.set_exception(error)
        self.call(functools.partial(then, future))
        # Else this frame, which is in the error's traceback, would hold what holds the error, and
        # leave them to the cycle collector, with the connection that waited.
        del future

    def run_app(self, work: Callable[[], object]) -> None:
        """Run *work* of an app, which sees to its own errors and `call`s back by itself."""
        self._apps.run(work)

    def call(self, function: Callable[[], None]) -> None:
        """Have the loop call *function* in its next turn; for any thread or signal handler."""
        self._calls.append(function)
        self._wake()

    def _wake(self) -> None:
        if not self._is_woken:
            self._is_woken = True
            # Blocking: so full that the loop wakes anyway. Closed: there is no loop any more.
            with contextlib.suppress(OSError):
                self._writer.send(b"\0")

    def deliver(self) -> None:
        """Call, in the loop's thread, what waits to be called."""
        with contextlib.suppress(BlockingIOError):
            self._reader.recv(4096)
        # Before the first call: what is added from now on is seen below, or wakes again.
        self._is_woken = False
        try:
            # Not for ever: what these calls add has its time in the next turn.
            for _ in range(len(self._calls)):
                self._calls.popleft()()
        finally:
            if self._calls:
                self._wake()

    def close(self) -> None:
        """End the threads, and call what they left to be called; only when the loop has ended.

        Harmless when done before.
        """
        if self._reader.fileno() < 0:
            return
        for threads in (self._apps, self._threads):
            threads.close()
        until = time.monotonic() + CLOSE_S
        for threads in (self._apps, self._threads):
            threads.join(until)
        self.deliver()
        self._reader.close()
        self._writer.close()
