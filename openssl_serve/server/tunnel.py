"""Bytes passed both ways between two sockets, once they have agreed on another protocol."""

import ssl
from collections.abc import Callable
from contextlib import suppress
from selectors import EVENT_READ, EVENT_WRITE

from openssl_serve.server.loop import Loop
from openssl_serve.server.participant import Participant
from openssl_serve.server.transport import WOULD_BLOCK, Transport

PIECE = 65_536
"""Bytes read at a time; what the other side has not taken of it is all that is ever kept."""

TURN = 16
"""Pieces that may be passed on in one turn of the loop, so that all get their turn."""

HALF_CLOSED_S = 30.0
"""Seconds without a byte after which a side that has ended brings down the other as well."""


class Flow:
    """One direction: from *source* to *sink*, of which *backlog* has been read already."""

    __slots__ = ("_backlog", "_owes_end", "has_ended", "is_dry", "passed", "sink", "source")

    def __init__(self, source: Transport, sink: Transport, backlog: bytes) -> None:
        self.source = source
        self.sink = sink
        self._backlog: bytes | memoryview = backlog
        self._owes_end = False
        self.has_ended = False
        """Whether the source has said that there is no more, or nobody hears it."""
        self.is_dry = False
        """Whether nothing is there that the source has said."""
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
        """Pass on what is there while the sink takes it; raises OSError when the source has gone.

        When it is the sink that has gone, this direction alone is over: what it has said before
        that is still to be heard.
        """
        self.is_dry = False
        try:
            for _ in range(TURN):
                self._send()
                if self.has_ended:
                    return
                data = self._take()
                if data:
                    self._backlog = memoryview(data)
                else:
                    self.has_ended = self._owes_end = True
        except WOULD_BLOCK:
            self.is_dry = not self._backlog

    def _send(self) -> None:
        try:
            while self._backlog:
                sent = self.sink.send(self._backlog)
                self.passed += sent
                self._backlog = self._backlog[sent:] if sent < len(self._backlog) else b""
        except WOULD_BLOCK:
            raise
        except OSError:
            self.has_ended, self._backlog = True, b""

    def _take(self) -> bytes:
        try:
            return self.source.take(PIECE)
        except ssl.SSLZeroReturnError:
            # How the end is told when we have ended our side before.
            return b""

    def pass_on_end(self, back: "Flow") -> None:
        """Tell the sink that there is no more, once nothing is left of what it says *back*.

        To end our side of TLS is to look for the other's end, too: what OpenSSL finds instead, it
        may drop, and is then at its end; or it waits where no selector sees it. A WebSocket has
        nothing more to say there. Raises OSError as `move` does.
        """
        if not self._owes_end:
            return
        if self.sink.is_plain or back.is_dry or back.has_ended:
            self._owes_end = False
            with suppress(OSError):
                self.sink.end_sending()
            if not self.sink.is_plain:
                back.move()


class Tunnel:
    """Two ends; *on_end* is called once with the number of bytes that went to the client.

    Silence has no limit while both ends are open: a WebSocket may have nothing to say for hours.
    """

    def __init__(
        self,
        server: Loop,
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
        self._ends: tuple[End, ...] = (
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
        up, down = self._up, self._down
        try:
            up.move()
            down.move()
            down.pass_on_end(up)
            up.pass_on_end(down)
        except OSError:
            self.close()
            return
        if up.is_over and down.is_over:
            self.close()
            return
        is_half_closed = up.has_ended or down.has_ended
        for end in self._ends:
            end.deadline = self._server.now + HALF_CLOSED_S if is_half_closed else float("inf")
            end.wait(self._server)

    def close(self) -> None:
        """Close both ends; harmless when done before."""
        on_end, self._on_end = self._on_end, _nothing
        # Each holds the other, and both would be left to the cycle collector.
        ends, self._ends = self._ends, ()
        for end in ends:
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

    def wait(self, server: Loop) -> None:
        """Have *server* call when there is something to read or room to write, as wanted."""
        listens = not self._says.has_ended and not self._says.is_blocked
        server.watch(self, EVENT_READ * listens | EVENT_WRITE * self._hears.is_blocked)
        if listens and self._transport.has_decrypted():
            # No selector sees those.
            server.pool.call(self._go_on)

    def _go_on(self) -> None:
        if not self._is_closed:
            self._tunnel.move()

    def on_deadline(self) -> None:
        """Close both: one has ended, and the other says nothing more."""
        self._tunnel.close()

    def drain(self) -> None:
        """Close both: a tunnel has no end that could be waited for."""
        self._tunnel.close()

    def close(self) -> None:
        """Close both: one alone is of no use."""
        self._tunnel.close()

    def give_back(self, server: Loop) -> None:
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
