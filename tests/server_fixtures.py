"""A running server and clients for it: fixtures that conftest.py hands to every test.

The certificate is made by cryptography, so that the server's tests need no openssl. What the
server sends is read by h11, a parser that we did not write, and every socket has a timeout.
"""

import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Self

import h11
import pytest
from certificates import KEY, ours, write

from openssl_serve import api
from openssl_serve.handlers.folder import FolderOptions
from openssl_serve.server.limits import Limits
from openssl_serve.server.polyglot import PolyglotServer

NAMES = ("my.dev.local", "*.wild.dev.local", "localhost", "127.0.0.1", "::1")
"""What the certificate of the tests is for."""

TIMEOUT_S = 10.0
"""For one call on a socket; nothing here takes a tenth of it unless it hangs."""

QUICK = Limits(
    first_byte_timeout_s=0.2,
    handshake_timeout_s=0.2,
    head_timeout_s=0.2,
    body_timeout_s=0.2,
    idle_timeout_s=0.2,
    write_timeout_s=0.2,
    linger_timeout_s=0.2,
)
"""Deadlines that a test can wait for."""


def eventually(condition: Callable[[], object], what: str = "", timeout_s: float = 5.0) -> None:
    """Wait until *condition* holds; fail when it has not after *timeout_s*."""
    deadline = time.monotonic() + timeout_s
    pause = threading.Event()
    while not condition():
        assert time.monotonic() < deadline, f"still not so: {what or condition}"
        pause.wait(0.002)


@dataclass(frozen=True)
class Answer:
    """A response as h11 read it. Names of fields are lower case."""

    status: int
    fields: list[tuple[bytes, bytes]]
    body: bytes
    reason: bytes = b""

    def get(self, name: bytes) -> bytes | None:
        """The one value of the field *name*; more than one is a fault."""
        found = [value for key, value in self.fields if key == name]
        assert len(found) <= 1, f"{name!r} stands {len(found)} times"
        return found[0] if found else None

    @property
    def text(self) -> str:
        return self.body.decode()


class Wire:
    """One end of a connection."""

    def __init__(self, sock: socket.socket) -> None:
        sock.settimeout(TIMEOUT_S)
        self.sock = sock
        self.left = b""
        """What was received and has not been looked at."""

    def send(self, data: bytes) -> Self:
        self.sock.sendall(data)
        return self

    def rest(self) -> bytes:
        """Read until the other side ends the connection; return what came."""
        received = [self.left]
        with contextlib.suppress(ConnectionResetError):
            while data := self.sock.recv(65536):
                received.append(data)
        self.left = b""
        return b"".join(received)


class Client(Wire):
    """One connection: bytes in, responses out."""

    def __init__(self, sock: socket.socket) -> None:
        super().__init__(sock)
        self.interim: list[int] = []
        """The statuses of interim responses that came before one."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.sock.close()

    def get(self, target: bytes | str = b"/", *fields: bytes, method: bytes = b"GET") -> Answer:
        """Send one request and read its response."""
        return self.send(request(target, *fields, method=method)).answer(method)

    def answer(self, method: bytes = b"GET") -> Answer:
        """Read one response (to a request with *method*) and nothing beyond it."""
        parser = h11.Connection(h11.CLIENT, max_incomplete_event_size=1 << 20)
        parser.send(h11.Request(method=method, target="/", headers=[("Host", "h11")]))
        parser.send(h11.EndOfMessage())
        if self.left:
            parser.receive_data(self.left)
        head: h11.Response | None = None
        body = bytearray()
        while True:
            event = parser.next_event()
            if event is h11.NEED_DATA:
                data = self.sock.recv(65536)
                framed = {name for name, _ in head.headers} if head else {b"content-length"}
                assert data or framed.isdisjoint((b"content-length", b"transfer-encoding")), (
                    f"the server ended in the middle: {parser.trailing_data[0]!r}"
                )
                # The end is one, where nothing else tells it.
                parser.receive_data(data)
            elif isinstance(event, h11.InformationalResponse):
                self.interim.append(event.status_code)
            elif isinstance(event, h11.Response):
                head = event
            elif isinstance(event, h11.Data):
                body += event.data
            else:
                assert isinstance(event, h11.EndOfMessage), event
                break
        assert head is not None
        self.left = parser.trailing_data[0]
        return Answer(head.status_code, list(head.headers), bytes(body), bytes(head.reason))

    def is_ended(self) -> bool:
        """Whether the server ends the connection and sends nothing more before that."""
        return self.rest() == b""

    def finish(self) -> Self:
        """Send no more, and say so (plain connections only)."""
        with contextlib.suppress(OSError):
            self.sock.shutdown(socket.SHUT_WR)
        return self


def request(
    target: bytes | str = b"/",
    *fields: bytes,
    method: bytes = b"GET",
    host: bytes | None = b"localhost",
    version: bytes = b"1.1",
) -> bytes:
    """The bytes of one request; *fields* are whole lines without their end."""
    target = target.encode() if isinstance(target, str) else target
    lines = [b"%s %s HTTP/%s" % (method, target, version)]
    if host is not None:
        lines.append(b"Host: " + host)
    return b"\r\n".join([*lines, *fields, b"", b""])


def answers(data: bytes, *methods: bytes) -> list[Answer]:
    """All responses in *data*, which must be nothing else; to GET when no *methods* are named."""
    ours, theirs = socket.socketpair()
    with ours, Client(theirs) as client:
        client.left = data
        found: list[Answer] = []
        ours.shutdown(socket.SHUT_WR)
        while client.left:
            method = methods[len(found)] if len(found) < len(methods) else b"GET"
            found.append(client.answer(method))
        return found


@dataclass(frozen=True)
class Pair:
    """A certificate as api.make_server wants one, without openssl having made it."""

    cert_path: Path
    key_path: Path
    facts: Any
    made_because: str | None = None
    warnings: tuple[str, ...] = ()
    password: str | None = None


@dataclass
class Running:
    """A server in a thread, and how to reach it."""

    server: PolyglotServer
    pair: Pair
    root: Path
    thread: threading.Thread
    lines: list[str] = field(default_factory=list)
    """What was logged."""
    faults_expected: bool = False

    @property
    def port(self) -> int:
        return self.server.address.port

    @property
    def log(self) -> str:
        return "".join(self.lines)

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), TIMEOUT_S)

    def plain(self) -> Client:
        return Client(self.connect())

    def tls(self, context: ssl.SSLContext | None = None, name: str = "localhost") -> Client:
        raw = self.connect()
        try:
            return Client((context or self.trust()).wrap_socket(raw, server_hostname=name))
        except BaseException:
            raw.close()
            raise

    def trust(self) -> ssl.SSLContext:
        """A client's context that trusts this server and nothing else."""
        return ssl.create_default_context(cafile=str(self.pair.cert_path))

    def get(self, target: bytes | str = b"/", *fields: bytes, method: bytes = b"GET") -> Answer:
        """One request over TLS on a connection of its own."""
        with self.tls() as client:
            return client.get(target, b"Connection: close", *fields, method=method)

    def plain_exchange(self, data: bytes) -> bytes:
        """Send *data* and the end of the stream; return all that comes back."""
        with self.plain() as client:
            with contextlib.suppress(ConnectionError):
                client.send(data)
            return client.finish().rest()

    def in_loop(self, function: Callable[[], object]) -> None:
        """Run *function* in the server's thread, and wait until it has."""
        done = threading.Event()

        def call() -> None:
            function()
            done.set()

        self.server.pool.call(call)
        assert done.wait(TIMEOUT_S)

    def stop(self) -> None:
        self.server.shutdown()
        self.thread.join(TIMEOUT_S)
        assert not self.thread.is_alive()


@pytest.fixture(scope="session")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Pair:
    """A self-signed certificate for NAMES and its key, in files outside every served folder."""
    home = tmp_path_factory.mktemp("pair")
    return Pair(
        write(home / "server.crt", ours(names=NAMES)),
        write(home / "server.key", KEY),
        SimpleNamespace(names=NAMES),
    )


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The folder that is served; tests put files into it."""
    folder = tmp_path / "root"
    folder.mkdir()
    (folder / "a.txt").write_bytes(b"content of a\n")
    return folder


Serve = Callable[..., Running]


@pytest.fixture
def serve(root: Path, pair: Pair) -> Iterator[Serve]:
    """Start servers: `serve(limits=…, folder=…, plain_http=…, target=…, secure=…, plain=…)`.

    *secure* and *plain* replace the handlers. A request that ended in a 500 fails the test.
    """
    with contextlib.ExitStack() as stack:
        started: list[Running] = []

        def start(
            *,
            limits: Limits | None = None,
            folder: FolderOptions | None = None,
            decorations: api.Decorations | None = None,
            auth: Any = None,
            plain_http: api.PlainHttp = api.PlainHttp.REDIRECT,
            allow_hosts: Sequence[Any] = (),
            offer_anchor: bool = False,
            log_format: api.LogFormat = api.LogFormat.TEXT,
            certificate: Pair = pair,
            target: Any = root,
            proxy: Any = None,
            routes: Sequence[Any] = (),
            address: api.Address = api.Address("127.0.0.1", 0),  # noqa: B008  a tuple
            verbose: bool = False,
            **handlers: Any,
        ) -> Running:
            lines: list[str] = []
            options = api.ServerOptions(
                address=address,
                plain_http=plain_http,
                allow_hosts=tuple(allow_hosts),
                offer_anchor=offer_anchor,
                routes=tuple(routes),
                proxy=proxy,
                folder=folder or FolderOptions(),
                decorations=decorations or api.Decorations(),
                auth=auth,
                log_format=log_format,
                verbose=verbose,
                limits=limits or Limits(),
            )
            server = stack.enter_context(
                api.make_server(target, certificate, options, write_log=lines.append)
            )
            server.handlers = server.handlers._replace(**handlers)
            # Deadlines are looked at often enough for a test to wait for one.
            thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
            running = Running(server, certificate, root, thread, lines)
            thread.start()
            stack.callback(running.stop)
            started.append(running)
            return running

        yield start
    for running in started:
        assert running.faults_expected or "500 for" not in running.log, running.log


@pytest.fixture
def server(serve: Serve) -> Running:
    """A server of `root` with the usual options."""
    return serve()
