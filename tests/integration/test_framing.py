"""Where one message ends and the next begins: what smuggling, and sloppy parsing, is made of."""

import pytest
from server_fixtures import answers, eventually, request

from openssl_serve import api

SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n"


@pytest.fixture
def plain(serve):
    """Files over plain HTTP, where the client can end its half of the stream."""
    return serve(plain_http=api.PlainHttp.SERVE)


def post(*fields, body=b""):
    return request("/a.txt", *fields, method=b"POST") + body


def get(*lines):
    return b"\r\n".join([b"GET /a.txt HTTP/1.1", b"Host: localhost", *lines, b"", b""])


REFUSED = {
    "TE and CL": post(b"Transfer-Encoding: chunked", b"Content-Length: 5", body=b"0\r\n\r\n"),
    "CL and TE": post(b"Content-Length: 5", b"Transfer-Encoding: chunked", body=b"0\r\n\r\n"),
    "TE with a tab": post(b"Transfer-Encoding: chunked\t", body=b"0\r\n\r\n"),
    "TE with a vertical tab": post(b"Transfer-Encoding: \x0bchunked", body=b"0\r\n\r\n"),
    "TE xchunked": post(b"Transfer-Encoding:  xchunked", body=b"0\r\n\r\n"),
    "TE chunkedx": post(b"Transfer-Encoding: chunkedx", body=b"0\r\n\r\n"),
    "TE chunked, identity": post(b"Transfer-Encoding: chunked, identity", body=b"0\r\n\r\n"),
    "TE identity": post(b"Transfer-Encoding: identity", b"Content-Length: 5", body=b"hello"),
    "TE gzip, chunked": post(b"Transfer-Encoding: gzip, chunked", body=b"0\r\n\r\n"),
    "TE chunked twice": post(
        b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked", body=b"0\r\n\r\n"
    ),
    "TE chunked, chunked": post(b"Transfer-Encoding: chunked, chunked", body=b"0\r\n\r\n"),
    "TE in quotes": post(b'Transfer-Encoding: "chunked"', body=b"0\r\n\r\n"),
    "TE empty, CL": post(b"Transfer-Encoding:", b"Content-Length: 5", body=b"hello"),
    "TE with a space before the colon": post(b"Transfer-Encoding : chunked", body=b"0\r\n\r\n"),
    "TE in HTTP/1.0": b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "CL +5": post(b"Content-Length: +5", body=b"hello"),
    "CL -5": post(b"Content-Length: -5", body=b"hello"),
    "CL 0x5": post(b"Content-Length: 0x5", body=b"hello"),
    "CL 5_0": post(b"Content-Length: 5_0", body=b"hello"),
    "CL 5,5": post(b"Content-Length: 5,5", body=b"hello"),
    "CL 5, 6": post(b"Content-Length: 5", b"Content-Length: 6", body=b"hello"),
    "CL 5 twice": post(b"Content-Length: 5", b"Content-Length: 5", body=b"hello"),
    "CL five": post(b"Content-Length: five", body=b"hello"),
    "CL 5 5": post(b"Content-Length: 5 5", body=b"hello"),
    "CL 5.0": post(b"Content-Length: 5.0", body=b"hello"),
    "CL empty": post(b"Content-Length:", body=b"hello"),
    "CL overflows": post(b"Content-Length: 18446744073709551621", body=b"hello"),
    "CL of many digits": post(b"Content-Length: " + b"9" * 100, body=b"hello"),
    "CL in other digits": post("Content-Length: \u0665".encode(), body=b"hello"),
    "CL on a folded line": post(b"Content-Length:\r\n 5", body=b"hello"),
    "bare LF": b"GET /a.txt HTTP/1.1\nHost: localhost\n\n",
    "bare LF after the request line": b"GET /a.txt HTTP/1.1\nHost: localhost\r\n\r\n",
    "bare LF after a field": b"GET /a.txt HTTP/1.1\r\nHost: localhost\nX: y\r\n\r\n",
    "bare LF at the end of the head": b"GET /a.txt HTTP/1.1\r\nHost: localhost\r\n\n",
    "bare CR": b"GET /a.txt HTTP/1.1\r\nHost: localhost\rX: y\r\n\r\n",
    "bare CR in a value": get(b"X: a\rb"),
    "space before a colon": get(b"X : y"),
    "tab before a colon": get(b"X\t: y"),
    "folded line": get(b"X: a", b" b"),
    "folded first line": b"GET /a.txt HTTP/1.1\r\n Host: localhost\r\n\r\n",
    "empty name": get(b": y"),
    "no colon": get(b"X y"),
    "NUL in a name": get(b"X\0: y"),
    "NUL in a value": get(b"X: \0"),
    "escape in a value": get(b"X: \x1b[31m"),
    "DEL in a value": get(b"X: \x7f"),
    "non-ASCII name": get(b"X\xff: y"),
    "parentheses in a name": get(b"X(y): z"),
    "no version": b"GET /a.txt\r\n\r\n",
    "no target": b"GET HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "only a method": b"GET\r\n\r\n",
    "a version of letters": b"GET /a.txt HTTP/x.y\r\nHost: localhost\r\n\r\n",
    "version 9.9": b"GET /a.txt HTTP/9.9\r\nHost: localhost\r\n\r\n",
    "version 1.10": b"GET /a.txt HTTP/1.10\r\nHost: localhost\r\n\r\n",
    "version 1": b"GET /a.txt HTTP/1\r\nHost: localhost\r\n\r\n",
    "version in lower case": b"GET /a.txt http/1.1\r\nHost: localhost\r\n\r\n",
    "another protocol": b"GET /a.txt HTTPS/1.1\r\nHost: localhost\r\n\r\n",
    "version 2.0": b"GET /a.txt HTTP/2.0\r\nHost: localhost\r\n\r\n",
    "preface of HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "space behind the version": b"GET /a.txt HTTP/1.1 \r\nHost: localhost\r\n\r\n",
    "space in the target": b"GET /a b.txt HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "tab for a space": b"GET\t/a.txt\tHTTP/1.1\r\nHost: localhost\r\n\r\n",
    "space before the method": b" GET /a.txt HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "method in lower case": b"get /a.txt HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "unknown method": b"FROBNICATE /a.txt HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "three methods": b"PUT PUT PUT\r\n\r\n",
    "H7": b"QQQ http://localhost HTTP/1.1\r\n\r\n",
    "no Host": b"GET /a.txt HTTP/1.1\r\n\r\n",
    "two Hosts": get(b"Host: localhost"),
    "two different Hosts": get(b"hOsT: evil.example"),
    "Host of another": b"GET / HTTP/1.1\r\nHost: a b\r\n\r\n",
}  # fmt: skip

BODIES = {
    "0x5": b"0x5\r\nhello\r\n0\r\n\r\n",
    "+5": b"+5\r\nhello\r\n0\r\n\r\n",
    "-5": b"-5\r\nhello\r\n0\r\n\r\n",
    "space before an extension": b"5 ;x\r\nhello\r\n0\r\n\r\n",
    "control byte in an extension": b"5;x\x00=y\r\nhello\r\n0\r\n\r\n",
    "bare CR in an extension": b"5;a\rb\r\nhello\r\n0\r\n\r\n",
    "bare LF in an extension": b"5;\nhello\r\n0\r\n\r\n",
    "LF after the size": b"5\nhello\r\n0\r\n\r\n",
    "LF after the data": b"5\r\nhello\n0\r\n\r\n",
    "no end after the data": b"5\r\nhello0\r\n\r\n",
    "two bytes for the end": b"5\r\nhelloXX0\r\n\r\n",
    "size overflows": b"FFFFFFFFFFFFFFFFF\r\nhello\r\n0\r\n\r\n",
    "no size": b"\r\nhello\r\n0\r\n\r\n",
    "no digit": b"g\r\nhello\r\n0\r\n\r\n",
    "fields that are none": b"0\r\nX : y\r\n\r\n",
    "folded trailer": b"0\r\nX: y\r\n z\r\n\r\n",
}


@pytest.mark.parametrize("data", REFUSED.values(), ids=REFUSED)
def test_what_can_be_read_in_two_ways_is_refused_and_the_connection_closed(plain, data):
    """One answer, no second request, and an end, whatever follows."""
    (answer,) = answers(plain.plain_exchange(data + SMUGGLED * 2))

    assert answer.status in (400, 501, 505)
    assert answer.get(b"connection") == b"close"
    assert "smuggled" not in plain.log


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
def test_a_malformed_chunk_is_refused_and_the_connection_closed(plain, body):
    data = post(b"Transfer-Encoding: chunked", body=body)
    (answer,) = answers(plain.plain_exchange(data + SMUGGLED))

    assert answer.status == 400
    assert answer.get(b"connection") == b"close"
    assert "smuggled" not in plain.log


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
def test_a_malformed_chunk_that_comes_late_ends_the_connection_too(plain, body):
    """The head alone has its answer already, with `Connection: close`: nothing follows it."""
    with plain.plain() as client:
        client.send(post(b"Transfer-Encoding: chunked"))
        answer = client.answer()
        assert (answer.status, answer.get(b"connection")) == (405, b"close")
        client.send(body + SMUGGLED)
        assert client.is_ended()
    assert "smuggled" not in plain.log


@pytest.mark.parametrize(
    "data",
    [
        post(b"Content-Length: 5", body=b"hello"),
        post(b"Content-Length: 0"),
        post(b"Content-Length: 5 ", body=b"hello"),
        post(b"Content-Length: 00005", body=b"hello"),
        post(b"Transfer-Encoding: chunked", body=b"5\r\nhello\r\n0\r\n\r\n"),
        post(b"Transfer-Encoding: Chunked", body=b"0005\r\nhello\r\n00\r\n\r\n"),
        post(b"Transfer-Encoding: chunked", body=b"5;a=b;c\r\nhello\r\n0\r\nTrailer: x\r\n\r\n"),
        post(b"Transfer-Encoding: chunked", body=b"A\r\n0123456789\r\n1\r\nx\r\n0\r\n\r\n"),
        post(b"Content-Length: %d" % len(SMUGGLED), body=SMUGGLED),
        get(b"X: \xff\x80", b"Y:", b"Z:\t tab \t"),
        b"\r\n\r\n" + get(),
        b"GET /a.txt HTTP/1.1\r\nHOST:localhost\r\n\r\n",
        b"GET http://localhost/a.txt HTTP/1.1\r\nHost: other.test\r\n\r\n",
    ],
)
def test_what_is_well_framed_is_followed_by_its_successor(plain, data):
    found = answers(plain.plain_exchange(data + request("/last")))

    assert [answer.status for answer in found] in ([200, 404], [405, 404])
    assert "smuggled" not in plain.log


def test_a_body_is_no_request(plain):
    """A body that looks like a request is skipped as a body, in pieces too."""
    with plain.plain() as client:
        client.send(post(b"Content-Length: %d" % len(SMUGGLED)))
        assert client.answer().status == 405
        for byte in SMUGGLED:
            client.send(bytes([byte]))
        assert client.get("/a.txt").status == 200
    assert "smuggled" not in plain.log


@pytest.mark.parametrize("secure", [False, True])
def test_nothing_after_a_last_request_is_answered(plain, secure):
    with plain.tls() if secure else plain.plain() as client:
        client.send(request("/a.txt", b"Connection: close") + SMUGGLED)
        assert client.answer().status == 200
        assert client.is_ended()
    assert "smuggled" not in plain.log


def test_a_100_is_not_promised_to_a_body_that_nobody_wants(plain):
    received = plain.plain_exchange(post(b"Expect: 100-continue", b"Content-Length: 5"))

    (answer,) = answers(received)
    assert (answer.status, answer.get(b"connection")) == (405, b"close")
    assert b"100 Continue" not in received


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (request(b"/" + b"a" * 8192), 414),
        (request(b"/" + b"a" * 60_000), 414),
        (request("/", b"X: " + b"a" * 100_000), 431),
        (request("/", *[b"X: y"] * 101), 431),
        (request("/", *[b"X" * 300 + b": y"] * 300), 431),
        (b"GET /" + b"a" * 60_000, 414),
        (b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 10_000, 431),
    ],
)
def test_what_is_too_large_is_refused_by_its_name(plain, data, status):
    (answer,) = answers(plain.plain_exchange(data))

    assert (answer.status, answer.get(b"connection")) == (status, b"close")


def test_a_field_as_long_as_a_browser_sends_is_taken(plain):
    (answer,) = answers(plain.plain_exchange(request("/a.txt", b"Cookie: " + b"a" * 16_000)))

    assert answer.status == 200


def test_a_refusal_does_not_take_back_the_answers_before_it(plain):
    found = answers(plain.plain_exchange(request("/a.txt") * 3 + b"GARBAGE\r\n\r\n"))

    assert [answer.status for answer in found] == [200, 200, 200, 400]


def test_a_refused_connection_is_given_up(plain):
    for data in (*REFUSED.values(), b"\0"):
        plain.plain_exchange(data)

    eventually(lambda: not plain.server.connections)
    assert plain.get("/a.txt").status == 200
