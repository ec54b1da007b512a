"""The first bytes of a connection: H1-H22, each answered or ended within its deadline."""

import contextlib
import socket
import ssl
import time
from dataclasses import replace

import pytest
from server_fixtures import QUICK, TIMEOUT_S, Client, answers, eventually, request

from openssl_serve import api
from openssl_serve.http1.response import Response
from openssl_serve.server.limits import Limits

HELLO = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"

AT_ONCE = {
    "NUL": b"\0", "0x1f": b"\x1f", "DEL": b"\x7f", "SSLv2 hello": b"\x80\x2e\x01\x00\x02",
    "TLS alert": b"\x15\x03\x01\x00\x02\x02\x28", "TLS application data": b"\x17\x03\x03\x00\x05",
    "SOCKS 4": b"\x04\x01\x00\x50\x7f\x00\x00\x01\x00", "SOCKS 5": b"\x05\x01\x00", "0xff": b"\xff",
    "space": b" GET / HTTP/1.1\r\n\r\n", "tab": b"\tGET / HTTP/1.1\r\n\r\n", "digit": b"1",
    "text": b"hello there\r\n", "SSH": b"SSH-2.0-OpenSSH_9.2\r\n", "PROXY": b"PROXY TCP4 1.2.3.4 ",
    "PROXY v2": b"\r\n\r\n\x00\r\nQUIT\n", "RDP": b"\x03\x00\x00\x13", "QQQ": b"QQQ http://a\r\n",
    "PUT PUT PUT": b"PUT PUT PUT\r\n\r\n", "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "SMTP": b"EHLO localhost\r\n", "MQTT": b"\x10\x0c\x00\x04MQTT", "JSON": b'{"id":1}\n',
    "redis": b"*1\r\n$4\r\nPING\r\n", "UTF-8": "é".encode(),
}  # fmt: skip

SILENT = {
    "nothing": (b"", "first_byte_timeout_s"),
    "a lone 0x16": (b"\x16", "handshake_timeout_s"),
    "the beginning of a hello": (HELLO, "handshake_timeout_s"),
    "an empty line": (b"\r\n", "idle_timeout_s"),
    "CR": (b"\r", "idle_timeout_s"),
}
WAITING = {
    "G": b"G",
    "a request line": b"GET / HTTP/1.1\r\n",
    "a part of a head": b"GET / HTTP/1.1\r\nHost: localhost\r\nX:",
    "an empty line and G": b"\r\nG",
    "HTTP/0.9": b"GET /\r\n",
}


def hang_up(sock):
    with contextlib.suppress(OSError):
        sock.close()


@pytest.mark.parametrize("data", AT_ONCE.values(), ids=AT_ONCE)
def test_what_is_neither_tls_nor_http_gets_400_at_once(server, data):
    began = time.monotonic()
    with server.plain() as client:
        (answer,) = answers(client.send(data).rest())

    assert (answer.status, answer.get(b"connection")) == (400, b"close")
    assert time.monotonic() - began < 1


@pytest.mark.parametrize(
    "data",
    [b"\x16" + b"junk" * 10, b"\x16\x03\x01\x00\x05hello", b"\x16\x03\x01\xff\xff" + b"a" * 20],
)
def test_a_handshake_of_junk_is_ended_at_once(server, data):
    began = time.monotonic()
    with server.plain() as client:
        received = client.send(data).rest()

    # An alert at the most, and nothing of HTTP.
    assert received == b"" or received[0] == 0x15
    assert time.monotonic() - began < 1
    assert "Traceback" not in server.log


@pytest.mark.parametrize(("data", "limit"), SILENT.values(), ids=SILENT)
def test_who_says_nothing_is_not_kept(serve, data, limit):
    running = serve(limits=replace(Limits(), **{limit: 0.15}))  # type: ignore[arg-type]
    with running.plain() as client:
        assert client.send(data).rest() == b""
    eventually(lambda: not running.server.connections)


@pytest.mark.parametrize("data", WAITING.values(), ids=WAITING)
def test_who_begins_a_request_and_stops_gets_408(serve, data):
    running = serve(limits=replace(Limits(), head_timeout_s=0.15))
    with running.plain() as client:
        (answer,) = answers(client.send(data).rest())

    assert (answer.status, answer.get(b"connection")) == (408, b"close")


@pytest.mark.parametrize("data", [b"\r\nGET", b"\nGET", b"\r\n\r\nGET"])
def test_empty_lines_before_a_request_are_skipped(server, data):
    rest = request("/")[3:]

    (answer,) = answers(server.plain_exchange(data + rest))

    assert answer.status in ((301,) if b"\r" in data else (301, 400))


def test_fifty_that_are_stuck_delay_nobody(serve):
    running = serve()
    stuck = [data for data, _ in SILENT.values()] + list(WAITING.values())

    with contextlib.ExitStack() as stack:
        for number in range(50):
            stack.enter_context(running.plain()).send(stuck[number % len(stuck)])
        eventually(lambda: len(running.server.connections) == 50)
        for _ in range(3):
            began = time.monotonic()
            assert running.get("/a.txt").status == 200
            assert time.monotonic() - began < 1
        with running.plain() as client:
            assert client.get("/").status == 301


def test_all_that_are_stuck_are_gone_in_the_end(serve):
    running = serve(limits=QUICK)
    stuck = [data for data, _ in SILENT.values()] + list(WAITING.values())

    with contextlib.ExitStack() as stack:
        for data in stuck * 3:
            stack.enter_context(running.plain()).send(data)
        eventually(lambda: not running.server.connections)


@pytest.mark.parametrize("data", [b"", b"G", b"\x16", HELLO, b"\r\n", b"\0"])
def test_who_hangs_up_early_calls_no_handler(serve, data):
    """H2, H4, H5: a port scan, a health check."""
    called: list[object] = []
    running = serve(secure=called.append, plain=called.append)

    for _ in range(5):
        with running.plain() as client:
            client.send(data)
    with running.tls():
        pass

    eventually(lambda: not running.server.connections)
    assert called == []
    assert "Traceback" not in running.log


def test_a_first_byte_on_its_own_is_enough(serve):
    """A segment may bring one byte only; what it announces is read whole."""
    running = serve(plain_http=api.PlainHttp.SERVE)
    with running.plain() as client:
        data = request("/a.txt")
        client.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        client.send(data[:1])
        eventually(lambda: any(hasattr(c, "in_head") for c in running.server.connections.values()))
        assert client.send(data[1:]).answer().status == 200


def test_a_handshake_in_single_bytes_succeeds(server):
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = server.trust().wrap_bio(incoming, outgoing, server_hostname="localhost")
    with socket.create_connection(("127.0.0.1", server.port), TIMEOUT_S) as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

        def flush():
            for byte in outgoing.read():
                sock.send(bytes([byte]))

        while True:
            try:
                tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                flush()
                incoming.write(sock.recv(65536))
        tls.write(request("/a.txt", b"Connection: close"))
        flush()
        received = b""
        while data := sock.recv(65536):
            incoming.write(data)
        with contextlib.suppress(ssl.SSLWantReadError, ssl.SSLZeroReturnError):
            while data := tls.read():
                received += data
    (answer,) = answers(received)
    assert answer.status == 200


@pytest.mark.parametrize("data", [b"hello\r\n\r\n", b"\x16\x03\x01", b"\0", b"PUT PUT PUT\r\n\r\n"])
def test_an_unknown_protocol_inside_tls_gets_400(server, data):
    with server.tls() as client:
        (answer,) = answers(client.send(data).rest())

    assert (answer.status, answer.get(b"connection")) == (400, b"close")


@pytest.mark.parametrize(
    ("method", "body"), [(b"GET", b""), (b"POST", b"body of a post"), (b"PUT", b"x" * 10_000)]
)
def test_method_and_target_reach_the_handler_over_both(serve, method, body):
    """H1, H3."""
    seen = []

    def handler(asked):
        seen.append((asked.method, asked.target, asked.peer.secure, asked.peer.client))
        return Response(200, (), b"fine")

    running = serve(secure=handler, plain=handler)
    data = request("/x?y", b"Content-Length: %d" % len(body), method=method) + body
    with running.plain() as plain, running.tls() as tls:
        assert plain.send(data).answer().body == b"fine"
        assert tls.send(data).answer().body == b"fine"

    assert seen == [(method, b"/x?y", secure, "127.0.0.1") for secure in (False, True)]


@pytest.mark.parametrize("old", ["TLSv1", "TLSv1_1"])
@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
def test_old_versions_of_tls_are_refused(server, old):
    context = server.trust()
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    context.minimum_version = getattr(ssl.TLSVersion, old)
    context.maximum_version = getattr(ssl.TLSVersion, old)

    with pytest.raises((ssl.SSLError, ConnectionError)):
        hang_up(server.tls(context).sock)

    assert server.get("/a.txt").status == 200


@pytest.mark.parametrize(
    ("group", "version", "is_wanted"),
    [
        ("X25519", "TLSv1_3", True),
        ("prime256v1", "TLSv1_3", True),
        ("secp384r1", "TLSv1_3", True),
        # In TLS 1.2 a client's groups are those of the certificates that it takes, too.
        ("prime256v1", "TLSv1_2", True),
        *(
            (group, version, False)
            for group in ("X448", "secp521r1")
            for version in ("TLSv1_2", "TLSv1_3")
        ),
    ],
)
def test_groups_outside_of_mozillas_profile_are_refused(server, group, version, is_wanted):
    context = server.trust()
    context.set_ecdh_curve(group)
    context.maximum_version = ssl.TLSVersion[version]

    if is_wanted:
        with server.tls(context) as client:
            assert client.get("/a.txt").status == 200
    else:
        with pytest.raises(ssl.SSLError, match="HANDSHAKE_FAILURE"):
            server.tls(context)
        assert server.get("/a.txt").status == 200
    told = server.log.count("127.0.0.1 shares no group for the key exchange with this server")
    assert told == (not is_wanted)


def test_a_client_without_alpn_and_one_with_another_are_both_served(server):
    for protocols in ([], ["h2"], ["http/1.1"], ["http/1.0", "http/1.1"]):
        context = server.trust()
        if protocols:
            context.set_alpn_protocols(protocols)
        with server.tls(context) as client:
            assert client.get("/a.txt").status == 200


def test_a_client_may_ask_for_any_name_by_sni(server):
    context = server.trust()
    context.check_hostname = False
    raw = server.connect()
    with Client(context.wrap_socket(raw, server_hostname="unknown.test")) as client:
        assert client.get("/a.txt").status == 200
