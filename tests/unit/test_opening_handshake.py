"""The opening handshake of a WebSocket: who gets one, and what everybody else gets."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.utils import accept_key as their_accept_key

from openssl_serve.errors import HttpError
from openssl_serve.http1.request import Peer, RequestParser
from openssl_serve.websocket.handshake import accept, accept_key

KEY = b"dGhlIHNhbXBsZSBub25jZQ=="
USUAL = {
    b"Host": b"dev.local:8080",
    b"Upgrade": b"websocket",
    b"Connection": b"Upgrade",
    b"Sec-WebSocket-Key": KEY,
    b"Sec-WebSocket-Version": b"13",
    b"Origin": b"https://dev.local:8080",
}


def asked(changes=None, *, first=b"GET / HTTP/1.1", secure=True, more=()):
    """A request with the usual fields, but for *changes*; None leaves one out."""
    fields = USUAL | (changes or {})
    lines = [b"%b: %b" % (name, value) for name, value in fields.items() if value is not None]
    parser = RequestParser(Peer("127.0.0.1", "127.0.0.1", 8080, secure))
    parser.feed(b"\r\n".join([first, *lines, *more, b"", b""]))
    (request,) = parser.ready
    parser.close()
    return request


def refused(*arguments, **named):
    with pytest.raises(HttpError) as caught:
        accept(asked(*arguments, **named))
    return caught.value


def test_the_answer_is_that_of_the_standard():
    """RFC 6455 section 1.3."""
    assert accept(asked()) == (
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
    )


def test_a_protocol_is_named_if_one_is_chosen():
    assert b"\r\nSec-WebSocket-Protocol: chat\r\n\r\n" in accept(asked(), b"chat")
    # Whatever the client offers, and extensions likewise.
    offers = {b"Sec-WebSocket-Protocol": b"chat", b"Sec-WebSocket-Extensions": b"x"}
    assert accept(asked(offers)) == accept(asked())


@given(st.binary(min_size=16, max_size=16))
def test_every_key_is_answered_as_websockets_does(nonce):
    key = base64.b64encode(nonce)

    assert accept_key(key).decode() == their_accept_key(key.decode())
    assert b": " + accept_key(key) + b"\r\n" in accept(asked({b"Sec-WebSocket-Key": key}))


@pytest.mark.parametrize(
    "changes",
    [
        {b"Upgrade": b"WebSocket"},
        {b"Upgrade": b"h2c, websocket"},
        {b"Connection": b"keep-alive, upgrade"},
        {b"Origin": None},
        {b"Origin": b"HTTPS://DEV.local:8080"},
        {b"Content-Length": b"0"},
    ],
)
def test_who_else_gets_one(changes):
    assert accept(asked(changes)) == accept(asked())


@pytest.mark.parametrize(
    ("changes", "first"),
    [
        ({b"Upgrade": None}, b"GET / HTTP/1.1"),
        ({b"Upgrade": b"websockets"}, b"GET / HTTP/1.1"),
        ({b"Connection": b"keep-alive"}, b"GET / HTTP/1.1"),
        ({b"Connection": None}, b"GET / HTTP/1.1"),
        ({b"Content-Length": b"3"}, b"GET / HTTP/1.1"),
        ({b"Transfer-Encoding": b"chunked"}, b"GET / HTTP/1.1"),
        ({}, b"POST / HTTP/1.1"),
        ({}, b"HEAD / HTTP/1.1"),
        ({}, b"GET / HTTP/1.0"),
    ],
)
def test_what_asks_for_none_learns_what_there_is(changes, first):
    error = refused(changes, first=first)

    assert error.status == 426
    assert error.fields == ((b"Upgrade", b"websocket"), (b"Connection", b"Upgrade"))


@pytest.mark.parametrize("version", [None, b"", b"8", b"14", b"13, 8", b"013"])
def test_another_version_learns_which_one_is_spoken(version):
    """RFC 6455 section 4.4."""
    error = refused({b"Sec-WebSocket-Version": version})

    assert error.status == 426
    assert (b"Sec-WebSocket-Version", b"13") in error.fields


@pytest.mark.parametrize(
    "key",
    [
        None, b"", b"x", base64.b64encode(bytes(15)), base64.b64encode(bytes(17)),
        KEY[:-1], KEY[:-2], KEY + b"=", b" ".join((KEY[:12], KEY[12:])), KEY + b", " + KEY,
        KEY.replace(b"d", b"-"), b"\xff" * 24,
    ],
)  # fmt: skip
def test_a_key_is_16_bytes(key):
    assert refused({b"Sec-WebSocket-Key": key}).status == 400


def test_a_key_is_one():
    assert refused(more=[b"Sec-WebSocket-Key: " + KEY]).status == 400


# Section 10.2: whose pages.


@pytest.mark.parametrize(
    "origin",
    [
        b"https://evil.example", b"https://evil.example:8080", b"https://dev.local",
        b"https://dev.local:80800", b"https://dev.local:443", b"https://a.dev.local:8080",
        b"http://dev.local:8080", b"wss://dev.local:8080", b"null", b"", b"dev.local:8080",
        b"https://dev.local:8080/", b"https://dev.local:8080@evil.example", b"file://",
        b"https://dev.local:8080, https://dev.local:8080", b"https://", b"\xff://dev.local:8080",
    ],
)  # fmt: skip
def test_a_page_of_another_origin_gets_none(origin):
    assert refused({b"Origin": origin}).status == 403


def test_of_two_origins_neither_counts():
    assert refused(more=[b"Origin: https://evil.example"]).status == 403


@pytest.mark.parametrize(
    ("host", "origin"),
    [
        (b"dev.local", b"https://dev.local"),
        (b"dev.local:443", b"https://dev.local"),
        (b"dev.local", b"https://dev.local:443"),
        (b"[::1]:8080", b"https://[::1]:8080"),
        (b"127.0.0.1:8080", b"https://127.0.0.1:8080"),
        (b"xn--fa-hia.de", b"https://xn--fa-hia.de"),
    ],
)
def test_an_origin_is_a_scheme_a_host_and_a_port(host, origin):
    assert accept(asked({b"Host": host, b"Origin": origin}))
    assert refused({b"Host": host, b"Origin": origin + b"0"}).status == 403


def test_without_tls_it_may_end_before_us():
    """A proxy in front may have it; a page at http cannot come to be where TLS is ours."""
    for origin in (b"http://dev.local:8080", b"https://dev.local:8080"):
        assert accept(asked({b"Origin": origin}, secure=False))
    assert refused({b"Origin": b"http://dev.local"}, secure=False).status == 403
    assert accept(asked({b"Origin": b"http://dev.local", b"Host": b"dev.local:80"}, secure=False))


def test_a_proxy_in_front_may_have_another_name_for_us():
    """And says which one it was asked for; a page cannot have its browser say that."""
    told = {b"Host": b"127.0.0.1:9000", b"X-Forwarded-Host": b"dev.local:8080"}

    assert accept(asked(told))
    assert refused(told | {b"X-Forwarded-Host": b"dev.local"}).status == 403
    assert refused(told | {b"Origin": b"http://dev.local:8080"}).status == 403


def test_an_absolute_target_says_whom_it_is_for():
    """RFC 9112 section 3.2.2: then Host does not count."""
    first = b"GET https://other.local:8080/ HTTP/1.1"

    assert refused(first=first).status == 403
    assert accept(asked({b"Origin": b"https://other.local:8080"}, first=first))
