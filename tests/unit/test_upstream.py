"""URLs of upstreams, and where they lead."""

import socket

import pytest

from openssl_serve.errors import UsageError
from openssl_serve.handlers.proxy.upstream import Place, parse_upstream, place_of


@pytest.mark.parametrize(
    ("url", "shown", "authority", "port", "secure", "path"),
    [
        ("http://127.0.0.1:3000", "http://127.0.0.1:3000", "127.0.0.1:3000", 3000, False, ""),
        ("http://127.0.0.1", "http://127.0.0.1", "127.0.0.1", 80, False, ""),
        ("http://a.test:80/", "http://a.test", "a.test", 80, False, ""),
        ("http://a.test:443", "http://a.test:443", "a.test:443", 443, False, ""),
        ("https://a.test", "https://a.test", "a.test", 443, True, ""),
        ("https://a.test:443/x", "https://a.test/x", "a.test", 443, True, "/x"),
        ("HTTPS://A.Test:8443", "https://a.test:8443", "a.test:8443", 8443, True, ""),
        ("http://[::1]:3000/", "http://[::1]:3000", "[::1]:3000", 3000, False, ""),
        ("http://[0::0:1]", "http://[::1]", "[::1]", 80, False, ""),
        ("http://localhost:3000/api/v1/", "http://localhost:3000/api/v1", "localhost:3000", 3000,
         False, "/api/v1"),
        ("http://a/%20b;c=d,e", "http://a/%20b;c=d,e", "a", 80, False, "/%20b;c=d,e"),
    ],
)  # fmt: skip
def test_a_url_is_taken_apart(url, shown, authority, port, secure, path):
    upstream = parse_upstream(url)

    assert str(upstream) == shown
    assert (upstream.authority, upstream.port) == (authority, port)
    assert (upstream.secure, upstream.path) == (secure, path)
    assert upstream.origin == shown.removesuffix(path)
    assert upstream.origin in upstream.origins


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("ftp://127.0.0.1", "ftp is not spoken"),
        ("ws://127.0.0.1:3000", "ws is not spoken"),
        ("unix:///run/x", "unix is not spoken"),
        ("http://", "no host and port"),
        ("http:///x", "no host and port"),
        ("http://:3000", "no host and port"),
        ("http://127.0.0.1:", "no host and port"),
        ("http://127.0.0.1:0", "no host and port"),
        ("http://127.0.0.1:65536", "no host and port"),
        ("http://127.0.0.1:x", "no host and port"),
        ("http://127.0.0.1:3000:1", "no host and port"),
        ("http://::1", "no host and port"),
        ("http://a b", "no host and port"),
        ("http://a_\0", "no host and port"),
        ("http://*.a.test", "no host and port"),
        ("http://a?x", "no host and port"),
        ("http://a/x?y", "only a path"),
        ("http://a/x#y", "only a path"),
        ("http://a/x y", "only a path"),
        ("http://a/\u00e9", "only a path"),
        ("http://a/x\r\nHost: b", "only a path"),
        ("http://a/x\\y", "only a path"),
    ],
)
def test_what_is_no_url_of_an_upstream_is_refused_in_words(url, words):
    with pytest.raises(UsageError) as caught:
        parse_upstream(url)

    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
    assert caught.value.hints


@pytest.mark.parametrize("url", ["http://me:secret@a.test", "https://secret@a.test/x"])
def test_a_password_is_not_repeated(url):
    with pytest.raises(UsageError) as caught:
        parse_upstream(url)

    assert "secret" not in str(caught.value) + "".join(caught.value.hints)


@pytest.mark.parametrize("name", ["localhost", "app.localhost", "a.b.localhost"])
def test_localhost_is_both_loopbacks_whatever_a_resolver_says(name):
    assert parse_upstream(f"http://{name}:1").known_places() == [
        Place(socket.AF_INET, "127.0.0.1", 1), Place(socket.AF_INET6, "::1", 1),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("url", "family", "address"),
    [
        ("http://192.0.2.1:2", socket.AF_INET, "192.0.2.1"),
        ("http://[2001:db8::1]:2", socket.AF_INET6, "2001:db8::1"),
    ],
)
def test_an_address_is_known(url, family, address):
    assert parse_upstream(url).known_places() == [Place(family, address, 2)]
    assert place_of(address, 2) == Place(family, address, 2)


def test_a_name_is_not(monkeypatch):
    asked = []

    def resolver(host, port, *, type):  # noqa: A002  as it is called there
        asked.append((host, port, type))
        return [
            (socket.AF_INET6, type, 6, "", ("fe80::1%lo", port, 0, 1)),
            (socket.AF_INET, type, 6, "", ("192.0.2.1", port)),
        ]

    monkeypatch.setattr(socket, "getaddrinfo", resolver)
    upstream = parse_upstream("https://notlocalhost.test")

    assert upstream.known_places() is None
    assert [(each.address, each.port) for each in upstream.look_up()] == [
        ("fe80::1%lo", 443), ("192.0.2.1", 443),
    ]  # fmt: skip
    assert asked == [("notlocalhost.test", 443, socket.SOCK_STREAM)]


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://127.0.0.1:1", {"127.0.0.1:1", "[::1]:1", "localhost:1"}),
        ("http://localhost", {"127.0.0.1", "[::1]", "localhost"}),
        ("http://a.test:1/x", {"a.test:1"}),
        ("http://192.0.2.1:1", {"192.0.2.1:1"}),
    ],
)
def test_an_upstream_on_loopback_has_many_names(url, expected):
    assert set(parse_upstream(url).origins) == {f"http://{each}" for each in expected}
