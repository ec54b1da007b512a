"""Readers that we did not write: httplint and h11 read every kind of response, h11 our requests."""

import re

import h11
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from readers import faults_of
from server_fixtures import answers, request

from openssl_serve import api
from openssl_serve.http1.request import Peer, RequestParser

# What each server sends, by name: the method, the bytes over plain HTTP or TLS, the status.
LARGE = "/large.bin"
PAGE = b"Accept: text/html"
ANCHOR = "/.well-known/openssl-serve/"
EXCHANGES = {
    "file": ("tls", request("/a.txt"), 200),
    "large file": ("tls", request(LARGE), 200),
    "page": ("tls", request("/page.html"), 200),
    "unknown type": ("tls", request("/unknown"), 200),
    "empty file": ("tls", request("/empty"), 200),
    "head": ("tls", request("/a.txt", method=b"HEAD"), 200),
    "listing for people": ("tls", request("/", PAGE), 200),
    "listing for programs": ("tls", request("/"), 200),
    "listing as JSON": ("tls", request("/", b"Accept: application/json"), 200),
    "part": ("tls", request("/a.txt", b"Range: bytes=1-2"), 206),
    "part of a large file": ("tls", request(LARGE, b"Range: bytes=-5"), 206),
    "no such part": ("tls", request("/a.txt", b"Range: bytes=999-"), 416),
    "not modified": ("tls", request("/a.txt", b"If-None-Match: *"), 304),
    "precondition failed": ("tls", request("/a.txt", b'If-Match: "x"'), 412),
    "missing": ("tls", request("/missing"), 404),
    "missing, as a page": ("tls", request("/missing", PAGE), 404),
    "to the slash": ("tls", request("/sub"), 301),
    "options": ("tls", request("/a.txt", method=b"OPTIONS"), 204),
    "not allowed": ("tls", request("/a.txt", b"Content-Length: 0", method=b"POST"), 405),
    "another host": ("tls", request(host=b"evil.example"), 421),
    "no host": ("tls", request(host=None), 400),
    "NUL": ("tls", request("/%00"), 400),
    "malformed": ("tls", b"QQQ\r\n\r\n", 400),
    "too long": ("tls", request(b"/" + b"a" * 9000), 414),
    "too many fields": ("tls", request("/", *[b"X: y"] * 200), 431),
    "version 2.0": ("tls", b"GET / HTTP/2.0\r\nHost: localhost\r\n\r\n", 505),
    "unknown coding": (
        "tls",
        request("/", b"Transfer-Encoding: gzip, chunked") + b"0\r\n\r\n",
        501,
    ),
    "unknown protocol": ("plain", b"\x00", 400),
    "redirect": ("plain", request("/x"), 301),
    "redirect of head": ("plain", request("/x", method=b"HEAD"), 301),
    "redirect of a post": ("plain", request("/x", b"Content-Length: 0", method=b"POST"), 308),
    "anchor, as a page": ("offers", request(ANCHOR, PAGE), 200),
    "anchor, as text": ("offers", request(ANCHOR), 200),
    "anchor, head": ("offers", request(ANCHOR, PAGE, method=b"HEAD"), 200),
    "anchor in DER": ("offers", request(f"{ANCHOR}openssl-serve.crt"), 200),
    "anchor in PEM": ("offers", request(f"{ANCHOR}openssl-serve.pem"), 200),
    "anchor for Apple": ("offers", request(f"{ANCHOR}openssl-serve.mobileconfig"), 200),
    "anchor, to the slash": ("offers", request(ANCHOR.rstrip("/")), 301),
    "anchor, not allowed": (
        "offers",
        request(ANCHOR, b"Content-Length: 0", method=b"POST"),
        405,
    ),
    "plain refused": ("refuse", request("/x"), 426),
    "HTTP/1.0": ("tls", request("/a.txt", version=b"1.0"), 200),
    "HTTP/1.0 kept": ("tls", request("/a.txt", b"Connection: keep-alive", version=b"1.0"), 200),
}

ACCEPTED = {
    "The server won't accept a URI this long .",
    "The request HTTP version isn't supported.",
}
"""Of level BAD, and nothing but what the status, 414 and 505, is there to say to the client."""


@pytest.fixture
def servers(serve, root):
    (root / "sub").mkdir()
    (root / "page.html").write_text("<!doctype html><title>x</title>")
    (root / "unknown").write_bytes(b"?")
    (root / "empty").touch()
    (root / LARGE[1:]).write_bytes(b"x" * 100_000)
    normal = serve()
    return {
        "tls": normal.tls,
        "plain": normal.plain,
        "offers": serve(offer_anchor=True).plain,
        "refuse": serve(plain_http=api.PlainHttp.REFUSE).plain,
    }


@pytest.mark.parametrize("name", EXCHANGES)
def test_two_readers_of_http_find_no_fault_with_it(servers, name):
    where, data, status = EXCHANGES[name]
    method = data.partition(b" ")[0] if data[:1].isalpha() else b"GET"
    with servers[where]() as client:
        # h11 raises for a response that it cannot frame.
        answer = client.send(data).answer(b"HEAD" if method == b"HEAD" else b"GET")
    assert answer.status == status
    assert faults_of(answer, no_content=method == b"HEAD") <= ACCEPTED
    assert answer.get(b"date")
    if status not in (204, 304):
        assert answer.get(b"content-length") is not None
        assert answer.get(b"content-type") is not None or status == 301


# Requests, read by h11 and by us.

PEER = Peer("127.0.0.1", "127.0.0.1", 80, secure=False)
GET = b"GET / HTTP/1.1\r\nHost: a\r\n"


def in_h11s_case(fields):
    """Names in lower case, and the one value that h11 changes to it too."""
    return [
        (name.lower(), value.lower() if name.lower() == b"transfer-encoding" else value)
        for name, value in fields
    ]


def ours(data):
    """What we make of a stream: its complete requests, and whether what follows is refused."""
    parser = RequestParser(PEER)
    parser.feed(data)
    found = [(r.method, r.target, in_h11s_case(r.fields)) for r in parser.ready if r.complete]
    return found, parser.refusal is not None


def theirs(data):
    """The same by h11, answering each request as we would."""
    connection = h11.Connection(h11.SERVER, max_incomplete_event_size=1 << 16)
    connection.receive_data(data)
    found, current = [], None
    try:
        while True:
            event = connection.next_event()
            if isinstance(event, h11.Request):
                current = event
            elif isinstance(event, h11.EndOfMessage):
                assert current is not None
                found.append((current.method, current.target, in_h11s_case(current.headers)))
                connection.send(h11.Response(status_code=200, headers=[("Content-Length", "0")]))
                connection.send(h11.EndOfMessage())
                if connection.our_state is not h11.DONE:
                    return found, False
                connection.start_next_cycle()
            elif not isinstance(event, h11.Data):
                return found, False
    except h11.RemoteProtocolError:
        return found, True


def verdict(found, refused):
    """What became of the first message of a stream."""
    return found[0] if found else "refused" if refused else "incomplete"


TARGETS = [b"/", b"/a?b=c", b"*", b"http://a/", b"/%00", b"/a#b", b"/\x7f", b"/\xff", b"a", b"/a b"]
LINES = st.tuples(
    st.sampled_from([b"GET", b"GET", b"HEAD", b"POST", b"PUT", b"OPTIONS", b"get", b"G(T"]),
    st.sampled_from(TARGETS),
    st.sampled_from([b"HTTP/1.1"] * 4 + [b"HTTP/1.0", b"http/1.1", b"HTTP/1.x", b"HTTP/1.2"]),
).map(b" ".join)
FIELDS = st.tuples(
    st.sampled_from([b"A", b"Content-Length", b"Transfer-Encoding", b"Connection", b"X Y", b"",
                     b"Host", b"X[]"]),
    st.sampled_from([b": "] * 3 + [b":", b" :", b":\t"]),
    st.sampled_from([b"", b"a", b" a ", b"0", b"5", b"+5", b"5,5", b"05", b"chunked", b"Chunked",
                     b"identity", b"close", b"a\x00", b"a\x01", b"\x80", b"a\tb", b"gzip", b"5 "]),
).map(b"".join)  # fmt: skip
HOSTS = st.sampled_from([[b"Host: a"]] * 4 + [[]])
BODIES = st.sampled_from(
    [b"", b"", b"hello", b"5\r\nhello\r\n0\r\n\r\n", b"0\r\n\r\n", b"0\r\nX: y\r\n\r\n",
     b"5;a\r\nhello\r\n0\r\n\r\n", b"+5\r\nhello\r\n0\r\n\r\n", b"5\nhello\n0\n\n"]
)  # fmt: skip
NEARLY = st.builds(
    lambda line, host, fields, end, body: end.join([line, *host, *fields, b"", b""]) + body,
    LINES,
    HOSTS,
    st.lists(FIELDS, max_size=4),
    st.sampled_from([b"\r\n"] * 5 + [b"\n"]),
    BODIES,
)
GOOD = st.builds(
    lambda method, fields, body: b"\r\n".join([method + b" / HTTP/1.1", b"Host: a", *fields, body]),
    st.sampled_from([b"GET", b"POST"]),
    st.lists(st.sampled_from([b"A: b", b"A:", b"B:\tc ", b"Connection: close"]), max_size=3),
    st.sampled_from(
        [b"\r\n", b"Content-Length: 5\r\n\r\nhello", b"Content-Length: 0\r\n\r\n",
         b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX: y\r\n\r\n"]
    ),
)  # fmt: skip
MESSAGES = GOOD | NEARLY
"""Bytes that are a request, or nearly one."""

STRICTER = {
    "a chunk size is refused at its first bad byte, which h11 sees only with the whole line": (
        rb"(?i)transfer-encoding: *chunked\r\n(?:.*\r\n)*\r\n[0-9a-f]*[^0-9a-f;\r]"
    ),
    "a bare LF ends no line (RFC 9112 section 2.2 lets us choose)": rb"(?<!\r)\n",
    "a method that nobody registered": rb"\A(?!GET|HEAD|POST|PUT|OPTIONS)",
    "a target is ASCII, and begins like a path or a URL": rb"\A\S+ (?![/*h][!-~]* HTTP)",
    "HTTP/1.2 does not exist": rb"HTTP/1\.2",
    "chunked in HTTP/1.0 (RFC 9112 section 6.1)": rb"HTTP/1\.0(?s:.)*Transfer-Encoding",
    "Content-Length beside Transfer-Encoding": rb"Content-Length(?s:.)*Transfer-Encoding",
    "Transfer-Encoding beside Content-Length": rb"Transfer-Encoding(?s:.)*Content-Length",
    "a repeated Content-Length, though equal": rb"Content-Length(?s:.)*Content-Length",
    "Content-Length: 5,5": rb"Content-Length:\s*5,5",
    "two Hosts in HTTP/1.0": rb"HTTP/1\.0(?s:.)*Host(?s:.)*Host",
    "a folded line (RFC 9112 section 5.2)": rb"\r\n[ \t]",
    "control bytes in a value": rb":[^\r\n]*[\x00-\x08]",
}
"""Where we refuse what h11 takes, and why that is right: a pattern of the bytes."""


@settings(max_examples=500, deadline=None)
@given(st.lists(MESSAGES, min_size=1, max_size=3).map(b"".join))
@example(GET + b"\r\n" + GET + b"\r\n")
@example(GET + b"Content-Length: 5\r\n\r\nhello" + GET + b"\r\n")
@example(GET + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n" + GET + b"\r\n")
@example(GET + b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n")
def test_where_we_see_a_request_h11_sees_the_same(data):
    """A request that another parser does not see is a smuggled one."""
    found, _ = ours(data)
    expected, _ = theirs(data)

    assert found == expected[: len(found)]


@settings(max_examples=500, deadline=None)
@given(MESSAGES)
@example(GET + b"\r\n")
def test_what_h11_takes_we_refuse_only_for_a_listed_reason(data):
    if verdict(*ours(data)) != verdict(*theirs(data)):
        assert any(re.search(pattern, data) for pattern in STRICTER.values())


def test_messages_are_often_enough_good_ones():
    """Else the two would agree on nothing but refusals."""
    verdicts = []

    @settings(max_examples=300, database=None, derandomize=True)
    @given(MESSAGES)
    def collect(data):
        verdicts.append(bool(ours(data)[0]))

    collect()
    assert 0.1 < sum(verdicts) / len(verdicts) < 0.9


@settings(
    max_examples=100,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(MESSAGES, st.sampled_from([b"", b"\r\n", b"\x00", b"\xff"]))
def test_whatever_comes_is_answered_with_what_h11_can_read(server, data, before):
    parser = RequestParser(PEER)
    parser.feed(before + data)
    methods = [asked.method for asked in parser.ready]

    found = answers(server.plain_exchange(before + data), *methods)

    # Nothing is answered that did not end its head, and everything else is.
    assert len(found) == len(methods) + (parser.refusal is not None)
