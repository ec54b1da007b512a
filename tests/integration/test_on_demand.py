"""Leaves made while serving, for names that are allowed and that no certificate covers yet."""

import socket
import ssl

import pytest

from openssl_serve import api, running_server
from openssl_serve.addresses import Address
from openssl_serve.certs.profile import CertificateProfile, Shape
from openssl_serve.certs.store import Store
from openssl_serve.hosts import parse_host
from openssl_serve.openssl.binary import Openssl
from openssl_serve.server.transport import Transport

DEADLINE_S = 20


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """A data folder with a local CA."""
    made = Store(tmp_path_factory.mktemp("data") / "data")
    made.ensure_authority(openssl=Openssl())
    return made


@pytest.fixture
def log():
    return []


@pytest.fixture
def site(tmp_path):
    folder = tmp_path / "site"
    folder.mkdir()
    (folder / "hello.txt").write_text("hello\n")
    return folder


@pytest.fixture
def server(store, site):
    kept = store.ensure(CertificateProfile.for_server(["main.test"], shape=Shape.LEAF))
    options = api.ServerOptions(
        Address("127.0.0.1", 0),
        allow_hosts=(parse_host("*.localhost", any_wildcard=True), parse_host("one.test")),
        log_format=api.LogFormat.NONE,
    )
    with running_server(site, certificate=kept, options=options) as running:
        yield running


@pytest.fixture
def trusting(store):
    """A client that trusts the local CA alone, and checks names."""
    return ssl.create_default_context(cafile=store.find_authority().cert_path)


@pytest.fixture(autouse=True)
def in_the_site(site, monkeypatch):
    """As most servers are; what is there is not for the child that makes a certificate."""
    monkeypatch.chdir(site)
    for name in ("typer", "ssl"):
        (site / f"{name}.py").write_text("raise SystemExit(1)")


def get(server, context, name, *, cut=None):
    """The body of hello.txt, asked for under *name*; the first record may be cut in two."""
    with socket.create_connection(server.address, timeout=DEADLINE_S) as raw:
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = context.wrap_bio(incoming, outgoing, server_hostname=name)
        first = True

        def turn(step):
            nonlocal first
            while True:
                try:
                    return step()
                except ssl.SSLWantReadError:
                    data = outgoing.read()
                    if first and cut:
                        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                        raw.sendall(data[:cut])
                        data = data[cut:]
                        # The server has seen the first part when another client is answered.
                        for _ in range(5):
                            get(server, context, "main.test")
                    first = False
                    raw.sendall(data)
                    incoming.write(raw.recv(65536))

        turn(tls.do_handshake)
        tls.write(b"GET /hello.txt HTTP/1.1\r\nHost: %s\r\n\r\n" % name.encode())
        data = b""
        while not data.endswith(b"hello\n"):
            piece = turn(lambda: tls.read(65536))
            assert piece, data
            data += piece
        return data


@pytest.mark.parametrize("name", ["new.localhost", "one.test"])
def test_the_first_client_that_asks_is_already_served(server, trusting, store, name):
    assert store.find(parse_host(name)) is None

    get(server, trusting, name)

    assert store.find(parse_host(name)) is not None


@pytest.mark.parametrize("cut", [1, 4, 5, 6, 200])
def test_a_hello_in_two_pieces_is_waited_for_without_spinning(server, trusting, cut, monkeypatch):
    looks: list[int] = []
    peek = Transport.peek

    def counting(self, most=1):
        looks.append(most)
        return peek(self, most)

    monkeypatch.setattr(Transport, "peek", counting)

    get(server, trusting, f"cut{cut}.localhost", cut=cut)

    # Six connections, three looks each: at accept, at the first byte, at the record; two more for
    # the cut. A loop that finds the same bytes again and again would look thousands of times.
    assert len(looks) < 40


@pytest.mark.parametrize("name", ["evil.test", "a.b.localhost", "two.test"])
def test_names_that_are_not_allowed_get_nothing_made(server, trusting, store, name):
    before = store.list()
    with pytest.raises(ssl.SSLCertVerificationError):
        get(server, trusting, name)

    assert store.list() == before


def test_others_are_served_while_one_is_made(server, trusting):
    """The child takes a while, and runs in a thread."""
    with socket.create_connection(server.address, timeout=DEADLINE_S) as raw:
        tls = trusting.wrap_socket(
            raw, server_hostname="slow.localhost", do_handshake_on_connect=False
        )
        with tls:
            tls.setblocking(False)
            with pytest.raises(ssl.SSLWantReadError):
                tls.do_handshake()
            get(server, trusting, "main.test")


def test_a_failure_is_told_once_and_the_client_gets_what_there_is(store, site, monkeypatch, log):
    kept = store.ensure(CertificateProfile.for_server(["main.test"], shape=Shape.LEAF))
    options = api.ServerOptions(Address("127.0.0.1", 0), allow_hosts=(parse_host("fail.test"),))
    monkeypatch.setenv("OPENSSL_SERVE_OPENSSL", "/nonexistent")
    with api.make_server(site, kept, options, write_log=log.append) as server:
        work = server.contexts.missing("fail.test")
        assert work is not None
        work()
        server.log.flush()

        assert server.contexts.missing("fail.test") is None
    assert "cannot make a certificate for fail.test" in log[0]


def test_without_a_local_ca_nothing_is_made_on_demand(tmp_path, site):
    kept = Store(tmp_path / "data").ensure(CertificateProfile.for_server(["main.test"]))
    options = api.ServerOptions(Address("127.0.0.1", 0), allow_hosts=(parse_host("x.test"),))
    with api.make_server(site, kept, options) as server:
        assert not server.contexts.on_demand
