"""curl, openssl and others, which know nothing of how we think HTTP, TLS and certificates work."""

import socket
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

DEADLINE_S = 20


@dataclass(frozen=True)
class Answer:
    """A response as curl got it; the names of fields in lower case."""

    status: int
    fields: dict[str, str]
    body: str


def curl(url: str, *options: str) -> Answer:
    """Fetch *url*; a failure of curl's is the test's."""
    command = ["curl", "-q", "-sS", "-i", "--noproxy", "*", "--max-time", str(DEADLINE_S), *options]
    done = subprocess.run([*command, url], capture_output=True, check=False, timeout=DEADLINE_S * 2)
    assert done.returncode == 0, done.stderr.decode()
    head, _, body = done.stdout.decode().partition("\r\n\r\n")
    while head.startswith("HTTP/1.1 100 "):
        # curl asks before it sends more than a megabyte.
        head, _, body = body.partition("\r\n\r\n")
    if "--location" in options:
        # The last of the responses.
        head, _, body = body.partition("\r\n\r\n")
    first, *lines = head.split("\r\n")
    fields = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    return Answer(int(first.split()[1]), fields, body)


def trusting(cert: Path, port: int, host: str = "my.dev.local") -> list[str]:
    """Options of curl: trust only *cert*, and take *host* to be this machine."""
    return ["--cacert", str(cert), "--resolve", f"{host}:{port}:127.0.0.1"]


def openssl(*arguments: str | Path) -> str:
    """What openssl prints."""
    done = subprocess.run(
        ["openssl", *map(str, arguments)],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=DEADLINE_S,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def fingerprint(cert: Path) -> str:
    """The SHA-256 of *cert*, by openssl."""
    line = openssl("x509", "-in", cert, "-noout", "-fingerprint", "-sha256")
    return line.strip().partition("=")[2]


@contextmanager
def connected(port: int) -> Iterator[ssl.SSLSocket]:
    """A TLS connection of a client that trusts anything."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with (
        socket.create_connection(("127.0.0.1", port), DEADLINE_S) as sock,
        context.wrap_socket(sock) as tls,
    ):
        yield tls
