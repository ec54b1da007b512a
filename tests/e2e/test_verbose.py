"""`-v`: what somebody gets told who wants to know why."""

import contextlib
import re
import socket
import ssl
import sys

from e2e.clients import curl, trusting
from e2e.command import Command

HOST = ("--cert-host", "my.dev.local")

SERVER = "import http.server, sys; http.server.test(port=int(sys.argv[1]), bind='127.0.0.1')"


def test_first_what_openssl_does_then_why_it_need_not(command: Command) -> None:
    with command.start("-v", *HOST) as running:
        first = running.banner
    with command.start(*HOST, environment={"OPENSSL_SERVE_VERBOSE": "1"}) as running:
        second = running.banner
    with command.start(*HOST) as running:
        quiet = running.banner

    assert re.match(r"ran \S*openssl req .*-out cert\.pem: exit 0 after \d+ ms\nserving ", first)
    assert "(new: no certificate yet)" in first
    assert second.startswith("serving ")
    kept = re.compile(r" \(kept: .*, and it is not due before 20\d\d-\d\d-\d\d\)")
    assert kept.search(second)
    without_port = re.compile(r"127\.0\.0\.1:\d+")
    assert without_port.sub("", kept.sub("", second)) == without_port.sub("", quiet)


def test_the_key_of_a_pair_of_ones_own(command: Command) -> None:
    command.run("generate", "my.dev.local")
    pair = ("--cert", str(command.cert), "--cert-key", str(command.key))

    with command.start("-v", *pair) as running:
        assert f"{command.cert} (yours, with {command.key})\n" in running.banner


def test_connections(command: Command) -> None:
    with command.start("-v", *HOST) as running:
        port = running.port
        curl(f"https://my.dev.local:{port}/hello.txt", *trusting(command.cert, port))
        assert running.stderr
        running.stderr.wait_for(r"^\S+ 127\.0\.0\.1 TLSv1\.\d \S+, .*ALPN.*, SNI my\.dev\.local$")


def test_a_name_that_cannot_be_read(command: Command) -> None:
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = ssl.create_default_context().wrap_bio(incoming, outgoing, server_hostname="aaa.test")
    with contextlib.suppress(ssl.SSLWantReadError):
        client.do_handshake()
    hello = outgoing.read().replace(b"aaa.test", b"a\xffa.test")

    with command.start("-v", *HOST) as running:
        with socket.create_connection(("127.0.0.1", running.port), 10) as sock:
            sock.sendall(hello)
            # There is one certificate for all names.
            assert sock.recv(100)[:1] == b"\x16"
        assert running.stderr
        running.stderr.wait_for(r"^\S+ 127\.0\.0\.1 ended in the TLS handshake: ")
        text = running.stderr.text
        assert running.end() == 0
    assert "Exception ignored" not in text
    assert "Traceback" not in text


def test_what_run_makes_of_a_command(command: Command) -> None:
    words = (sys.executable, "-c", SERVER, "{port}")
    environment = {"OPENSSL_SERVE_KEY_PASSWORD": "unspoken"}

    with command.start(
        "run", "--port", "0", "-v", "--", *words, environment=environment
    ) as running:
        assert running.stderr
        runs = running.stderr.wait_for(r"^\S+ runs \S+ -c .* (\d+)$")
        running.stderr.wait_for(rf"^\S+   with PORT={runs[1]}$")
        running.stderr.wait_for(r"^\S+   with SSL_CERT_FILE=/")
        running.stderr.wait_for(rf"^\S+ the command listens on 127\.0\.0\.1:{runs[1]}$")
        text = running.stderr.text
        assert running.end() == 0

    assert "unspoken" not in text
