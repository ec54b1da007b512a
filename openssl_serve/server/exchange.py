"""A request whose response comes later, and whose content is wanted: what its handler holds."""

from collections.abc import Callable
from typing import NamedTuple, Protocol

from openssl_serve.errors import HttpError
from openssl_serve.http1.request import Request
from openssl_serve.http1.response import Response
from openssl_serve.server.faults import error_response, fault_response
from openssl_serve.server.service import Service
from openssl_serve.server.transport import Transport


class Switched(NamedTuple):
    """A client with which another protocol has been agreed on, for who speaks that."""

    server: Service
    transport: Transport
    watched: int
    """What its place in the loop waits for; `adopt` wants to know."""
    unsent: bytes
    """What is to be sent before all else: the head of the 101."""
    received: bytes
    """What it has sent behind its request."""
    on_end: Callable[[int], object]
    """To be called once when it is over, with the number of bytes that were sent."""


class Carrier(Protocol):
    """What an exchange asks of the connection that carries it; every call is in the loop."""

    def respond_later(self, exchange: "Exchange", response: Response) -> None:
        """Send the *response* of *exchange*, unless its client has gone."""

    def send_interim(self, head: bytes) -> None:
        """Send *head* before the response, as soon as the client takes it."""

    def listen(self, *, wanted: bool) -> None:
        """Read from the client while it is being answered, or leave what comes in the socket."""

    def content_came(self) -> None:
        """Give the client its time for the next piece of the content."""

    def content_ended(self) -> None:
        """Wait for the response for as long as it takes."""

    def switch_to(self, speak: Callable[[Switched], object], head: bytes) -> None:
        """Leave the client to *speak*, which has to send *head* first."""

    def close(self) -> None:
        """Give everything back at once."""


class Exchange:
    """One request under way. All calls are the loop's thread's; none blocks.

    Content and response are independent: either may be over before the other.
    """

    __slots__ = (
        "_awaited", "_connection", "_finish", "_on_data", "_on_end", "is_paused", "is_receiving",
        "on_gone", "request", "server",
    )  # fmt: skip

    def __init__(
        self,
        server: Service,
        connection: Carrier,
        request: Request,
        finish: Callable[[Response], Response] | None,
    ) -> None:
        self.server = server
        """Whose loop this is in."""
        self.request = request
        # Whether the client waits for a word before it sends content (RFC 9110 section 10.1.1).
        self._awaited = (
            request.version == "1.1"
            and request.values.get(b"expect", b"").lower() == b"100-continue"
        )
        self._connection = connection
        self._finish = finish
        self._on_data: Callable[[bytes], None] = _drop
        self._on_end: Callable[[], None] = _nothing
        self.is_receiving = False
        """Whether content is still to come for somebody who wants it."""
        self.is_paused = False
        self.on_gone: Callable[[], None] = _nothing
        """Called once if the client goes before the response has begun; a response that is a
        stream has its own way to tell."""

    # Content.

    def receive(self, on_data: Callable[[bytes], None], on_end: Callable[[], None]) -> None:
        """Have the content given to *on_data* as it comes, then *on_end* called.

        Without this it is discarded. *on_data* may `pause`.
        """
        self._on_data, self._on_end = on_data, on_end
        self.is_receiving = True
        self.deliver()

    def deliver(self) -> None:
        """Pass on what has arrived; the connection calls this."""
        if not self.is_receiving:
            return
        arrived, self.request.arrived = self.request.arrived, None
        if arrived:
            for part in arrived:
                self._on_data(part)
        if self.request.complete and self.is_receiving:
            self.is_receiving = False
            self._connection.content_ended()
            on_end, self._on_data, self._on_end = self._on_end, _drop, _nothing
            on_end()
        elif self.is_receiving and not self.is_paused and (arrived or not self._awaited):
            self._connection.content_came()

    def pause(self) -> None:
        """Have no more content until `resume`; what has been read already still comes."""
        if not self.is_paused:
            self.is_paused = True
            self._connection.listen(wanted=False)

    def resume(self) -> None:
        """Have content again."""
        if self.is_paused:
            self.is_paused = False
            self._connection.listen(wanted=True)

    def ignore(self) -> None:
        """Have no more content, because the response is there: what still comes is discarded."""
        self.is_receiving = self.is_paused = False
        self._on_data, self._on_end = _drop, _nothing

    # The response.

    def interim(self, head: bytes) -> None:
        """Send an interim response (RFC 9110 section 15.2), all of it being *head*."""
        if head.startswith(b"HTTP/1.1 100"):
            self._awaited = False
        self._connection.send_interim(head)
        if self.is_receiving and not self.is_paused and not self._awaited:
            self._connection.content_came()

    def respond(self, response: Response) -> None:
        """Send the one response."""
        if self._finish is not None:
            response = self._finish(response)
        self.on_gone = _nothing
        self._connection.respond_later(self, response)

    def fail(self, error: HttpError) -> None:
        """Send the page for *error* as the response."""
        self.respond(error_response(self.request, error))

    def crash(self, error: Exception) -> None:
        """Send the page for a fault of ours, and log it."""
        self.respond(fault_response(self.server.log, self.request, error))

    def switch(self, head: bytes, speak: Callable[[Switched], object]) -> None:
        """Send *head*, a 101, and have *speak* take the client over (RFC 9110 section 7.8)."""
        self.on_gone = _nothing
        self._connection.switch_to(speak, head)

    def forget(self) -> None:
        """Have nothing more to do with this; the connection calls it when it is over."""
        self.is_receiving = False
        self._on_data, self._on_end = _drop, _nothing
        on_gone, self.on_gone = self.on_gone, _nothing
        on_gone()


def _drop(_data: bytes) -> None:
    """Take content that nobody wants."""


def _nothing() -> None:
    """What is called in place of what nobody asked for."""
