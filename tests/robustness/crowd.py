"""Clients by the thousand, in a process of their own.

    crowd.py stuck PORT COUNT   COUNT connections in each of the ways to be stuck
    crowd.py idle PORT COUNT    COUNT TLS connections that had a response and wait
    crowd.py churn PORT COUNT TLS   COUNT connections one after the other, TLS of them over TLS
    crowd.py load PORT THREADS  requests without a pause, on kept and on new connections

Each prints a line of JSON when it stands, and one when its standard input has ended; then it goes.
Only the standard library, so that it starts quickly.
"""

import collections
import contextlib
import hashlib
import json
import resource
import selectors
import socket
import ssl
import struct
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

TIMEOUT_S = 20.0

GET = b"GET /a.txt HTTP/1.1\r\nHost: localhost\r\n\r\n"
LAST = b"GET /a.txt HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
LARGE = b"GET /large.bin HTTP/1.1\r\nHost: localhost\r\n\r\n"
HALF = b"GET /a.txt HTTP/1.1\r\nHost: local"
# Answered at once, and short enough to be read to its end: which never comes.
BODY = b"POST /a.txt HTTP/1.1\r\nHost: localhost\r\nContent-Length: 200000\r\n\r\nbeginning"

STUCK: dict[str, tuple[bytes, tuple[bool, ...]]] = {
    "silent": (b"", (False,)),
    "one TLS byte": (b"\x16", (False,)),
    "half a head": (HALF, (False, True)),
    "slow body": (BODY, (False, True)),
    "reads nothing": (LARGE, (True,)),
}
"""What they send, and whether over TLS; of two values by turns."""


def say(**facts: Any) -> None:
    sys.stdout.write(json.dumps(facts) + "\n")
    sys.stdout.flush()


def trusting() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


CONTEXT = trusting()


def connect(port: int, *, tls: bool, buffer: int = 0) -> socket.socket:
    sock = socket.socket()
    try:
        sock.settimeout(TIMEOUT_S)
        if buffer:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        sock.connect(("127.0.0.1", port))
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return CONTEXT.wrap_socket(sock, server_hostname="localhost") if tls else sock
    except BaseException:
        sock.close()
        raise


class Stuck:
    """Whoever is closed by a deadline comes again at once, as an attacker would."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._selector = selectors.DefaultSelector()
        self._readers: list[socket.socket] = []
        self._again = collections.Counter[str]()

    def run(self, count: int) -> None:
        for number in range(count):
            for kind in STUCK:
                self._come(kind, number)
        say(open=count * len(STUCK))
        self._selector.register(sys.stdin, selectors.EVENT_READ)
        while True:
            for key, _ in self._selector.select():
                if not isinstance(key.fileobj, socket.socket):
                    say(again=self._again)
                    return
                self._look(key.fileobj, *key.data)

    def _come(self, kind: str, number: int) -> None:
        data, secure = STUCK[kind]
        reads = kind != "reads nothing"
        tls = secure[number % len(secure)]
        sock = connect(self._port, tls=tls, buffer=0 if reads else 4096)
        sock.sendall(data)
        sock.setblocking(False)
        if reads:
            self._selector.register(sock, selectors.EVENT_READ, (kind, number))
        else:
            self._readers.append(sock)

    def _look(self, sock: socket.socket, kind: str, number: int) -> None:
        try:
            data = sock.recv(65536)
        except (ssl.SSLWantReadError, BlockingIOError):
            return
        except OSError:
            data = b""
        if not data:
            self._selector.unregister(sock)
            sock.close()
            self._again[kind] += 1
            self._come(kind, number)


def stuck(port: int, count: int) -> None:
    Stuck(port).run(count)


def exchange(sock: socket.socket, request: bytes) -> bytes:
    """One response, to its Content-Length; what came of it when it broke off, in an EOFError."""
    sock.sendall(request)
    received = b""
    while b"\r\n\r\n" not in received:
        data = sock.recv(65536)
        if not data:
            raise EOFError(received)
        received += data
    head, _, body = received.partition(b"\r\n\r\n")
    length = int(head.partition(b"Content-Length: ")[2].partition(b"\r\n")[0])
    while len(body) < length:
        data = sock.recv(1 << 20)
        if not data:
            raise EOFError(received)
        body += data
    return head


def idle(port: int, count: int) -> None:
    kept = []
    for _ in range(count):
        sock = connect(port, tls=True)
        assert b" 200 " in exchange(sock, GET)
        kept.append(sock)
    say(open=count)
    sys.stdin.read()
    # Still there, each of them: a selector sees an end and nothing else.
    with selectors.DefaultSelector() as selector:
        for sock in kept:
            selector.register(sock, selectors.EVENT_READ)
        say(ended=len(selector.select(0)))


def churn(port: int, count: int, over_tls: int) -> None:
    """Connections of all kinds and ends, one at a time."""
    reset = struct.pack("ii", 1, 0)
    began = time.monotonic()
    for number in range(count):
        tls = number * over_tls // count != (number + 1) * over_tls // count
        with connect(port, tls=tls) as sock:
            kind = number % 5
            if kind == 1:
                sock.sendall(HALF)
            elif kind == 2 and not tls:
                sock.sendall(b"\x16\x03\x01")
            elif kind == 3:
                exchange(sock, GET)
            else:
                exchange(sock, LAST)
            if number % 7 == 0:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, reset)
    say(done=count, seconds=time.monotonic() - began)


class Load:
    """Threads that ask without a pause until told to stop; what they saw is counted."""

    def __init__(self, port: int) -> None:
        self._port = port
        self.stopped = threading.Event()
        self.counts = collections.Counter[str]()
        self.seen: dict[str, None] = {}
        """Fingerprints of certificates, in the order in which they were seen."""
        self.failures: list[str] = []
        self._lock = threading.Lock()

    def kept(self) -> None:
        """Ask on one connection for ever; a new one only when the server says that it ends."""
        while not self.stopped.is_set():
            with connect(self._port, tls=True) as sock:
                head = b""
                while not self.stopped.is_set() and b"Connection: close" not in head:
                    head = self._ask(sock, GET, "kept")

    def new(self) -> None:
        """A connection for every request."""
        while not self.stopped.is_set():
            with connect(self._port, tls=True) as sock:
                assert isinstance(sock, ssl.SSLSocket)
                found = hashlib.sha256(sock.getpeercert(binary_form=True) or b"").hexdigest()
                self.seen.setdefault(found)
                self._ask(sock, LAST, "new")

    def large(self) -> None:
        """Downloads of the large file."""
        while not self.stopped.is_set():
            with connect(self._port, tls=True) as sock:
                self._ask(sock, LARGE, "large")

    def plain(self) -> None:
        """Redirects."""
        while not self.stopped.is_set():
            with connect(self._port, tls=False) as sock:
                self._ask(sock, LAST, "plain")

    def _ask(self, sock: socket.socket, request: bytes, kind: str) -> bytes:
        head = exchange(sock, request)
        status = head[9:12].decode()
        with self._lock:
            self.counts[f"{kind} {status}"] += 1
        return head

    def run(self, work: Callable[[], None]) -> None:
        while not self.stopped.is_set():
            try:
                work()
            except EOFError as error:
                # With bytes: a response that began and was not complete.
                self._failed(work.__name__, "cut" if error.args[0] else "unanswered")
            except OSError as error:
                self._failed(work.__name__, repr(error))

    def _failed(self, kind: str, what: str) -> None:
        with self._lock:
            self.failures.append(f"{kind}: {what}")
            # Nobody needs more, and a server that has ended would bring thousands.
            if len(self.failures) > 200:
                self.stopped.set()


def load(port: int, *kinds: str) -> None:
    work = Load(port)
    threads = [
        threading.Thread(target=work.run, args=(getattr(work, kind),), daemon=True)
        for kind in kinds
    ]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + TIMEOUT_S
    while len({key.split()[0] for key in work.counts}) < len(set(kinds)):
        # Until each kind was answered: from now on it is under load.
        work.stopped.wait(0.01)
        assert time.monotonic() < deadline, work.failures
    say(threads=len(threads))
    sys.stdin.read()
    work.stopped.set()
    for thread in threads:
        thread.join(TIMEOUT_S)
    say(counts=work.counts, failures=work.failures, seen=list(work.seen))


def main() -> None:
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    mode, port, *words = sys.argv[1:]
    if mode == "load":
        load(int(port), *words)
    else:
        modes: dict[str, Callable[..., None]] = {"stuck": stuck, "idle": idle, "churn": churn}
        modes[mode](int(port), *map(int, words))


if __name__ == "__main__":
    main()
