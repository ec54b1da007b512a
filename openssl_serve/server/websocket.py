"""One client's WebSocket in the loop: is told texts, and is noticed to have gone.

    OPEN → ENDING → Lingering, or CLOSED

Either side may say that it ends; who has said so hears the other's word for it, and then the
connection ends, from here first (RFC 6455 section 7.1.1).
"""

from collections.abc import Callable
from enum import Enum
from selectors import EVENT_READ, EVENT_WRITE

from openssl_serve.server.exchange import Switched
from openssl_serve.server.lingering import linger
from openssl_serve.server.participant import Participant
from openssl_serve.server.transport import READ_SIZE, WOULD_BLOCK
from openssl_serve.websocket.frames import (
    Code,
    FrameError,
    FrameReader,
    Opcode,
    closing,
    closing_too,
    frame,
)

MAX_MESSAGE = 1024
"""Bytes of a message of a client's, which nobody reads: more than a line is a mistake."""

MAX_WAITING = 16_384
"""Bytes that a client may leave untaken, before one message more: then it is closed."""

HEARTBEAT_S = 20.0
"""Seconds of silence after which a client is asked whether it is there, and then until it is taken
to have gone: a browser answers by itself, be its page asleep."""


class State(Enum):
    """What a WebSocket is doing; see the module's picture."""

    OPEN = "open"
    ENDING = "ending"
    """We have said that it ends, and the client has not."""
    CLOSED = "closed"


class WebSocket(Participant):
    """The WebSocket of *client*; *on_end* is called once, when nothing more can be said."""

    __slots__ = (
        "_log_end", "_on_end", "_reader", "_sent", "_server", "_transport", "_unsent", "_was_asked",
        "state",
    )  # fmt: skip

    def __init__(self, client: Switched, on_end: Callable[[], None]) -> None:
        super().__init__(client.server.now + HEARTBEAT_S, self._go_on)
        self._server = client.server
        self._transport = client.transport
        self._log_end = client.on_end
        self._on_end: Callable[[], None] | None = on_end
        self._reader = FrameReader(MAX_MESSAGE)
        self._unsent = bytearray(client.unsent)
        self._sent = 0
        self._was_asked = False
        self.state = State.OPEN

    @property
    def fd(self) -> int:
        """The descriptor, for the selector."""
        return self._transport.fd

    def begin(self, client: Switched) -> None:
        """Take the place of the *client* in the loop, send the 101, hear what came behind it."""
        self._server.adopt(self, client.watched)
        self._flush()
        if self.state is State.OPEN:
            self._hear(client.received)
        # What OpenSSL holds, no selector sees.
        self._read()

    # What we say.

    def say(self, text: str) -> None:
        """Send *text*, as soon as the client takes it; dropped when this has ended."""
        if self.state is State.OPEN:
            self._send(frame(Opcode.TEXT, text.encode()))

    def _send(self, data: bytes) -> None:
        if len(self._unsent) > MAX_WAITING:
            self.close()
            return
        self._unsent += data
        self._flush()

    def _flush(self) -> None:
        try:
            while self._unsent:
                sent = self._transport.send(self._unsent)
                self._sent += sent
                del self._unsent[:sent]
        except WOULD_BLOCK:
            pass
        except OSError:
            self.close()
            return
        self._server.watch(self, EVENT_READ | EVENT_WRITE * bool(self._unsent))

    # What we hear.

    def _go_on(self) -> None:
        if self._unsent:
            self._flush()
        self._read()

    def _read(self) -> None:
        while self.state in (State.OPEN, State.ENDING):
            try:
                data = self._transport.take(READ_SIZE)
            except WOULD_BLOCK:
                return
            except OSError:
                data = b""
            if not data:
                self.close()
                return
            self._hear(data)
            if not self._transport.has_decrypted():
                return

    def _hear(self, data: bytes) -> None:
        if self.state is State.OPEN:
            self._was_asked = False
            self.deadline = self._server.now + HEARTBEAT_S
        try:
            for opcode, content in self._reader.feed(data):
                if opcode is Opcode.CLOSE:
                    self._end(closing_too(content))
                elif opcode is Opcode.PING and self.state is State.OPEN:
                    self._send(frame(Opcode.PONG, content))
                if self.state not in (State.OPEN, State.ENDING):
                    return
        except FrameError as error:
            self._end(closing(error.code))

    def on_deadline(self) -> None:
        """Ask whether the client is there; close if it did not answer, or does not end."""
        if self.state is not State.OPEN or self._was_asked:
            self.close()
            return
        self._was_asked = True
        self.deadline = self._server.now + HEARTBEAT_S
        self._send(frame(Opcode.PING))

    # The end.

    def drain(self) -> None:
        """Tell the client that the server goes away: a page knows then to come back."""
        if self.state is State.OPEN:
            self._send(closing(Code.GOING_AWAY))
        if self.state is State.OPEN:
            self.state = State.ENDING
            self.deadline = self._server.now + self._server.limits.linger_timeout_s

    def _end(self, last: bytes) -> None:
        """Say the *last* word, unless that was said before, and end the connection."""
        if self.state is State.OPEN:
            self._send(last)
        if self._unsent:
            # It does not take what it is told, and nobody waits for it to do so.
            self.close()
        elif self.state is not State.CLOSED:
            self._linger()

    def _linger(self) -> None:
        """Leave the client, to which all has been said, to end the connection."""
        try:
            linger(self._server, self, self._transport)
        except OSError:
            self.close()
        else:
            self._leave()

    def _leave(self) -> None:
        """Be no more: the socket is closed, or another's."""
        self.state = State.CLOSED
        # A bound method of this object, kept in it, would leave it to the cycle collector.
        self.on_ready = _nothing
        on_end, self._on_end = self._on_end, None
        if on_end is not None:
            self._log_end(self._sent)
            on_end()

    def close(self) -> None:
        """Give everything back at once; harmless when done before."""
        if self.state is State.CLOSED:
            return
        self._server.forget(self)
        self._transport.end()
        self._transport.close()
        self._leave()


def _nothing() -> None:
    """What a closed one does."""
