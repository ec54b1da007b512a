"""Noise: bytes that no client of good will sends, by the thousand, over real sockets.

What is sent is made by hypothesis from the grammar, and by a seeded generator that breaks what
was valid. Whatever comes back: the loop lives, answers the next request, and has logged no fault.
"""

import contextlib
import os
import random
import socket
import ssl
import struct
import time
from collections.abc import Callable

import h11
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from server_fixtures import eventually

from robustness.service import Starter, cpu_seconds

SEED = int(os.environ.get("OPENSSL_SERVE_TEST_SEED", "1"))

INPUTS = 5000
EACH_TIMEOUT_S = 5.0
"""For one input: every one is ended by its client at once, so none waits for a deadline."""

ENDING = struct.pack("ii", 1, 0)


@pytest.fixture(scope="module")
def service(request, tmp_path_factory, pair):
    """One server for all inputs: what one of them does to it, the next would notice.

    Or another that looks at each ClientHello itself before OpenSSL does.
    """
    root = tmp_path_factory.mktemp("root")
    (root / "a.txt").write_bytes(b"content of a\n")
    (root / "large.bin").write_bytes(bytes(3_000_000))
    (root / "sub").mkdir()
    (root / "sub" / "b.txt").write_bytes(b"b" * 5000)
    with Starter(tmp_path_factory.mktemp("words"), root, pair) as start:
        yield start.limited(on_demand=getattr(request, "param", False))


@pytest.fixture
def unharmed(service):
    """After the test, the server is as it was before."""
    service.assert_well()
    eventually(lambda: not open_connections(service))
    before = service.usage
    yield
    service.assert_well()
    eventually(lambda: not open_connections(service), "all connections are closed", 15)
    after = service.usage
    assert after.files <= before.files
    # The pool of threads grows to its bound when folders are listed, and stays.
    assert after.threads <= before.threads + 8


def open_connections(service):
    """How many sockets the server has besides those that it listens with and wakes itself by."""
    folder = f"/proc/{service.pid}/fd"
    sockets = 0
    for name in os.listdir(folder):
        with contextlib.suppress(OSError):
            sockets += os.readlink(f"{folder}/{name}").startswith("socket:")
    return sockets - 3


def client_hello() -> bytes:
    """What a real client would say first."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_alpn_protocols(["h2", "http/1.1"])
    outgoing = ssl.MemoryBIO()
    with contextlib.suppress(ssl.SSLWantReadError):
        context.wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname="localhost").do_handshake()
    return outgoing.read()


VALID = [
    b"GET /a.txt HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"HEAD /a.txt HTTP/1.1\r\nHost: localhost\r\nAccept: text/html\r\n\r\n",
    b"GET /sub/ HTTP/1.1\r\nHost: localhost\r\nAccept-Encoding: gzip, br;q=0.5\r\n\r\n",
    b"GET /sub?x=%20 HTTP/1.1\r\nHost: localhost:8080\r\nCookie: a=b; c=d\r\n\r\n",
    b"GET /large.bin HTTP/1.1\r\nHost: localhost\r\nRange: bytes=0-99,200-,-5\r\n\r\n",
    b'GET /a.txt HTTP/1.1\r\nHost: [::1]:1\r\nIf-Range: "x"\r\nRange: bytes=1-2\r\n\r\n',
    (
        b'GET /a.txt HTTP/1.1\r\nHost: localhost\r\nIf-None-Match: W/"a", "b", *\r\n'
        b"If-Modified-Since: Sun, 06 Nov 1994 08:49:37 GMT\r\n\r\n"
    ),
    b"POST /a.txt HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nhello",
    (
        b"PUT /b HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\nTrailer: T\r\n\r\n"
        b'5;ext="1"\r\nhello\r\n0\r\nT: 1\r\n\r\n'
    ),
    b"POST /c HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 9\r\n\r\n",
    b"OPTIONS * HTTP/1.1\r\nHost: localhost\r\nOrigin: http://a.test\r\n\r\n",
    b"CONNECT localhost:443 HTTP/1.1\r\nHost: localhost\r\n\r\n\x16\x03\x01",
    b"GET http://localhost/a.txt HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
    (
        b"GET /chat HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    ),
    b"\r\n\r\nGET /%61.txt HTTP/1.1\r\nhOsT: LOCALHOST.\r\nConnection: close, x\r\n\r\n",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
]

MORSELS = [
    b"\r\n", b"\n", b"\r", b"\0", b" ", b"\t", b":", b"%", b"%00", b"%2e%2e%2f", b"//", b"\\",
    b"HTTP/1.1", b"HTTP/9.9", b"Host: b\r\n", b"Content-Length: 5\r\n", b"Content-Length: -1\r\n",
    b"Content-Length: 99999999999999999999\r\n", b"Transfer-Encoding: chunked\r\n",
    b"Transfer-Encoding: gzip, chunked\r\n", b"Connection: close\r\n", b"Range: bytes=-0\r\n",
    b"Range: bytes=" + b"0-0," * 300 + b"\r\n", b"Accept: */*;q=x\r\n",
    b"X: " + b"y" * 9000 + b"\r\n",
    b"\xff\xfe", b"\xc3\x28", b"ffffffffffffffff\r\n", b"0\r\n\r\n", b"-1\r\n",
    b"\x16\x03\x01\x00\x05",
    b"A" * 20_000, b"Expect: x\r\n", b'If-None-Match: "' + b"\\" * 50 + b"\r\n",
]  # fmt: skip


def broken(source: random.Random, valid: list[bytes]) -> bytes:
    """One or several valid inputs, cut, spliced, and with bytes changed."""
    data = bytearray(b"".join(source.choices(valid, k=source.choice((1, 1, 1, 2, 3, 8)))))
    for _ in range(source.choice((0, 1, 1, 2, 3, 10))):
        place = source.randrange(len(data) + 1)
        kind = source.randrange(7)
        if kind == 0 and data:
            data[place - 1] = source.randrange(256)
        elif kind == 1 and data:
            data[place - 1] ^= 1 << source.randrange(8)
        elif kind == 2:
            del data[place : place + source.choice((1, 1, 2, 8, 64))]
        elif kind == 3:
            data[place:place] = source.choice(MORSELS)
        elif kind == 4:
            data[place:place] = source.randbytes(source.choice((1, 2, 16, 300)))
        elif kind == 5:
            start = source.randrange(len(data) + 1)
            data[place:place] = data[start : start + source.choice((1, 4, 40))]
        else:
            del data[place:]
    return bytes(data)


def send(service, data: bytes, source: random.Random, *, whole: bool = False) -> bytes:
    """Send *data* in pieces, end somehow, and return what came back before that."""
    with socket.create_connection(("127.0.0.1", service.port), EACH_TIMEOUT_S) as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        # The server may have refused it, and be gone, before all was sent.
        with contextlib.suppress(OSError):
            cuts = sorted(
                source.randrange(len(data) + 1) for _ in range(source.choice((0, 0, 1, 4)))
            )
            for start, end in zip([0, *cuts], [*cuts, len(data)], strict=True):
                sock.sendall(data[start:end])
            if not whole and source.random() < 0.2:
                # Gone, as when a cable is pulled: whatever was on its way is lost.
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, ENDING)
                return b""
            sock.shutdown(socket.SHUT_WR)
        return drained(sock.recv)


def drained(receive: Callable[[int], bytes]) -> bytes:
    received = []
    with contextlib.suppress(ConnectionError, ssl.SSLError):
        while data := receive(1 << 18):
            received.append(data)
    return b"".join(received)


def assert_only_responses(data: bytes) -> None:
    """What came back is a row of HTTP/1.1 responses, none of them a 5xx that speaks of a fault."""
    while data:
        head, found, rest = data.partition(b"\r\n\r\n")
        if not found:
            return
        assert head.startswith(b"HTTP/1.1 "), head[:100]
        assert int(head[9:12]) != 500, head
        length = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
        # The answer to HEAD has a length and no content; then the next response is at its place.
        data = rest if rest.startswith(b"HTTP/1.1 ") else rest[int(length or 0) :]


def test_broken_requests_never_harm_the_loop(service, unharmed):
    source = random.Random(SEED)
    for _ in range(INPUTS * 3 // 5):
        assert_only_responses(send(service, broken(source, VALID), source))


@pytest.mark.parametrize("service", [False, True], ids=["", "looked-at"], indirect=True)
def test_broken_client_hellos_never_harm_the_loop(service, unharmed):
    source = random.Random(SEED)
    hellos = [client_hello() for _ in range(10)]
    for _ in range(INPUTS // 5):
        data = broken(source, hellos)
        # Mostly still taken for TLS.
        send(service, data if source.random() < 0.2 else b"\x16\x03" + data[2:], source)


@pytest.mark.parametrize("service", [False, True], ids=["", "looked-at"], indirect=True)
def test_client_hellos_that_do_not_end_cost_no_time(service, unharmed):
    """They are waited for, not looked at again and again."""
    hello = client_hello()
    with contextlib.ExitStack() as stack:
        for cut in range(1, len(hello), len(hello) // 60):
            sock = socket.create_connection(("127.0.0.1", service.port), EACH_TIMEOUT_S)
            stack.enter_context(sock).sendall(hello[:cut])
        service.assert_well()
        began, before = time.monotonic(), cpu_seconds(service.pid)
        eventually(lambda: time.monotonic() > began + 1)
        assert cpu_seconds(service.pid) - before < 0.2


def test_bytes_of_no_kind_never_harm_the_loop(service, unharmed):
    source = random.Random(SEED)
    for _ in range(INPUTS // 10):
        send(service, source.randbytes(source.choice((1, 2, 5, 30, 600, 20_000))), source)


def test_broken_requests_inside_tls_never_harm_the_loop(service, unharmed):
    source = random.Random(SEED)
    for _ in range(INPUTS // 10):
        data = broken(source, VALID)
        with service.tls() as client, contextlib.suppress(OSError):
            client.sock.sendall(data)
            if source.random() < 0.5:
                # An end without close_notify, as of a killed browser; answers may still come.
                client.sock.shutdown(socket.SHUT_WR)
                drained(client.sock.recv)


def test_broken_records_after_a_handshake_never_harm_the_loop(service, unharmed):
    """Behind TLS: records changed on their way, or others put between them."""
    source = random.Random(SEED)
    context = service.context
    for _ in range(INPUTS // 10):
        with socket.create_connection(("127.0.0.1", service.port), EACH_TIMEOUT_S) as sock:
            incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
            tls = context.wrap_bio(incoming, outgoing, server_hostname="localhost")
            with contextlib.suppress(OSError):
                while True:
                    try:
                        tls.do_handshake()
                        break
                    except ssl.SSLWantReadError:
                        sock.sendall(outgoing.read())
                        incoming.write(sock.recv(65536))
                tls.write(source.choice(VALID))
                sock.sendall(broken(source, [outgoing.read()]))
                sock.shutdown(socket.SHUT_WR)
                drained(sock.recv)


TOKEN = st.text("abcXYZ09!#$%&'*+-.^_`|~", min_size=1, max_size=12).map(str.encode)
TARGET = st.one_of(
    st.sampled_from([b"/", b"*", b"/a.txt", b"/sub", b"//a", b"http://localhost/", b"localhost:1"]),
    st.binary(max_size=40).map(lambda data: b"/" + data),
    st.text(max_size=20).map(lambda text: b"/" + text.encode("utf-8", "surrogatepass")),
)
FIELD = st.tuples(
    st.one_of(
        TOKEN,
        st.sampled_from(
            [b"Host", b"Range", b"If-Range", b"If-Match", b"If-None-Match", b"If-Modified-Since",
             b"Content-Length", b"Transfer-Encoding", b"Connection", b"Upgrade", b"Expect",
             b"Accept", b"Accept-Encoding", b"Authorization", b"Cookie"]
        ),
    ),
    st.one_of(
        TOKEN,
        st.binary(max_size=30),
        st.sampled_from([b"bytes=0-1", b"bytes=5-,-9999999999999999999", b"chunked", b"*", b"close",
                         b"100-continue", b"Sun, 06 Nov 1994 08:49:37 GMT", b"gzip;q=1.0001", b""]),
    ),
)  # fmt: skip
MESSAGE = st.builds(
    lambda method, target, version, fields, body: (
        b"%s %s HTTP/%s\r\nHost: localhost\r\n%s\r\n%s"
        % (method, target, version, b"".join(b"%s: %s\r\n" % field for field in fields), body)
    ),
    st.one_of(st.sampled_from([b"GET", b"HEAD", b"POST", b"OPTIONS", b"TRACE"]), TOKEN),
    TARGET,
    st.sampled_from([b"1.1", b"1.1", b"1.1", b"1.0", b"1.2", b"2.0", b"0.9"]),
    st.lists(FIELD, max_size=6),
    st.one_of(st.just(b""), st.just(b""), st.binary(max_size=30)),
)


@settings(
    max_examples=300,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(messages=st.lists(MESSAGE, min_size=1, max_size=4))
def test_requests_from_the_grammar_get_responses_or_the_end(service, unharmed, messages):
    assert_only_responses(send(service, b"".join(messages), random.Random(0), whole=True))


def test_after_all_of_it_a_request_is_answered_as_ever(service):
    with service.tls() as client:
        parser = h11.Connection(h11.CLIENT)
        client.sock.sendall(
            parser.send(h11.Request(method="GET", target="/a.txt", headers=[("Host", "localhost")]))
            + parser.send(h11.EndOfMessage())
        )
        assert client.answer().body == b"content of a\n"
    service.assert_no_fault()
