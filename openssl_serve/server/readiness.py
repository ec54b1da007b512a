"""Which descriptors are waited for, and who is called: epoll where there is one.

The module `selectors` makes a tuple of a key and of events for every descriptor that is ready,
and looks each up by a method: as much work as half of all that we do for a request beside it.
"""

import math
import select
import selectors
from collections.abc import Mapping
from contextlib import suppress
from selectors import EVENT_READ, EVENT_WRITE
from typing import Protocol

from openssl_serve.server.participant import Participant, Watcher

Watched = Participant | Watcher

MAX_READY = 1024
"""Of one call: more than that wait for the next turn, which is at once."""


class Readiness(Protocol):
    """Descriptors and the events (of `selectors`) that each is waited for."""

    def watch(self, fd: int, events: int, watched: Watched) -> None:
        """Wait for *events* of *fd*, which is new here."""

    def change(self, fd: int, events: int, watched: Watched) -> None:
        """Wait for other *events* of *fd*, or for somebody else."""

    def unwatch(self, fd: int) -> None:
        """Wait for nothing of *fd* any more; before it is closed."""

    def wait(self, timeout_s: float) -> list[Watched]:
        """Return whose descriptors are ready, none after so many seconds."""

    def close(self) -> None:
        """Give back what the system keeps for this."""


class Epoll:
    """By epoll(7), on Linux."""

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._watched: dict[int, Watched] = {}

    def watch(self, fd: int, events: int, watched: Watched) -> None:
        """See Readiness."""
        self._epoll.register(fd, _MASKS[events])
        self._watched[fd] = watched

    def change(self, fd: int, events: int, watched: Watched) -> None:
        """See Readiness."""
        self._epoll.modify(fd, _MASKS[events])
        self._watched[fd] = watched

    def unwatch(self, fd: int) -> None:
        """See Readiness."""
        del self._watched[fd]
        # Of one that has been closed, as ssl does with a client that has gone, epoll knows nothing.
        with suppress(OSError):
            self._epoll.unregister(fd)

    def wait(self, timeout_s: float) -> list[Watched]:
        """See Readiness."""
        # epoll counts milliseconds: rounded down, the last of them would be spent in circles.
        found = self._epoll.poll(math.ceil(timeout_s * 1000) / 1000, MAX_READY)
        watched = self._watched
        return [watched[fd] for fd, _ in found if fd in watched]

    def close(self) -> None:
        """See Readiness."""
        self._epoll.close()


class Portable:
    """By whatever `selectors` finds, elsewhere."""

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()

    def watch(self, fd: int, events: int, watched: Watched) -> None:
        """See Readiness."""
        self._selector.register(fd, events, watched)

    def change(self, fd: int, events: int, watched: Watched) -> None:
        """See Readiness."""
        self._selector.modify(fd, events, watched)

    def unwatch(self, fd: int) -> None:
        """See Readiness."""
        self._selector.unregister(fd)

    def wait(self, timeout_s: float) -> list[Watched]:
        """See Readiness."""
        return [key.data for key, _ in self._selector.select(timeout_s)]

    def close(self) -> None:
        """See Readiness."""
        self._selector.close()


_MASKS: Mapping[int, int] = (
    {
        EVENT_READ: select.EPOLLIN,
        EVENT_WRITE: select.EPOLLOUT,
        EVENT_READ | EVENT_WRITE: select.EPOLLIN | select.EPOLLOUT,
    }
    if hasattr(select, "epoll")
    else {}
)


def readiness() -> Readiness:
    """Return the quickest that this system has."""
    return Epoll() if hasattr(select, "epoll") else Portable()
