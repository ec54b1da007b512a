"""One direction of a tunnel, between sockets that hold little."""

import contextlib
import socket
import struct

import pytest

from openssl_serve.server.transport import Transport
from openssl_serve.server.tunnel import PIECE, TURN, Flow


@pytest.fixture
def flow():
    """What speaks, the flow, and what hears."""
    with contextlib.ExitStack() as stack:
        speaker, source = map(stack.enter_context, socket.socketpair())
        sink, hearer = map(stack.enter_context, socket.socketpair())
        for each in (source, sink, hearer):
            each.setblocking(False)
        sink.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        yield speaker, Flow(Transport(source), Transport(sink), b""), hearer


def all_of(hearer):
    heard = bytearray()
    with contextlib.suppress(BlockingIOError):
        while data := hearer.recv(65536):
            heard += data
    return bytes(heard)


def test_nothing_is_there(flow):
    speaker, moving, hearer = flow
    moving.move()
    assert (moving.is_dry, moving.is_blocked, moving.has_ended) == (True, False, False)
    speaker.sendall(b"hello")
    moving.move()
    assert (moving.is_dry, all_of(hearer), moving.passed) == (True, b"hello", 5)


def test_a_sink_that_is_full_is_waited_for(flow):
    speaker, moving, hearer = flow
    data = bytes(range(256)) * 400
    speaker.setblocking(False)
    sent = speaker.send(data)
    heard = b""
    while len(heard) < sent:
        moving.move()
        if len(heard) + moving.passed < sent and not heard:
            assert (moving.is_blocked, moving.is_dry, moving.is_over) == (True, False, False)
        heard += all_of(hearer)

    assert heard == data[:sent]
    assert moving.passed == sent


def test_what_waits_is_passed_on_before_the_end(flow):
    speaker, moving, hearer = flow
    speaker.setblocking(False)
    sent = speaker.send(bytes(50_000))
    speaker.close()
    moving.move()
    assert not moving.is_over
    heard = b""
    while not moving.is_over:
        heard += all_of(hearer)
        moving.move()

    assert len(heard + all_of(hearer)) == sent


def test_it_is_not_for_ever_one_flows_turn(flow):
    """A source that never stops is left for the next turn."""
    _, moving, _ = flow
    asked = []

    def take(count):
        asked.append(count)
        return b"x"

    moving.source.take = take
    moving.sink.send = len
    moving.move()

    assert asked == [PIECE] * TURN
    assert not moving.is_dry


@pytest.mark.parametrize("waiting", [b"", b"unheard"])
def test_a_sink_that_has_gone_ends_it_quietly(flow, waiting, monkeypatch):
    speaker, moving, hearer = flow
    hearer.close()
    speaker.sendall(waiting + b"more")
    moving.move()

    assert (moving.has_ended, moving.is_blocked, moving.is_over) == (True, False, True)
    # And nothing is told to who is not there.
    monkeypatch.setattr(Transport, "end_sending", pytest.fail)
    moving.pass_on_end(Flow(moving.sink, moving.source, b""))


def test_a_source_that_has_gone_is_an_error():
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.socket() as speaker:
        speaker.connect(listener.getsockname())
        source, _ = listener.accept()
        with source:
            speaker.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            speaker.close()
            moving = Flow(Transport(source), Transport(source), b"")
            with pytest.raises(ConnectionResetError):
                moving.move()


def test_the_end_is_told_once(flow, monkeypatch):
    speaker, moving, hearer = flow
    speaker.close()
    moving.move()
    assert moving.is_over
    back = Flow(moving.sink, moving.source, b"")
    moving.pass_on_end(back)
    assert hearer.recv(1) == b""
    monkeypatch.setattr(Transport, "end_sending", pytest.fail)
    moving.pass_on_end(back)
