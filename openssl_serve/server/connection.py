"""One HTTP/1.1 connection as a state machine over a non-blocking socket.

    READING ⇄ WORKING
       ⇅         │
    WRITING ←────┘ → LINGERING → CLOSED

The loop calls `on_ready` when the socket can be read or written, as the state wants, and
`on_deadline` when the state has lasted too long. Nothing here blocks and nothing here waits.

Over 300 lines, because the transitions of one machine are understood together or not at all;
what has no state of its own is in transport.py, http1/ and offload.py, and how a client gets
here is in arrival.py.
"""

from collections.abc import Callable
from enum import Enum
from selectors import EVENT_READ, EVENT_WRITE
from typing import TYPE_CHECKING

from openssl_serve.errors import HttpError
from openssl_serve.http1.bodies import StreamBody
from openssl_serve.http1.request import Peer, Request, RequestParser
from openssl_serve.http1.response import Response
from openssl_serve.server.access_log import Access
from openssl_serve.server.faults import error_response
from openssl_serve.server.handling import Handlers, Offload
from openssl_serve.server.transport import READ_SIZE, WOULD_BLOCK, Outgoing, Progress, Transport

if TYPE_CHECKING:
    from concurrent.futures import Future

    from openssl_serve.server.polyglot import PolyglotServer


REST_S = 2.0
"""Seconds without a request after which a connection is not expected to be asked again soon."""


class State(Enum):
    """What a connection is doing; see the module's picture."""

    READING = "reading"
    WORKING = "working"
    WRITING = "writing"
    LINGERING = "lingering"
    CLOSED = "closed"


class Connection:
    """One client that speaks HTTP, plain or inside TLS, until it is closed."""

    __slots__ = (
        "_began", "_blocked", "_handlers", "_outgoing", "_parser", "_request",
        "_server", "_status", "_transport", "deadline", "on_ready", "peer", "state", "watched",
    )  # fmt: skip

    def __init__(
        self, server: "PolyglotServer", transport: Transport, peer: Peer, handlers: Handlers
    ) -> None:
        self._server = server
        self._handlers = handlers
        self._transport = transport
        self._parser: RequestParser | None = RequestParser(peer)
        # Of the request that is being answered:
        self._request: Request | None = None
        self._began = 0.0
        self._status = (0, 0)
        self._outgoing: Outgoing | None = None
        self._blocked = False
        self.watched = 0
        """The selector's events that this connection waits for; kept by the server."""
        self.peer = peer
        self.state = State.READING
        self.on_ready: Callable[[], None] = self._read
        self.deadline = 0.0
        """When `on_deadline` is due, by the server's clock in seconds."""
        self._be_idle()

    @property
    def fd(self) -> int:
        """The descriptor, for the selector."""
        return self._transport.fd

    @property
    def is_idle(self) -> bool:
        """Whether no request is under way, so that closing loses nothing."""
        return self.state is State.READING and not self.in_head

    @property
    def in_head(self) -> bool:
        """Whether a request has begun whose head is not complete."""
        return self._parser is not None and self._parser.in_head

    def begin(self) -> None:
        """Take what is there to read; the loop calls `on_ready` for what comes later."""
        self._read()

    def _be_idle(self) -> None:
        """Wait for a request: a while as it is, then at rest (see on_deadline)."""
        self.deadline = self._server.now + min(REST_S, self._server.limits.idle_timeout_s)

    # Requests.

    def _read(self) -> None:
        while self.state is State.READING:
            try:
                data = self._transport.take(READ_SIZE)
            except WOULD_BLOCK:
                return
            except OSError:
                self.close()
                return
            if not data:
                self.close()
                return
            parser = self._parser
            if parser is None:
                parser = self._parser = RequestParser(self.peer)
            begun, was_idle = parser.begun, parser.is_idle
            parser.feed(data)
            self._answer_ready(parser)
            if parser.in_head and parser.begun != begun:
                self.deadline = self._server.now + self._server.limits.head_timeout_s
            elif parser.is_idle and not was_idle and self.state is State.READING:
                # The end of a body that was not wanted.
                self._be_idle()
            if not self._transport.has_decrypted():
                return

    def _answer_ready(self, parser: RequestParser) -> None:
        """Answer, in their order, the requests that have arrived, while the client takes them."""
        ready = parser.ready
        while ready and self.state is State.READING:
            self._answer(ready.pop(0))
        if self.state is State.READING:
            if parser.refusal is not None:
                self.refuse(parser.refusal)
            elif parser.discarded > self._server.limits.max_discarded_body:
                self._end(linger=True)

    def _answer(self, request: Request) -> None:
        server = self._server
        self._request = request
        self._began = server.now
        handler = self._handlers.secure if request.peer.secure else self._handlers.plain
        try:
            answer = handler(request)
        except HttpError as error:
            answer = error_response(request, error)
        except Exception as error:  # noqa: BLE001  one request's fault must not end the others
            answer = server.handler_failed(request, error)
        if isinstance(answer, Offload):
            self.state = State.WORKING
            self.deadline = float("inf")
            server.watch(self, 0)
            server.pool.submit(answer.work, self._worked)
        else:
            self._respond(answer)

    def _worked(self, future: "Future[Response]") -> None:
        """Go on, in the loop, with what a thread has made."""
        request = self._request
        if request is None:
            # Closed meanwhile.
            return
        try:
            response = future.result()
        except HttpError as error:
            response = error_response(request, error)
        except Exception as error:  # noqa: BLE001  as in _answer
            response = self._server.handler_failed(request, error)
        self._server.watch(self, EVENT_READ)
        self._respond(response)
        if self.state is State.READING:
            self._go_on()

    def refuse(self, error: HttpError) -> None:
        """Answer what was no request, and end the connection."""
        request = Request(b"-", b"-", [], self.peer)
        request.keep_alive = False
        self._request = request
        self._began = self._server.now
        self._respond(error_response(request, error))

    # Responses.

    def _respond(self, response: Response) -> None:
        request, body, length = self._request, response.body, response.length or 0
        assert request is not None
        framing = b""
        if request.method == b"HEAD" or response.status == 304:
            response.discard()
            body, length = b"", 0
        elif isinstance(body, StreamBody):
            framing = self._begin_stream(request, body)
        if response.close or self._server.draining or not self._can_go_on(request):
            request.keep_alive = False
        if not request.keep_alive:
            last = b"Connection: close\r\n\r\n"
        elif request.version == "1.0":
            last = b"Connection: keep-alive\r\n\r\n"
        else:
            last = b"\r\n"
        first = b"".join((response.head, framing, self._server.date_line, last))
        self._outgoing = (
            Outgoing(first + body) if isinstance(body, bytes) else Outgoing(first, body)
        )
        self._status = (response.status, length)
        self.state = State.WRITING
        self._write()

    def _begin_stream(self, request: Request, body: StreamBody) -> bytes:
        """Frame *body* for this client; return the field that says how."""
        body.wake = self._write
        if request.version == "1.1":
            return b"Transfer-Encoding: chunked\r\n"
        # HTTP/1.0 knows no chunks: the end of the connection is the end of the content.
        body.chunked = False
        request.keep_alive = False
        return b""

    def _can_go_on(self, request: Request) -> bool:
        """Whether, after this request, the stream is still where a request can begin.

        Not in another protocol, and not in a body that is too long to read in vain, or that a
        client waiting for 100 will not send (RFC 9110 section 10.1.1).
        """
        if request.upgrade:
            return False
        if request.complete:
            return True
        length = request.get(b"content-length")
        return (
            length is not None
            and request.get(b"expect") is None
            and int(length) <= self._server.limits.max_discarded_body
        )

    def _write(self) -> None:
        outgoing = self._outgoing
        assert outgoing is not None
        before = outgoing.sent
        try:
            progress = outgoing.send(self._transport)
        except OSError:
            # Gone, or content that was lost: ending short tells the client; padding would be a
            # lie.
            self.close()
            return
        if progress is Progress.COMPLETE:
            self._finish_response()
            return
        if progress is Progress.BLOCKED:
            if outgoing.sent > before or not self._blocked or self.deadline == float("inf"):
                # What a producer adds is no progress: the client has to take something.
                self.deadline = self._server.now + self._server.limits.write_timeout_s
            self._blocked = True
            self.on_ready = self._write
            self._server.watch(self, EVENT_WRITE)
        else:
            # The producer decides how long that takes; the client may go meanwhile.
            self._blocked = True
            self.on_ready = self._overhear
            self.deadline = float("inf")
            self._server.watch(self, EVENT_READ)

    def _overhear(self) -> None:
        """Notice that the client goes while its response waits for content.

        One that only ends its own direction is taken to have gone: browsers do not do that, and
        an event stream would otherwise outlive its reader.
        """
        try:
            data = self._transport.take(READ_SIZE)
        except WOULD_BLOCK:
            return
        except OSError:
            data = b""
        if not data or self._parser is None:
            self.close()
            return
        # A request ahead of its turn: it waits in the parser, and the next ones in the socket.
        self._parser.feed(data)
        self._server.watch(self, 0)

    def _finish_response(self) -> None:
        server, request = self._server, self._request
        assert request is not None
        assert self._outgoing is not None
        status, length = self._status
        length = length or self._outgoing.streamed
        self._outgoing.close()
        peer = self.peer
        server.log.access(
            Access(
                peer.client, peer.secure, request.method, request.target, request.version,
                status, length,
                server.clock() - self._began,
            )
        )  # fmt: skip
        self._request = self._outgoing = None
        if not request.keep_alive or server.draining:
            self._end(linger=True)
            return
        self.state = State.READING
        if request.complete:
            self._be_idle()
        else:
            self.deadline = server.now + server.limits.body_timeout_s
        if self._blocked:
            self._blocked = False
            self.on_ready = self._read
            server.watch(self, EVENT_READ)
            self._go_on()

    def _go_on(self) -> None:
        """Answer what came while a response was made or sent: the socket may stay silent now."""
        parser = self._parser
        assert parser is not None
        self._answer_ready(parser)
        if self.state is State.READING and self.peer.secure:
            self._read()

    # The end.

    def on_deadline(self) -> None:
        """End what has lasted too long."""
        idle_s, parser = self._server.limits.idle_timeout_s, self._parser
        if self.state is not State.READING:
            self.close()
        elif parser is not None and parser.in_head:
            self.refuse(HttpError(408, "the request took too long"))
        elif parser is not None and parser.is_idle and idle_s > REST_S:
            # At rest: without a parser, which is a kilobyte that ten thousand idle ones need not
            # have.
            parser.close()
            self._parser = None
            self.deadline += idle_s - REST_S
        else:
            self._end(linger=False)

    def drain(self) -> None:
        """Close now if nothing is under way, else after the response."""
        if self.is_idle:
            self._end(linger=False)
        elif self._outgoing is not None and self._outgoing.is_endless:
            self.close()

    def _end(self, *, linger: bool) -> None:
        """Close, politely: the client learns that nothing was cut off.

        To *linger* is to end our direction and to drop what comes until the client ends its own:
        closing over bytes that were not read resets the connection, and the response that is
        still on its way is lost (RFC 9112 section 9.6).
        """
        self._transport.end()
        if not linger:
            self.close()
            return
        try:
            self._transport.half_close()
        except OSError:
            self.close()
            return
        self.state = State.LINGERING
        self.deadline = self._server.now + self._server.limits.linger_timeout_s
        self.on_ready = self._drop
        self._server.watch(self, EVENT_READ)

    def _drop(self) -> None:
        try:
            if not self._transport.take(READ_SIZE):
                self.close()
        except BlockingIOError:
            return
        except OSError:
            self.close()

    def close(self) -> None:
        """Give everything back at once; harmless when done before."""
        if self.state is State.CLOSED:
            return
        self.state = State.CLOSED
        self._server.forget(self)
        if self._outgoing is not None:
            self._outgoing.close()
        if self._parser is not None:
            self._parser.close()
        self._request = None
        # Bound methods of this object, kept in it, would leave it to the cycle collector.
        self.on_ready = _nothing
        self._transport.close()


def _nothing() -> None:
    """What a closed connection does."""
