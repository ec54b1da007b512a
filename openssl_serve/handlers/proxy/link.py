"""One connection to an upstream: used for one request after another, kept, closed."""

from collections.abc import Callable
from selectors import EVENT_READ, EVENT_WRITE
from typing import Protocol

from openssl_serve.handlers.proxy.dial import DialError
from openssl_serve.http1.response_parser import ResponseParser
from openssl_serve.server.loop import Loop
from openssl_serve.server.participant import Participant
from openssl_serve.server.transport import WOULD_BLOCK, Transport

PIECE = 65_536
"""Bytes read at a time: the more, the fewer turns a large response takes; but from 128 KiB on the
allocator asks the system for each."""


class Carried(Protocol):
    """What a link is used by, and whom it tells."""

    def arrived(self) -> None:
        """Look at the link's parser: there is something new in it, or a fault."""

    def drained(self) -> None:
        """Go on sending: all has been taken."""

    def failed(self, reason: str, *, timed_out: bool) -> None:
        """Do without the link, which is closed; *reason* is half a sentence about the upstream."""


class Link(Participant):
    """A connection to an upstream, which `opened` or `could_not_open` at last.

    What is sent before that waits.
    """

    __slots__ = (
        "_carried", "_is_broken", "_is_closed", "_server", "_timeout_s", "_transport", "_unsent",
        "abandon", "is_fresh", "on_idle_end", "parser",
    )  # fmt: skip

    def __init__(self, server: Loop) -> None:
        super().__init__(float("inf"), _nothing)
        self._server = server
        self._carried: Carried | None = None
        self._transport: Transport | None = None
        self._unsent = bytearray()
        self._timeout_s = 0.0
        self._is_broken = False
        self._is_closed = False
        self.is_fresh = True
        """Whether no request has been answered over this yet."""
        self.abandon: Callable[[], None] = _nothing
        """Ends the opening; set by whoever does that."""
        self.on_idle_end: Callable[[Link], None] = _forget
        """Called when this ends while nothing is carried."""
        self.parser = ResponseParser()

    @property
    def fd(self) -> int:
        """The descriptor, for the selector."""
        assert self._transport is not None
        return self._transport.fd

    @property
    def is_closed(self) -> bool:
        """Whether this is of no further use."""
        return self._is_closed

    def opened(self, transport: Transport) -> None:
        """Use *transport*, which is connected."""
        self.abandon = _nothing
        if self._is_closed:
            transport.close()
            return
        self._transport = transport
        self.on_ready = self._read
        self._server.add(self, EVENT_READ)
        self._be_patient()
        self._flush()

    def could_not_open(self, error: DialError) -> None:
        """Do without a connection."""
        self.abandon = _nothing
        self.fail(str(error), timed_out=error.timed_out)

    # Use.

    @property
    def backlog(self) -> int:
        """Bytes that the upstream has not taken yet."""
        return len(self._unsent)

    def carry(self, carried: Carried, method: bytes, timeout_s: float) -> None:
        """Be used for one request with *method*, whose response *carried* is told of.

        It fails when there is no response, or nothing is taken of what is sent, for *timeout_s*.
        """
        self._carried = carried
        self._timeout_s = timeout_s
        self.parser.expect(method)

    def send(self, data: bytes) -> None:
        """Send *data*, now or as soon as the upstream takes it."""
        transport = self._transport
        if transport is None or self._unsent:
            self._unsent += data
            return
        try:
            sent = transport.send(data)
        except WOULD_BLOCK:
            sent = 0
        except OSError as error:
            self._stop_sending(error)
            return
        if sent < len(data):
            self._unsent += data[sent:]
            self._wait_to_write()
        self._be_patient()

    def _be_patient(self) -> None:
        """Give the upstream its time from here: to take what is sent, and to begin its response.

        From then on silence is its right: it may be sending events.
        """
        waits = self._unsent or self.parser.head is None
        self.deadline = self._server.now + self._timeout_s if waits else float("inf")

    def _wait_to_write(self) -> None:
        self.on_ready = self._both
        self._server.watch(self, self.watched | EVENT_WRITE)

    def _flush(self) -> None:
        assert self._transport is not None
        try:
            while self._unsent:
                del self._unsent[: self._transport.send(self._unsent)]
                self._be_patient()
        except WOULD_BLOCK:
            self._wait_to_write()
            return
        except OSError as error:
            self._stop_sending(error)
            return
        self.on_ready = self._read
        self._server.watch(self, self.watched & ~EVENT_WRITE)
        if self._carried is not None:
            self._carried.drained()

    def _stop_sending(self, error: OSError) -> None:
        """Drop what cannot be sent; a response may be there all the same, such as 413."""
        self._note(error)
        self._unsent.clear()
        self._be_patient()
        self.on_ready = self._read
        self._server.watch(self, self.watched & ~EVENT_WRITE)
        if self._carried is not None:
            self._carried.drained()

    def _note(self, error: OSError) -> None:
        """Note whether *error* means that the upstream has broken off.

        EPIPE means that it had ended its side properly before: what has come is all there is.
        """
        self._is_broken = self._is_broken or not isinstance(error, BrokenPipeError)

    def _both(self) -> None:
        self._flush()
        if not self._is_closed and self.watched & EVENT_READ:
            self._read()

    def _read(self) -> None:
        transport, parser = self._transport, self.parser
        assert transport is not None
        while True:
            try:
                data = transport.take(PIECE)
            except WOULD_BLOCK:
                return
            except OSError as error:
                self._note(error)
                data = b""
            carried = self._carried
            if carried is None:
                # Nothing was asked for: it ends, or it is confused.
                self.close()
                return
            if data:
                parser.feed(data)
            else:
                parser.end(broken=self._is_broken)
            carried.arrived()
            if not data:
                self.close()
                return
            if self._carried is carried:
                self._be_patient()
            if not transport.has_decrypted() or not self.watched & EVENT_READ:
                return

    def pause(self) -> None:
        """Read no more until `resume`: the client has not taken what came."""
        self._server.watch(self, self.watched & ~EVENT_READ)

    def resume(self) -> None:
        """Read on."""
        if not self._is_closed:
            self._server.watch(self, self.watched | EVENT_READ)
            assert self._transport is not None
            if self._transport.has_decrypted():
                # No selector sees those.
                self._server.pool.call(self._read_on)

    def _read_on(self) -> None:
        if not self._is_closed and self.watched & EVENT_READ:
            self._read()

    def rest(self, until: float) -> None:
        """Carry nothing for now, and close at *until*."""
        self._carried = None
        self.is_fresh = False
        self.deadline = until

    @property
    def is_quiet(self) -> bool:
        """Whether it is open, and nothing has come that nobody asked for; for one at rest.

        The loop may not have got round to that yet.
        """
        return self._transport is not None and self._transport.is_quiet()

    def hand_over(self) -> Transport:
        """Leave the loop, and give away what was connected."""
        assert self._transport is not None
        self._carried = None
        self._is_closed = True
        self.on_ready = _nothing
        self._server.forget(self)
        self.parser.close()
        return self._transport

    # The end.

    def on_deadline(self) -> None:
        """End what lasts too long: the waiting for a response, or the rest."""
        if self._carried is None:
            self.close()
        else:
            self.fail("did not answer in time", timed_out=True)

    def fail(self, reason: str, *, timed_out: bool = False) -> None:
        """Close, and say why to whom it concerns."""
        carried, self._carried = self._carried, None
        self.close()
        if carried is not None:
            carried.failed(reason, timed_out=timed_out)

    def drain(self) -> None:
        """Close if nothing is under way."""
        if self._carried is None:
            self.close()

    def close(self) -> None:
        """Give everything back at once; harmless when done before."""
        if self._is_closed:
            return
        self._is_closed = True
        self.on_ready = _nothing
        carried, self._carried = self._carried, None
        abandon, self.abandon = self.abandon, _nothing
        abandon()
        if self._transport is not None:
            self._server.forget(self)
            self._transport.end()
            self._transport.close()
            self._transport = None
        self.parser.close()
        on_idle_end, self.on_idle_end = self.on_idle_end, _forget
        on_idle_end(self)
        if carried is not None:
            carried.failed("ended the connection", timed_out=False)


def _nothing() -> None:
    """What a closed link does, and one that is not open yet."""


def _forget(_link: Link) -> None:
    """What happens when a link ends that nobody keeps."""
