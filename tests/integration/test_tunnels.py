"""Bytes both ways after a 101, whatever protocol they are: in order, all of them, to the last."""

import contextlib
import gc
import hashlib
import ssl
import threading
import tracemalloc

import pytest
from server_fixtures import TIMEOUT_S, eventually, request
from upstreams import Accepted, settle

from openssl_serve.server.tunnel import PIECE, End, Flow, Tunnel

UPGRADE = request("/x", b"Connection: keep-alive, Upgrade", b"Upgrade: chat")
AGREED = b"HTTP/1.1 101 Switching\r\nConnection: upgrade\r\nUpgrade: chat\r\nX-Own: 1\r\n\r\n"
LARGE = bytes(range(256)) * 65_536  # 16 MiB: more than the socket buffers on the way hold


class Ends:
    """A client and the upstream, at the two ends of a tunnel."""

    def __init__(self, running, upstream, *, secure=False, first=b"", behind=b""):
        self.client = running.tls() if secure else running.plain()
        self.client.send(UPGRADE + first)
        self.link = upstream.accept()
        self.heard = self.link.head()
        assert self.link.left == b""
        self.link.send(AGREED + behind)
        while b"\r\n\r\n" not in self.client.left:
            self.client.left += self.client.sock.recv(65536)
        head, _, self.left = self.client.left.partition(b"\r\n\r\n")
        self.head = head.split(b"\r\n")
        self.client.left = b""

    def close(self):
        self.client.sock.close()
        self.link.close()

    def client_hears(self, count):
        data = bytearray(self.left)
        self.left = b""
        while len(data) < count:
            piece = self.client.sock.recv(1 << 20)
            assert piece, f"ended after {len(data)} of {count} bytes"
            data += piece
        return bytes(data)


@pytest.fixture
def ends(proxied, upstream):
    with contextlib.ExitStack() as stack:

        def made(running=None, **options):
            both = Ends(running or proxied(), upstream, **options)
            stack.callback(both.close)
            return both

        yield made


def test_none_begins_while_the_server_ends(proxied, upstream):
    running = proxied()
    with running.plain() as client:
        client.send(UPGRADE)
        link = upstream.accept()
        link.head()
        running.in_loop(lambda: running.server.drain(60))
        link.send(AGREED)
        answer = client.answer()
        assert (answer.status, answer.get(b"connection")) == (503, b"close")
        assert client.is_ended()
    running.thread.join(TIMEOUT_S)
    assert not running.thread.is_alive()
    assert link.is_ended


both_ways = pytest.mark.parametrize("secure", [False, True])


def tunnels(running):
    found = []
    running.in_loop(lambda: found.extend(running.server.connections.values()))
    return [each for each in found if isinstance(each, End)]


@both_ways
def test_both_hear_what_the_other_says(ends, secure):
    both = ends(secure=secure)
    assert both.heard.get(b"connection") == b"Upgrade"
    assert both.heard.get(b"upgrade") == b"chat"
    assert both.head == [
        b"HTTP/1.1 101 Switching", b"X-Own: 1", b"Connection: Upgrade", b"Upgrade: chat",
    ]  # fmt: skip
    for word in (b"\0", b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01", b"x" * 70_000):
        both.client.send(word)
        assert both.link.take(len(word)) == word
        both.link.send(word)
        assert both.client_hears(len(word)) == word


@both_ways
def test_what_was_said_too_early_is_heard_too(ends, secure):
    """By the client before it was told yes, by the upstream in the same breath."""
    both = ends(secure=secure, first=b"early", behind=b"at once")

    assert both.client_hears(7) == b"at once"
    assert both.link.take(5) == b"early"


@both_ways
def test_one_that_does_not_listen_holds_up_the_other_alone(proxied, ends, secure):
    running = proxied()
    both = ends(running, secure=secure)
    for talker in (both.client.sock, both.link.sock):
        talker.setblocking(False)
        sent, pause = 0, threading.Event()
        for _ in range(20):
            with contextlib.suppress(BlockingIOError, ssl.SSLWantWriteError):
                while sent < len(LARGE):
                    sent += talker.send(LARGE[sent : sent + 65536])
            pause.wait(0.005)
        assert sent < len(LARGE)
        kept = [len(end._says._backlog) for end in tunnels(running)]
        assert max(kept) <= PIECE
        # As it is with any socket: what was begun is repeated until it is taken.
        talker.settimeout(TIMEOUT_S)
        rest = threading.Thread(target=talker.sendall, args=(LARGE[sent:],))
        rest.start()
        if talker is both.client.sock:
            heard = both.link.take(len(LARGE))
        else:
            heard = both.client_hears(len(LARGE))
        rest.join(TIMEOUT_S)
        assert hashlib.sha256(heard).digest() == hashlib.sha256(LARGE).digest()


@both_ways
def test_much_goes_both_ways_at_the_same_time(ends, secure):
    both = ends(secure=secure)
    echo = threading.Thread(target=lambda: both.link.send(both.link.take(len(LARGE))))
    echo.start()
    sock, sent, heard = both.client.sock, 0, bytearray()
    sock.setblocking(False)
    while len(heard) < len(LARGE):
        with contextlib.suppress(BlockingIOError, ssl.SSLWantWriteError, ssl.SSLWantReadError):
            if sent < len(LARGE):
                sent += sock.send(LARGE[sent : sent + 16_384])
        with contextlib.suppress(BlockingIOError, ssl.SSLWantWriteError, ssl.SSLWantReadError):
            heard += sock.recv(65536)
    echo.join(TIMEOUT_S)
    assert bytes(heard) == LARGE


# The end of one side, and of both.


def test_an_upstream_that_says_no_more_is_still_spoken_to(ends):
    both = ends()
    both.link.send(b"last").end()
    assert both.client_hears(4) == b"last"
    assert both.client.sock.recv(1) == b""
    for word in (b"one", b"two"):
        both.client.send(word)
        assert both.link.take(3) == word
    both.client.sock.close()
    assert both.link.is_ended


def test_with_tls_that_is_the_end_if_the_client_speaks_at_that_moment(proxied, ends):
    """OpenSSL looks for the client's own end, and may drop what it finds instead (tunnel.py)."""
    running = proxied()
    both = ends(running, secure=True)
    both.link.send(b"last").end()
    assert both.client_hears(4) == b"last"
    assert both.client.sock.recv(1) == b""
    with contextlib.suppress(OSError):
        for _ in range(10):
            both.client.send(b"one")
    both.client.sock.close()
    assert both.link.rest() in [b"one" * count for count in range(11)]
    settle(running)


def test_a_client_that_says_no_more_is_still_spoken_to(ends):
    both = ends()
    both.client.send(b"last").finish()
    assert both.link.rest() == b"last"
    for word in (b"one", b"two"):
        both.link.send(word)
        assert both.client_hears(3) == word
    both.link.close()
    assert both.client.sock.recv(1) == b""


def test_so_is_one_with_tls(proxied, ends):
    running = proxied()
    both = ends(running, secure=True)
    both.client.sock.setblocking(False)
    with contextlib.suppress(ssl.SSLWantReadError):
        both.client.sock.unwrap()
    both.client.sock.settimeout(TIMEOUT_S)
    assert both.link.is_ended
    both.link.send(b"one")
    assert both.client_hears(3) == b"one"
    both.link.close()
    settle(running)


def test_nothing_is_lost_when_one_says_no_more_and_the_other_a_lot(ends):
    both = ends()
    both.link.send(b"last").end()
    talk = threading.Thread(target=both.client.sock.sendall, args=(LARGE,))
    talk.start()
    heard = both.link.take(len(LARGE))
    talk.join(TIMEOUT_S)

    assert hashlib.sha256(heard).digest() == hashlib.sha256(LARGE).digest()
    assert both.client_hears(4) == b"last"


@both_ways
def test_the_last_word_of_an_upstream_is_heard_while_the_client_speaks(ends, secure):
    """It ends the connection with something unread, so that what comes then breaks it."""
    both = ends(secure=secure)
    both.client.send(b"x" * 1000)
    eventually(lambda: not both.link.is_quiet)
    both.link.send(b"bye")
    both.link.close()
    with contextlib.suppress(OSError):
        for _ in range(100):
            both.client.send(b"y" * 100)

    assert both.client_hears(3) == b"bye"


@pytest.mark.parametrize("way", ["close", "reset"])
@both_ways
def test_a_client_that_goes_is_no_longer_waited_for(proxied, ends, secure, way):
    running = proxied()
    both = ends(running, secure=secure)
    both.client.send(b"last")
    assert both.link.take(4) == b"last"
    if way == "reset":
        Accepted(both.client.sock).reset()
    else:
        both.client.sock.close()

    assert both.link.is_ended
    both.link.close()
    settle(running)


@pytest.mark.parametrize("way", ["close", "reset"])
@both_ways
def test_nor_is_an_upstream(proxied, ends, secure, way):
    running = proxied()
    both = ends(running, secure=secure)
    getattr(both.link.send(b"last"), way)()

    assert both.client.rest() in (b"last", b"")
    both.client.sock.close()
    settle(running)


def test_what_is_left_open_is_not_for_ever(proxied, ends, monkeypatch):
    monkeypatch.setattr("openssl_serve.server.tunnel.HALF_CLOSED_S", 0.05)
    running = proxied()
    both = ends(running)
    both.link.end()

    assert both.client.rest() == b""
    assert both.link.is_ended
    settle(running)


def test_a_fault_of_ours_ends_one_tunnel(proxied, ends, monkeypatch):
    running = proxied()
    one, other = ends(running), ends(running)
    with monkeypatch.context() as patch:
        patch.setattr("openssl_serve.server.tunnel.Flow.move", lambda self: 1 / 0)
        one.client.send(b"x")
        assert one.link.is_ended
    other.client.send(b"hello")
    assert other.link.take(5) == b"hello"
    eventually(lambda: "ZeroDivisionError" in running.log)


# Many.


def test_a_thousand_that_say_nothing_are_cheap(proxied, upstream):
    """No thread, no timer, and little memory: sockets are the system's."""
    running = proxied()
    threads = threading.active_count()
    ours = tracemalloc.Filter(inclusive=True, filename_pattern="*/openssl_serve/*")
    clients, links = [], []
    tracemalloc.start()
    try:
        before = tracemalloc.take_snapshot().filter_traces([ours])
        for _ in range(1000):
            sock = running.connect()
            clients.append(sock)
            sock.sendall(UPGRADE)
            link, _ = upstream.listener.accept()
            links.append(link)
            link.sendall(AGREED)
        eventually(lambda: len(running.server.connections) == 2000)
        for sock in clients:
            assert sock.recv(1000).startswith(b"HTTP/1.1 101 ")
        gc.collect()
        after = tracemalloc.take_snapshot().filter_traces([ours])
    finally:
        tracemalloc.stop()
    taken = sum(each.size_diff for each in after.compare_to(before, "filename"))

    assert threading.active_count() == threads
    assert taken / 1000 < 6000
    assert {end.deadline for end in tunnels(running)} == {float("inf")}
    for sock in clients:
        sock.close()
    for link in links:
        link.settimeout(TIMEOUT_S)
        assert link.recv(1000).startswith(b"GET /x ")
        assert link.recv(1) == b""
        link.close()
    settle(running)


def left_of(*kinds):
    return [type(each).__name__ for each in gc.get_objects() if isinstance(each, kinds)]


def test_none_of_it_is_left_for_the_cycle_collector(proxied, upstream, ends):
    from openssl_serve.handlers.proxy.link import Link  # noqa: PLC0415
    from openssl_serve.handlers.proxy.relay import Relay  # noqa: PLC0415
    from openssl_serve.http1.request import RequestParser  # noqa: PLC0415
    from openssl_serve.http1.response_parser import ResponseParser  # noqa: PLC0415
    from openssl_serve.server.connection import Connection  # noqa: PLC0415
    from openssl_serve.server.exchange import Exchange  # noqa: PLC0415

    kinds = (Link, Relay, Exchange, Connection, RequestParser, ResponseParser)
    running = proxied()
    gc.collect()
    gc.disable()
    try:
        both = ends(running)
        eventually(lambda: left_of(*kinds) == [])
        both.close()
        settle(running)
        eventually(lambda: left_of(End, Tunnel, Flow) == [])
    finally:
        gc.enable()
