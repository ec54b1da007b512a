"""Both ways to wait for descriptors do the same; a server of this system uses one of them."""

import contextlib
import select
import selectors
import socket

import pytest

from openssl_serve.server.participant import Watcher
from openssl_serve.server.readiness import Epoll, Portable, readiness

READ, WRITE = selectors.EVENT_READ, selectors.EVENT_WRITE


KINDS = [Epoll, Portable] if hasattr(select, "epoll") else [Portable]


@pytest.fixture(params=KINDS)
def ready(request):
    with contextlib.closing(request.param()) as made:
        yield made


@pytest.fixture
def pair():
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


def watcher():
    return Watcher(lambda: None)


def test_nobody_is_ready_in_time(ready, pair):
    ready.watch(pair[0].fileno(), READ, watcher())

    assert ready.wait(0.001) == []


def test_who_can_read_is_called_until_it_has_read(ready, pair):
    mine = watcher()
    ready.watch(pair[0].fileno(), READ, mine)
    pair[1].send(b"x")

    assert ready.wait(1) == [mine]
    assert ready.wait(1) == [mine]
    pair[0].recv(1)
    assert ready.wait(0) == []


def test_events_and_whose_they_are_can_change(ready, pair):
    first, second = watcher(), watcher()
    ready.watch(pair[0].fileno(), READ, first)
    ready.change(pair[0].fileno(), READ | WRITE, second)

    (found,) = ready.wait(1)
    assert found is second


def test_who_waits_for_nothing_is_not_called(ready, pair):
    ready.watch(pair[0].fileno(), READ, watcher())
    ready.unwatch(pair[0].fileno())
    pair[1].close()

    assert ready.wait(0) == []


def test_a_descriptor_that_is_closed_already_can_be_unwatched(ready, pair):
    number = pair[0].fileno()
    ready.watch(number, READ, watcher())
    pair[0].close()
    ready.unwatch(number)

    assert ready.wait(0) == []


def test_a_number_that_is_used_again_is_another_descriptor(ready, pair):
    number = pair[0].fileno()
    ready.watch(number, READ, watcher())
    ready.unwatch(number)
    mine = watcher()
    ready.watch(number, WRITE, mine)

    assert ready.wait(1) == [mine]


def test_this_system_has_one():
    with contextlib.closing(readiness()) as made:
        assert isinstance(made, Epoll | Portable)
