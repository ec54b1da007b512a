"""Requests through the reverse proxy, and responses back, with an upstream that the test plays."""

import contextlib
import socket

import pytest
from server_fixtures import eventually, request
from upstreams import settle

from openssl_serve import api
from openssl_serve.handlers.credentials import Credentials
from openssl_serve.handlers.proxy.fields import ProxyOptions
from openssl_serve.handlers.proxy.links import MAX_RESTING
from openssl_serve.handlers.proxy.proxy import Proxy
from openssl_serve.handlers.proxy.upstream import parse_upstream
from openssl_serve.server.connection import Connection

CHUNKED = b"Transfer-Encoding: chunked"


def head(answer):
    """Status and fields, without the date that is ours or theirs."""
    return answer.status, [field for field in answer.fields if field[0] != b"date"]


def patience(running):
    """Seconds that the one client of *running* has left."""
    found = []
    running.in_loop(lambda: found.extend(running.server.connections.values()))
    (client,) = (each for each in found if isinstance(each, Connection))
    return client.deadline - running.server.now


@pytest.fixture
def asked(proxied, upstream):
    """`asked(request)`: a client that has sent it, and the link on which its head arrived."""
    with contextlib.ExitStack() as stack:

        def ask(data=None, *, running=None, secure=False, **options):
            running = running or proxied(**options)
            client = stack.enter_context(running.tls() if secure else running.plain())
            client.send(request() if data is None else data)
            link = upstream.accept()
            return client, link, link.head()

        yield ask


# What goes there, and what comes back.


@pytest.mark.parametrize("secure", [False, True])
def test_a_request_is_passed_on_and_so_is_its_response(asked, secure):
    data = request("/a?b=%20c", b"X-Own: 1", b"Cookie: a=b", b"x-own: 2")
    client, link, heard = asked(data, secure=secure)

    assert heard.line == b"GET /a?b=%20c HTTP/1.1"
    assert heard.fields[:4] == [
        (b"Host", b"localhost"), (b"X-Own", b"1"), (b"Cookie", b"a=b"), (b"x-own", b"2"),
    ]  # fmt: skip
    assert heard.get(b"x-forwarded-proto") == (b"https" if secure else b"http")
    assert heard.get(b"connection") is None
    link.answer(b"content", b"X-Theirs: 1", b"Set-Cookie: a", b"Set-Cookie: b", status=b"299 Why")
    answer = client.answer()
    assert head(answer) == (
        299,
        [(b"x-theirs", b"1"), (b"set-cookie", b"a"), (b"set-cookie", b"b"),
         (b"content-length", b"7")],
    )  # fmt: skip
    assert (answer.reason, answer.body) == (b"Why", b"content")


def test_a_date_is_theirs_if_they_have_one(asked):
    client, link, _ = asked()
    link.answer(b"", b"Date: Mon, 01 Jan 2001 00:00:00 GMT")

    assert client.answer().get(b"date") == b"Mon, 01 Jan 2001 00:00:00 GMT"


@pytest.mark.parametrize("framing", [b"Content-Length: 5", CHUNKED])
def test_content_goes_there_as_it_was_framed(asked, framing):
    client, link, heard = asked(request("/", framing, method=b"POST"))

    assert heard.get(framing.partition(b":")[0].lower()) == framing.partition(b": ")[2]
    if framing == CHUNKED:
        # Trailers and extensions are for one connection only.
        client.send(b"2;x=y\r\nhe\r\n3\r\nllo\r\n0\r\nX: y\r\n\r\n")
        assert b"".join(link.chunks()) == b"hello"
    else:
        client.send(b"hello")
        assert link.take(5) == b"hello"
    assert link.is_quiet
    assert link.answer().left == b""
    assert client.answer().body == b"ok"


def test_it_goes_there_while_it_comes(asked):
    client, link, _ = asked(request("/", CHUNKED, method=b"PUT"))
    for piece in (b"one", b"second", b"x" * 1000):
        client.send(b"%x\r\n%b\r\n" % (len(piece), piece))
        assert link.line() == b"%x" % len(piece)
        assert link.take(len(piece) + 2) == piece + b"\r\n"
    client.send(b"0\r\n\r\n")
    assert link.take(5) == b"0\r\n\r\n"


def test_content_that_comes_with_its_head_is_not_lost(proxied, upstream):
    with proxied().plain() as client:
        client.send(request("/", b"Content-Length: 5", method=b"POST") + b"hello" + request("/2"))
        link = upstream.accept()
        link.head()
        assert link.take(5) == b"hello"
        assert link.is_quiet
        link.answer()
        assert client.answer().status == 200
        assert link.head().target == b"/2"


@pytest.mark.parametrize("first", ["all", "head", "some"])
def test_a_response_with_a_length_keeps_it(asked, first):
    data = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n0123456789"
    client, link, _ = asked()
    cut = {"all": len(data), "head": len(data) - 10, "some": len(data) - 5}[first]
    link.send(data[:cut])
    if cut < len(data):
        eventually(lambda: b"\r\n\r\n" in client.sock.recv(1000, socket.MSG_PEEK))
        link.send(data[cut:])
    answer = client.answer()

    assert head(answer) == (200, [(b"content-length", b"10")])
    assert answer.body == b"0123456789"


def test_a_response_in_chunks_stays_so_if_it_has_not_come_whole(asked):
    client, link, _ = asked()
    link.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")
    eventually(lambda: b"5\r\nhello\r\n" in client.sock.recv(1000, socket.MSG_PEEK))
    link.send(b"1;x=y\r\n!\r\n0\r\nX-Trailer: y\r\n\r\n")
    answer = client.answer()

    assert answer.get(b"transfer-encoding") == b"chunked"
    assert answer.body == b"hello!"
    assert client.left == b""


def test_one_that_has_come_whole_has_a_length(asked):
    client, link, _ = asked()
    link.send(
        b"HTTP/1.1 200 OK\r\nTrailer: X\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"2\r\nhe\r\n3\r\nllo\r\n0\r\nX: y\r\n\r\n"
    )
    answer = client.answer()

    assert head(answer) == (200, [(b"content-length", b"5")])
    assert answer.body == b"hello"


@pytest.mark.parametrize("version", [b"1.0", b"1.1"])
def test_one_that_ends_with_its_connection_ends_here_too(asked, version):
    client, link, _ = asked()
    link.send(b"HTTP/%b 200 OK\r\n\r\nhel" % version)
    eventually(lambda: b"hel" in client.sock.recv(1000, socket.MSG_PEEK))
    link.send(b"lo").close()
    answer = client.answer()

    assert answer.get(b"transfer-encoding") == b"chunked"
    assert answer.body == b"hello"


@pytest.mark.parametrize(
    ("lines", "fields"),
    [
        ([b"Content-Length: 5"], [(b"content-length", b"5")]),
        ([CHUNKED], []),
        ([], []),
    ],
)
def test_the_answer_to_head_has_no_content(proxied, upstream, lines, fields):
    with proxied().plain() as client:
        client.send(request("/", method=b"HEAD"))
        link = upstream.accept()
        assert link.head().line == b"HEAD / HTTP/1.1"
        link.send(b"\r\n".join([b"HTTP/1.1 200 OK", *lines, b"", b""]))
        assert head(client.answer(b"HEAD")) == (200, fields)
        # Nor does anybody wait for any.
        client.send(request("/next"))
        assert link.head().target == b"/next"


@pytest.mark.parametrize(
    ("status", "lines", "fields"),
    [
        (b"204 No Content", [], []),
        (b"204 No Content", [b"Content-Length: 0"], []),
        (b"304 Not Modified", [b'ETag: "a"'], [(b"etag", b'"a"')]),
        (b"304 Not Modified", [b"Content-Length: 5"], [(b"content-length", b"5")]),
        (b"205 Reset Content", [b"Content-Length: 0"], [(b"content-length", b"0")]),
    ],
)
def test_statuses_without_content(proxied, upstream, status, lines, fields):
    with proxied().plain() as client:
        client.send(request("/"))
        link = upstream.accept()
        link.head()
        link.send(b"\r\n".join([b"HTTP/1.1 " + status, *lines, b"", b""]))
        assert head(client.answer()) == (int(status[:3]), fields)
        client.send(request("/next"))
        assert link.head().target == b"/next"


def test_requests_ahead_of_their_turn_are_answered_in_theirs(proxied, upstream):
    with proxied().plain() as client:
        client.send(b"".join(request(f"/{n}") for n in range(20)))
        link = upstream.accept()
        for n in range(20):
            assert link.head().target == b"/%d" % n
            assert link.is_quiet
            link.answer(b"%d" % n)
        assert [client.answer().body for _ in range(20)] == [b"%d" % n for n in range(20)]
    assert upstream.is_quiet


# HTTP/1.0 on either side.


def test_an_old_client_gets_no_chunks(asked):
    client, link, heard = asked(request("/", version=b"1.0"))
    assert heard.line == b"GET / HTTP/1.1"
    link.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")
    eventually(lambda: b"hello" in client.sock.recv(1000, socket.MSG_PEEK))
    link.send(b"0\r\n\r\n")
    received = client.rest()

    assert received.endswith(b"\r\nConnection: close\r\n\r\nhello")
    assert b"Transfer-Encoding" not in received


def test_an_old_client_may_keep_its_connection(asked):
    client, link, _ = asked(request("/", b"Connection: keep-alive", version=b"1.0"))
    link.answer(b"one")
    answer = client.answer()
    assert (answer.body, answer.get(b"connection")) == (b"one", b"keep-alive")
    client.send(request("/2", b"Connection: keep-alive", version=b"1.0"))
    link.head()
    link.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\ntwo\r\n0\r\n\r\n")
    answer = client.answer()

    assert (answer.body, answer.get(b"connection")) == (b"two", b"keep-alive")
    assert answer.get(b"content-length") == b"3"


def test_an_old_client_without_host_is_for_the_upstream(asked, upstream):
    _, _, heard = asked(request("/", host=None, version=b"1.0"))

    assert heard.get(b"host") == b"127.0.0.1:%d" % upstream.port
    assert heard.get(b"x-forwarded-host") is None


def test_an_old_client_expects_nothing(asked):
    """RFC 9110 section 10.1.1: it would not know what to do with a 100."""
    lines = (b"Expect: 100-continue", b"Content-Length: 5")
    _, _, heard = asked(request("/", *lines, method=b"POST", version=b"1.0") + b"hello")

    assert heard.get(b"expect") is None


@pytest.mark.parametrize(
    ("lines", "kept"),
    [([b"Content-Length: 2"], False), ([b"Content-Length: 2", b"Connection: keep-alive"], True)],
)
def test_an_old_upstream_is_kept_only_if_it_says_so(asked, upstream, lines, kept):
    client, link, _ = asked()
    link.send(b"\r\n".join([b"HTTP/1.0 200 OK", *lines, b"", b"ok"]))
    answer = client.answer()
    assert head(answer) == (200, [(b"content-length", b"2")])
    client.send(request("/2"))

    assert (link if kept else upstream.accept()).head().target == b"/2"


# 100 and its kin.


def test_a_client_that_waits_for_100_gets_it_from_the_upstream(asked):
    lines = (b"Expect: 100-continue", b"Content-Length: 5")
    client, link, heard = asked(request("/", *lines, method=b"POST"))
    assert heard.get(b"expect") == b"100-continue"
    assert link.is_quiet
    link.send(b"HTTP/1.1 100 Continue\r\n\r\n")
    assert client.sock.recv(1000) == b"HTTP/1.1 100 Continue\r\n\r\n"
    client.send(b"hello")
    assert link.take(5) == b"hello"
    link.answer()

    assert client.answer().body == b"ok"


def test_one_that_waits_is_told_no_without_having_sent_anything(asked):
    lines = (b"Expect: 100-continue", b"Content-Length: 500000")
    client, link, _ = asked(request("/", *lines, method=b"POST"))
    link.answer(b"too much", status=b"413 Too Large")
    answer = client.answer()

    assert (answer.status, answer.get(b"connection")) == (413, b"close")
    assert client.is_ended()
    assert link.is_ended


def test_one_that_does_not_wait_for_long_sends_without(asked):
    lines = (b"Expect: 100-continue", b"Content-Length: 5")
    client, link, _ = asked(request("/", *lines, method=b"POST"))
    client.send(b"hello")
    assert link.take(5) == b"hello"
    link.send(b"HTTP/1.1 100 Continue\r\n\r\n").answer()

    assert client.answer().body == b"ok"


def test_one_that_waits_is_not_hurried(proxied, upstream):
    """The time for its content begins with the upstream's word."""
    running = proxied()
    with running.plain() as client:
        client.send(request("/", b"Expect: 100-continue", b"Content-Length: 5", method=b"POST"))
        link = upstream.accept()
        link.head()
        assert patience(running) == float("inf")
        link.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        assert client.sock.recv(1000) == b"HTTP/1.1 100 Continue\r\n\r\n"
        assert 9 < patience(running) < 11
        client.send(b"hel")
        assert link.take(3) == b"hel"
        assert 9 < patience(running) < 11
        client.send(b"lo")
        assert link.take(2) == b"lo"
        assert patience(running) == float("inf")


def test_early_hints_come_early(asked):
    client, link, _ = asked(secure=True)
    hints = b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n"
    link.send(b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\nTE: x\r\n\r\n")
    assert client.sock.recv(1000) == hints
    link.send(hints + hints).answer()

    assert client.answer().body == b"ok"
    assert client.interim == [103, 103]


def test_an_old_client_gets_none(asked):
    client, link, _ = asked(request("/", version=b"1.0"))
    link.send(b"HTTP/1.1 103 Early Hints\r\n\r\n").answer()

    assert client.rest().startswith(b"HTTP/1.1 200 OK\r\n")


# Links.


def test_a_link_is_used_again(proxied, upstream):
    running = proxied()
    for number in range(3):
        with running.plain() as client:
            client.send(request(f"/{number}"))
            if number == 0:
                upstream.accept()
            (link,) = upstream.accepted
            assert link.head().target == b"/%d" % number
            link.answer()
            assert client.answer().body == b"ok"
        settle(running, links=1)
    assert upstream.is_quiet


@pytest.mark.parametrize(
    ("method", "lines"),
    [
        (b"POST", [b"Content-Length: 0"]),
        (b"PATCH", []),
        (b"PUT", [b"Content-Length: 2"]),
        (b"GET", [CHUNKED]),
    ],
)
def test_what_cannot_be_repeated_has_a_link_of_its_own(asked, upstream, method, lines):
    client, link, _ = asked()
    link.answer()
    client.answer()
    client.send(request("/once", *lines, method=method))

    other = upstream.accept()
    assert other.head().target == b"/once"
    assert link.is_quiet
    client.send({CHUNKED: b"0\r\n\r\n", b"Content-Length: 2": b"ok"}.get((lines or [b""])[0], b""))
    other.answer()
    assert client.answer().status == 200


def test_as_many_links_as_requests_and_then_some_are_kept(proxied, upstream):
    running = proxied()
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(running.plain()) for _ in range(MAX_RESTING + 10)]
        for client in clients:
            client.send(request())
        links = [upstream.accept() for _ in clients]
        for link in links:
            link.head()
            link.answer()
        assert {client.answer().body for client in clients} == {b"ok"}
    settle(running, links=MAX_RESTING)
    assert sum(not link.is_quiet for link in links) == 10


ANSWERS = {
    "close": b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok",
    "HTTP/1.0": b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
    "surplus": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok!",
    "another response": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok" * 2,
    "content with 204": b"HTTP/1.1 204 OK\r\nContent-Length: 2\r\n\r\nok",
    "content with 304": b"HTTP/1.1 304 OK\r\nContent-Length: 2\r\n\r\nok",
    "chunks with 204": b"HTTP/1.1 204 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
}


@pytest.mark.parametrize("data", ANSWERS.values(), ids=ANSWERS)
def test_a_link_is_not_used_again_after(asked, upstream, data):
    client, link, _ = asked()
    link.send(data)
    assert client.answer().body in (b"ok", b"")
    assert client.left == b""
    client.send(request("/2"))

    assert upstream.accept().head().target == b"/2"
    assert link.is_ended


@pytest.mark.parametrize("late", [b"!", b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil", None])
def test_what_comes_unasked_is_nobodys_response(asked, upstream, late):
    """Not even when it is there before the next request, and the loop has not seen it."""
    client, link, _ = asked()
    link.answer()
    client.answer()
    if late is None:
        link.end()
    else:
        link.send(late)
    client.send(request("/2"))
    upstream.accept().answer(b"good")

    assert client.answer().body == b"good"
    assert link.is_ended


def test_a_link_ends_after_a_while(asked, monkeypatch):
    monkeypatch.setattr("openssl_serve.handlers.proxy.links.REST_S", 0.05)
    client, link, _ = asked()
    link.answer()
    client.answer()

    assert link.is_ended


@pytest.mark.parametrize("ending", ["close", "reset"])
@pytest.mark.parametrize("method", [b"GET", b"HEAD", b"OPTIONS", b"PUT", b"DELETE"])
def test_a_request_is_sent_again_when_its_link_had_ended(asked, upstream, method, ending):
    client, link, _ = asked()
    link.answer()
    client.answer()
    client.send(request("/again", method=method))
    assert link.head().target == b"/again"
    getattr(link, ending)()
    other = upstream.accept()
    assert other.head().line == method + b" /again HTTP/1.1"
    other.answer(b"" if method == b"HEAD" else b"ok")

    assert client.answer(method).status == 200
    assert upstream.is_quiet


def test_it_is_not_sent_a_third_time(asked, upstream):
    client, link, _ = asked()
    link.answer()
    client.answer()
    client.send(request("/again"))
    link.head()
    link.close()
    other = upstream.accept()
    other.head()
    other.close()

    assert client.answer().status == 502
    assert upstream.is_quiet


SAID = [
    b"H", b"nonsense", b"HTTP/1.1 103 Early Hints\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: x\r\n\r\n",
]  # fmt: skip


@pytest.mark.parametrize("said", SAID)
def test_nor_when_something_has_been_said(asked, upstream, said):
    client, link, _ = asked()
    link.answer()
    client.answer()
    client.send(request("/again"))
    link.head()
    link.send(said).close()

    assert client.answer().status == 502
    assert upstream.is_quiet


def test_nor_when_its_link_was_new(asked, upstream):
    client, link, _ = asked()
    link.close()

    assert client.answer().status == 502
    assert upstream.is_quiet


def test_a_post_is_never_sent_again(asked, upstream):
    client, link, _ = asked(request("/", b"Content-Length: 5", method=b"POST") + b"hello")
    assert link.take(5) == b"hello"
    link.close()

    assert client.answer().status == 502
    assert upstream.is_quiet


# Which requests, and for whom.


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (request("localhost:443", method=b"CONNECT"), 405),
        (request("/", method=b"TRACE"), 405),
        (request("*"), 400),
        (request("/", host=b"evil.example"), 421),
        (request("http://evil.example/"), 421),
        (request("ftp://localhost/"), 400),
    ],
)
def test_what_is_not_passed_on(proxied, upstream, data, status):
    with proxied().plain() as client:
        assert client.send(data).answer().status == status
    assert upstream.is_quiet


@pytest.mark.parametrize(
    ("target", "host", "passed_on"),
    [
        (b"http://localhost:1/a?b", b"localhost:1", b"/a?b"),
        (b"https://my.dev.local", b"my.dev.local", b"/"),
        (b"http://localhost?x", b"localhost", b"/?x"),
    ],
)
def test_an_absolute_target_says_for_whom_it_is(asked, target, host, passed_on):
    _, _, heard = asked(request(target, host=b"127.0.0.1"))

    assert heard.target == passed_on
    assert heard.get(b"host") == heard.get(b"x-forwarded-host") == host


def test_a_fragment_stays_here(asked):
    assert asked(request("/a#b"))[2].target == b"/a"


def test_options_of_the_whole_server(asked):
    assert asked(request("*", method=b"OPTIONS"))[2].line == b"OPTIONS * HTTP/1.1"


@pytest.mark.parametrize(
    ("url", "target", "passed_on"),
    [
        ("/base", "/x?y", b"/base/x?y"),
        ("/base/", "/", b"/base/"),
        ("/base", "/a/./b", b"/base/a/./b"),
        ("/base", "/..a/b..", b"/base/..a/b.."),
        ("/base", "/x?/../y", b"/base/x?/../y"),
        ("", "/../x", b"/../x"),
    ],
)
def test_a_path_of_the_upstream_comes_first(asked, upstream, url, target, passed_on):
    assert asked(request(target), url=upstream.url + url)[2].target == passed_on


@pytest.mark.parametrize(
    "target",
    ["/..", "/../x", "/a/../../x", "/%2e%2e/x", "/.%2E", "/a/..%2fx", "/..;x/y", "/..%5cx",
     "http://localhost/../x"],
)  # fmt: skip
def test_nobody_gets_above_it(proxied, upstream, target):
    with proxied(url=upstream.url + "/base").plain() as client:
        assert client.get(target).status == 400
    assert upstream.is_quiet


# The options of all content.


def test_fields_of_ours_go_with_what_is_passed_on(asked):
    decorations = api.Decorations(headers=((b"X-Ours", b"1"), (b"Server", b"us")), cors=True)
    client, link, _ = asked(decorations=decorations, secure=True)
    link.answer(b"ok", b"Server: them", b"Access-Control-Allow-Origin: https://a", b"X-Theirs: 2")
    answer = client.answer()

    assert answer.get(b"x-ours") == b"1"
    assert answer.get(b"x-theirs") == b"2"
    assert answer.get(b"server") == b"us"
    assert answer.get(b"access-control-allow-origin") == b"*"


def test_a_preflight_is_answered_here_if_asked_for(proxied, upstream):
    asks = (b"Origin: https://a.test", b"Access-Control-Request-Method: PURGE")
    running = proxied(decorations=api.Decorations(cors=True))
    answer = running.get("/", *asks, method=b"OPTIONS")

    assert answer.status == 204
    assert answer.get(b"access-control-allow-methods") == b"PURGE"
    assert upstream.is_quiet


def test_nobody_gets_there_without_the_password(proxied, upstream):
    running = proxied(auth=Credentials("me", "secret"), plain_http=api.PlainHttp.REDIRECT)
    assert running.get("/").status == 401
    assert running.get("/", b"Connection: upgrade", b"Upgrade: websocket").status == 401
    assert upstream.is_quiet
    with running.tls() as client:
        client.send(request("/", b"Authorization: Basic bWU6c2VjcmV0"))
        upstream.accept().answer()
        assert client.answer().status == 200


def test_plain_http_is_sent_to_https_without_asking_the_upstream(proxied, upstream):
    running = proxied(plain_http=api.PlainHttp.REDIRECT)
    with running.plain() as client:
        assert client.get("/").status == 301
    assert upstream.is_quiet


def test_it_is_logged(proxied, asked):
    running = proxied()
    client, link, _ = asked(request("/x"), running=running)
    link.send(b"HTTP/1.1 299 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")
    eventually(lambda: b"hello" in client.sock.recv(1000, socket.MSG_PEEK))
    link.send(b"0\r\n\r\n")
    client.answer()

    eventually(lambda: "GET /x" in running.log)
    assert " 299 5 " in running.log


# Loops.


def test_a_server_before_itself_notices(serve, proxied):
    running = proxied(url="https://localhost:1", options=ProxyOptions(insecure=True))
    itself = Proxy(parse_upstream(f"https://localhost:{running.port}"), ProxyOptions(insecure=True))
    running.in_loop(lambda: setattr(
        running.server, "handlers", running.server.handlers._replace(secure=itself, plain=itself)
    ))  # fmt: skip
    answer = running.get("/")

    assert answer.status == 508
    assert f"https://localhost:{running.port}" in answer.text


def test_so_do_two_in_a_ring(proxied):
    insecure = ProxyOptions(insecure=True)
    one = proxied(insecure, url="https://127.0.0.1:1")
    other = proxied(insecure, url=f"https://127.0.0.1:{one.port}")
    back = Proxy(parse_upstream(f"https://127.0.0.1:{other.port}"), insecure)
    one.in_loop(lambda: setattr(
        one.server, "handlers", one.server.handlers._replace(secure=back, plain=back)
    ))  # fmt: skip

    assert one.get("/").status == 508
    assert other.get("/").status == 508


def test_a_proxy_is_not_redirected_to_itself(serve, proxied):
    """One that names the plain side of another: its client would be sent around for ever."""
    behind = serve()
    running = proxied(url=f"http://127.0.0.1:{behind.port}")
    answer = running.get("/")
    assert answer.status == 508
    assert "https://" in answer.text
    with running.plain() as client:
        # On plain HTTP the redirect leads somewhere else.
        assert client.get("/").status == 301
