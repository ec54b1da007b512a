"""Smuggling through the proxy, either way: what can be read in two ways goes no further.

Requests are refused before a byte goes upstream; responses become a 502, or end before they do
harm, and their link is never used again.
"""

import contextlib
import socket

import pytest
from integration.test_framing import BODIES, REFUSED, SMUGGLED
from server_fixtures import answers, eventually, request
from unit.test_response_parser import MALFORMED, OK, response
from upstreams import settle

CHUNKED = b"Transfer-Encoding: chunked"


@pytest.mark.parametrize("data", REFUSED.values(), ids=REFUSED)
def test_a_request_that_can_be_read_in_two_ways_goes_nowhere(proxied, upstream, data):
    running = proxied()
    (answer,) = answers(running.plain_exchange(data + SMUGGLED * 2))

    assert answer.status in (400, 501, 505)
    assert answer.get(b"connection") == b"close"
    settle(running)
    assert upstream.is_quiet


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
def test_nor_does_one_with_a_malformed_chunk(proxied, upstream, body):
    running = proxied()
    (answer,) = answers(running.plain_exchange(request("/", CHUNKED, method=b"POST") + body))

    assert (answer.status, answer.get(b"connection")) == (400, b"close")
    settle(running)
    assert upstream.is_quiet


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
def test_of_one_that_comes_late_the_upstream_sees_no_end(proxied, upstream, body):
    with proxied().plain() as client:
        client.send(request("/", CHUNKED, method=b"POST"))
        link = upstream.accept()
        link.head()
        client.send(body + SMUGGLED)
        answer = client.answer()
        assert (answer.status, answer.get(b"connection")) == (400, b"close")
        assert client.is_ended()
    received = link.rest()
    assert received in (b"", b"5\r\nhello\r\n")
    assert upstream.is_quiet


@pytest.mark.parametrize(
    "named",
    [b"Content-Length", b"content-length, close", b"Host", b"Transfer-Encoding", b"X-Forwarded-For",
     b"Via", b"X-Forwarded-Proto, X-Forwarded-Host"],
)  # fmt: skip
@pytest.mark.parametrize("framing", [b"Content-Length: %d" % len(SMUGGLED), CHUNKED])
def test_nothing_that_matters_can_be_named_away(proxied, upstream, named, framing):
    body = SMUGGLED if framing != CHUNKED else b"%x\r\n%b\r\n0\r\n\r\n" % (len(SMUGGLED), SMUGGLED)
    with proxied().plain() as client:
        client.send(request("/", framing, b"Connection: " + named, method=b"POST") + body)
        link = upstream.accept()
        heard = link.head()
        name, _, value = framing.partition(b": ")
        assert heard.get(name.lower()) == value
        assert heard.get(b"host") == heard.get(b"x-forwarded-host") == b"localhost"
        assert heard.get(b"x-forwarded-for") == b"127.0.0.1"
        assert heard.get(b"via")
        assert link.take(len(body)) == body
        link.answer()
        assert client.answer().body == b"ok"
        assert link.is_quiet


@pytest.mark.parametrize("name", [b"Content_Length", b"Transfer_Encoding", b"Content.Length"])
def test_what_only_looks_like_framing_frames_nothing(proxied, upstream, name):
    with proxied().plain() as client:
        client.send(request("/", name + b": 5", method=b"POST") + request("/2"))
        link = upstream.accept()
        heard = link.head()
        assert heard.get(name.lower()) == (None if b"_" in name else b"5")
        assert link.is_quiet
        link.answer()
        client.answer()
        assert link.head().target == b"/2"


def test_an_upgrade_that_is_not_passed_on_ends_the_connection(proxied, upstream):
    """What follows was for another protocol, and is no request."""
    upgrade = (b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: h2c", b"HTTP2-Settings: x")
    with proxied().plain() as client:
        client.send(request("/", *upgrade) + SMUGGLED)
        link = upstream.accept()
        heard = link.head()
        assert heard.get(b"upgrade") is None
        assert heard.get(b"connection") is None
        assert heard.get(b"http2-settings") is None
        link.answer()
        answer = client.answer()
        assert (answer.body, answer.get(b"connection")) == (b"ok", b"close")
        assert client.is_ended()
    assert link.is_quiet
    assert upstream.is_quiet


@pytest.mark.parametrize("protocol", [b"h2c", b"websocket"])
def test_an_upgrade_with_content_is_passed_on_without_the_upgrade(proxied, upstream, protocol):
    upgrade = (
        b"Connection: Upgrade, HTTP2-Settings",
        b"Upgrade: " + protocol,
        b"HTTP2-Settings: x",
    )
    with proxied().plain() as client:
        data = request("/", *upgrade, b"Content-Length: 5", method=b"POST") + b"hello"
        client.send(data + SMUGGLED)
        link = upstream.accept()
        heard = link.head()
        assert heard.get(b"upgrade") is None
        assert heard.get(b"content-length") == b"5"
        assert link.take(5) == b"hello"
        link.answer()
        assert client.answer(b"POST").body == b"ok"
        assert client.is_ended()
    assert upstream.is_quiet


@pytest.mark.parametrize("length", [b"0", b"00"])
def test_no_content_gets_none_from_behind_an_upgrade(proxied, upstream, length):
    upgrade = (b"Connection: Upgrade", b"Upgrade: h2c", b"Content-Length: " + length)
    behind = request("/", b"Content-Length: %d" % len(SMUGGLED), method=b"POST") + SMUGGLED
    with proxied().plain() as client:
        client.send(request("/", *upgrade, method=b"POST") + behind)
        link = upstream.accept()
        assert link.head().get(b"content-length") == length
        link.answer()
        assert client.answer(b"POST").body == b"ok"
        assert client.is_ended()
    assert link.is_quiet
    assert upstream.is_quiet


@pytest.mark.parametrize("upgrade", [b"websocket, h2c", b"TLS/1.2", b"h2c/1", b"x,H2C"])
def test_nobody_gets_another_http_behind_our_back(proxied, upstream, upgrade):
    with proxied().plain() as client:
        client.send(request("/", b"Connection: upgrade", b"Upgrade: " + upgrade))
        link = upstream.accept()
        assert link.head().get(b"upgrade") is None
        link.send(response(b"Connection: upgrade", b"Upgrade: h2c", status=b"101 X", content=b""))
        assert client.answer().status == 502
        assert link.is_ended


# Responses.


@pytest.mark.parametrize("data", MALFORMED.values(), ids=MALFORMED)
def test_a_response_that_can_be_read_in_two_ways_is_a_502(proxied, upstream, data):
    running = proxied()
    with running.plain() as client:
        client.send(request("/"))
        link = upstream.accept()
        link.head()
        link.send(data)
        answer = client.answer()
        assert answer.status == 502
        assert client.left == b""
        assert link.is_ended
        # Nor was it asked again, and the client can ask for something else.
        assert upstream.is_quiet
        client.send(request("/2"))
        assert upstream.accept().head().target == b"/2"


FAULTS = {
    "too many interim": b"HTTP/1.1 102 Processing\r\n\r\n" * 17 + OK,
    "without end": b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 20_000,
    "one long field": b"HTTP/1.1 200 OK\r\nX: " + b"y" * 140_000,
    "interim with content": response(b"Content-Length: 39", status=b"104 X", content=OK) + OK,
    "another protocol": response(b"Connection: upgrade", b"Upgrade: x", status=b"101 X"),
    "another, unnamed": response(status=b"101 X"),
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
}


@pytest.mark.parametrize("data", FAULTS.values(), ids=FAULTS)
def test_so_is_what_is_no_answer_to_anything(proxied, upstream, data):
    with proxied().plain() as client:
        client.send(request("/"))
        link = upstream.accept()
        link.head()
        with contextlib.suppress(ConnectionError):
            link.send(data)
        assert client.answer().status == 502
        assert link.is_ended
        assert upstream.is_quiet


BROKEN = {
    "chunk of 0x1": b"0x1\r\n!\r\n0\r\n\r\n",
    "chunk that is too long": b"1\r\n!!\r\n0\r\n\r\n",
    "bare LF": b"1\n!\r\n0\r\n\r\n",
    "huge": b"FFFFFFFFFFFFFFFFF\r\n!",
    "space before an extension": b"1 ;x\r\n!\r\n0\r\n\r\n",
    "trailer that frames": b"0\r\nContent-Length: 5\r\n\r\n",
    "trailer that is none": b"0\r\nX : y\r\n\r\n",
}


@pytest.mark.parametrize("data", BROKEN.values(), ids=BROKEN)
@pytest.mark.parametrize("version", [b"1.0", b"1.1"])
def test_one_that_turns_out_so_later_has_no_end(proxied, upstream, data, version):
    with proxied().plain() as client:
        client.send(request("/", version=version))
        link = upstream.accept()
        link.head()
        link.send(response(CHUNKED, content=b"5\r\nhello\r\n"))
        eventually(lambda: b"hello" in client.sock.recv(1000, socket.MSG_PEEK))
        link.send(data + OK)
        if version == b"1.1":
            assert client.rest().endswith(b"5\r\nhello\r\n")
        else:
            with pytest.raises(ConnectionResetError):
                list(iter(lambda: client.sock.recv(65536), b""))
        assert link.is_ended


@pytest.mark.parametrize(
    "data",
    [
        response(b"Content-Length: 2"),
        response(b"Content-Length: 2", content=b"ok" + OK),
        response(CHUNKED, content=b"2\r\nok\r\n0\r\n\r\n"),
        response(content=OK),
    ],
)
def test_content_that_comes_with_the_answer_to_head_goes_nowhere(proxied, upstream, data):
    with proxied().plain() as client:
        client.send(request("/", method=b"HEAD") + request("/2"))
        link = upstream.accept()
        link.head()
        link.send(data)
        assert client.answer(b"HEAD").status == 200
        assert link.is_ended
        upstream.accept().answer(b"good")
        assert client.answer().body == b"good"


@pytest.mark.parametrize("status", [b"204 No Content", b"304 Not Modified"])
def test_nor_does_content_where_there_is_none(proxied, upstream, status):
    evil = response(b"Content-Length: 39", status=status, content=OK)
    with proxied().plain() as client:
        client.send(request("/") + request("/2"))
        link = upstream.accept()
        link.head()
        link.send(evil)
        assert client.answer().status == int(status[:3])
        assert link.is_ended
        upstream.accept().answer(b"good")
        assert client.answer().body == b"good"
