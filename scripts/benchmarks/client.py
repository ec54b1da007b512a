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

`stuck PORT PATH BYTES SECONDS LARGE` opens 500 connections in each of five ways to be stuck (one of
them asks for the file LARGE and reads nothing), then makes requests beside them as anybody would,
and prints their 99th percentile in milliseconds and how many seconds it took.

`idle PORT PATH BYTES SECONDS COUNT` keeps so many connections that each had one response open for
so long, and prints their count.
"""

import gc
import os
import resource
import socket
import ssl
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress

PROCESSES = 8
"""More than the cores of a small machine, so that some handshake always waits for the server."""

READ_BYTES = 256 * 1024

STUCK = 500
"""Connections in each of the five ways."""

BESIDE = 300
"""Requests beside them on new connections, and as many on one that is kept."""


def context() -> ssl.SSLContext:
    """Make a context that takes any certificate: the bench has made it itself."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.check_hostname = False
    made.verify_mode = ssl.CERT_NONE
    return made


def connect(
    tls: ssl.SSLContext, port: int, timeout_s: float = 30, buffer: int = 0
) -> ssl.SSLSocket:
    """Shake hands; with a receive buffer of *buffer* bytes, if given."""
    raw = socket.socket()
    try:
        if buffer:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        raw.settimeout(timeout_s)
        raw.connect(("127.0.0.1", port))
        # As every serious client: else the request waits for the ACK of the handshake's last
        # flight, which servers that send no ticket at once (Caddy) delay by 40 ms.
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return tls.wrap_socket(raw, server_hostname="localhost")
    except BaseException:
        raw.close()
        raise


def send(stream: ssl.SSLSocket, port: int, path: str) -> None:
    """Request *path* on a connection that stays."""
    stream.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost:{port}\r\n\r\n".encode())


def receive(stream: ssl.SSLSocket, size: int) -> None:
    """Take one response with *size* bytes of content; raises OSError."""
    received = b""
    while len(received.partition(b"\r\n\r\n")[2]) < size:
        data = stream.recv(65536)
        if not data:
            raise ConnectionError(f"ended after {received[:40]!r}")
        received += data


def fetch(tls: ssl.SSLContext, port: int, path: str, buffer: bytearray) -> int:
    """Request *path* on a connection of its own and read to the end; give the bytes received.

    Raises OSError, or ConnectionError where the answer is not a 200.
    """
    with connect(tls, port) as stream:
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


def stuck(port: int, path: str, size: int, _seconds: float, large: str) -> tuple[float, float]:
    """Ask beside those that are stuck; give the 99th percentile in ms, and seconds taken."""
    tls = context()
    host = f"Host: localhost:{port}\r\n"
    half = f"GET {path} HTTP/1.1\r\nHost: loc".encode()
    body = f"POST {path} HTTP/1.1\r\n{host}Content-Length: 100000\r\n\r\nbegun".encode()
    unread = f"GET {large} HTTP/1.1\r\n{host}\r\n".encode()
    crowd: list[socket.socket] = []
    for first in [b""] * STUCK + [b"\x16"] * STUCK:
        crowd.append(socket.create_connection(("127.0.0.1", port), 5))
        crowd[-1].sendall(first)
    for first in [half] * STUCK + [body] * STUCK + [unread] * STUCK:
        crowd.append(connect(tls, port, 5, 4096 if first == unread else 0))
        crowd[-1].sendall(first)
    # The collector would look at all of them now and then, in the middle of a request.
    gc.collect()
    gc.disable()
    begun = time.monotonic()
    taken = []
    with connect(tls, port, 5) as kept:
        for _ in range(BESIDE):
            began = time.monotonic()
            with connect(tls, port, 5) as stream:
                send(stream, port, path)
                receive(stream, size)
            between = time.monotonic()
            send(kept, port, path)
            receive(kept, size)
            taken += [between - began, time.monotonic() - between]
    seconds = time.monotonic() - begun
    for each in crowd:
        each.close()
    return sorted(taken)[len(taken) * 99 // 100] * 1000, seconds


def idle(port: int, path: str, size: int, seconds: float, count: str) -> tuple[float, float]:
    """Keep *count* connections open for *seconds*; give both."""
    tls = context()
    kept = []
    for _ in range(int(count)):
        kept.append(connect(tls, port))
        send(kept[-1], port, path)
    for each in kept:
        receive(each, size)
    time.sleep(seconds)
    for each in kept:
        each.close()
    return float(len(kept)), seconds


def main() -> None:
    """Run the load named on the command line."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    with suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    loads: dict[str, Callable[..., tuple[float, float]]] = {
        "connections": connections, "download": download, "stuck": stuck, "idle": idle,
    }  # fmt: skip
    name, port, path, size, seconds, *more = sys.argv[1:]
    count, taken = loads[name](int(port), path, int(size), float(seconds), *more)
    sys.stdout.write(f"{count} {taken}\n")


if __name__ == "__main__":
    main()
