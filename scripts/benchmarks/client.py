"""The clients that no ready-made program is good enough for; runs as a process of its own.

`connections PORT PATH BYTES SECONDS` makes a new TLS connection for each request and prints how
many were answered in how many seconds. Why not one of the known programs: wrk with `Connection:
close` keeps its session and resumes it (nginx's `$ssl_session_reused` says so for all but the
first 32), which is a third of the work; `openssl s_time -new` does make full handshakes, but
spends 1.2 ms of client CPU on each where this spends 0.7 (and nginx 0.35), so that it measures
itself; h2load opens all its connections in one burst, which overflows a short backlog. On a small
machine any client takes most of the CPU, and the rates of two servers come out nearer to each
other than the servers are: that is why the server's own CPU per connection is shown as well.

`download PORT PATH BYTES SECONDS` reads a large file over one connection after another, and prints
bytes and seconds. A large buffer in Python is faster here than curl.
"""

import os
import socket
import ssl
import sys
import time
from collections.abc import Iterator

PROCESSES = 8
"""More than the cores of a small machine, so that some handshake always waits for the server."""

READ_BYTES = 256 * 1024


def context() -> ssl.SSLContext:
    """Make a context that takes any certificate: the bench has made it itself."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.check_hostname = False
    made.verify_mode = ssl.CERT_NONE
    return made


def fetch(tls: ssl.SSLContext, port: int, path: str, buffer: bytearray) -> int:
    """Request *path* on a connection of its own and read to the end; give the bytes received.

    Raises OSError, or ConnectionError where the answer is not a 200.
    """
    with (
        socket.create_connection(("127.0.0.1", port), timeout=30) as raw,
        tls.wrap_socket(raw, server_hostname="localhost") as stream,
    ):
        # As every serious client: else the request waits for the ACK of the handshake's last
        # flight, which servers that send no ticket at once (Caddy) delay by 40 ms.
        stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        stream.sendall(
            f"GET {path} HTTP/1.1\r\nHost: localhost:{port}\r\nConnection: close\r\n\r\n".encode()
        )
        total = stream.recv_into(buffer)
        if not buffer.startswith(b"HTTP/1.1 200"):
            raise ConnectionError(f"answered {bytes(buffer[:40])!r}")
        while received := stream.recv_into(buffer):
            total += received
    return total


def connections(port: int, path: str, size: int, seconds: float) -> tuple[int, float]:
    """Connect anew from several processes for *seconds*; give how many were answered, in what."""
    read, write = os.pipe()
    end = time.monotonic() + seconds
    children = []
    for _ in range(PROCESSES):
        child = os.fork()
        if child == 0:
            os.write(write, b"%d\n" % sum(1 for _ in _answered(port, path, size, end)))
            os._exit(0)
        children.append(child)
    for child in children:
        os.waitpid(child, 0)
    os.close(write)
    with os.fdopen(read, "rb") as counts:
        return sum(map(int, counts)), seconds


def _answered(port: int, path: str, size: int, end: float) -> Iterator[int]:
    """Yield once for each complete answer before *end*; a failed connection counts for nothing."""
    tls = context()
    buffer = bytearray(16 * 1024)
    while time.monotonic() < end:
        try:
            received = fetch(tls, port, path, buffer)
        except OSError:
            time.sleep(0.001)
            continue
        if received > size and time.monotonic() < end:
            yield received


def download(port: int, path: str, size: int, seconds: float) -> tuple[int, float]:
    """Fetch *path* at least once and until *seconds* are over; give bytes and seconds taken."""
    tls = context()
    buffer = bytearray(READ_BYTES)
    begun = time.monotonic()
    total = 0
    while not total or time.monotonic() < begun + seconds:
        received = fetch(tls, port, path, buffer)
        if received < size:
            raise ConnectionError(f"{received} of {size} bytes came")
        total += size
    return total, time.monotonic() - begun


def main() -> None:
    """Run the load named on the command line."""
    load = {"connections": connections, "download": download}[sys.argv[1]]
    count, seconds = load(int(sys.argv[2]), sys.argv[3], int(sys.argv[4]), float(sys.argv[5]))
    sys.stdout.write(f"{count} {seconds}\n")


if __name__ == "__main__":
    main()
