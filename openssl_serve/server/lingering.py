"""A client that has been told all there is: what it still sends is dropped until it ends as well.

Closing over bytes that were not read would reset the connection, and what is still on its way to
the client be lost: a response (RFC 9112 section 9.6), the reason for an end (RFC 6455 section
7.1.1).
"""

from selectors import EVENT_READ

from openssl_serve.server.loop import Loop
from openssl_serve.server.participant import Participant
from openssl_serve.server.transport import Transport


def linger(server: Loop, leaving: Participant, transport: Transport) -> None:
    """End our direction of *transport*, whose other one *leaving* leaves to a Lingering.

    Raises OSError when the client has gone: *leaving* is still in the loop then, and to be closed.
    """
    transport.end()
    transport.half_close()
    heir = Lingering(server, transport)
    server.adopt(heir, leaving.watched)
    server.watch(heir, EVENT_READ)


class Lingering(Participant):
    """Drops what comes over *transport*, and closes it after its end, or in time."""

    __slots__ = ("_server", "_transport")

    def __init__(self, server: Loop, transport: Transport) -> None:
        super().__init__(server.now + server.limits.linger_timeout_s, self._drop)
        self._server = server
        self._transport = transport

    @property
    def fd(self) -> int:
        """The descriptor, for the selector."""
        return self._transport.fd

    def _drop(self) -> None:
        if self._transport.drop():
            self.close()

    def on_deadline(self) -> None:
        """Close: it does not end."""
        self.close()

    def drain(self) -> None:
        """Wait on: it has its time to take what was sent."""

    def close(self) -> None:
        """Give everything back at once; harmless when done before."""
        if self.on_ready != _nothing:
            self._server.forget(self)
            # A bound method of this object, kept in it, would leave it to the cycle collector.
            self.on_ready = _nothing
            self._transport.close()


def _nothing() -> None:
    """What a closed one does."""
