"""Responses whose content comes bit by bit."""

import contextlib
import socket
import ssl
import threading
import time
from dataclasses import replace

import pytest

from openssl_serve.addresses import Address
from openssl_serve.http1.bodies import StreamBody
from openssl_serve.http1.response import Response
from openssl_serve.server.access_log import AccessLog
from openssl_serve.server.contexts import FixedContext
from openssl_serve.server.handling import Handlers
from openssl_serve.server.limits import Limits
from openssl_serve.server.listeners import open_tcp
from openssl_serve.server.polyglot import PolyglotServer


class Producer:
    """A handler whose responses are streams that the test feeds, in the server's loop."""

    def __init__(self):
        self.streams = []
        self.opened = threading.Semaphore(0)
        self.closed = threading.Semaphore(0)
        self.endless = False

    def __call__(self, request):
        stream = StreamBody(self.closed.release, endless=self.endless)
        self.streams.append(stream)
        self.opened.release()
        return Response(200, (), stream)


@contextlib.contextmanager
def serving(producer, **limits):
    handlers = Handlers(producer, producer)
    server = PolyglotServer(
        open_tcp(Address("127.0.0.1", 0)),
        FixedContext(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)),
        handlers,
        log=AccessLog(print),
        limits=replace(Limits(), **limits),
    )
    with server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join(5)


@pytest.fixture
def producer():
    return Producer()


@pytest.fixture
def server(producer):
    with serving(producer) as running:
        yield running


def ask(server, version=b"1.1", more=b""):
    client = socket.create_connection(server.address, timeout=5)
    client.sendall(b"GET / HTTP/%s\r\nHost: a\r\n\r\n%s" % (version, more))
    return client


def read_until(client, end):
    data = b""
    while not data.endswith(end):
        piece = client.recv(65536)
        assert piece, data
        data += piece
    return data


def test_pieces_arrive_as_chunks_while_the_response_goes_on(server, producer):
    with ask(server) as client:
        assert producer.opened.acquire(timeout=5)
        head = read_until(client, b"\r\n\r\n")
        server.pool.call(lambda: producer.streams[0].send(b"one"))
        first = read_until(client, b"\r\n3\r\none\r\n"[2:])
        server.pool.call(lambda: producer.streams[0].send(b"three"))
        server.pool.call(producer.streams[0].end)
        rest = read_until(client, b"0\r\n\r\n")

    assert b"Transfer-Encoding: chunked\r\n" in head
    assert b"Content-Length" not in head
    assert (first, rest) == (b"3\r\none\r\n", b"5\r\nthree\r\n0\r\n\r\n")


def test_an_old_client_gets_the_content_and_the_end_of_the_connection(server, producer):
    with ask(server, b"1.0") as client:
        assert producer.opened.acquire(timeout=5)
        server.pool.call(lambda: producer.streams[0].send(b"content"))
        server.pool.call(producer.streams[0].end)
        data = b"".join(iter(lambda: client.recv(65536), b""))

    head, _, content = data.partition(b"\r\n\r\n")
    assert content == b"content"
    assert b"Transfer-Encoding" not in head
    assert b"Connection: close" in head


def test_a_request_ahead_of_its_turn_is_answered_after_the_stream(server, producer):
    with ask(server, more=b"GET /2 HTTP/1.1\r\nHost: a\r\n\r\n") as client:
        assert producer.opened.acquire(timeout=5)
        client.sendall(b"GET /3 HTTP/1.1\r\nHost: a\r\n\r\n")
        data = b""
        for number in range(3):
            server.pool.call(lambda n=number: producer.streams[n].send(b"%d" % n))
            server.pool.call(lambda n=number: producer.streams[n].end())
            while b"1\r\n%d\r\n0\r\n\r\n" % number not in data:
                data += client.recv(65536)
            if number < 2:
                assert producer.opened.acquire(timeout=5)

    assert len(producer.streams) == 3


def test_the_producer_learns_that_the_client_has_gone(server, producer):
    with ask(server) as client:
        assert producer.opened.acquire(timeout=5)
        read_until(client, b"\r\n\r\n")

    assert producer.closed.acquire(timeout=5)
    producer.streams[0].send(b"dropped")
    assert producer.streams[0].left == 0


def test_what_a_client_does_not_take_waits_and_is_told(server, producer):
    big = bytes(20_000_000)
    with ask(server) as client:
        assert producer.opened.acquire(timeout=5)
        read_until(client, b"\r\n\r\n")
        told = threading.Event()
        left = []

        def send():
            producer.streams[0].send(big)
            producer.streams[0].send(b"more")
            left.append(producer.streams[0].left)
            told.set()

        server.pool.call(send)
        assert told.wait(5)
        server.pool.call(producer.streams[0].end)
        data = read_until(client, b"0\r\n\r\n")

    assert left == [4]
    assert len(data) > len(big)


def test_a_producer_that_goes_on_is_no_progress_of_its_client(producer):
    with serving(producer, write_timeout_s=0.2) as server, ask(server):
        assert producer.opened.acquire(timeout=5)
        stream = producer.streams[0]
        end = time.monotonic() + 10
        while not producer.closed.acquire(blocking=False):
            assert time.monotonic() < end, f"{stream.left} bytes wait, and nobody takes them"
            sent = threading.Event()
            server.pool.call(lambda: stream.send(bytes(100_000)))
            server.pool.call(sent.set)
            assert sent.wait(5)

    assert not stream.is_open


def test_an_endless_stream_does_not_hold_up_the_end(producer):
    producer.endless = True
    with serving(producer) as server, ask(server) as client:
        assert producer.opened.acquire(timeout=5)
        read_until(client, b"\r\n\r\n")
        server.pool.call(lambda: server.drain(60))

        assert client.recv(1) == b""
    assert producer.closed.acquire(timeout=5)
