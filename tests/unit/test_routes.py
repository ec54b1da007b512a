"""Which of several handlers a request is for, and what a mounted one sees of it."""

import itertools

import pytest

from openssl_serve.errors import HttpError
from openssl_serve.handlers.authorities import Authorities
from openssl_serve.handlers.routes import Mounted, Place, Routes, below
from openssl_serve.hosts import parse_host
from openssl_serve.http1.request import Peer, Request
from openssl_serve.http1.response import Response
from openssl_serve.server.handling import Deferred, Offload

PEER = Peer("127.0.0.1", "127.0.0.1", 8443, secure=True)
AUTHORITIES = Authorities(map(parse_host, ["a.test", "*.a.test", "b.test"]))


def asked(target, host=b"a.test", method=b"GET"):
    fields = [] if host is None else [(b"Host", host)]
    return Request(method, target, fields, PEER, "1.1")


def place(text):
    host, _, path = text.partition("/")
    return Place(
        parse_host(host) if host else None, tuple(each.encode() for each in path.split("/") if each)
    )


def routed(*places):
    """Routes to handlers that answer with the name of their place, in the order of *places*."""

    def named(text):
        return lambda _request: Response(200, (), text.encode())

    return Routes(AUTHORITIES, [(place(text), named(text)) for text in places], named("otherwise"))


@pytest.mark.parametrize(
    ("target", "host", "expected"),
    [
        (b"/", b"a.test", "otherwise"),
        (b"/api", b"a.test", "/api"),
        (b"/api/", b"a.test", "/api"),
        (b"/api?x", b"a.test", "/api"),
        (b"/api#x", b"a.test", "/api"),
        (b"/api/x/y", b"a.test", "/api"),
        (b"/apis", b"a.test", "otherwise"),
        (b"/API", b"a.test", "otherwise"),
        (b"//api", b"a.test", "otherwise"),
        (b"/x/api", b"a.test", "otherwise"),
        (b"/?/api", b"a.test", "otherwise"),
        (b"/api%2fv1", b"a.test", "otherwise"),
        (b"/%61pi/x", b"a.test", "/api"),
        (b"/api/v1", b"a.test", "/api/v1"),
        (b"/api/v1/x", b"a.test", "/api/v1"),
        (b"/api/v2", b"a.test", "/api"),
        (b"/", b"b.test", "b.test"),
        (b"/api", b"B.Test:8443", "b.test"),
        (b"/v1", b"b.test", "b.test/v1"),
        (b"/", b"x.a.test", "*.a.test"),
        (b"/api", b"x.a.test", "*.a.test"),
        (b"/", b"own.a.test", "own.a.test"),
        (b"http://b.test/v1", b"a.test", "b.test/v1"),
        (b"http://a.test/api", b"b.test", "/api"),
        (b"*", b"a.test", "otherwise"),
        (b"*", b"b.test", "b.test"),
        (b"/api", None, "/api"),
        (b"/", None, "otherwise"),
    ],
)
def test_the_most_special_place_wins_in_whatever_order(target, host, expected):
    places = ("/api", "/api/v1", "b.test", "b.test/v1", "*.a.test", "own.a.test")
    for order in itertools.islice(itertools.permutations(places), 0, 720, 97):
        assert routed(*order)(asked(target, host)).body == expected.encode()


@pytest.mark.parametrize(
    ("target", "host", "status"),
    [(b"/", b"c.test", 421), (b"/", b"a b", 400), (b"ftp://a.test/", b"a.test", 400),
     (b"http://c.test/api", b"a.test", 421)],
)  # fmt: skip
def test_others_are_nobodys(target, host, status):
    with pytest.raises(HttpError) as caught:
        routed("/api")(asked(target, host))

    assert caught.value.status == status


@pytest.mark.parametrize(
    ("target", "depth", "expected"),
    [
        (b"/a/b/c", 0, b"/a/b/c"), (b"/a/b/c", 1, b"/b/c"), (b"/a/b/c", 3, b""),
        (b"/a/", 1, b"/"), (b"/a?x=/y", 1, b"?x=/y"), (b"/a/?x", 1, b"/?x"), (b"/a//b", 1, b"//b"),
        (b"/%61/b", 1, b"/b"),
    ],
)  # fmt: skip
def test_what_is_below(target, depth, expected):
    assert below(target, depth) == expected


def mounted(answer, text="/docs"):
    """What a handler at *text* was asked for, and the mounted handler."""
    seen = []

    def handler(request):
        seen.append(request)
        return answer

    return seen, Mounted(place(text), handler)


@pytest.mark.parametrize(
    ("target", "inner"),
    [
        (b"/docs/", b"/"), (b"/docs/a?b", b"/a?b"), (b"/docs//a", b"//a"), (b"/d%6fcs/a", b"/a"),
        (b"http://a.test/docs/a", b"/a"),
    ],
)  # fmt: skip
def test_a_mounted_handler_sees_its_own_top(target, inner):
    seen, handler = mounted(Response(200))
    request = asked(target, method=b"HEAD")
    handler(request)

    assert [(each.target, each.method, each.fields) for each in seen] == [
        (inner, b"HEAD", request.fields)
    ]


@pytest.mark.parametrize(
    ("target", "location"),
    [
        (b"/docs", b"/docs/"),
        (b"/docs?a=b", b"/docs/?a=b"),
        (b"/d%6fcs", b"/docs/"),
        (b'/docs?a="\\', b"/docs/?a=%22%5C"),
    ],
)
def test_its_top_is_a_folder(target, location):
    seen, handler = mounted(Response(200))
    answer = handler(asked(target))

    assert seen == []
    assert answer.status == 301
    assert b"\r\nLocation: " + location + b"\r\n" in answer.head


@pytest.mark.parametrize(
    ("text", "expected"), [("/docs", b"/docs/sub/"), ("/my docs/\u00e9", b"/my%20docs/%C3%A9/sub/")]
)
@pytest.mark.parametrize("offloaded", [False, True])
def test_where_it_redirects_to_is_below_its_place(text, expected, offloaded):
    redirect = Response(301, ((b"Location", b"/sub/"),))
    _, handler = mounted(Offload(lambda: redirect) if offloaded else redirect, text)
    answer = handler(asked(b"/x" * text.count("/") + b"/sub"))
    if offloaded:
        answer = answer.work()

    assert b"\r\nLocation: " + expected + b"\r\n" in answer.head


def test_what_comes_later_is_left_alone():
    later = Deferred(lambda _exchange: None)

    assert mounted(later)[1](asked(b"/docs/")) is later
