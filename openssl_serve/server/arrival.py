"""One client from accept to its first request: what it speaks, and the TLS handshake.

    sniffing → (waiting for a certificate on demand) → handshaking → a Connection
        └────────────────── plain HTTP ──────────────────────────────────↑

Like a Connection, it is called by the loop and never blocks; in the end a Connection takes its
place, or it closes.
"""

import contextlib
import socket
from functools import lru_cache
from selectors import EVENT_READ, EVENT_WRITE
from ssl import SSLWantWriteError
from typing import TYPE_CHECKING

from openssl_serve.errors import HttpError, reason_of
from openssl_serve.http1.request import Peer
from openssl_serve.server.connection import Connection
from openssl_serve.server.contexts import refusal
from openssl_serve.server.handling import Handlers
from openssl_serve.server.hello import (
    GROUPS,
    NO_COMMON_GROUP,
    asked_name,
    offered_groups,
    record_length,
)
from openssl_serve.server.participant import Participant
from openssl_serve.server.service import Service
from openssl_serve.server.transport import WOULD_BLOCK, Transport
from openssl_serve.sniff import Protocol, sniff

if TYPE_CHECKING:
    from concurrent.futures import Future


USUAL_HELLO = 2048
"""Bytes that are looked at first: a browser's ClientHello with a key share of ML-KEM has 1,800."""


_shared_peer = lru_cache(256)(Peer)
"""One object for all connections of a client: browsers open six, and ten thousand add up."""


class Arrival(Participant):
    """A client that has been accepted and has not asked for anything yet."""

    __slots__ = ("_asked", "_awaited", "_client", "_handlers", "_server", "_transport")

    def __init__(
        self, server: Service, sock: socket.socket, client: str, handlers: Handlers
    ) -> None:
        super().__init__(server.now + server.limits.first_byte_timeout_s, self._sniff)
        self._server = server
        self._transport = Transport(sock)
        self._client = client
        self._handlers = handlers
        self._awaited = 0
        self._asked: str | None = None

    @property
    def fd(self) -> int:
        """The descriptor, for the selector."""
        return self._transport.fd

    @property
    def _name(self) -> str:
        return self._client or "unix"

    def on_deadline(self) -> None:
        """Close: it has said nothing, or not enough, for too long."""
        if self._server.log.verbose:
            is_silent = self.on_ready == self._sniff and not self._awaited
            what = "said nothing" if is_silent else "did not complete the TLS handshake"
            self._server.log.note(f"{self._name} {what} in time")
        self.close()

    def drain(self) -> None:
        """Close: nothing is under way that anybody could miss."""
        self.close()

    def close(self) -> None:
        """Give everything back at once; harmless when done before."""
        if self.on_ready != _nothing:
            self._server.forget(self)
            self._transport.close()
            self.on_ready = _nothing

    def _sniff(self) -> None:
        try:
            first = self._transport.peek(self._awaited or USUAL_HELLO)
        except BlockingIOError:
            return
        except OSError:
            self.close()
            return
        spoken = sniff(first)
        if spoken is Protocol.TLS:
            self._look_at(first)
        elif spoken is Protocol.HTTP:
            self._hand_over(secure=False).begin()
        elif spoken is Protocol.UNKNOWN:
            self._hand_over(secure=False).refuse(HttpError(400, "this port speaks HTTP and TLS"))
        else:
            self.close()

    def _look_at(self, hello: bytes) -> None:
        """Wait for the rest of the ClientHello, then see what the client needs and offers."""
        if not self._awaited:
            self.deadline = self._server.now + self._server.limits.handshake_timeout_s
        wanted = record_length(hello)
        if len(hello) < wanted != self._awaited:
            # The bytes stay in the socket, so without this the loop would come here all the time.
            self._awaited = wanted
            self._transport.be_readable_from(wanted)
            return
        # Complete, or cut off by its client: then the handshake will say so.
        if self._awaited:
            self._transport.be_readable_from(1)
        groups = offered_groups(hello)
        if groups is not None and GROUPS.isdisjoint(groups):
            self._refuse(len(hello))
        elif self._server.contexts.on_demand or self._server.log.verbose:
            self._be_prepared(hello)
        else:
            self._begin_handshake()

    def _refuse(self, taken: int) -> None:
        """End it as OpenSSL would if it had only the groups that are wanted here."""
        self._server.log.note_once(
            f"{self._name} shares no group for the key exchange with this server"
            " (X25519, P-256, P-384)"
        )
        with contextlib.suppress(OSError):
            # What has not been read would make the end a reset, and the alert be lost.
            self._transport.take(taken)
            self._transport.send(NO_COMMON_GROUP)
        self.close()

    def _be_prepared(self, hello: bytes) -> None:
        """See to it that there is a certificate for the name that the client asks for."""
        self._asked = asked_name(hello)
        work = self._server.contexts.missing(self._asked)
        if work is None:
            self._begin_handshake()
            return
        # Whoever makes it has a time limit of its own.
        self.deadline = float("inf")
        self._server.watch(self, 0)
        self._server.pool.submit(work, self._prepared)

    def _prepared(self, future: "Future[None]") -> None:
        if self.on_ready == _nothing:
            return
        error = future.exception()
        if error is not None:
            self._server.log.note(f"no certificate on demand: {type(error).__name__}: {error}")
        self._server.watch(self, EVENT_READ)
        self.deadline = self._server.now + self._server.limits.handshake_timeout_s
        self._begin_handshake()

    def _begin_handshake(self) -> None:
        try:
            self._transport.start_tls(self._server.contexts.current())
        except OSError:
            # The client has already gone.
            self.close()
            return
        self.on_ready = self._handshake
        self._handshake()

    def _handshake(self) -> None:
        try:
            self._transport.handshake()
        except WOULD_BLOCK as wanted:
            writes = isinstance(wanted, SSLWantWriteError)
            self._server.watch(self, EVENT_WRITE if writes else EVENT_READ)
        except OSError as error:
            self._tell_of(error)
            self.close()
        else:
            if self._server.log.verbose:
                asked = f"SNI {self._asked}" if self._asked else "no SNI"
                self._server.log.note(f"{self._name} {self._transport.agreed}, {asked}")
            # The request often comes with the client's Finished.
            self._hand_over(secure=True).begin()

    def _tell_of(self, error: OSError) -> None:
        """Say why there is no TLS, if anybody can learn from it; or always, to who asked for it."""
        log, reason = self._server.log, refusal(error)
        if log.verbose:
            why = reason or f"ended in the TLS handshake: {reason_of(error)}"
            log.note(f"{self._name} {why}")
        elif reason:
            log.note_once(f"{self._name} {reason}")

    def _hand_over(self, *, secure: bool) -> Connection:
        """Let a connection take this one's place in the loop."""
        local, port = self._server.local_address(self._transport.socket)
        handlers = self._handlers
        always = handlers.always_secure if secure else handlers.always_plain
        peer = _shared_peer(self._client, local, port, secure, always)
        connection = Connection(self._server, self._transport, peer, handlers)
        self._server.adopt(connection)
        self.on_ready = _nothing
        return connection


def _nothing() -> None:
    """What is called of an arrival that has become a connection, or has closed."""
