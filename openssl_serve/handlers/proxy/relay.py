"""One request on its way to the upstream, and the response on its way back."""

from typing import TYPE_CHECKING

from openssl_serve.errors import HttpError
from openssl_serve.handlers.proxy.fields import Rewriting
from openssl_serve.handlers.proxy.link import Link
from openssl_serve.handlers.proxy.links import Links
from openssl_serve.http1.bodies import StreamBody
from openssl_serve.http1.response import Response
from openssl_serve.http1.response_parser import ResponseHead
from openssl_serve.server.exchange import Switched
from openssl_serve.server.faults import DOWN
from openssl_serve.server.tunnel import Tunnel

if TYPE_CHECKING:
    from openssl_serve.server.exchange import Exchange

MAX_BACKLOG = 262_144
"""Bytes of a request that wait for the upstream before its client has to wait."""

IDEMPOTENT = frozenset({b"GET", b"HEAD", b"OPTIONS", b"PUT", b"DELETE"})
"""Safe to send again when a kept link turns out to have ended (RFC 9110 section 9.2.2)."""


class Relay:
    """Passes the request of an exchange on over one link, or a second if the first had ended."""

    __slots__ = (
        "_exchange", "_has_sent_all", "_head", "_is_over", "_link", "_links", "_rewriting",
        "_stream", "_timeout_s", "_upgrades",
    )  # fmt: skip

    def __init__(
        self, links: Links, rewriting: Rewriting, head: bytes, timeout_s: float, *, upgrades: bool
    ) -> None:
        self._links = links
        self._rewriting = rewriting
        self._head = head
        self._timeout_s = timeout_s
        self._upgrades = upgrades
        self._stream: StreamBody | None = None
        self._has_sent_all = False
        self._is_over = False
        self._exchange: Exchange
        self._link: Link

    def begin(self, exchange: "Exchange") -> None:
        """Send the request of *exchange*."""
        self._exchange = exchange
        request = exchange.request
        exchange.on_gone = self._client_gone
        # A kept link may have ended this very moment. A request that cannot be repeated, because of
        # what it does or because its content has gone, would be lost, and nobody could tell
        # whether it was heard.
        once = request.has_content or request.method not in IDEMPOTENT
        self._use(self._links.take(exchange.server, fresh=once))
        if self._is_over:
            return
        if request.has_content:
            exchange.receive(self._content, self._content_ended)
        else:
            self._has_sent_all = True

    def _use(self, link: Link) -> None:
        self._link = link
        link.carry(self, self._exchange.request.method, self._timeout_s)
        link.send(self._head)
        if link.is_fresh:
            self._links.open(link, self._exchange.server)

    # The content of the request.

    def _content(self, data: bytes) -> None:
        if self._is_over:
            return
        if b"transfer-encoding" in self._exchange.request.values:
            data = b"%x\r\n%b\r\n" % (len(data), data)
        self._link.send(data)
        if self._link.backlog > MAX_BACKLOG:
            self._exchange.pause()

    def _content_ended(self) -> None:
        if self._is_over:
            return
        self._has_sent_all = True
        if b"transfer-encoding" in self._exchange.request.values:
            self._link.send(b"0\r\n\r\n")

    def drained(self) -> None:
        """Have more of the content: the upstream has taken what there was."""
        self._exchange.resume()

    # The response.

    def arrived(self) -> None:
        """Pass on what the link's parser has."""
        if self._is_over:
            return
        parser, exchange = self._link.parser, self._exchange
        if parser.interim:
            self._pass_on_interim()
        if parser.fault is not None:
            self._link.fail(parser.fault)
            return
        head = parser.head
        if head is None:
            return
        if self._stream is not None:
            self._pass_on_content(self._stream)
        elif head.status == 101:
            self._switch(head)
        elif parser.complete:
            # Before the response: the next request of this client may want the link.
            parts, parser.parts = parser.parts, []
            body = parts[0] if len(parts) == 1 else b"".join(parts)
            response = self._response(head, body, len(body))
            self._finish()
            if not self._has_sent_all:
                exchange.ignore()
            exchange.respond(response)
        else:
            self._stream = StreamBody(
                self._client_gone, endless=_is_events(head), length=head.length
            )
            exchange.respond(self._response(head, self._stream, head.length))
            self._pass_on_content(self._stream)

    def _response(
        self, head: ResponseHead, body: bytes | StreamBody, length: int | None
    ) -> Response:
        request = self._exchange.request
        extra = b""
        if isinstance(body, bytes) and head.length is None and not self._link.parser.bodiless:
            # It came in chunks, all of which are here.
            extra = b"Content-Length: %d\r\n" % len(body)
        lines = self._rewriting.response_head(request, head, extra)
        dated = any(name.lower() == b"date" for name, _ in head.fields)
        return Response.relayed(head.status, lines, body, length, dated=dated)

    def _pass_on_interim(self) -> None:
        parser, request = self._link.parser, self._exchange.request
        for head in parser.interim:
            # HTTP/1.0 knows none (RFC 9110 section 15.2).
            if request.version == "1.1" and self._stream is None:
                self._exchange.interim(self._rewriting.response_head(request, head) + b"\r\n")
        parser.interim.clear()

    def _pass_on_content(self, stream: StreamBody) -> None:
        parser = self._link.parser
        parts, parser.parts = parser.parts, []
        if parts:
            stream.send(parts[0] if len(parts) == 1 else b"".join(parts))
        if self._is_over:
            return
        if parser.complete:
            self._finish()
            stream.end()
        elif stream.is_waiting:
            self._link.pause()
            stream.on_taken = self._link.resume

    def _switch(self, head: ResponseHead) -> None:
        parser, exchange = self._link.parser, self._exchange
        if not self._upgrades or parser.rest is None or self._link.backlog:
            self._link.fail("changed the protocol, which nobody asked for")
            return
        if exchange.server.draining:
            # What was open has been closed, and nobody would close this one before the cut.
            self._client_gone()
            exchange.fail(HttpError(503, "the server is about to end"))
            return
        named = next((v for n, v in head.fields if n.lower() == b"upgrade"), b"")
        lines = self._rewriting.response_head(
            exchange.request, head, b"Connection: Upgrade\r\nUpgrade: %b\r\n\r\n" % named
        )
        self._is_over = True
        upstream, rest = self._link.hand_over(), parser.rest

        def tunnel(client: Switched) -> None:
            ahead = (client.unsent + rest, client.received)
            Tunnel(
                client.server, client.transport, upstream, ahead=ahead, on_end=client.on_end
            ).begin(watched=client.watched)

        exchange.switch(lines, tunnel)

    # The end.

    def _finish(self) -> None:
        """Keep the link if it can be used again, else close it."""
        self._is_over = True
        parser, link = self._link.parser, self._link
        head = parser.head
        if (
            head is not None
            and head.keep_alive
            and not head.until_close
            and not parser.surplus
            and self._has_sent_all
            and not link.backlog
        ):
            self._links.keep(link, self._exchange.server)
        else:
            link.rest(0.0)
            link.close()

    def failed(self, reason: str, *, timed_out: bool) -> None:
        """Do what can be done without the link."""
        if self._is_over:
            return
        exchange = self._exchange
        if self._stream is not None:
            self._is_over = True
            self._stream.abort()
        elif self._may_try_again() and not timed_out:
            self._use(self._links.take(exchange.server, fresh=True))
        else:
            self._is_over = True
            if not self._has_sent_all:
                exchange.ignore()
            status, fields = (504, ()) if timed_out else (502, DOWN)
            exchange.fail(HttpError(status, f"{self._links.upstream} {reason}", fields))

    def _may_try_again(self) -> bool:
        """Whether a kept link ended before it brought anything: only those can be used again."""
        return not (self._link.is_fresh or self._link.parser.received)

    def _client_gone(self) -> None:
        if not self._is_over:
            self._is_over = True
            self._link.rest(0.0)
            self._link.close()


def _is_events(head: ResponseHead) -> bool:
    """Whether *head* begins an event stream, whose end nobody waits for."""
    return any(
        name.lower() == b"content-type" and value.lower().startswith(b"text/event-stream")
        for name, value in head.fields
    )
