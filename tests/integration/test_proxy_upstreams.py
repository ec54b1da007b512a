"""How the proxy gets to its upstream: names and addresses, TLS, and what it says when it cannot."""

import contextlib
import datetime as dt
import socket
import ssl
import threading

import pytest
from certificates import CA_FALSE, CA_TRUE, KEY, NOW, SERVER, make, ours, write
from cryptography.hazmat.primitives.asymmetric import ec
from server_fixtures import TIMEOUT_S, eventually, request
from upstreams import Upstream, settle

from openssl_serve.errors import UsageError
from openssl_serve.handlers.proxy.fields import ProxyOptions
from openssl_serve.handlers.proxy.upstream import Place

LARGE = bytes(range(256)) * 16_384  # 4 MiB
HAS_IPV6 = True
try:
    socket.create_server(("::1", 0), family=socket.AF_INET6).close()
except OSError:
    HAS_IPV6 = False
needs_ipv6 = pytest.mark.skipif(not HAS_IPV6, reason="no IPv6 here")


def passes(running, upstream):
    """Assert that a request to *running* arrives at *upstream*, and its answer here; the link."""
    with running.plain() as client:
        client.send(request())
        link = upstream.accept()
        link.head()
        link.answer(b"content")
        assert client.answer().body == b"content"
    return link


@pytest.fixture
def listening():
    """`listening(host, port, context=…)`: an upstream, closed at the end."""
    with contextlib.ExitStack() as stack:

        def listen(*where, **options):
            made = Upstream(*where, **options)
            stack.callback(made.close)
            return made

        yield listen


# Names and addresses.


@pytest.mark.parametrize("host", ["localhost", "app.localhost", "127.0.0.1"])
def test_an_upstream_on_ipv4_alone(proxied, upstream, host):
    passes(proxied(url=f"http://{host}:{upstream.port}"), upstream)


@needs_ipv6
@pytest.mark.parametrize("host", ["localhost", "app.localhost", "[::1]"])
def test_an_upstream_on_ipv6_alone(proxied, listening, host):
    upstream = listening("::1")
    passes(proxied(url=f"http://{host}:{upstream.port}"), upstream)


@needs_ipv6
def test_the_next_address_is_tried_when_one_says_nothing(proxied, listening, monkeypatch):
    monkeypatch.setattr("openssl_serve.handlers.proxy.dial.CONNECT_TIMEOUT_S", 0.1)
    with contextlib.ExitStack() as stack:
        silent, upstream = same_port(stack, listening)
        silent.listen(0)
        for _ in range(4):
            filler = stack.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(silent.getsockname())
        passes(proxied(url=f"http://localhost:{upstream.port}"), upstream)


def same_port(stack, listening):
    """A socket on 127.0.0.1 and an upstream on ::1, on one port that both families have free."""
    for _ in range(20):
        upstream = listening("::1")
        silent = stack.enter_context(socket.socket())
        with contextlib.suppress(OSError):
            silent.bind(("127.0.0.1", upstream.port))
            return silent, upstream
    raise AssertionError("no port is free in both families")


def test_all_that_was_tried_is_told(proxied, upstream):
    upstream.close()
    answer = proxied(url=f"http://localhost:{upstream.port}").get("/")

    assert answer.status == 502
    assert f"127.0.0.1:{upstream.port}: " in answer.text
    assert f"[::1]:{upstream.port}: " in answer.text


@pytest.fixture
def resolver(monkeypatch):
    """What the system's resolver knows; `asked` counts, and `free` holds it up when clear."""

    class Resolver:
        def __init__(self):
            self.known = {}
            self.asked = 0
            self.free = threading.Event()
            self.free.set()
            self.real = socket.getaddrinfo

        def __call__(self, host, port, *rest, **options):
            if host != "app.test":
                return self.real(host, port, *rest, **options)
            self.asked += 1
            assert self.free.wait(TIMEOUT_S)
            if host not in self.known:
                raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
            return [
                (socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))
                for address in self.known[host]
            ]

    made = Resolver()
    monkeypatch.setattr("openssl_serve.handlers.proxy.upstream.socket.getaddrinfo", made)
    yield made
    made.free.set()


def test_a_name_is_looked_up_and_remembered_for_a_while(proxied, upstream, resolver):
    resolver.known["app.test"] = ["127.0.0.1"]
    running = proxied(url=f"http://app.test:{upstream.port}")
    for _ in range(3):
        passes(running, upstream).close()
        settle(running)

    assert resolver.asked == 1


def test_all_of_its_addresses_are_tried(proxied, upstream, resolver):
    resolver.known["app.test"] = ["127.0.0.2", "127.0.0.3", "127.0.0.1"]

    passes(proxied(url=f"http://app.test:{upstream.port}"), upstream)


def test_a_name_that_is_not_known_yet_is_asked_for_again(proxied, upstream, resolver):
    running = proxied(url=f"http://app.test:{upstream.port}")
    answer = running.get("/")
    assert answer.status == 502
    assert "cannot be looked up (name or service not known)" in answer.text
    resolver.known["app.test"] = ["127.0.0.1"]

    passes(running, upstream)


def test_nobody_waits_for_a_resolver_but_those_who_need_it(proxied, upstream, resolver):
    resolver.known["app.test"] = ["127.0.0.1"]
    resolver.free.clear()
    running = proxied(url=f"http://app.test:{upstream.port}")
    with running.plain() as patient, running.plain() as hasty, running.plain() as other:
        patient.send(request())
        hasty.send(request())
        eventually(lambda: resolver.asked == 2)
        assert other.get("ftp://localhost/").status == 400
        hasty.sock.close()
        eventually(lambda: len(running.server.connections) == 2)
        resolver.free.set()
        upstream.accept().answer()
        assert patient.answer().status == 200
    assert upstream.is_quiet


def test_a_place_is_written_as_in_a_url():
    assert str(Place(socket.AF_INET6, "::1", 80)) == "[::1]:80"
    assert str(Place(socket.AF_INET, "127.0.0.1", 80)) == "127.0.0.1:80"


# TLS.


@pytest.fixture
def certified(tmp_path):
    """`certified(certificate, key)`: a server's context, and the file with the certificate."""

    def make_context(certificate, key=KEY, version=None):
        cert = write(tmp_path / "upstream.crt", certificate)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(cert, write(tmp_path / "upstream.key", key))
        context.set_alpn_protocols(["h2", "http/1.1"])
        if version is not None:
            context.minimum_version = context.maximum_version = version
        return context, str(cert)

    return make_context


LOOPBACK = ("localhost", "127.0.0.1")
OTHER_KEY = ec.generate_private_key(ec.SECP256R1())
LEAVES = {
    "in our shape": ours(names=LOOPBACK),
    "a leaf that signed itself": make(CA_FALSE, SERVER, names=LOOPBACK),
    "with nothing but names": make(names=LOOPBACK),
    "a leaf without its issuer": make(
        CA_FALSE, SERVER, names=LOOPBACK, issuer="b.test", signed_by=OTHER_KEY
    ),
}


@pytest.mark.parametrize("certificate", LEAVES.values(), ids=LEAVES)
def test_a_certificate_that_is_named_is_trusted(proxied, listening, certified, certificate):
    context, cert = certified(certificate)
    upstream = listening(context=context)
    running = proxied(ProxyOptions(ca_file=cert), url=upstream.url)
    link = passes(running, upstream)

    assert link.sock.selected_alpn_protocol() == "http/1.1"


def test_so_is_what_its_issuer_has_issued(proxied, listening, certified, tmp_path):
    leaf = make(CA_FALSE, SERVER, names=LOOPBACK, issuer="b.test", signed_by=OTHER_KEY)
    upstream = listening(context=certified(leaf)[0])
    issuer = write(tmp_path / "ca.crt", make(CA_TRUE, names=(), subject="b.test", key=OTHER_KEY))

    passes(proxied(ProxyOptions(ca_file=str(issuer)), url=upstream.url), upstream)


BAD = {
    "of nobody": (ours(names=LOOPBACK), False, "--upstream-ca"),
    "for another name": (ours(names=("a.test",)), True, "localhost"),
    "of another time": (
        ours(names=LOOPBACK, start=NOW - dt.timedelta(9), end=NOW - dt.timedelta(1)),
        True,
        "expired",
    ),
}


@pytest.mark.parametrize(("certificate", "named", "words"), BAD.values(), ids=BAD)
def test_others_are_not_and_the_reason_is_told(
    proxied, listening, certified, certificate, named, words
):
    context, cert = certified(certificate)
    upstream = listening(context=context)
    options = ProxyOptions(ca_file=cert if named else None)
    running = proxied(options, url=f"https://localhost:{upstream.port}")
    with running.plain() as client:
        client.send(request())
        with contextlib.suppress(OSError):
            # The proxy ends the handshake, as it may see it.
            assert upstream.accept().rest() == b""
        answer = client.answer()
    assert answer.status == 502
    assert "not trusted" in answer.text
    assert words in answer.text

    passes(proxied(ProxyOptions(insecure=True), url=upstream.url), upstream)


@pytest.mark.parametrize(
    ("host", "name"),
    [("localhost", "localhost"), ("127.0.0.1", None), ("a.localhost", "a.localhost")],
)
def test_the_upstream_is_told_whom_we_want(proxied, listening, certified, host, name):
    context, _ = certified(LEAVES["in our shape"])
    asked = []
    context.sni_callback = lambda _sock, name, _context: asked.append(name)
    upstream = listening(context=context)

    passes(proxied(ProxyOptions(insecure=True), url=f"https://{host}:{upstream.port}"), upstream)
    assert asked == [name]


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_link_with_tls_is_kept_and_ended_properly(
    proxied, listening, certified, version, monkeypatch
):
    """The tickets of TLS 1.3, which come behind the handshake, are no surplus."""
    monkeypatch.setattr("openssl_serve.handlers.proxy.links.REST_S", 0.3)
    context, cert = certified(LEAVES["in our shape"], version=version)
    upstream = listening(context=context)
    running = proxied(ProxyOptions(ca_file=cert), url=upstream.url)
    with running.plain() as client:
        client.send(request())
        link = upstream.accept()
        for _ in range(3):
            link.head()
            link.answer()
            assert client.answer().status == 200
            client.send(request())
        link.head()
        link.answer()
        client.answer()
    link.sock.suppress_ragged_eofs = False
    assert link.sock.recv(1) == b""
    assert upstream.is_quiet


@pytest.mark.parametrize("polite", [True, False])
def test_the_end_of_tls_is_needed_to_end_a_response(proxied, listening, certified, polite):
    """RFC 9112 section 9.8: without it anybody on the way could have cut it off."""
    context, cert = certified(LEAVES["in our shape"])
    upstream = listening(context=context)
    with proxied(ProxyOptions(ca_file=cert), url=upstream.url).plain() as client:
        client.send(request())
        link = upstream.accept()
        link.head()
        link.send(b"HTTP/1.0 200 OK\r\n\r\nhello")
        eventually(lambda: b"hello" in client.sock.recv(1000, socket.MSG_PEEK))
        if polite:
            link.sock.setblocking(False)
            with contextlib.suppress(ssl.SSLWantReadError):
                link.sock.unwrap()
            link.close()
            assert client.answer().body == b"hello"
        else:
            link.close()
            assert client.rest().endswith(b"\r\nhello\r\n")


@pytest.mark.parametrize("secure", [False, True])
def test_much_passes_through_tls_both_ways(proxied, listening, certified, secure):
    context, cert = certified(LEAVES["in our shape"])
    upstream = listening(context=context)
    running = proxied(ProxyOptions(ca_file=cert), url=upstream.url)
    with running.tls() if secure else running.plain() as client:
        data = request("/", b"Content-Length: %d" % len(LARGE), method=b"POST")
        sender = threading.Thread(target=lambda: client.send(data + LARGE))
        sender.start()
        link = upstream.accept()
        link.head()
        assert link.take(len(LARGE)) == LARGE
        sender.join(TIMEOUT_S)
        answer = threading.Thread(target=lambda: link.answer(LARGE))
        answer.start()
        assert client.answer().body == LARGE
        answer.join(TIMEOUT_S)


def test_one_that_does_not_speak_tls(proxied, upstream):
    running = proxied(ProxyOptions(insecure=True), url=f"https://127.0.0.1:{upstream.port}")
    with running.plain() as client:
        client.send(request())
        upstream.accept().send(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        answer = client.answer()

    assert answer.status == 502
    assert "does not speak TLS (wrong version number)" in answer.text


def test_one_that_speaks_nothing_else(proxied, upstream):
    with proxied().plain() as client:
        client.send(request())
        # As OpenSSL answers what is no ClientHello.
        upstream.accept().send(b"\x15\x03\x01\x00\x02\x02\x46").close()
        answer = client.answer()

    assert answer.status == 502
    assert "https" in answer.text


def test_one_that_says_nothing_in_the_handshake(proxied, upstream, monkeypatch):
    monkeypatch.setattr("openssl_serve.handlers.proxy.dial.CONNECT_TIMEOUT_S", 0.1)
    running = proxied(ProxyOptions(insecure=True), url=f"https://127.0.0.1:{upstream.port}")

    assert running.get("/").status == 504
    settle(running)


@pytest.mark.parametrize("way", ["end", "close", "reset"])
def test_one_that_goes_in_the_handshake(proxied, upstream, way):
    running = proxied(ProxyOptions(insecure=True), url=f"https://127.0.0.1:{upstream.port}")
    with running.plain() as client:
        client.send(request())
        getattr(upstream.accept(), way)()

        assert client.answer().status == 502


@pytest.mark.parametrize("content", [None, b"", b"not a certificate", "folder"])
def test_a_file_without_certificates_is_refused_at_once(proxied, tmp_path, content):
    path = tmp_path / "ca.pem"
    if content == "folder":
        path.mkdir()
    elif content is not None:
        path.write_bytes(content)

    with pytest.raises(UsageError, match=r"--upstream-ca .*ca\.pem"):
        proxied(ProxyOptions(ca_file=str(path)), url="https://localhost:1")
