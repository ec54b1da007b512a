"""What goes with every response, as values; tests/integration/test_site_fields.py has sockets."""

import pytest

from openssl_serve.errors import HttpError, UsageError
from openssl_serve.handlers.authentication import BasicAuth
from openssl_serve.handlers.credentials import Credentials, parse_credentials
from openssl_serve.handlers.decorations import Decorated, Decorations, field_lines, parse_header
from openssl_serve.http1.request import Peer, Request
from openssl_serve.http1.response import Response
from openssl_serve.server.handling import Offload

PEER = Peer("127.0.0.1", "127.0.0.1", 80, secure=True)
REQUEST = Request(b"GET", b"/", [(b"Host", b"a")], PEER)


def done(answer):
    """The response, made by a thread if it must be."""
    return answer.work() if isinstance(answer, Offload) else answer


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("X-Name: value", (b"X-Name", b"value")),
        ("X-Name:value", (b"X-Name", b"value")),
        ("X-Name:  a \t b  ", (b"X-Name", b"a \t b")),
        ("X-Name:", (b"X-Name", b"")),
        ("x: https://a:8/?b", (b"x", b"https://a:8/?b")),
        ("!#$%&'*+-.^_`|~: x", (b"!#$%&'*+-.^_`|~", b"x")),
        ("Cache-Control: no-store", (b"Cache-Control", b"no-store")),
    ],
)
def test_a_field_of_the_users(text, field):
    assert parse_header(text) == field


@pytest.mark.parametrize(
    "text",
    [
        "", ":", ": x", "X", "X Y: z", "X : y", " X: y", "X: a\r\nY: b", "X: a\nb", "X\r: y",
        "X: a\0b", "X: a\x1bb", "X: \x7f", "X: caf\u00e9", "caf\u00e9: x", "X: \udcff", "X\t: y",
        "Content-Length: 5", "content-length: 5", "Transfer-Encoding: chunked", "TE: x",
        "Connection: close", "Upgrade: x", "Keep-Alive: x", "Trailer: X", "Date: now",
        "Content-Type: text/html", "Content-Encoding: gzip", "Content-Range: bytes */1",
        "ETag: x", "Last-Modified: x", "Location: /", "WWW-Authenticate: Basic",
    ],
)  # fmt: skip
def test_what_is_no_field_or_not_the_users_is_refused(text):
    with pytest.raises(UsageError) as caught:
        parse_header(text)

    assert "--header" in str(caught.value)
    assert str(caught.value).isprintable()
    assert caught.value.hints


def test_the_users_fields_win_over_ours():
    decorations = Decorations(((b"access-control-ALLOW-origin", b"https://a"),), cors=True)

    fields = decorations.fields(secure=True)

    assert [value for name, value in fields if b"origin" in name.lower()] == [b"https://a"]


def test_hsts_is_for_tls_alone():
    """RFC 6797 section 7.2."""
    name = b"Strict-Transport-Security"

    assert dict(Decorations(hsts=True).fields(secure=True))[name] == b"max-age=300"
    assert Decorations(hsts=True).fields(secure=False) == ()


def test_isolation_does_not_undo_cors():
    name = b"Cross-Origin-Resource-Policy"
    alone = Decorations(cross_origin_isolated=True).fields(secure=True)
    both = Decorations(cross_origin_isolated=True, cors=True).fields(secure=True)

    assert (dict(alone)[name], dict(both)[name]) == (b"same-origin", b"cross-origin")


def test_a_response_that_is_sent_again_is_decorated_once():
    kept = Response(200, ((b"Cache-Control", b"no-cache"), (b"ETag", b'"x"')), b"content")
    fields = ((b"cache-control", b"no-store"), (b"X", b"1"))
    handler = Decorated(lambda _request: kept, field_lines(fields), None)

    heads = {done(handler(REQUEST)).head for _ in range(3)}

    assert heads == {
        b'HTTP/1.1 200 OK\r\nETag: "x"\r\nContent-Length: 7\r\ncache-control: no-store\r\nX: 1\r\n'
    }


def test_policies_of_ours_stay_beside_the_users():
    """Of two policies both hold (CSP level 3, section 8.1); a listing's own is not to be lost."""
    fields = ((b"Vary", b"A"), (b"Content-Security-Policy", b"default-src 'self'"))
    kept = Response(200, fields)
    handler = Decorated(lambda _request: kept, field_lines(((b"vary", b"B"),)), None)

    # However often it is sent.
    for _ in range(3):
        head = done(handler(REQUEST)).head.lower()
        assert head.count(b"\r\nvary: a\r\n") == head.count(b"\r\nvary: b\r\n") == 1


@pytest.mark.parametrize("in_thread", [False, True])
def test_an_error_is_decorated_wherever_it_happens(in_thread):
    def fails():
        raise HttpError(404, "there is nothing here")

    handler = Decorated(
        (lambda _request: Offload(fails)) if in_thread else (lambda _request: fails()),
        field_lines(((b"X", b"1"), (b"Cache-Control", b"max-age=9"))),
        field_lines(((b"X", b"1"),)),
    )
    response = done(handler(REQUEST))

    assert response.status == 404
    assert response.head.endswith(b"X: 1\r\n")
    assert b"max-age" not in response.head


# Name and password.


@pytest.mark.parametrize(
    ("text", "pair"),
    [
        ("me:secret", ("me", "secret")),
        ("me:a:b:", ("me", "a:b:")),
        ("J\u00f6rg M:p\u00e4\u00df wort", ("J\u00f6rg M", "p\u00e4\u00df wort")),
    ],
)
def test_credentials_end_at_the_first_colon(text, pair):
    found = parse_credentials(text, "--auth")

    assert (found.user, found.password) == pair


@pytest.mark.parametrize(
    "text", ["", "secret", ":secret", "me:", ":", "me:a\nb", "me:a\0", "a\r:b"]
)
def test_credentials_that_cannot_be_meant_are_refused_without_showing_them(text):
    with pytest.raises(UsageError) as caught:
        parse_credentials(text, "--auth-file /a/b")

    assert "/a/b" in str(caught.value)
    assert "secret" not in str(caught.value)


def test_credentials_do_not_show_what_they_are():
    assert "secret" not in repr(Credentials("me", "secret"))


def test_both_halves_are_always_compared(monkeypatch):
    compared = []

    def spy(ours, theirs):
        compared.append((len(ours), len(theirs)))
        return ours == theirs

    monkeypatch.setattr("openssl_serve.handlers.authentication.hmac.compare_digest", spy)
    handler = BasicAuth(lambda _request: Response(200), Credentials("me", "secret"))
    for value in (b"Basic eDp4", b"Basic bWU6eA==", b"Basic eA=="):
        request = Request(b"GET", b"/", [(b"Host", b"a"), (b"Authorization", value)], PEER)
        with pytest.raises(HttpError):
            handler(request)

    assert compared == [(32, 32)] * 6
