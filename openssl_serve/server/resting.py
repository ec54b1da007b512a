"""A client that has had its responses and is silent: of its connection, what is needed to go on.

Ten thousand of them wait most of their time, and a Connection with its parser takes a kilobyte
and a half beside the socket.
"""

import socket
from collections.abc import Callable

from openssl_serve.http1.request import Peer
from openssl_serve.server.handling import Handlers
from openssl_serve.server.participant import Participant
from openssl_serve.server.service import Service
from openssl_serve.server.transport import Transport


class Resting(Participant):
    """A connection at rest; *wake* makes it one again when something comes, or ends."""

    __slots__ = ("_sock", "_wake", "handlers", "peer", "server")

    def __init__(
        self,
        server: Service,
        sock: socket.socket,
        peer: Peer,
        handlers: Handlers,
        wake: Callable[["Resting", Transport], None],
    ) -> None:
        # The rest of its time began when it was last heard.
        left_s = server.limits.idle_timeout_s - server.rest_s
        super().__init__(server.now + left_s, self._go_on)
        self.server = server
        self.peer = peer
        self.handlers = handlers
        self._sock = sock
        # A function, and no method: that would be an object more for each.
        self._wake = wake

    @property
    def fd(self) -> int:
        """The descriptor, for the selector."""
        return self._sock.fileno()

    def _go_on(self) -> None:
        self._wake(self, Transport(self._sock))

    def leave(self) -> None:
        """Be nobody from now on: another has taken the place of this one."""
        self.on_ready = _nothing

    def on_deadline(self) -> None:
        """End it: no request has come for too long."""
        self.drain()

    def drain(self) -> None:
        """End it: no request is under way that anybody could miss."""
        if self.on_ready != _nothing:
            Transport(self._sock).end()
            self.close()

    def close(self) -> None:
        """Give everything back at once; harmless when done before, or woken."""
        if self.on_ready != _nothing:
            self.leave()
            self.server.forget(self)
            self._sock.close()


def _nothing() -> None:
    """What is called of one that has been woken, or has closed."""
