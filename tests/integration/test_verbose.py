"""--verbose: what the log of a server tells of connections, and what is told of openssl."""

import re
import socket
import ssl

import pytest
from server_fixtures import QUICK, eventually

from openssl_serve import api
from openssl_serve.errors import OpensslError
from openssl_serve.openssl.binary import Openssl

STUB = """#!/bin/sh
test $1 = version && exec echo OpenSSL 3.0.0
echo no >&2
exit 7
"""

HANDSHAKE = r"\d\d:\d\d:\d\d 127\.0\.0\.1 (.*SNI.*)\n"


def handshakes(running):
    return re.findall(HANDSHAKE, running.log)


@pytest.fixture
def verbose(serve):
    return serve(verbose=True)


def test_a_handshake_is_told_with_what_was_agreed_and_asked_for(verbose):
    context = verbose.trust()
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers("ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384")
    context.set_alpn_protocols(["http/1.1"])

    with verbose.tls(context, "my.dev.local") as client:
        assert client.get("/a.txt", b"Host: my.dev.local").status == 400
        cipher = client.sock.cipher()[0]

    # The client may know its end of the handshake before the server has told of it.
    eventually(lambda: handshakes(verbose))
    assert handshakes(verbose) == [f"TLSv1.2 {cipher}, ALPN http/1.1, SNI my.dev.local"]


def test_what_a_client_leaves_out_is_told_too(verbose):
    context = verbose.trust()
    context.check_hostname = False
    # An address is never asked for (RFC 6066 section 3).
    with verbose.tls(context, "127.0.0.1") as client:
        assert client.get("/a.txt").status == 200
        session = client.sock.session
    with context.wrap_socket(
        verbose.connect(), server_hostname="127.0.0.1", session=session
    ) as resumed:
        assert resumed.session_reused

    eventually(lambda: len(handshakes(verbose)) == 2)
    first, second = handshakes(verbose)
    assert re.fullmatch(r"TLSv1\.3 TLS_\w+, no ALPN, no SNI", first)
    assert second == first.replace("no ALPN,", "no ALPN, resumed,")


def test_a_hello_in_pieces_is_waited_for(verbose):
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = verbose.trust().wrap_bio(incoming, outgoing, server_hostname="localhost")
    with pytest.raises(ssl.SSLWantReadError):
        client.do_handshake()
    hello = outgoing.read()

    with verbose.connect() as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for piece in (hello[:3], hello[3:90], hello[90:]):
            sock.sendall(piece)
            verbose.in_loop(lambda: None)
        while True:
            try:
                client.do_handshake()
                break
            except ssl.SSLWantReadError:
                sock.sendall(outgoing.read())
                incoming.write(sock.recv(65536))
        sock.sendall(outgoing.read())
        eventually(lambda: handshakes(verbose))

    assert handshakes(verbose)[0].endswith(", SNI localhost")


def test_plain_http_is_told_as_a_request_alone(verbose):
    with verbose.plain() as client:
        assert client.get().status == 301

    eventually(lambda: verbose.log)
    assert re.fullmatch(r"\S+ 127\.0\.0\.1 http GET / 301 .*\n", verbose.log)


def test_a_refusal_is_told_each_time(verbose, serve):
    quiet = serve()
    for running in (verbose, quiet):
        for _ in range(2):
            with pytest.raises(ssl.SSLCertVerificationError):
                running.tls(ssl.create_default_context())

    eventually(lambda: verbose.log.count("it does not know the issuer") == 2)
    eventually(lambda: "it does not know the issuer" in quiet.log)
    quiet.stop()
    assert quiet.log.count("it does not know the issuer") == 1


def test_who_goes_in_the_middle_of_a_handshake(verbose, serve):
    quiet = serve()
    for running in (verbose, quiet):
        with running.connect() as sock:
            sock.sendall(bytes.fromhex("1603010005 0100000100"))
            sock.shutdown(socket.SHUT_WR)
            assert b"" in (sock.recv(100), sock.recv(100))

    eventually(lambda: " 127.0.0.1 ended in the TLS handshake: " in verbose.log)
    assert quiet.log == ""


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (b"", "said nothing in time"),
        (b"\x16\x03\x01", "did not complete the TLS handshake in time"),
    ],
)
def test_who_says_too_little(serve, said, told):
    running = serve(verbose=True, limits=QUICK)

    with running.plain() as client:
        assert client.send(said).is_ended()

    eventually(lambda: told in running.log)
    assert re.fullmatch(rf"\S+ 127\.0\.0\.1 {told}\n", running.log)


def test_nobody_is_told_who_did_not_ask(serve):
    running = serve(limits=QUICK)
    assert running.get("/a.txt").status == 200
    with running.connect() as sock:
        assert sock.recv(1) == b""

    assert handshakes(running) == []
    assert len(running.log.splitlines()) == 1


class TestUpstreams:
    def test_a_connection_is_told_once(self, proxied, upstream):
        running = proxied(verbose=True)
        with running.plain() as client:
            client.send(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
            accepted = upstream.accept()
            for _ in range(2):
                accepted.head()
                accepted.answer()
                assert client.answer().status == 200
                client.send(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")

        told = re.findall(r" (upstream .*)\n", running.log)
        assert told == [f"upstream 127.0.0.1 reached at {upstream.place}"]

    def test_an_address_that_does_not_answer_is_told(self, proxied, upstream, monkeypatch):
        from openssl_serve.handlers.proxy import upstream as module  # noqa: PLC0415

        monkeypatch.setattr(module, "LOOPBACK", ("127.0.0.2", "127.0.0.1"))
        running = proxied(verbose=True, url=f"http://localhost:{upstream.port}")
        with running.plain() as client:
            client.send(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
            upstream.accept().answer()
            assert client.answer().status == 200

        (told,) = re.findall(r" (upstream .*)\n", running.log)
        refused = f"127.0.0.2:{upstream.port}: connection refused"
        assert told == f"upstream localhost reached at {upstream.place}, after {refused}"

    def test_one_that_is_not_there(self, proxied, upstream):
        running = proxied(verbose=True)
        upstream.close()
        with running.plain() as client:
            assert client.get().status == 502

        told = f"upstream 127.0.0.1 cannot be reached ({upstream.place}: "
        eventually(lambda: told in running.log)


class TestOpenssl:
    def test_a_call_is_told_when_it_has_ended(self, tmp_path):
        told: list[str] = []
        tool = Openssl(tell=told.append)
        tool.run("rand", "-out", "a b", "8", folder=tmp_path)

        (line,) = told
        pattern = rf"ran {re.escape(str(tool.path))} rand -out 'a b' 8: exit 0 after \d+ ms"
        assert re.fullmatch(pattern, line)

    def test_what_it_said_when_it_failed(self, tmp_path):
        told: list[str] = []
        Openssl(tell=told.append).run("x509", "-in", "absent", folder=tmp_path)

        assert re.search(r"x509 -in absent: exit [1-9]\d* after", told[0])
        assert any("absent" in line for line in told[1:])
        assert all(line.startswith("  ") for line in told[1:])

    def test_a_certificate_tells_of_its_making_once(self, tmp_path):
        told: list[str] = []
        for _ in range(2):
            api.ensure_certificate("a.test", folder=tmp_path, tell=told.append)

        assert len(told) == 1
        assert " req -new " in told[0]

    def test_one_that_fails_is_told_before_the_error(self, tmp_path):
        stub = tmp_path / "openssl"
        stub.write_text(STUB)
        stub.chmod(0o755)
        told: list[str] = []

        with pytest.raises(OpensslError):
            api.ensure_certificate(
                "a.test", folder=tmp_path / "data", openssl=str(stub), tell=told.append
            )
        assert re.search(r": exit 7 after \d+ ms$", told[0])
        assert told[1] == "  no"
