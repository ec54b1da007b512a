"""PolyglotServer: one listening port, HTTP and TLS on it, one selector loop for all connections.

A thread for each connection costs memory, and two thirds of the speed under the interpreter
lock; so `process_request` puts an accepted socket into the loop instead of blocking on it.
"""

import errno
import functools
import socket
import socketserver
import threading
from collections.abc import Callable, Sequence
from selectors import EVENT_READ
from typing import Any

from openssl_serve.errors import reason_of
from openssl_serve.server.access_log import AccessLog
from openssl_serve.server.arrival import Arrival
from openssl_serve.server.contexts import ContextProvider
from openssl_serve.server.faults import answer_full
from openssl_serve.server.handling import Handlers
from openssl_serve.server.hello import names_read_or_not
from openssl_serve.server.limits import Limits
from openssl_serve.server.listeners import UnixListener, address_of
from openssl_serve.server.ports import raise_open_files
from openssl_serve.server.service import Service
from openssl_serve.server.transport import set_options

ACCEPTS_PER_TURN = 64
"""New connections taken in one turn of the loop, so that a burst of them delays nobody much."""

MAX_CROWD = 256
"""Connections above the most allowed that are still told 503; the next are closed unheard."""

RESERVED_FILES = 64
"""Descriptors left for files being served, threads, logs."""

TICK_S = 1.0
"""Seconds between looks at the deadlines; a deadline is kept to this precision."""


class PolyglotServer(Service, socketserver.TCPServer):
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
            Arrival,  # type: ignore[arg-type]
        )
        self.socket = listeners[0]
        self.listeners = tuple(listeners)
        self.handlers = handlers
        addresses = tuple(map(address_of, listeners))
        Service.__init__(self, addresses, contexts, log, limits or Limits())
        self.chores: tuple[Callable[[], None], ...] = ()
        """Called every second or so in the loop; each must be quick."""
        self._cut_at = float("inf")
        self._accepting = False
        self._ended = threading.Event()
        self._ended.set()
        files = raise_open_files()
        # Where there are few, at least half of them are for connections all the same.
        self._max_crowd = min(MAX_CROWD, files // 4)
        reserved = min(RESERVED_FILES, files // 4)
        self._max_connections = min(self.limits.max_connections, files - reserved - self._max_crowd)

    def drain_at_end_of(self, pipe: int) -> None:
        """Drain when the other end of the descriptor *pipe* is closed, as by a parent's death."""

        def ended() -> None:
            self.ignore(pipe)
            self.drain(self.limits.terminate_grace_s)

        self.listen_to(pipe, ended)

    # The loop.

    def serve_forever(self, poll_interval: float = TICK_S) -> None:
        """Serve until `shutdown` is called, or a signal asked for it and all is drained.

        *poll_interval* is the precision of deadlines in seconds.
        """
        self._ended.clear()
        self._accept_more(wanted=not self.draining)
        try:
            with names_read_or_not():
                self._take_turns(poll_interval)
        finally:
            for connection in list(self.connections.values()):
                connection.close()
            self.log.flush()
            self._ended.set()

    def _take_turns(self, poll_interval: float) -> None:
        next_look = self.clock() + poll_interval
        while not (self.draining and (not self.connections or self.now >= self._cut_at)):
            self.turn(min(next_look, self._cut_at))
            if self.now >= next_look:
                next_look = self.now + poll_interval
                self._look_at_deadlines()
            self.log.flush()

    def _look_at_deadlines(self) -> None:
        self.end_overdue()
        for chore in self.chores:
            self.guard(None, chore)
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
                    self.log.note(f"cannot accept connections for now: {reason_of(error)}")
                    return
                # The client went before it was accepted (ECONNABORTED and its kin).
                continue
            self.process_request(request, client_address)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Put the accepted socket *request* into the loop."""
        crowd = len(self.connections) - self._max_connections
        if crowd >= self._max_crowd:
            request.close()
            return
        request.setblocking(False)
        if isinstance(client_address, tuple):
            set_options(request)
            # On a socket for both families an IPv4 address comes as an IPv6 one (RFC 4291 2.5.5.2).
            client = client_address[0].removeprefix("::ffff:")
        else:
            client = ""
        handlers = self.handlers
        if crowd >= 0:
            handlers = handlers._replace(secure=answer_full, plain=answer_full)
        arrival = Arrival(self, request, client, handlers)
        self.add(arrival, EVENT_READ)
        arrival.on_ready()

    def _accept_more(self, *, wanted: bool) -> None:
        if wanted == self._accepting:
            return
        self._accepting = wanted
        for listener in self.listeners:
            if wanted:
                self.listen_to(listener.fileno(), functools.partial(self._accept, listener))
            else:
                self.ignore(listener.fileno())

    # The end.

    def drain(self, grace_s: float) -> None:
        """Accept no more, let responses in flight finish for *grace_s* seconds, then end."""
        self.draining = True
        self._cut_at = min(self._cut_at, self.clock() + grace_s)
        self._accept_more(wanted=False)
        for listener in self.listeners:
            if listener.fileno() >= 0:
                # Those who have been let in by the system already, and then nobody: whoever
                # comes now reaches the next server on this port, or learns that there is none.
                self._accept(listener)
                listener.close()
        for connection in list(self.connections.values()):
            connection.drain()

    def leave_listeners(self) -> None:
        """Accept no more: whoever comes now is for a successor with the same listeners.

        Responses say that their connection ends, and then `drain` is due.
        """
        self.draining = True
        self._accept_more(wanted=False)
        for listener in self.listeners:
            listener.close()

    def shutdown(self) -> None:
        """End `serve_forever` at once, from another thread, and wait until it has ended."""
        self.pool.call(lambda: self.drain(0))
        self._ended.wait()

    def server_close(self) -> None:
        """Close the listening sockets, remove paths that were made for them, end the loop's."""
        for listener in self.listeners:
            listener.close()
            # Those that a service manager has handed over are its own to remove.
            if isinstance(listener, UnixListener):
                listener.remove()
        self.close_loop()
        # What threads had left to say.
        self.log.flush()
