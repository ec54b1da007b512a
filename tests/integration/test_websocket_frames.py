"""Frames sent as they are, to a WebSocket server and through the proxy: the same bytes come back.

The cases are those of the Autobahn test suite, which itself asks for Python 2.7: good frames and
bad ones, whole and byte by byte. Run by hand, its 272 cases had the same verdicts either way.
"""

import base64
import contextlib
import logging
import random
import socket
import threading
import zlib

import pytest
from server_fixtures import TIMEOUT_S, Client, request
from websockets.exceptions import InvalidState
from websockets.extensions.permessage_deflate import ServerPerMessageDeflateFactory
from websockets.frames import Frame, Opcode
from websockets.http11 import Request
from websockets.server import ServerProtocol

MASK = bytes((0x37, 0xFA, 0x21, 0x3D))
CONTINUED, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
KEY = base64.b64encode(bytes(16))
QUIET = logging.getLogger(f"{__name__}.quiet")
QUIET.setLevel(logging.CRITICAL)
NICE = "\u03ba\u1f79\u03c3\u03bc\u03b5".encode()


def frame(opcode, payload=b"", *, final=True, reserved=0, masked=True, length=None):
    """A client's frame (RFC 6455 section 5.2)."""
    size = len(payload) if length is None else length
    if size < 126:
        head = bytes((final << 7 | reserved << 4 | opcode, masked << 7 | size))
    elif size < 65_536:
        head = bytes((final << 7 | reserved << 4 | opcode, masked << 7 | 126))
        head += size.to_bytes(2, "big")
    else:
        head = bytes((final << 7 | reserved << 4 | opcode, masked << 7 | 127))
        head += size.to_bytes(8, "big")
    if not masked:
        return head + payload
    return head + MASK + bytes(byte ^ MASK[place % 4] for place, byte in enumerate(payload))


def close(code=None, reason=b""):
    return frame(CLOSE, b"" if code is None else code.to_bytes(2, "big") + reason)


def deflated(data):
    packer = zlib.compressobj(wbits=-15)
    return (packer.compress(data) + packer.flush(zlib.Z_SYNC_FLUSH))[:-4]


def part(opcode, payload):
    return frame(opcode, payload, final=False)


CASES = {
    # 1: messages
    **{f"text of {n}": frame(TEXT, b"*" * n) for n in (0, 1, 125, 126, 127, 128, 65_535, 65_536)},
    **{f"{n} bytes": frame(BINARY, b"\xfe" * n) for n in (0, 125, 126, 65_536)},
    # 2: pings and pongs
    "ping": frame(PING), "ping of 125": frame(PING, b"x" * 125),
    "ping of 126": frame(PING, b"x" * 126), "pong unasked": frame(PONG, b"x") + frame(PING, b"y"),
    "ten pings": b"".join(frame(PING, b"%d" % n) for n in range(10)),
    # 3: reserved bits
    **{f"reserved {n}": frame(TEXT, b"x") + frame(TEXT, b"y", reserved=n) for n in range(1, 8)},
    # 4: reserved opcodes
    **{f"opcode {n}": frame(TEXT, b"x") + frame(n, b"y") + frame(PING) for n in (3, 4, 7, 11, 15)},
    # 5: fragments
    "fragmented ping": part(PING, b"x") + frame(CONTINUED, b"y"),
    "two fragments": part(TEXT, b"x") + frame(CONTINUED, b"y"),
    "ping between": part(TEXT, b"x") + frame(PING, b"!") + frame(CONTINUED, b"y"),
    "nothing to continue": frame(CONTINUED, b"x") + frame(TEXT, b"y"),
    "text in text": part(TEXT, b"x") + frame(TEXT, b"y"),
    "many fragments": part(BINARY, b"x") + part(CONTINUED, b"y") * 50 + frame(CONTINUED, b"z"),
    "close between": part(TEXT, b"x") + close(1000) + frame(CONTINUED, b"y"),
    # 6: UTF-8
    "text": frame(TEXT, NICE), "a letter in two": part(TEXT, NICE[:1]) + frame(CONTINUED, NICE[1:]),
    **{f"no UTF-8 {n}": frame(TEXT, data) for n, data in enumerate(
        (NICE + b"\xed\xa0\x80", b"\xc0\x80", b"\xff", NICE[:-1], b"\xf4\x90\x80\x80", b"\xfe"))},
    "no UTF-8 in a part": part(TEXT, NICE + b"\xf4\x90") + frame(CONTINUED, b"\x80\x80"),
    # 7: closing
    "close": close(), "close and talk": close(1000) + frame(TEXT, b"x") + frame(PING),
    "close twice": close(1000) * 2, "half a code": frame(CLOSE, b"\x03"),
    "a long reason": close(1000, b"x" * 123), "too long": frame(CLOSE, b"\x03\xe8" + b"x" * 124),
    "no UTF-8 in a reason": close(1000, b"\xff"),
    **{f"code {n}": close(n, b"why") for n in (
        1000, 1001, 1002, 1003, 1007, 1011, 3000, 3999, 4000, 4999,
        0, 999, 1004, 1005, 1006, 1012, 1016, 1100, 2000, 2999, 5000, 65_535)},
    # And what no client may send.
    "not masked": frame(TEXT, b"x", masked=False), "endless": frame(BINARY, b"x", length=1 << 63),
    "no frame": b"GET / HTTP/1.1\r\n\r\n", "nothing": b"",
}  # fmt: skip

PACKED = {
    "packed": frame(TEXT, deflated(b"hello " * 100), reserved=4),
    "packed, in parts": frame(TEXT, deflated(b"hello")[:3], final=False, reserved=4)
    + frame(CONTINUED, deflated(b"hello")[3:]),
    "not packed": frame(TEXT, b"hello"),
    "packed badly": frame(TEXT, b"\xff\xff\xff\xff", reserved=4),
    "packed in the second": part(TEXT, b"x") + frame(CONTINUED, deflated(b"y"), reserved=4),
    "packed ping": frame(PING, b"x", reserved=4),
}


def answer(sock):
    """Take as many bytes of frames as the client says, then answer all of them at once.

    So that it does not matter in what pieces they come; frames are read by websockets.
    """
    reader = sock.makefile("rb")
    head = b"".join(iter(reader.readline, b"\r\n")) + b"\r\n"
    protocol = ServerProtocol(extensions=[ServerPerMessageDeflateFactory()], logger=QUIET)
    protocol.receive_data(head)
    (asked,) = protocol.events_received()
    assert isinstance(asked, Request)
    protocol.send_response(protocol.accept(asked))
    sock.sendall(b"".join(protocol.data_to_send()))
    protocol.receive_data(reader.read(int(asked.headers["X-Length"])))
    say = {
        Opcode.TEXT: protocol.send_text,
        Opcode.BINARY: protocol.send_binary,
        Opcode.CONT: protocol.send_continuation,
    }
    for event in protocol.events_received():
        assert isinstance(event, Frame)
        with contextlib.suppress(InvalidState):
            if event.opcode in say:
                say[event.opcode](event.data, event.fin)
    sock.sendall(b"".join(protocol.data_to_send()))
    sock.shutdown(socket.SHUT_WR)
    reader.read()


@pytest.fixture
def echo():
    """The port of a WebSocket server that says what it hears."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=100)

    def take():
        with contextlib.suppress(OSError):
            while True:
                sock, _ = listener.accept()
                with sock, contextlib.suppress(ConnectionError):
                    sock.settimeout(TIMEOUT_S)
                    answer(sock)

    thread = threading.Thread(target=take)
    thread.start()
    yield listener.getsockname()[1]
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join(TIMEOUT_S)


def heard(client, data, *lines, size=0):
    """What the server agrees to, and says to *data*, sent in pieces of *size* bytes."""
    upgrade = (
        b"Connection: Upgrade", b"Upgrade: websocket", b"Sec-WebSocket-Version: 13",
        b"Sec-WebSocket-Key: " + KEY, b"X-Length: %d" % len(data), *lines,
    )  # fmt: skip
    with client:
        client.send(request("/", *upgrade))
        size = size or len(data) or 1
        for start in range(0, len(data), size):
            client.send(data[start : start + size])
        head, _, said = client.rest().partition(b"\r\n\r\n")
    agreed = {line for line in head.split(b"\r\n") if line.lower().startswith((b"http", b"sec-"))}
    assert b"HTTP/1.1 101 Switching Protocols" in agreed
    return agreed, said


@pytest.fixture
def same(proxied, echo):
    """`same(data, …)`: what the server says to it, which has to be the same both ways."""
    running = proxied(url=f"http://127.0.0.1:{echo}")

    def compare(data, *lines, size=0):
        direct = socket.create_connection(("127.0.0.1", echo), TIMEOUT_S)
        expected = heard(Client(direct), data, *lines, size=size)
        assert heard(running.tls(), data, *lines, size=size) == expected
        return expected

    return compare


def test_what_comes_back_is_the_same_either_way(same):
    silent = [name for name, data in CASES.items() if not same(data)[1]]

    assert silent == ["nothing"]


def test_so_it_is_byte_by_byte(same):
    for data in CASES.values():
        if len(data) < 1000:
            same(data, size=1)


def test_so_it_is_packed(same):
    offer = b"Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits"
    for data in PACKED.values():
        agreed, said = same(data, offer)
        assert any(b"permessage-deflate" in line for line in agreed)
        assert said


def test_so_are_random_bytes(same):
    for seed in range(50):
        same(random.Random(seed).randbytes(200))
