"""What the loop has one of for each descriptor that it looks after."""

from collections.abc import Callable
from typing import NamedTuple


class Watcher(NamedTuple):
    """What the loop calls for a descriptor of the server's own."""

    on_ready: Callable[[], None]


class Participant:
    """One end of a connection in the loop: called when its time has come, and never blocking."""

    __slots__ = ("deadline", "on_ready", "watched")

    def __init__(self, deadline: float, on_ready: Callable[[], None]) -> None:
        self.deadline = deadline
        """When `on_deadline` is due, by the server's clock in seconds."""
        self.on_ready = on_ready
        """Called when the descriptor can be read or written, as is watched for."""
        self.watched = 0
        """The selector's events that this waits for; kept by the server."""

    @property
    def fd(self) -> int:
        """The descriptor, for the selector."""
        raise NotImplementedError

    def on_deadline(self) -> None:
        """End what has lasted too long."""
        raise NotImplementedError

    def drain(self) -> None:
        """Close now if nothing is under way that anybody would miss, else when it is over."""
        raise NotImplementedError

    def close(self) -> None:
        """Give everything back at once; harmless when done before."""
        raise NotImplementedError
