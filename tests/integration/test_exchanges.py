"""Responses that come later: whose time it is meanwhile, and what else the connection carries."""

import gc
import threading
import time
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
from server_fixtures import TIMEOUT_S, eventually, request
from upstreams import is_at_rest

from openssl_serve.errors import HttpError
from openssl_serve.http1.bodies import StreamBody
from openssl_serve.http1.request import RequestParser
from openssl_serve.http1.response import Response
from openssl_serve.server.connection import Connection, State
from openssl_serve.server.exchange import Exchange
from openssl_serve.server.handling import Deferred, Offload
from openssl_serve.server.limits import Limits

HEAD_S = replace(Limits(), head_timeout_s=0.2)
BODY_S = replace(Limits(), body_timeout_s=0.2)


class Later:
    """A handler whose responses are the test's to give."""

    def __init__(self):
        self.exchanges = []
        self.may_work = threading.Event()
        self.stream = StreamBody()

    def __call__(self, asked):
        if asked.target == b"/deferred":
            return Deferred(self.exchanges.append)
        if asked.target == b"/offload":
            return Offload(self._work)
        if asked.target == b"/stream":
            return Response(200, (), self.stream)
        return Response(200, (), b"at once")

    def _work(self):
        assert self.may_work.wait(TIMEOUT_S)
        return Response(200, (), b"later")

    def answer(self, running):
        """Give what has been asked for."""
        self.may_work.set()
        running.in_loop(self.stream.end)
        for exchange in self.exchanges:
            running.in_loop(lambda each=exchange: each.respond(Response(200, (), b"later")))


@pytest.fixture
def later():
    return Later()


@pytest.fixture
def running(serve, later):
    return serve(secure=later, plain=later, limits=HEAD_S)


def connection(running, condition):
    """The connection of the one client, when *condition* holds of it."""
    found: list = []

    def look():
        everybody = running.server.connections.values()
        found[:] = [each for each in everybody if type(each) is Connection and condition(each)]

    eventually(lambda: running.in_loop(look) or found)
    return found[0]


def half_read(running):
    return connection(running, lambda each: each.in_head)


@pytest.mark.parametrize("target", ["/deferred", "/offload", "/stream"])
def test_half_a_head_ahead_of_its_turn_takes_no_time_from_the_response(running, later, target):
    with running.plain() as client:
        client.send(request(target) + request()[:10])
        assert half_read(running).deadline > time.monotonic() + 1

        later.answer(running)
        assert client.answer().status == 200
        client.send(request()[10:])
        assert client.answer().body == b"at once"


@pytest.mark.parametrize("target", ["/deferred", "/offload", "/stream"])
def test_it_has_its_own_time_when_it_is_its_turn(running, later, target):
    with running.plain() as client:
        client.send(request(target) + request()[:10])
        half_read(running)
        later.answer(running)
        assert client.answer().status == 200
        answered = time.monotonic()

        assert client.answer().status == 408
        assert time.monotonic() - answered < 1.5


# Content that a client may wait to be asked for.


def expecting(value=b"100-continue"):
    return request("/", b"Content-Length: 5", b"Expect: " + value, method=b"POST")


def awaiting(*interim):
    """A handler that says *interim* and then waits for content."""

    def begin(exchange):
        for head in interim:
            exchange.interim(head)
        exchange.receive(lambda _data: None, lambda: exchange.respond(Response(200, (), b"thanks")))

    return lambda _asked: Deferred(begin)


CONTINUE, HINTS = b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 103 Early Hints\r\n\r\n"


def test_who_was_asked_for_content_and_sends_none_is_given_up(serve):
    handler = awaiting(CONTINUE)
    with serve(secure=handler, plain=handler, limits=BODY_S).plain() as client:
        assert client.send(expecting()).answer().status == 408
        assert client.interim == [100]
        assert client.is_ended()


def test_so_is_who_waits_for_what_nobody_says(serve):
    handler = awaiting()
    with serve(secure=handler, plain=handler, limits=BODY_S).plain() as client:
        assert client.send(expecting(b"something-else")).answer().status == 408


@pytest.mark.parametrize("interim", [(), (HINTS,)])
def test_who_was_not_asked_yet_is_not_hurried(serve, interim):
    handler = awaiting(*interim)
    running = serve(secure=handler, plain=handler, limits=BODY_S)
    with running.plain() as client:
        client.send(expecting())
        asked = connection(running, lambda each: each.state is State.WORKING)
        assert asked.deadline == float("inf")
        assert client.send(b"hello").answer().body == b"thanks"


# Faults, and the end.


@pytest.mark.parametrize("how", ["offload", "deferred"])
def test_a_fault_in_what_comes_later_ends_the_connection(serve, how):
    """Nobody else would: it waits for something that has come and gone."""

    nothing: Any = None

    def begin(exchange):
        exchange.server.pool.call(lambda: exchange.respond(nothing))

    def handler(_asked):
        return Offload(lambda: nothing) if how == "offload" else Deferred(begin)

    running = serve(secure=handler, plain=handler)
    with running.plain() as client:
        assert client.send(request()).is_ended()
    eventually(lambda: "AttributeError" in running.log)


@pytest.mark.parametrize("end", ["client", "server"])
@pytest.mark.parametrize("before", [b"", request("/")])
def test_a_request_that_nobody_waits_for_is_logged_all_the_same(serve, later, end, before):
    running = serve(secure=later)
    with running.tls() as client:
        client.send(before + request("/deferred"))
        eventually(lambda: later.exchanges)
        assert "deferred" not in running.log
        if end == "server":
            running.stop()
    eventually(lambda: "deferred" in running.log)

    (line,) = (each for each in running.log.splitlines() if "deferred" in each)
    assert " https GET /deferred - 0 B cut off " in line


def test_draining_does_not_take_back_an_answer_whose_content_is_on_its_way(serve):
    running = serve(secure=lambda _: Response(200, (), b"no, thanks"))
    with running.tls() as client:
        client.send(request("/", b"Content-Length: 100", method=b"POST"))
        connection(running, lambda each: each.state is State.READING and not each._parser.is_idle)
        running.server.pool.call(lambda: running.server.drain(5))
        eventually(lambda: running.server.draining)
        client.send(bytes(100))
        running.in_loop(lambda: None)

        assert client.answer().body == b"no, thanks"
        assert client.is_ended()


# What is left.


def test_no_error_leaves_anything_to_the_cycle_collector(serve):
    """An error knows the frames that it came through, and they the connection."""

    def fail(target, _exchange=None):
        raise RuntimeError if b"fault" in target else HttpError(404, "not here")

    def handler(asked):
        if b"offload" in asked.target:
            return Offload(partial(fail, asked.target))
        if b"later" in asked.target:
            return Deferred(partial(fail, asked.target))
        return fail(asked.target)

    targets = [kind + how for kind in ("/error", "/fault") for how in ("", "/offload", "/later")]
    folder, faulty = serve(), serve(secure=handler, plain=handler)
    faulty.faults_expected = True
    gc.collect()
    gc.disable()
    try:
        statuses = [faulty.get(target).status for target in targets]
        assert statuses == [404, 404, 404, 500, 500, 500]
        assert folder.get("/not-here").status == 404
        assert folder.get("/not-here/").status == 404
        for running in (folder, faulty):
            eventually(partial(is_at_rest, running))
        kinds = Connection | RequestParser | Exchange
        eventually(lambda: not [each for each in gc.get_objects() if isinstance(each, kinds)])
    finally:
        gc.enable()
