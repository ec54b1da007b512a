"""One HTTP/1.1 connection as a state machine over a non-blocking socket.

    Resting
       ⇅
    READING ⇄ WORKING ──→ a Tunnel, a WebSocket
       ⇅         │
    WRITING ←────┘ → Lingering, or CLOSED

The loop calls `on_ready` when the socket can be read or written, as the state wants, and
`on_deadline` when the state has lasted too long. Nothing here blocks and nothing here waits.

Over 300 lines, because the transitions of one machine are understood together or not at all;
what has no state of its own is in transport.py, http1/ and offload.py, what a request under way
knows is in exchange.py, and how a client gets here is in arrival.py.
"""

from collections.abc import Callable
from enum import Enum
from functools import partial
from selectors import EVENT_READ, EVENT_WRITE
from typing import TYPE_CHECKING

from openssl_serve.errors import HttpError
from openssl_serve.http1.bodies import StreamBody
from openssl_serve.http1.request import Peer, Request, RequestParser
from openssl_serve.http1.response import Response
from openssl_serve.server.access_log import Access
from openssl_serve.server.exchange import Exchange, Switched
from openssl_serve.server.faults import error_response, fault_response
from openssl_serve.server.handling import Deferred, Handlers, Offload
from openssl_serve.server.lingering import linger
from openssl_serve.server.participant import Participant
from openssl_serve.server.resting import Resting
from openssl_serve.server.service import Service
from openssl_serve.server.transport import READ_SIZE, WOULD_BLOCK, Outgoing, Progress, Transport

if TYPE_CHECKING:
    from concurrent.futures import Future


_LAST_LINES = {
    (True, "1.1"): b"\r\n",
    (True, "1.0"): b"Connection: keep-alive\r\n\r\n",
    (False, "1.1"): b"Connection: close\r\n\r\n",
    (False, "1.0"): b"Connection: close\r\n\r\n",
}
"""What ends a head, by whether the connection goes on and by the client's version."""


class State(Enum):
    """What a connection is doing; see the module's picture."""

    READING = "reading"
    WORKING = "working"
    WRITING = "writing"
    CLOSED = "closed"


class Connection(Participant):
    """One client that speaks HTTP, plain or inside TLS, until it is closed."""

    __slots__ = (
        "_began", "_blocked", "_exchange", "_handlers", "_outgoing", "_parser", "_request",
        "_server", "_status", "_transport", "_unsent", "peer", "state",
    )  # fmt: skip

    def __init__(
        self, server: Service, transport: Transport, peer: Peer, handlers: Handlers
    ) -> None:
        super().__init__(0.0, self._read)
        self._server = server
        self._handlers = handlers
        self._transport = transport
        self._parser = RequestParser(peer)
        # Of the request that is being answered:
        self._request: Request | None = None
        self._began = 0.0
        self._status = (0, 0)
        self._outgoing: Outgoing | None = None
        self._blocked = False
        self._exchange: Exchange | None = None
        # Of an interim response that the client has not taken yet.
        self._unsent = b""
        self.peer = peer
        self.state = State.READING
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
        return self._parser.in_head

    def begin(self) -> None:
        """Take what is there to read; the loop calls `on_ready` for what comes later."""
        self._read()

    def _be_idle(self) -> None:
        """Wait for a request: a while as it is, then at rest (see on_deadline)."""
        self.deadline = self._server.now + self._server.rest_s

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
            begun, was_idle = parser.begun, parser.is_idle
            parser.feed(data)
            self._answer_ready(parser)
            if self.state is State.READING:
                # Else a head that has begun has to wait, and has its time when it is its turn.
                if parser.in_head and parser.begun != begun:
                    self.deadline = self._server.now + self._server.limits.head_timeout_s
                elif parser.is_idle and not was_idle:
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
                self._end(lingers=True)

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
            answer = fault_response(server.log, request, error)
        if isinstance(answer, Response):
            self._respond(answer)
            return
        self.state = State.WORKING
        self.deadline = float("inf")
        if isinstance(answer, Offload):
            server.watch(self, 0)
            server.pool.submit(answer.work, self._worked)
        else:
            self._defer(answer, request)

    def _worked(self, future: "Future[Response]") -> None:
        """Go on, in the loop, with what a thread has made."""
        # It is not this connection that the loop calls, and nobody else would end it.
        self._server.guard(self, partial(self._take_result, future))

    def _take_result(self, future: "Future[Response]") -> None:
        request = self._request
        if request is None:
            # Closed meanwhile.
            return
        error = future.exception()
        if error is None:
            response = future.result()
        elif isinstance(error, HttpError):
            response = error_response(request, error)
        else:
            response = fault_response(self._server.log, request, error)
        self._server.watch(self, EVENT_READ)
        self._respond(response)
        if self.state is State.READING:
            self._go_on()

    # Exchanges: what they call, in the loop.

    def _defer(self, answer: Deferred, request: Request) -> None:
        exchange = self._exchange = Exchange(self._server, self, request, answer.finish)
        self.on_ready = self._overhear
        try:
            answer.begin(exchange)
        except HttpError as error:
            exchange.fail(error)
        except Exception as error:  # noqa: BLE001  as in _answer
            exchange.crash(error)
        if self.state is State.READING:
            # It was answered at once.
            self.on_ready = self._read
        elif self._exchange is exchange and self.state is not State.CLOSED:
            # From here on, what comes next is nobody's turn but the loop's.
            self._blocked = True

    def respond_later(self, exchange: Exchange, response: Response) -> None:
        """Send the *response* of *exchange*, unless its client has gone."""
        if self._exchange is not exchange or self.state is not State.WORKING:
            response.discard()
            return
        # Guarded for the reason above.
        self._server.guard(self, partial(self._respond, response))

    def send_interim(self, head: bytes) -> None:
        """Send *head* before the response, as soon as the client takes it."""
        if self.state is not State.WORKING:
            return
        self._unsent += head
        try:
            self._unsent = self._unsent[self._transport.send(self._unsent) :]
        except WOULD_BLOCK:
            pass
        except OSError:
            self.close()

    def listen(self, *, wanted: bool) -> None:
        """Read from the client while it is being answered, or leave what comes in the socket."""
        if self.state is State.CLOSED:
            return
        if not wanted:
            self._server.watch(self, self.watched & ~EVENT_READ)
            # It is not the client that others wait for.
            if self.state is State.WORKING:
                self.deadline = float("inf")
            return
        self._server.watch(self, self.watched | EVENT_READ)
        if self._exchange is not None and self._exchange.is_receiving:
            self.content_came()
        if self._transport.has_decrypted():
            self._server.pool.call(self._overhear)

    def content_came(self) -> None:
        """Give the client its time for the next piece of the content of its request."""
        if self.state is State.WORKING:
            self.deadline = self._server.now + self._server.limits.body_timeout_s

    def content_ended(self) -> None:
        """Wait for the response for as long as it takes: its client has done its part."""
        if self.state is State.WORKING:
            self.deadline = float("inf")

    def switch_to(self, speak: Callable[[Switched], object], head: bytes) -> None:
        """Leave the client to *speak*, which has to send *head* first."""
        parser, request = self._parser, self._request
        assert request is not None
        began, peer, server = self._began, self.peer, self._server

        def ended(length: int) -> None:
            server.log.access(
                Access(
                    peer.client, peer.secure, request.method, request.target, request.version,
                    101, length,
                    server.clock() - began,
                )
            )  # fmt: skip

        self._leave()
        unsent, received = self._unsent + head, parser.rest or b""
        speak(Switched(server, self._transport, self.watched, unsent, received, ended))

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
        if self._exchange is None or not self._exchange.is_receiving:
            request.unwanted = True
            if request.arrived is not None:
                self._discard_arrived(request)
        framing = b""
        if request.method == b"HEAD" or response.status == 304:
            response.discard()
            body, length = b"", 0
        elif isinstance(body, StreamBody):
            framing = self._begin_stream(request, body)
        if response.close or self._server.draining or not self._can_go_on(request):
            request.keep_alive = False
        last = _LAST_LINES[request.keep_alive, request.version]
        date = b"" if response.is_dated else self._server.date_line
        self._status = (response.status, length)
        head = b"".join((self._unsent, response.head, framing, date, last))
        self._unsent = b""
        if isinstance(body, bytes):
            self._send_whole(request, head + body)
        else:
            self._outgoing = Outgoing(head, body)
            self.state = State.WRITING
            self._write()

    def _send_whole(self, request: Request, data: bytes) -> None:
        """Send a response of which nothing else is to come: nearly always in one go."""
        try:
            sent = self._transport.send(data)
        except WOULD_BLOCK:
            sent = 0
        except OSError:
            self._outgoing = Outgoing(data)
            self.close()
            return
        if sent == len(data):
            self._finish_response(request)
            return
        self._outgoing = Outgoing(data[sent:])
        self.state = State.WRITING
        self._write()

    def _discard_arrived(self, request: Request) -> None:
        self._parser.discarded += sum(map(len, request.arrived or ()))
        request.arrived = None

    def _begin_stream(self, request: Request, body: StreamBody) -> bytes:
        """Frame *body* for this client; return the field that says how."""
        body.wake = self._write
        if body.length is not None:
            return b""
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
        if request.complete or not request.unwanted:
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
            assert self._request is not None
            self._finish_response(self._request, outgoing)
            return
        if progress is Progress.BLOCKED:
            if outgoing.sent > before or not self._blocked or self.deadline == float("inf"):
                # What a producer adds is no progress: the client has to take something.
                self.deadline = self._server.now + self._server.limits.write_timeout_s
            self._blocked = True
            exchange = self._exchange
            if exchange is not None and exchange.is_receiving and not exchange.is_paused:
                self.on_ready = self._write_and_overhear
                self._server.watch(self, EVENT_WRITE | EVENT_READ)
            else:
                self.on_ready = self._write
                self._server.watch(self, EVENT_WRITE)
        else:
            # The producer decides how long that takes; the client may go meanwhile.
            self._blocked = True
            self.on_ready = self._overhear
            self.deadline = float("inf")
            self._server.watch(self, EVENT_READ if self._hears else 0)
            outgoing.tell_taken()

    @property
    def _hears(self) -> bool:
        """Whether what the client sends meanwhile has somewhere to go."""
        exchange, parser = self._exchange, self._parser
        if exchange is not None and exchange.is_receiving:
            return not exchange.is_paused
        # One read ahead is enough: a client could fill the memory with requests.
        return not (parser.ready or parser.in_head or parser.rest)

    def _write_and_overhear(self) -> None:
        self._write()
        if self._exchange is not None and self._exchange.is_receiving:
            self._overhear()

    def _overhear(self) -> None:
        """Take what the client sends while it is being answered, or notice that it goes.

        One that only ends its own direction is taken to have gone: browsers do not do that, and
        an event stream would otherwise outlive its reader.
        """
        exchange, parser, request = self._exchange, self._parser, self._request
        while request is not None and self.watched & EVENT_READ:
            try:
                data = self._transport.take(READ_SIZE)
            except WOULD_BLOCK:
                return
            except OSError:
                data = b""
            if not data:
                self.close()
                return
            was_complete = request.complete
            parser.feed(data)
            if was_complete:
                # Ahead of its turn: it waits in the parser, and what follows in the socket.
                self._server.watch(self, self.watched & ~EVENT_READ)
                return
            if exchange is not None:
                exchange.deliver()
            if parser.stopped and not request.complete:
                self._break_off(parser.refusal)
                return
            if self._request is not request or not self._transport.has_decrypted():
                return

    def _break_off(self, refusal: HttpError | None) -> None:
        """End an exchange whose request is malformed in its content."""
        exchange = self._exchange
        if self.state is State.WORKING and exchange is not None:
            self._exchange = None
            exchange.forget()
            self._respond(
                error_response(exchange.request, refusal or HttpError(400, "malformed content"))
            )
        else:
            self.close()

    def _finish_response(self, request: Request, outgoing: Outgoing | None = None) -> None:
        server, peer = self._server, self.peer
        status, length = self._status
        if outgoing is not None:
            length = length or outgoing.streamed
            outgoing.close()
            self._outgoing = None
        server.log.access(
            Access(
                peer.client, peer.secure, request.method, request.target, request.version,
                status, length,
                server.clock() - self._began,
            )
        )  # fmt: skip
        exchange, self._exchange = self._exchange, None
        self._request = None
        if not request.unwanted and not request.complete:
            # Answered in mid-content, which nobody takes any more.
            request.keep_alive = False
        if exchange is not None:
            exchange.forget()
        if not request.keep_alive or server.draining:
            self._end(lingers=True)
            return
        self.state = State.READING
        if request.complete:
            self.deadline = server.now + server.rest_s
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
        self._answer_ready(parser)
        if self.state is State.READING:
            if parser.in_head:
                self.deadline = self._server.now + self._server.limits.head_timeout_s
            if self._transport.has_decrypted():
                self._read()

    # The end.

    def on_deadline(self) -> None:
        """End what has lasted too long."""
        idle_s, parser = self._server.limits.idle_timeout_s, self._parser
        if self.state is State.WORKING:
            self._break_off(HttpError(408, "the content took too long"))
        elif self.state is not State.READING:
            self.close()
        elif parser.in_head:
            self.refuse(HttpError(408, "the request took too long"))
        elif parser.is_idle and idle_s > self._server.rest_s:
            self._rest()
        else:
            self._end(lingers=False)

    def _rest(self) -> None:
        """Leave the client to what waits for its next request with less memory."""
        self._leave()
        sock = self._transport.socket
        resting = Resting(self._server, sock, self.peer, self._handlers, _wake)
        self._server.adopt(resting, self.watched)

    def _leave(self) -> None:
        """Give back all but the socket: another takes this one's place in the loop."""
        self._parser.close()
        self.state = State.CLOSED
        self._request = self._exchange = None
        # Bound methods of this object, kept in it, would leave it to the cycle collector.
        self.on_ready = _nothing

    def drain(self) -> None:
        """Close now if nothing is under way, else after the response."""
        if self.is_idle:
            # Of a request that has been answered, content may still be on its way: closing over it
            # would take back the answer.
            self._end(lingers=not self._parser.is_idle)
        elif self._outgoing is not None and self._outgoing.is_endless:
            self.close()

    def _end(self, *, lingers: bool) -> None:
        """Close, politely: the client learns that nothing was cut off.

        What *lingers* is a connection on which something may have come, or be on its way.
        """
        if not lingers:
            self._transport.end()
            self.close()
            return
        try:
            linger(self._server, self, self._transport)
        except OSError:
            self.close()
        else:
            self._leave()

    def close(self) -> None:
        """Give everything back at once; harmless when done before."""
        if self.state is State.CLOSED:
            return
        self.state = State.CLOSED
        self._server.forget(self)
        self._log_cut()
        if self._outgoing is not None:
            if self._outgoing.is_cut and self._transport.is_plain:
                # Without TLS and chunks nothing but a reset tells the client that this is no end.
                self._transport.reset()
            self._outgoing.close()
        if self._exchange is not None:
            exchange, self._exchange = self._exchange, None
            exchange.forget()
        self._leave()
        self._transport.close()

    def _log_cut(self) -> None:
        """Log a request whose response is not sent to its end, with what was; or has not begun."""
        request, peer, outgoing = self._request, self.peer, self._outgoing
        if request is None:
            return
        status = length = sent = 0
        if outgoing is not None:
            status, length = self._status
            sent = (length or outgoing.streamed) - outgoing.unsent
        self._server.log.access(
            Access(
                peer.client, peer.secure, request.method, request.target, request.version,
                status, max(0, sent),
                self._server.clock() - self._began,
                # What has no length may well have been over, as a stream of events.
                cut=length > 0 or outgoing is None,
            )
        )  # fmt: skip


def _wake(resting: Resting, transport: Transport) -> None:
    """Let a connection take the place of *resting*, to which something has come."""
    connection = Connection(resting.server, transport, resting.peer, resting.handlers)
    resting.leave()
    resting.server.adopt(connection, resting.watched)
    # It is not the connection that the loop has called, and its fault would not end it.
    resting.server.guard(connection, connection.begin)


def _nothing() -> None:
    """What a closed connection does."""
