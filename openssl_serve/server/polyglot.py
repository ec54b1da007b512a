"""PolyglotServer: one listening port, HTTP and TLS on it, one selector loop for all connections.

A thread for each connection costs memory, and two thirds of the speed under the interpreter
lock; so `process_request` puts an accepted socket into the loop instead of blocking on it.
"""

import contextlib
import errno
import selectors
import signal
import socket
import socketserver
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from openssl_serve.errors import HttpError
from openssl_serve.hosts import Address
from openssl_serve.http1.fields import http_date
from openssl_serve.http1.request import Request
from openssl_serve.http1.response import Response
from openssl_serve.pages import error_page
from openssl_serve.server.access_log import AccessLog
from openssl_serve.server.connection import Connection, Handler
from openssl_serve.server.contexts import ContextProvider, refusal
from openssl_serve.server.limits import Limits
from openssl_serve.server.listeners import address_of
from openssl_serve.server.offload import Pool
from openssl_serve.server.ports import raise_open_files

ACCEPTS_PER_TURN = 64
"""New connections taken in one turn of the loop, so that a burst of them delays nobody much."""

TICK_S = 1.0
"""Seconds between looks at the deadlines; a deadline is kept to this precision."""


class Handlers(NamedTuple):
    """Who answers requests, by what they came over."""

    secure: Handler
    plain: Handler


class PolyglotServer(socketserver.TCPServer):
    """Serves HTTP and HTTPS on *listeners* until `shutdown` or a signal.

    The listeners (listeners.py opens them) are the server's from now on. The loop runs in the
    thread that calls `serve_forever`, and the *handlers* run in it too.
    """

    def __init__(
        self,
        listeners: Sequence[socket.socket],
        contexts: ContextProvider,
        handlers: Handlers,
        *,
        log: AccessLog,
        limits: Limits | None = None,
    ) -> None:
        # TCPServer's own __init__ would make one socket, and for one address.
        socketserver.BaseServer.__init__(
            self,
            listeners[0].getsockname(),
            Connection,  # type: ignore[arg-type]
        )
        self.socket = listeners[0]
        self.listeners = tuple(listeners)
        self.addresses = tuple(map(address_of, listeners))
        """Where it listens: addresses with their real ports, or paths of Unix sockets."""
        self.contexts = contexts
        self.handlers = handlers
        self.log = log
        self.limits = limits or Limits()
        self.clock = time.monotonic
        self.now = self.clock()
        self.draining = False
        self.date_line = b""
        self.connections: dict[int, Connection] = {}
        self._date_second = 0
        self._cut_at = float("inf")
        self._accepting = False
        self._refused: set[str] = set()
        self._ended = threading.Event()
        self._ended.set()
        self._local = _only_address(self.addresses)
        self.pool = Pool(self.limits.threads)
        self._selector = selectors.DefaultSelector()
        self._selector.register(self.pool, selectors.EVENT_READ, None)
        self._max_connections = min(self.limits.max_connections, raise_open_files() - 64)

    @property
    def address(self) -> Address:
        """The first TCP address it listens on."""
        return next(where for where in self.addresses if isinstance(where, Address))

    # The loop.

    def serve_forever(self, poll_interval: float = TICK_S) -> None:
        """Serve until `shutdown` is called, or a signal asked for it and all is drained.

        *poll_interval* is the precision of deadlines in seconds.
        """
        self._ended.clear()
        self._accept_more(wanted=True)
        select, turn = self._selector.select, self.service_actions
        next_look = self.clock() + poll_interval
        try:
            while not (self.draining and (not self.connections or self.now >= self._cut_at)):
                ready = select(max(0.0, min(next_look, self._cut_at) - self.clock()))
                self.now = self.clock()
                turn()
                for key, _ in ready:
                    data = key.data
                    if data is None:
                        self.pool.deliver()
                    elif data in self.listeners:
                        self._accept(data)
                    else:
                        data.on_ready()
                if self.now >= next_look:
                    next_look = self.now + poll_interval
                    self._look_at_deadlines()
                self.log.flush()
        finally:
            for connection in list(self.connections.values()):
                connection.close()
            self.log.flush()
            self._ended.set()

    def service_actions(self) -> None:
        """Keep the Date field right; called in every turn of the loop."""
        second = int(time.time())
        if second != self._date_second:
            self._date_second = second
            self.date_line = b"Date: %s\r\n" % http_date(second)

    def _look_at_deadlines(self) -> None:
        now = self.now
        for connection in [c for c in self.connections.values() if c.deadline <= now]:
            connection.on_deadline()
        self._accept_more(wanted=not self.draining)

    # New connections, in socketserver's steps.

    def _accept(self, listener: socket.socket) -> None:
        for _ in range(ACCEPTS_PER_TURN):
            try:
                request, client_address = listener.accept()
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno in (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM):
                    # Nothing can be accepted before something is closed; the next look retries.
                    self._accept_more(wanted=False)
                    self.log.note(f"cannot accept connections for now: {error.strerror}")
                    return
                # The client went before it was accepted (ECONNABORTED and its kin).
                continue
            self.process_request(request, client_address)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Put the accepted socket *request* into the loop."""
        if len(self.connections) >= self._max_connections:
            request.close()
            return
        request.setblocking(False)
        if isinstance(client_address, tuple):
            # Nagle's algorithm would hold back the last segment of a response for 40 ms.
            with contextlib.suppress(OSError):
                request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            client = client_address[0]
        else:
            client = ""
        connection = Connection(self, request, client)
        self.connections[connection.fd] = connection
        self.watch(connection, selectors.EVENT_READ)
        connection.on_ready()

    def _accept_more(self, *, wanted: bool) -> None:
        if wanted == self._accepting:
            return
        self._accepting = wanted
        for listener in self.listeners:
            if wanted:
                self._selector.register(listener, selectors.EVENT_READ, listener)
            else:
                self._selector.unregister(listener)

    # What connections need.

    def watch(self, connection: Connection, events: int) -> None:
        """Call the connection's `on_ready` at *events* from now on; 0 for none."""
        if events == connection.watched:
            return
        if not connection.watched:
            self._selector.register(connection.fd, events, connection)
        elif events:
            self._selector.modify(connection.fd, events, connection)
        else:
            self._selector.unregister(connection.fd)
        connection.watched = events

    def forget(self, connection: Connection) -> None:
        """Drop a connection that closes itself."""
        self.watch(connection, 0)
        self.connections.pop(connection.fd, None)

    def local_address(self, sock: socket.socket) -> tuple[str, int]:
        """Return the address and port that the client of *sock* connected to."""
        if self._local is not None:
            return self._local
        try:
            name = sock.getsockname()
        except OSError:
            name = ""
        # A Unix socket has a path for a name; IPv4 clients of a dual stack are mapped (RFC 4291).
        return (name[0].removeprefix("::ffff:"), name[1]) if isinstance(name, tuple) else ("", 0)

    def error_response(self, request: Request, error: HttpError) -> Response:
        """Make the page for *error*; 4xx about the message itself end the connection."""
        return error_page(
            error,
            html=b"text/html" in (request.get(b"accept") or b""),
            close=error.status in (400, 408, 413, 414, 431, 501, 505),
        )

    def handler_failed(self, request: Request, error: Exception) -> Response:
        """Make the page for a fault of ours, and log it."""
        target = request.target.decode("latin-1")
        self.log.note(f"500 for {target}: {type(error).__name__}: {error}")
        return self.error_response(request, HttpError(500, "the server made a mistake"))

    def handshake_failed(self, client: str, error: OSError) -> None:
        """Log, once per client and reason, why a client did not shake hands."""
        reason = refusal(error)
        line = f"{client} {reason}"
        # The bound keeps a hostile crowd of addresses from filling the memory.
        if reason and line not in self._refused and len(self._refused) < 1000:
            self._refused.add(line)
            self.log.note(line)

    # The end.

    def drain(self, grace_s: float) -> None:
        """Accept no more, let responses in flight finish for *grace_s* seconds, then end."""
        self.draining = True
        self._cut_at = min(self._cut_at, self.clock() + grace_s)
        self._accept_more(wanted=False)
        for connection in list(self.connections.values()):
            connection.drain()

    def shutdown(self) -> None:
        """End `serve_forever` at once, from another thread, and wait until it has ended."""
        self.pool.call(lambda: self.drain(0))
        self._ended.wait()

    def server_close(self) -> None:
        """Close the listening sockets, remove those with a path, and what the loop used."""
        for listener, where in zip(self.listeners, self.addresses, strict=True):
            listener.close()
            if isinstance(where, Path):
                with contextlib.suppress(OSError):
                    where.unlink()
        self._selector.close()
        self.pool.close()

    @contextlib.contextmanager
    def signals(self) -> Iterator[None]:
        """Within this, SIGINT and SIGTERM drain the server; a second one ends it at once.

        Only for the main thread.
        """

        def on_signal(number: int, _frame: object) -> None:
            graces.append(interrupt if number == signal.SIGINT else terminate)
            grace = graces[0] if len(graces) == 1 else 0
            self.pool.call(lambda: self.drain(grace))

        graces: list[float] = []
        interrupt, terminate = self.limits.interrupt_grace_s, self.limits.terminate_grace_s
        kept = {n: signal.signal(n, on_signal) for n in (signal.SIGINT, signal.SIGTERM)}
        # The signal's byte ends the select that may just be about to begin.
        wakeup = signal.set_wakeup_fd(self.pool.wakeup.fileno(), warn_on_full_buffer=False)
        try:
            yield
        finally:
            signal.set_wakeup_fd(wakeup)
            for number, old in kept.items():
                signal.signal(number, old)


def _only_address(addresses: Sequence[Address | Path]) -> Address | None:
    """The address that every client connects to, if there is only one and it is a real one."""
    if len(addresses) == 1 and isinstance(addresses[0], Address):
        return None if addresses[0].host in ("0.0.0.0", "::") else addresses[0]
    return None
