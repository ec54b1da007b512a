"""A non-blocking socket, plain or TLS, and what is still to be sent on it."""

import select
import socket
import ssl
import struct
from collections.abc import Callable
from contextlib import suppress
from enum import Enum

from openssl_serve.http1.bodies import Body, StreamBody

READ_SIZE = 16_384
"""Bytes: one TLS record at the most (RFC 8446 section 5.1)."""

WRITE_BUDGET = 1_048_576
"""Bytes that one connection may send in one turn of the loop, so that all get their turn."""

WOULD_BLOCK = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


_RESET = struct.pack("ii", 1, 0)
"""Linger for no time: the end is an RST (socket(7))."""


_TCP = (
    # Nagle's algorithm would hold back the last segment of what is sent for 40 ms.
    (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),
    # A tunnel and a stream of events may be silent for hours, and a phone that goes to sleep says
    # no word: after a minute the system asks whether the other end is still there, four times
    # (macOS has another name for the minute, and 75 seconds between them).
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    *(
        (socket.IPPROTO_TCP, getattr(socket, name), value)
        for name, value in (
            ("TCP_KEEPIDLE", 60),
            ("TCP_KEEPALIVE", 60),
            ("TCP_KEEPINTVL", 15),
            ("TCP_KEEPCNT", 4),
        )
        if hasattr(socket, name)
    ),
)
"""Options of every TCP socket here: level, name, value (tcp(7))."""


def set_options(sock: socket.socket) -> None:
    """Set on *sock*, which speaks TCP, what all have; harmless for one that has been closed."""
    with suppress(OSError):
        for option in _TCP:
            sock.setsockopt(*option)


class ContentLostError(OSError):
    """There are fewer bytes than the response has promised, as when a file was cut."""


class Transport:
    """One accepted socket. All calls raise OSError when the client is gone."""

    __slots__ = ("_sock", "_tls", "fd", "send", "take")

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._tls: ssl.SSLSocket | None = None
        self.fd = sock.fileno()
        self.take: Callable[[int], bytes]
        """Read up to so many bytes; empty at the end. Raises one of WOULD_BLOCK."""
        self.send: Callable[[bytes | bytearray | memoryview], int]
        """Send what fits now and return how much that was. Raises one of WOULD_BLOCK."""
        if isinstance(sock, ssl.SSLSocket):
            self._speak(sock)
        else:
            self.take, self.send = sock.recv, sock.send

    def _speak(self, tls: ssl.SSLSocket) -> None:
        self._sock = self._tls = tls
        # read and write: recv and send would only check for flags before calling them.
        self.take, self.send = tls.read, tls.write

    @property
    def socket(self) -> socket.socket:
        """The socket itself, for its addresses."""
        return self._sock

    def peek(self, most: int = 1) -> bytes:
        """Return the first bytes and leave them where they are; none when the stream has ended."""
        return self._sock.recv(most, socket.MSG_PEEK)

    def be_readable_from(self, count: int) -> None:
        """Have selectors call the socket readable only with *count* bytes (or at the end)."""
        with suppress(OSError):
            self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, count)

    @property
    def is_plain(self) -> bool:
        """Whether no TLS is spoken."""
        return self._tls is None

    def start_tls(self, context: ssl.SSLContext, server_name: str | None = None) -> None:
        """Speak TLS from here on, as a client if there is a *server_name*; then `handshake`."""
        tls = context.wrap_socket(
            self._sock,
            server_side=server_name is None,
            server_hostname=server_name,
            do_handshake_on_connect=False,
            # An upstream without close_notify has not said that its content is complete (RFC 9112
            # section 9.8). Of clients it does not matter.
            suppress_ragged_eofs=server_name is None,
        )
        self._speak(tls)

    def handshake(self) -> None:
        """Do what can be done of the handshake; raises one of WOULD_BLOCK until it is complete."""
        assert self._tls is not None
        self._tls.do_handshake()

    @property
    def agreed(self) -> str:
        """What the TLS handshake has led to, in words; nothing without TLS."""
        tls = self._tls
        if tls is None:
            return ""
        cipher = tls.cipher()
        resumed = ", resumed" if tls.session_reused else ""
        alpn = tls.selected_alpn_protocol()
        words = f"{tls.version()} {cipher[0] if cipher else ''}"
        return f"{words}, {f'ALPN {alpn}' if alpn else 'no ALPN'}{resumed}"

    def has_decrypted(self) -> bool:
        """Whether bytes are there that no selector sees, because OpenSSL holds them."""
        return self._tls is not None and self._tls.pending() > 0

    def is_quiet(self) -> bool:
        """Whether nothing is there to be read, not even the end; what is may be lost by asking."""
        if self._tls is None:
            poll = select.poll()
            poll.register(self.fd, select.POLLIN)
            # A third of the time that recv takes to raise.
            return not poll.poll(0)
        try:
            # Something may be there for OpenSSL alone, such as a ticket.
            self._tls.read(1)
        except WOULD_BLOCK:
            return True
        except OSError:
            pass
        return False

    def end(self) -> None:
        """Tell a TLS client that the stream ends here; its own close_notify is not waited for."""
        if self._tls is not None:
            with suppress(OSError, ValueError):
                self._tls.unwrap()
                # Their end was there, found before anybody has read that far; to read TLS that
                # both have ended would be a ValueError.
                self.take = _no_more

    def end_sending(self) -> None:
        """Tell the other side that nothing more comes; it may go on, and is heard."""
        if self._tls is not None:
            self.end()
        else:
            self._sock.shutdown(socket.SHUT_WR)

    def half_close(self) -> None:
        """End our direction; from now on there is only `drop`."""
        self._sock.shutdown(socket.SHUT_WR)
        self.take = self._sock.recv

    def drop(self) -> bool:
        """Drop what is there to be read; whether the client has ended its direction, or gone."""
        try:
            return not self.take(READ_SIZE)
        except BlockingIOError:
            return False
        except OSError:
            return True

    def reset(self) -> None:
        """Have `close` break the connection instead of ending it."""
        with suppress(OSError):
            self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)

    def close(self) -> None:
        """Give the descriptor back."""
        self._sock.close()


def _no_more(_count: int) -> bytes:
    """What is to be read when both sides have ended."""
    return b""


class Progress(Enum):
    """How far the sending of a response has come."""

    COMPLETE = "complete"
    BLOCKED = "blocked"
    """The client, or the other connections' turn, is to be waited for."""
    STARVED = "starved"
    """The producer of the content is."""


class Outgoing:
    """What is left to send of one response: bytes, then perhaps a body."""

    __slots__ = ("_body", "_bytes", "sent")

    def __init__(self, first: bytes, body: Body | None = None) -> None:
        self.sent = 0
        """Bytes that have gone out so far."""
        self._bytes: bytes | memoryview = first
        self._body = body

    def send(self, transport: Transport) -> Progress:
        """Send what fits, within the budget of one turn.

        Raises OSError when the client is gone, ContentLostError when the content is.
        """
        budget = WRITE_BUDGET
        out, body = self._bytes, self._body
        try:
            while budget > 0:
                if not out:
                    if body is None or not body.left:
                        break
                    out = body.read_piece()
                    if not out:
                        raise ContentLostError
                sent = transport.send(out)
                budget -= sent
                out = memoryview(out)[sent:] if sent < len(out) else b""
        except WOULD_BLOCK:
            pass
        self._bytes = out
        self.sent += WRITE_BUDGET - budget
        if out or (body is not None and body.left):
            return Progress.BLOCKED
        return Progress.STARVED if body is not None and body.is_open else Progress.COMPLETE

    @property
    def streamed(self) -> int:
        """Bytes of content that came as a stream."""
        return self._body.taken if isinstance(self._body, StreamBody) else 0

    @property
    def unsent(self) -> int:
        """Bytes that are there and have not gone out; of the content, once the head has."""
        return len(self._bytes) + (self._body.left if self._body is not None else 0)

    @property
    def is_endless(self) -> bool:
        """Whether nobody should wait for the end of this."""
        return isinstance(self._body, StreamBody) and self._body.endless

    @property
    def is_cut(self) -> bool:
        """Whether only the end of the connection would end this, and it is not complete."""
        body = self._body
        return isinstance(body, StreamBody) and body.needs_end and (body.is_open or body.left > 0)

    def tell_taken(self) -> None:
        """Tell the producer that the client has taken everything."""
        if isinstance(self._body, StreamBody):
            self._body.tell_taken()

    def close(self) -> None:
        """Give back what the body is made of."""
        if self._body is not None:
            self._body.close()
