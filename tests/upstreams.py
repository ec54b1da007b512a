"""Servers behind ours, as tests play them: byte by byte, and from the test's own thread.

The system takes connections and small messages without anybody's help, so that a test can have
its client speak, then be the upstream, then be the client again.
"""

import select
import socket
import ssl
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Self

import pytest
from server_fixtures import TIMEOUT_S, Running, Serve, Wire, eventually

from openssl_serve import api
from openssl_serve.handlers.proxy.fields import ProxyOptions
from openssl_serve.handlers.proxy.upstream import parse_upstream

RESET = struct.pack("ii", 1, 0)
"""Linger for no time: closing is an RST (socket(7))."""


@dataclass(frozen=True)
class Heard:
    """The head of a request, as it came."""

    raw: bytes

    @property
    def line(self) -> bytes:
        return self.raw.partition(b"\r\n")[0]

    @property
    def target(self) -> bytes:
        return self.line.split(b" ")[1]

    @property
    def fields(self) -> list[tuple[bytes, bytes]]:
        """In order and case; each line is a name, a colon, a space and a value."""
        pairs = [line.partition(b": ") for line in self.raw.split(b"\r\n")[1:-2]]
        assert all(colon for _, colon, _ in pairs), self.raw
        return [(name, value) for name, _, value in pairs]

    def get(self, name: bytes) -> bytes | None:
        """The one value of the field with this lower-case *name*; more than one is a fault."""
        found = [value for key, value in self.fields if key.lower() == name]
        assert len(found) <= 1, f"{name!r} stands {len(found)} times"
        return found[0] if found else None


class Accepted(Wire):
    """A connection that the proxy has made."""

    def _until(self, is_enough: Callable[[bytes], bool]) -> None:
        while not is_enough(self.left):
            data = self.sock.recv(65536)
            assert data, f"the proxy ended in the middle: {self.left[:200]!r}"
            self.left += data

    def head(self) -> Heard:
        """Read the head of the next request."""
        self._until(lambda left: b"\r\n\r\n" in left)
        raw, end, self.left = self.left.partition(b"\r\n\r\n")
        return Heard(raw + end)

    def take(self, count: int) -> bytes:
        """Read *count* bytes."""
        taken = bytearray(self.left)
        while len(taken) < count:
            data = self.sock.recv(1 << 20)
            assert data, f"the proxy ended after {len(taken)} of {count} bytes"
            taken += data
        self.left = bytes(taken[count:])
        return bytes(taken[:count])

    def line(self) -> bytes:
        self._until(lambda left: b"\r\n" in left)
        taken, _, self.left = self.left.partition(b"\r\n")
        return taken

    def chunks(self) -> Iterator[bytes]:
        """Read chunks up to the last, which has no trailers."""
        while size := int(self.line(), 16):
            yield self.take(size)
            assert self.line() == b""
        assert self.line() == b""

    def answer(self, content: bytes = b"ok", *fields: bytes, status: bytes = b"200 OK") -> Self:
        """Send a response that leaves the connection open; *fields* are whole lines."""
        lines = [b"HTTP/1.1 " + status, *fields, b"Content-Length: %d" % len(content)]
        return self.send(b"\r\n".join([*lines, b"", content]))

    @property
    def is_quiet(self) -> bool:
        """Whether nothing is there to be read, not even the end."""
        return not self.left and not select.select([self.sock], [], [], 0)[0]

    @property
    def is_ended(self) -> bool:
        """Whether the proxy ends the connection and sends nothing more before that."""
        return self.rest() == b""

    def end(self) -> Self:
        """Send no more, and say so."""
        self.sock.shutdown(socket.SHUT_WR)
        return self

    def close(self) -> None:
        self.sock.close()

    def reset(self) -> None:
        """Break the connection."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        self.sock.close()


class Upstream:
    """A listening server; closes what it has accepted when it is closed."""

    def __init__(
        self,
        host: str = "127.0.0.1",
        port: int = 0,
        *,
        context: ssl.SSLContext | None = None,
        receive_buffer: int = 0,
    ) -> None:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.listener = socket.socket(family)
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if receive_buffer:
            self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.listener.bind((host, port))
        self.listener.listen(1024)
        self.listener.settimeout(TIMEOUT_S)
        self._context = context
        self.accepted: list[Accepted] = []
        where, self.port = self.listener.getsockname()[:2]
        self.place = f"[{where}]:{self.port}" if ":" in where else f"{where}:{self.port}"
        self.url = f"{'https' if context else 'http'}://{self.place}"

    def accept(self) -> Accepted:
        """Take the next connection, and shake hands if it is to be TLS."""
        sock, _ = self.listener.accept()
        try:
            sock.settimeout(TIMEOUT_S)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._context is not None:
                sock = self._context.wrap_socket(sock, server_side=True)
        except BaseException:
            sock.close()
            raise
        self.accepted.append(Accepted(sock))
        return self.accepted[-1]

    def next(self) -> Accepted:
        """The connection on which something arrives, be it new or kept; ended ones are closed."""
        while True:
            known = {each.sock: each for each in self.accepted if each.sock.fileno() >= 0}
            ready, _, _ = select.select([self.listener, *known], [], [], TIMEOUT_S)
            assert ready, "no request arrives"
            for sock in ready:
                if sock is self.listener:
                    self.accept()
                elif sock.recv(1, socket.MSG_PEEK):
                    return known[sock]
                else:
                    sock.close()

    @property
    def is_quiet(self) -> bool:
        """Whether nobody has connected who has not been accepted."""
        return not select.select([self.listener], [], [], 0)[0]

    def close(self) -> None:
        self.listener.close()
        for each in self.accepted:
            each.close()


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    """A server behind ours, on 127.0.0.1, which the test plays."""
    made = Upstream()
    yield made
    made.close()


Proxied = Callable[..., Running]


@pytest.fixture
def proxied(serve: Serve, upstream: Upstream) -> Proxied:
    """Start a proxy before *upstream*: `proxied(ProxyOptions(…), url=…, limits=…)`.

    It answers plain HTTP too, unless told otherwise. All else is as for `serve`.
    """

    def start(options: ProxyOptions | None = None, *, url: str = "", **others: Any) -> Running:
        target = parse_upstream(url or upstream.url)
        others.setdefault("plain_http", api.PlainHttp.SERVE)
        return serve(target=target, proxy=options, **others)

    return start


def is_at_rest(running: Running, links: int = 0) -> bool:
    """Whether nothing is under way in *running*, and so many *links* are kept."""
    return len(running.server.connections) == links


def settle(running: Running, links: int = 0) -> None:
    """Wait until nothing is under way in *running*, and so many *links* are kept."""
    eventually(lambda: is_at_rest(running, links), f"{links} links and nothing else")
