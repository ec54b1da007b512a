"""Connections at rest: less is kept of them, and nobody notices."""

import contextlib
import threading
import time
from dataclasses import replace

import pytest
from server_fixtures import eventually, request

from openssl_serve import api
from openssl_serve.server.limits import Limits
from openssl_serve.server.resting import Resting

SOON = replace(Limits(), rest_s=0.05)
"""At rest before a test has waited for it."""


@pytest.fixture(params=["plain", "tls"])
def opened(serve, request):
    """A server with these limits, and a client that has had a response and is at rest there."""

    def open_one(limits=SOON):
        running = serve(plain_http=api.PlainHttp.SERVE, limits=limits)
        client = running.plain() if request.param == "plain" else running.tls()
        if request.param == "tls":
            # An end with close_notify is an empty read; without, OpenSSL shall raise.
            client.sock.suppress_ragged_eofs = False
        assert client.get("/a.txt").status == 200
        fall_asleep(running)
        return running, client

    return open_one


def resting(running):
    return [each for each in running.server.connections.values() if isinstance(each, Resting)]


def fall_asleep(running):
    eventually(lambda: resting(running), "the connection is at rest")


def test_who_has_rested_is_answered_as_ever(opened):
    running, client = opened()

    with client:
        for _ in range(3):
            fall_asleep(running)
            assert client.get("/a.txt").status == 200
        assert len(running.server.connections) == 1
    eventually(lambda: not running.server.connections, "its end is noticed")


def test_half_a_request_wakes_and_has_the_time_of_a_head(opened):
    running, client = opened(replace(SOON, head_timeout_s=0.2))
    data = request("/a.txt")

    with client:
        client.send(data[:9])
        eventually(lambda: not resting(running), "it is awake")
        client.send(data[9:])
        assert client.answer().status == 200
        client.send(data[:9])
        assert client.answer().status == 408


def test_who_goes_at_rest_leaves_nothing(opened):
    running, client = opened()

    client.sock.close()

    eventually(lambda: not running.server.connections, "it is gone")
    assert "failed" not in running.log


def test_rest_ends_politely_when_its_time_is_over(opened):
    began = time.monotonic()
    _, client = opened(replace(SOON, idle_timeout_s=0.5))

    with client:
        assert client.is_ended()
    assert time.monotonic() - began >= 0.5


def test_a_server_that_ends_ends_those_at_rest_at_once(opened):
    running, client = opened()
    stopping = threading.Thread(target=running.stop)

    with client:
        stopping.start()
        assert client.is_ended()
        stopping.join(5)
    assert not stopping.is_alive()


def test_a_fault_at_rest_ends_one_connection(opened, monkeypatch):
    running, client = opened()
    (asleep,) = resting(running)

    def broken(*_):
        raise RuntimeError("deliberate")

    running.in_loop(lambda: monkeypatch.setattr(asleep, "_wake", broken))
    running.faults_expected = True
    with client, contextlib.suppress(OSError):
        assert client.send(request("/a.txt")).is_ended()
    eventually(lambda: not running.server.connections, "it is gone")
    eventually(lambda: "failed: RuntimeError: deliberate" in running.log)
