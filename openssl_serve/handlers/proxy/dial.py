"""From the addresses of an upstream to a connection with it: TCP, and TLS if that is spoken."""

import errno
import os
import socket
import ssl
from collections.abc import Callable
from selectors import EVENT_READ, EVENT_WRITE

from openssl_serve.errors import reason_of
from openssl_serve.handlers.proxy.upstream import Place
from openssl_serve.server.loop import Loop
from openssl_serve.server.participant import Participant
from openssl_serve.server.transport import WOULD_BLOCK, Transport, set_options

CONNECT_TIMEOUT_S = 5.0
"""Seconds for each address, TLS handshake included: an upstream is near."""


class DialError(Exception):
    """There is no connection; the message is half a sentence about the upstream."""

    def __init__(self, reason: str, *, timed_out: bool = False) -> None:
        super().__init__(reason)
        self.timed_out = timed_out


class Dial(Participant):
    """Connects to the first of *places* that answers; then `on_open`, else `on_failure`.

    With a *context* TLS is spoken, and the other end must be *name*. Whoever takes the transport
    takes this one's place in the loop, too.
    """

    __slots__ = (
        "_context", "_is_closed", "_name", "_on_failure", "_on_open", "_places", "_server",
        "_transport", "_tried",
    )  # fmt: skip

    def __init__(  # noqa: PLR0913  what to connect to, and whom to tell
        self,
        server: Loop,
        places: list[Place],
        name: str,
        context: ssl.SSLContext | None,
        *,
        on_open: Callable[[Transport], None],
        on_failure: Callable[[DialError], None],
    ) -> None:
        super().__init__(float("inf"), self._connected)
        self._server = server
        self._places = list(places)
        self._name = name
        self._context = context
        self._on_open = on_open
        self._on_failure = on_failure
        self._tried: list[str] = []
        self._transport: Transport | None = None
        self._is_closed = False

    @property
    def fd(self) -> int:
        """The descriptor, for the selector."""
        assert self._transport is not None
        return self._transport.fd

    def begin(self) -> None:
        """Connect; may be over, one way or the other, when this returns."""
        self._connect()

    def _connect(self, failure: str = "") -> None:
        """Try the next place; *failure* is why the one before did not do."""
        self._drop()
        while not self._is_closed:
            if failure:
                self._tried.append(f"{self._places.pop(0)}: {failure}")
            if not self._places:
                tried = ", ".join(self._tried) or "it has no address"
                self._fail(DialError(f"cannot be reached ({tried})"))
                return
            failure = self._try(self._places[0])
            if not failure:
                return

    def _try(self, place: Place) -> str:
        """Begin to connect to *place*; return why that cannot be, or nothing."""
        try:
            sock = socket.socket(place.family, socket.SOCK_STREAM)
        except OSError as error:
            return _words(error.errno)
        sock.setblocking(False)
        set_options(sock)
        code = sock.connect_ex((place.address, place.port))
        if code not in (0, errno.EINPROGRESS):
            sock.close()
            return _words(code)
        self._transport = Transport(sock)
        self.deadline = self._server.now + CONNECT_TIMEOUT_S
        self.on_ready = self._connected
        self._server.add(self, EVENT_WRITE)
        return ""

    def _connected(self) -> None:
        assert self._transport is not None
        code = self._transport.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if code:
            self._connect(_words(code))
        elif self._context is None:
            self._open()
        else:
            try:
                self._transport.start_tls(self._context, self._name)
            except OSError as error:
                self._connect(_words(error.errno))
                return
            self.on_ready = self._shake
            self._shake()

    def _shake(self) -> None:
        assert self._transport is not None
        try:
            self._transport.handshake()
        except ssl.SSLWantWriteError:
            self._server.watch(self, EVENT_WRITE)
        except WOULD_BLOCK:
            self._server.watch(self, EVENT_READ)
        except ssl.SSLCertVerificationError as error:
            why = f"has a certificate that is not trusted ({error.verify_message})"
            self._fail(DialError(f"{why}; --upstream-ca names one that is"))
        except ssl.SSLError as error:
            self._fail(DialError(f"does not speak TLS ({reason_of(error)})"))
        except OSError as error:
            self._connect(_words(error.errno))
        else:
            self._open()

    def _open(self) -> None:
        transport = self._transport
        assert transport is not None
        self._server.forget(self)
        self._transport = None
        if self._server.log.verbose:
            tls = f", {transport.agreed}" if self._context else ""
            after = f", after {', '.join(self._tried)}" if self._tried else ""
            self._note(f"reached at {self._places[0]}{tls}{after}")
        on_open = self._on_open
        self.close()
        on_open(transport)

    def _note(self, what: str) -> None:
        self._server.log.note(f"upstream {self._name} {what}")

    def _fail(self, error: DialError) -> None:
        if self._server.log.verbose:
            self._note(str(error))
        on_failure = self._on_failure
        self.close()
        on_failure(error)

    def on_deadline(self) -> None:
        """Try the next address, or give up."""
        if len(self._places) > 1:
            self._connect("no answer in time")
        else:
            self._fail(DialError("did not take the connection in time", timed_out=True))

    def drain(self) -> None:
        """Go on: somebody waits for this."""

    def close(self) -> None:
        """Give up, and tell nobody; harmless when done before."""
        self._is_closed = True
        self._drop()
        # Whoever waited for this holds it, and would be left to the cycle collector.
        self.on_ready = _nothing
        self._on_open = self._on_failure = _tell_nobody

    def _drop(self) -> None:
        if self._transport is not None:
            self._server.forget(self)
            self._transport.close()
            self._transport = None


def _words(code: int | None) -> str:
    return (os.strerror(code) if code else "the connection failed").lower()


def _nothing() -> None:
    """What is called of a dial that is over."""


def _tell_nobody(_: object) -> None:
    """What is called in place of those who have been told."""
