"""The server's end of a WebSocket over real sockets: what it answers, and when it ends."""

import contextlib
import gc
import random
import socket
import struct
import threading

import pytest
from pages import CHANGES, Page
from server_fixtures import QUICK, eventually, request
from websockets.exceptions import ConnectionClosedOK
from websockets.frames import Frame, Opcode

from openssl_serve import api
from openssl_serve.handlers.folder import FolderOptions
from openssl_serve.server import websocket
from openssl_serve.server.exchange import Switched
from openssl_serve.server.websocket import MAX_MESSAGE, MAX_WAITING, State, WebSocket

KEY = b"dGhlIHNhbXBsZSBub25jZQ=="
AGREED = b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
UPGRADE = (
    b"Connection: Upgrade", b"Upgrade: websocket", b"Sec-WebSocket-Version: 13",
    b"Sec-WebSocket-Key: " + KEY,
)  # fmt: skip
LIVE = FolderOptions(live_reload=True)

both_ways = pytest.mark.parametrize("secure", [False, True], ids=["plain", "TLS"])


@pytest.fixture(autouse=True)
def _silent(monkeypatch):
    """Nothing is told but what the tests have said."""
    monkeypatch.setattr("openssl_serve.handlers.live_reload.Reloads._looked", lambda *_: None)


@pytest.fixture
def running(serve):
    return serve(folder=LIVE, plain_http=api.PlainHttp.SERVE)


@pytest.fixture
def connect(running):
    """`connect(secure, behind=b"")`: a client of a WebSocket, and what it got behind the head."""
    with contextlib.ExitStack() as stack:

        def connected(secure, behind=b"", server=running):
            client = stack.enter_context(server.tls() if secure else server.plain())
            client.send(request(CHANGES, *UPGRADE) + behind)
            while b"\r\n\r\n" not in client.left:
                client.left += client.sock.recv(65536)
            head, _, client.left = client.left.partition(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 101 Switching Protocols\r\n")
            assert b"Sec-WebSocket-Accept: " + AGREED in head.split(b"\r\n")
            return client

        yield connected


def in_loop(running):
    found = []
    running.in_loop(lambda: found.extend(running.server.connections.values()))
    return found


def sockets(running):
    """The WebSockets in the loop."""
    return [each for each in in_loop(running) if isinstance(each, WebSocket)]


def said(opcode, content=b"", *, masked=True, fin=True):
    return Frame(opcode, content, fin=fin).serialize(mask=masked)


CLOSED = {
    1000: said(Opcode.CLOSE, (1000).to_bytes(2, "big") + b"bye"),
    None: said(Opcode.CLOSE),
    4321: said(Opcode.CLOSE, (4321).to_bytes(2, "big")),
}
WRONG = {
    "no mask": (1002, said(Opcode.TEXT, b"x", masked=False)),
    "a reserved bit": (1002, b"\xc1\x80" + bytes(4)),
    "a reserved opcode": (1002, b"\x83\x80" + bytes(4)),
    "a long ping": (1002, b"\x89\xfe\x00\x7e" + bytes(4 + 126)),
    "a ping in parts": (1002, b"\x09\x80" + bytes(4)),
    "nothing to continue": (1002, said(Opcode.CONT, b"x")),
    "a length in a long form": (1002, b"\x82\xfe\x00\x01" + bytes(5)),
    "a code that nobody sends": (1002, said(Opcode.CLOSE, (1005).to_bytes(2, "big"))),
    "a text that is none": (1007, said(Opcode.TEXT, b"\xff")),
    "too much": (1009, said(Opcode.BINARY, bytes(MAX_MESSAGE + 1))),
    "too much, announced": (1009, b"\x82\xff" + (1 << 40).to_bytes(8, "big")),
    "too much, in parts": (
        1009,
        said(Opcode.TEXT, b"x" * MAX_MESSAGE, fin=False) + said(Opcode.CONT, b"x"),
    ),
    "another protocol": (1002, b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"),
}


# What it answers.


@both_ways
def test_a_ping_is_answered_with_what_is_in_it(connect, secure):
    client = connect(secure)
    for content in (b"", b"x", b"y" * 125):
        client.send(said(Opcode.PING, content))
        expected = said(Opcode.PONG, content, masked=False)
        while len(client.left) < len(expected):
            client.left += client.sock.recv(65536)
        assert client.left == expected
        client.left = b""


@both_ways
def test_what_else_is_said_is_passed_over(connect, secure):
    chat = said(Opcode.TEXT, b"a", fin=False) + said(Opcode.PONG) + said(Opcode.CONT, b"b")
    chat += said(Opcode.BINARY, bytes(MAX_MESSAGE)) + said(Opcode.TEXT, "ü".encode())
    client = connect(secure).send(chat * 100 + CLOSED[1000])

    assert client.rest() == b"\x88\x02\x03\xe8"


@both_ways
@pytest.mark.parametrize("code", CLOSED)
def test_a_close_is_answered_with_its_code_and_the_end(running, connect, secure, code):
    client = connect(secure).send(CLOSED[code])

    assert client.rest() == (b"\x88\x00" if code is None else b"\x88\x02" + code.to_bytes(2, "big"))
    client.sock.close()
    eventually(lambda: not running.server.connections)


@both_ways
@pytest.mark.parametrize(("code", "data"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_answered_with_its_code_and_the_end(connect, secure, code, data):
    """Though the client says more, which is not read: that must not cost it the answer."""
    client = connect(secure).send(data + b"x" * 10_000)

    assert client.rest() == b"\x88\x02" + code.to_bytes(2, "big")


def test_so_it_is_byte_by_byte(connect):
    for code, data in WRONG.values():
        if len(data) < 200:
            client = connect(secure=False)
            client.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with contextlib.suppress(ConnectionError):
                for byte in data:
                    client.send(bytes((byte,)))
            assert client.rest() == b"\x88\x02" + code.to_bytes(2, "big")


def test_random_bytes_end_it_or_are_waited_for(running, connect):
    for seed in range(100):
        client = connect(secure=False)
        with contextlib.suppress(ConnectionError):
            client.send(random.Random(seed).randbytes(200)).finish()
        assert client.rest()[:1] in (b"", b"\x88", b"\x8a")
    eventually(lambda: not running.server.connections)
    assert "failed" not in running.log


@both_ways
def test_what_comes_in_one_go_with_the_request_is_heard(connect, secure):
    client = connect(secure, behind=said(Opcode.PING, b"early") + CLOSED[None])

    assert client.rest() == b"\x8a\x05early\x88\x00"


@pytest.mark.parametrize(
    ("line", "status"),
    [
        (b"Sec-WebSocket-Version: 8", 426),
        (b"Sec-WebSocket-Key: short", 400),
        (b"Upgrade: chat", 426),
        (b"Origin: https://evil.example", 403),
        (b"Content-Length: 1", 426),
    ],
)
def test_who_gets_none_is_answered(running, line, status):
    name = line.partition(b":")[0]
    lines = [each for each in UPGRADE if not each.startswith(name + b":")]
    answer = running.get(CHANGES, *lines, line)

    assert answer.status == status
    assert (answer.get(b"sec-websocket-version") == b"13") is (name == b"Sec-WebSocket-Version")


# When it ends.


@both_ways
def test_who_answers_stays_and_who_does_not_has_gone(running, connect, secure, monkeypatch):
    monkeypatch.setattr(websocket, "HEARTBEAT_S", 0.1)
    silent = connect(secure)
    with running.tls() if secure else running.plain() as client:
        page = Page(client, origin=None)
        # Four times the silence after which one has gone.
        for _ in range(8):
            assert page.frame() == Frame(Opcode.PING, b"")
        page.flush()
        assert len(sockets(running)) == 1
    # It was asked once.
    assert silent.rest() == b"\x89\x00"
    eventually(lambda: not running.server.connections)


@both_ways
def test_one_that_vanishes_is_forgotten(running, connect, secure):
    client = connect(secure)
    assert len(sockets(running)) == 1
    client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.sock.close()
    eventually(lambda: not running.server.connections)


@both_ways
def test_one_that_does_not_read_is_closed_and_keeps_little(running, connect, secure):
    connect(secure)
    (page,) = sockets(running)
    text = "x" * 10_000
    waiting = []

    def say():
        page.say(text)
        waiting.append(len(page._unsent))

    # What the sockets on the way hold, and no more.
    while page.state is State.OPEN:
        running.in_loop(say)
    assert page.state is State.CLOSED
    assert max(waiting) <= MAX_WAITING + len(text) + 4
    assert not running.server.connections


@both_ways
def test_one_that_reads_late_hears_all_of_it(running, connect, secure):
    client = connect(secure)
    (page,) = sockets(running)
    texts: list[bytes] = []

    def say():
        texts.append(b"%d " % len(texts) * 1000)
        page.say(texts[-1].decode())

    while not page._unsent:
        running.in_loop(say)
    expected = b"".join(said(Opcode.TEXT, text, masked=False) for text in texts)
    while len(client.left) < len(expected):
        client.left += client.sock.recv(65536)
    assert client.left == expected
    # And then it goes on as if nothing had been.
    client.left = b""
    assert client.send(CLOSED[None]).rest() == b"\x88\x00"


@both_ways
def test_a_server_that_ends_says_so_and_waits_for_the_answer(running, secure):
    with running.tls() if secure else running.plain() as client:
        page = Page(client, origin=None)
        running.in_loop(lambda: running.server.drain(60))
        with pytest.raises(ConnectionClosedOK) as caught:
            page.next()
    assert caught.value.rcvd is not None
    assert caught.value.rcvd.code == 1001
    running.thread.join(5)
    assert not running.thread.is_alive()


def test_but_not_for_ever(serve, connect):
    running = serve(folder=LIVE, limits=QUICK, plain_http=api.PlainHttp.SERVE)
    client = connect(secure=False, server=running)
    running.in_loop(lambda: running.server.drain(60))
    running.thread.join(5)

    assert not running.thread.is_alive()
    assert client.rest() == b"\x88\x02\x03\xe9"


def test_while_it_ends_nothing_more_is_said(running, connect):
    client = connect(secure=False)
    (page,) = sockets(running)
    running.in_loop(page.drain)
    running.in_loop(lambda: page.say("late"))
    client.send(said(Opcode.PING) + said(Opcode.CLOSE))

    assert client.rest() == b"\x88\x02\x03\xe9"


def test_none_is_opened_on_a_server_that_ends(running):
    with running.tls() as client:
        client.send(request(CHANGES, *UPGRADE)[:-2])
        eventually(lambda: [getattr(each, "in_head", False) for each in in_loop(running)] == [True])
        running.in_loop(lambda: running.server.drain(60))
        client.send(b"\r\n")
        assert client.answer().status == 503


@both_ways
def test_it_is_logged_once_when_it_is_over(running, connect, secure):
    client = connect(secure)
    assert CHANGES not in running.log
    client.send(said(Opcode.PING, b"x" * 100) + CLOSED[None])
    size = 129 + len(client.rest())
    client.sock.close()
    eventually(lambda: not running.server.connections)
    eventually(lambda: CHANGES in running.log)

    scheme = "https" if secure else "http"
    assert f"127.0.0.1 {scheme} GET {CHANGES} 101 {size} B " in running.log
    assert running.log.count(CHANGES) == 1


def test_a_hundred_leave_nothing_behind(running, connect):
    def all_of_them():
        return [each for each in gc.get_objects() if isinstance(each, WebSocket | Switched)]

    gc.collect()
    gc.disable()
    try:
        for _ in range(100):
            client = connect(secure=False)
            assert len(sockets(running)) == 1
            client.send(CLOSED[None]).rest()
            client.sock.close()
        eventually(lambda: not running.server.connections)
        # Without the cycle collector's help.
        assert not all_of_them()
    finally:
        gc.enable()
    eventually(lambda: not any("watcher" in thread.name for thread in threading.enumerate()))
