"""A client that has been told all: it may still send, has its time to end, and then is closed."""

import contextlib
import socket
from selectors import EVENT_READ

import pytest

from openssl_serve.server.access_log import AccessLog
from openssl_serve.server.limits import Limits
from openssl_serve.server.lingering import Lingering, linger
from openssl_serve.server.loop import Loop
from openssl_serve.server.participant import Participant
from openssl_serve.server.transport import Transport

LIMITS = Limits(linger_timeout_s=5)


class Leaving(Participant):
    """Who was in the loop before, with its transport."""

    def __init__(self, transport):
        super().__init__(float("inf"), lambda: pytest.fail("called after it has left"))
        self.transport = transport

    @property
    def fd(self):
        return self.transport.fd


@pytest.fixture
def loop():
    loop = Loop(AccessLog(lambda _text: None), LIMITS)
    yield loop
    loop.close_loop()


@pytest.fixture
def ends():
    """The client's socket, and ours."""
    with contextlib.ExitStack() as stack:
        client, ours = map(stack.enter_context, socket.socketpair())
        client.settimeout(5)
        ours.setblocking(False)
        yield client, ours


@pytest.fixture(params=[0, EVENT_READ], ids=["unwatched", "watched"])
def lingering(request, loop, ends):
    """The one in the loop, in the place of another that was watched so much."""
    leaving = Leaving(Transport(ends[1]))
    loop.add(leaving, request.param)
    linger(loop, leaving, leaving.transport)
    (heir,) = loop.connections.values()
    assert isinstance(heir, Lingering)
    return heir


def turn(loop):
    loop.turn(loop.now + 5)


def test_what_still_comes_is_dropped_until_the_client_ends(loop, ends, lingering):
    client, ours = ends
    assert client.recv(1) == b""
    client.sendall(b"x" * 20_000)
    turn(loop)
    client.sendall(b"x")
    assert list(loop.connections.values()) == [lingering]

    client.shutdown(socket.SHUT_WR)
    while loop.connections:
        turn(loop)
    assert ours.fileno() == -1


def test_one_that_does_not_end_has_its_time(loop, ends, lingering):
    assert lingering.deadline == loop.now + 5
    lingering.drain()
    loop.end_overdue()
    assert list(loop.connections.values()) == [lingering]

    loop.now += 5
    loop.end_overdue()
    assert (loop.connections, ends[1].fileno()) == ({}, -1)


def test_closing_twice_is_harmless(loop, ends, lingering):
    lingering.close()
    # Its descriptor may be another's by now.
    other = Leaving(lingering._transport)
    loop.connections[other.fd] = other
    lingering.close()

    assert loop.connections.pop(other.fd) is other


class Gone(Transport):
    """As after a client's reset, of which a TCP socket says ENOTCONN."""

    def half_close(self):
        raise OSError


def test_nobody_lingers_for_a_client_that_has_gone(loop, ends):
    leaving = Leaving(Gone(ends[1]))
    loop.add(leaving, EVENT_READ)
    with pytest.raises(OSError):
        linger(loop, leaving, leaving.transport)

    assert list(loop.connections.values()) == [leaving]
