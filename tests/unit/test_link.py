"""A connection to an upstream, over sockets that hold little, in a loop that only takes notes."""

import contextlib
import socket
from selectors import EVENT_READ, EVENT_WRITE

import pytest

from openssl_serve.handlers.proxy.dial import DialError
from openssl_serve.handlers.proxy.link import Link
from openssl_serve.server.transport import Transport

NEVER = float("inf")


class Loop:
    """What a link asks of its server."""

    def __init__(self):
        self.now = 100.0
        self.participants = []

    def add(self, participant, events):
        self.participants.append(participant)
        participant.watched = events

    def watch(self, participant, events):
        participant.watched = events

    def forget(self, participant):
        self.participants.remove(participant)
        participant.watched = 0


class Carried:
    """A request, which notes what it is told."""

    def __init__(self, link):
        self._link = link
        self.told = []

    def arrived(self):
        parser = self._link.parser
        self.told.append(("arrived", parser.head and parser.head.status, parser.fault))

    def drained(self):
        self.told.append("drained")

    def failed(self, reason, *, timed_out):
        self.told.append(("failed", reason, timed_out))


@pytest.fixture
def loop():
    return Loop()


@pytest.fixture
def opened(loop):
    """`opened()`: a link that carries a GET, what it carries, and the upstream's socket."""
    with contextlib.ExitStack() as stack:

        def open_one(first=b""):
            ours, theirs = map(stack.enter_context, socket.socketpair())
            ours.setblocking(False)
            ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
            link = Link(loop)
            carried = Carried(link)
            link.carry(carried, b"GET", 5.0)
            if first:
                link.send(first)
            link.opened(Transport(ours))
            return link, carried, theirs

        yield open_one


def test_what_is_sent_before_it_is_open_waits(loop, opened):
    link, carried, theirs = opened(b"head")

    assert theirs.recv(100) == b"head"
    assert carried.told == ["drained"]
    assert (link.watched, link.deadline) == (EVENT_READ, 105.0)


@pytest.mark.parametrize("early", [True, False])
def test_an_upstream_that_takes_little_is_waited_for(loop, opened, early):
    data = bytes(range(256)) * 400
    link, carried, theirs = opened(data if early else b"")
    carried.told.clear()
    if not early:
        link.send(data[:50_000])
        # All behind it waits, too.
        link.send(data[50_000:])
    assert 0 < link.backlog < len(data)
    assert link.watched == EVENT_READ | EVENT_WRITE
    heard = b""
    while link.backlog:
        loop.now += 3
        heard += theirs.recv(4096)
        link.on_ready()
        # Time goes by without progress only.
        assert link.deadline <= loop.now + 5
    while len(heard) < len(data):
        heard += theirs.recv(65536)

    assert heard == data
    assert carried.told == ["drained"]
    assert link.watched == EVENT_READ
    assert link.deadline >= loop.now


def test_what_is_not_taken_has_its_time_even_when_the_response_has_begun(loop, opened):
    link, carried, theirs = opened(b"head")
    theirs.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    link.on_ready()
    assert link.deadline == NEVER
    loop.now = 200.0
    link.send(bytes(500_000))
    assert link.deadline == 205.0
    link.on_deadline()

    assert carried.told[-1] == ("failed", "did not answer in time", True)
    assert link.is_closed


def test_a_response_is_heard_though_nothing_can_be_sent_any_more(loop, opened):
    link, carried, theirs = opened(b"head")
    theirs.send(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n")
    theirs.close()
    link.send(b"more")
    assert link.backlog == 0
    link.on_ready()

    assert ("arrived", 413, None) in carried.told


def test_also_when_that_is_noticed_later(loop, opened):
    link, carried, theirs = opened(b"head")
    link.send(bytes(500_000))
    assert link.backlog
    theirs.send(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n")
    theirs.close()
    carried.told.clear()
    link.on_ready()

    assert link.backlog == 0
    assert carried.told[:2] == ["drained", ("arrived", 413, None)]


@pytest.mark.parametrize(
    ("error", "fault"),
    [(BrokenPipeError(), None), (ConnectionResetError(), "in the middle")],
)
def test_a_reset_breaks_what_an_end_would_complete(loop, opened, error, fault):
    """EPIPE says that the upstream had ended its side before: Linux tells them apart."""
    link, carried, theirs = opened(b"head")
    assert theirs.recv(100) == b"head"
    theirs.send(b"HTTP/1.1 200 OK\r\n\r\nhello")
    link.on_ready()

    def refuse(_data):
        raise error

    link._transport.send = refuse
    link.send(b"more")
    theirs.close()
    link.on_ready()

    assert carried.told[-2][:2] == ("arrived", 200)
    assert (fault or "None") in str(carried.told[-2][2])


def test_one_that_is_paused_is_not_read(loop, opened):
    link, carried, theirs = opened(b"head")
    link.pause()
    assert link.watched == 0
    link.send(bytes(500_000))
    assert link.watched == EVENT_WRITE
    theirs.send(b"HTTP/1.1 200 OK\r\n")
    carried.told.clear()
    link.on_ready()
    assert carried.told == []
    link.resume()
    assert link.watched == EVENT_READ | EVENT_WRITE
    link.on_ready()
    assert carried.told == [("arrived", None, None)]


@pytest.mark.parametrize("later", [b"", b"!"])
def test_one_at_rest_ends_when_anything_comes(loop, opened, later):
    link, _, theirs = opened(b"head")
    ended: list[Link] = []
    link.rest(104.0)
    link.on_idle_end = ended.append
    assert link.is_quiet
    if later:
        theirs.send(later)
    else:
        theirs.close()
    assert not link.is_quiet
    link.on_ready()

    assert ended == [link]
    assert loop.participants == []
    link.close()
    assert ended == [link]


def test_one_at_rest_ends_in_time_and_when_the_server_does(loop, opened):
    for end in ("on_deadline", "drain"):
        link, carried, _ = opened(b"head")
        link.drain()
        assert not link.is_closed
        link.rest(104.0)
        getattr(link, end)()
        assert link.is_closed
        assert carried.told == ["drained"]


def test_one_that_cannot_be_opened_tells_so(loop):
    link = Link(loop)
    carried = Carried(link)
    link.carry(carried, b"GET", 5.0)
    link.could_not_open(DialError("is not there", timed_out=True))

    assert carried.told == [("failed", "is not there", True)]


def test_one_that_is_closed_while_it_opens_gives_that_up(loop):
    link = Link(loop)
    abandoned = []
    link.abandon = lambda: abandoned.append(True)
    link.close()
    assert abandoned == [True]
    ours, theirs = socket.socketpair()
    with theirs:
        # It was too late for that.
        link.opened(Transport(ours))
        assert theirs.recv(1) == b""
    assert loop.participants == []
