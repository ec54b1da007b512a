"""Bytes passed both ways between two sockets, once they have agreed on another protocol."""

from collections.abc import Callable
from selectors import EVENT_READ, EVENT_WRITE
from typing import TYPE_CHECKING

from openssl_serve.server.participant import Participant
from openssl_serve.server.transport import WOULD_BLOCK, Transport

if TYPE_CHECKING:
    from openssl_serve.server.polyglot import PolyglotServer

PIECE = 65_536
"""Bytes read at a time; what the other side has not taken of it is all that is ever kept."""

TURN = 16
"""Pieces that may be passed on in one turn of the loop, so that all get their turn."""

HALF_CLOSED_S = 30.0
"""Seconds without a byte after which a side that has ended brings down the other as well."""


class Flow:
    """One direction: from *source* to *sink*, of which *backlog* has been read already."""

    __slots__ = ("_backlog", "has_ended", "passed", "sink", "source")

    def __init__(self, source: Transport, sink: Transport, backlog: bytes) -> None:
        self.source = source
        self.sink = sink
        self._backlog: bytes | memoryview = backlog
        self.has_ended = False
        """Whether the source has said that there is no more."""
        self.passed = 0
        """Bytes that the sink has taken."""

    @property
    def is_blocked(self) -> bool:
        """Whether the sink is to be waited for, and not the source."""
        return bool(self._backlog)

    @property
    def is_over(self) -> bool:
        """Whether all that the source will ever have said has been passed on."""
        return self.has_ended and not self._backlog

    def move(self) -> None:
        """Pass on what is there while the sink takes it; raises OSError when an end has gone."""
        try:
            for _ in range(TURN):
                while self._backlog:
                    sent = self.sink.send(self._backlog)
                    self.passed += sent
                    self._backlog = self._backlog[sent:] if sent < len(self._backlog) else b""
                if self.has_ended:
                    return
                data = self.source.take(PIECE)
                if data:
                    self._backlog = memoryview(data)
                else:
                    self.has_ended = True
                    self.sink.end_sending()
        except WOULD_BLOCK:
            return


class Tunnel:
    """Two ends; *on_end* is called once with the number of bytes that went to the client.

    Silence has no limit while both ends are open: a WebSocket may have nothing to say for hours.
    """

    def __init__(
        self,
        server: "PolyglotServer",
        client: Transport,
        upstream: Transport,
        *,
        ahead: tuple[bytes, bytes],
        on_end: Callable[[int], object],
    ) -> None:
        to_client, to_upstream = ahead
        self._server = server
        self._on_end = on_end
        self._down = Flow(upstream, client, to_client)
        self._up = Flow(client, upstream, to_upstream)
        self._ends = (
            End(self, client, says=self._up, hears=self._down),
            End(self, upstream, says=self._down, hears=self._up),
        )

    def begin(self, *, watched: int) -> None:
        """Take the two sockets' places in the loop, and pass on what is there.

        The client's is in it already, *watched* as it is; the upstream's is not.
        """
        client, upstream = self._ends
        self._server.adopt(client, watched)
        self._server.add(upstream, EVENT_READ)
        self.move()

    def move(self) -> None:
        """Pass on what can be, then wait for what cannot."""
        try:
            self._up.move()
            self._down.move()
        except OSError:
            self.close()
            return
        if self._up.is_over and self._down.is_over:
            self.close()
            return
        is_half_closed = self._up.has_ended or self._down.has_ended
        for end in self._ends:
            end.deadline = self._server.now + HALF_CLOSED_S if is_half_closed else float("inf")
            end.wait(self._server)

    def close(self) -> None:
        """Close both ends; harmless when done before."""
        on_end, self._on_end = self._on_end, _nothing
        for end in self._ends:
            end.give_back(self._server)
        on_end(self._down.passed)


class End(Participant):
    """One end of a *tunnel*, in the loop."""

    __slots__ = ("_hears", "_is_closed", "_says", "_transport", "_tunnel")

    def __init__(self, tunnel: Tunnel, transport: Transport, says: Flow, hears: Flow) -> None:
        super().__init__(float("inf"), tunnel.move)
        self._tunnel = tunnel
        self._transport = transport
        self._says = says
        self._hears = hears
        self._is_closed = False

    @property
    def fd(self) -> int:
        """The descriptor, for the selector."""
        return self._transport.fd

    def wait(self, server: "PolyglotServer") -> None:
        """Have *server* call when there is something to read or room to write, as wanted."""
        listens = not self._says.has_ended and not self._says.is_blocked
        server.watch(self, EVENT_READ * listens | EVENT_WRITE * self._hears.is_blocked)
        if listens and self._transport.has_decrypted():
            # No selector sees those.
            server.pool.call(self.on_ready)

    def on_deadline(self) -> None:
        """Close both: one has ended, and the other says nothing more."""
        self._tunnel.close()

    def drain(self) -> None:
        """Close both: a tunnel has no end that could be waited for."""
        self._tunnel.close()

    def close(self) -> None:
        """Close both: one alone is of no use."""
        self._tunnel.close()

    def give_back(self, server: "PolyglotServer") -> None:
        """Leave the loop and close the socket; harmless when done before."""
        if not self._is_closed:
            self._is_closed = True
            self.on_ready = _leave
            server.forget(self)
            self._transport.end()
            self._transport.close()


def _nothing(_: int) -> None:
    """What is called in place of an `on_end` that has been called."""


def _leave() -> None:
    """What a closed end does."""
