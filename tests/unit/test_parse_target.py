"""What TARGET and --route on the command line mean."""

from pathlib import Path

import pytest

from openssl_serve.addresses import Address
from openssl_serve.errors import UsageError
from openssl_serve.handlers.authorities import Authorities
from openssl_serve.handlers.proxy.upstream import Upstream, parse_upstream
from openssl_serve.hosts import parse_host
from openssl_serve.server.listeners import open_tcp
from openssl_serve.targets import (
    ContentOptions,
    Route,
    content_of,
    parse_route,
    parse_target,
    refuse_loop,
)

URL = "http://127.0.0.1:3000"


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    (tmp_path / "file.txt").touch()


def test_a_folder_is_a_folder():
    assert parse_target("folder") == Path("folder")
    assert parse_target(".") == Path()


def test_a_url_is_an_upstream():
    assert parse_target(URL) == parse_upstream(URL)


@pytest.mark.parametrize("text", ["http://127.0.0.1:3000", "app:app"])
def test_a_path_that_exists_always_wins(text):
    Path(text).mkdir(parents=True)

    assert parse_target(text) == Path(text)


@pytest.mark.parametrize(
    ("text", "words", "hint"),
    [
        ("file.txt", "is a file", "openssl-serve ."),
        ("absent", "no folder", "http://127.0.0.1:3000"),
        ("localhost:3000", "no folder", "http://localhost:3000"),
        ("", "no folder", "openssl-serve"),
        ("ftp://a.test", "ftp is not spoken", "http://"),
        ("http://a.test/?x", "only a path", "http://"),
        ("http://a.test/" + "x" * 5000 + "?", "only a path", "http://"),
        ("x" * 5000, "no folder", "openssl-serve"),
        ("a/\0", "no folder", "openssl-serve"),
    ],
)
def test_what_is_neither_is_refused_with_something_to_type(text, words, hint):
    with pytest.raises(UsageError) as caught:
        parse_target(text)

    assert words in str(caught.value)
    assert len(str(caught.value)) < 300
    assert any(hint in each for each in caught.value.hints)


def test_a_long_url_is_one():
    url = f"{URL}/{'x' * 5000}"

    assert str(parse_target(url)) == url


@pytest.mark.parametrize(
    ("text", "host", "path", "segments"),
    [
        (f"api.dev.local={URL}", "api.dev.local", "", ()),
        (f"/api={URL}", None, "/api", (b"api",)),
        (f"/api/={URL}", None, "/api", (b"api",)),
        (f"/={URL}", None, "", ()),
        (f"Api.Dev.Local/v1/x={URL}", "api.dev.local", "/v1/x", (b"v1", b"x")),
        (f"*.dev.local={URL}", "*.dev.local", "", ()),
        (f"*.localhost/x={URL}", "*.localhost", "/x", (b"x",)),
        (f"[::1]/x={URL}", "::1", "/x", (b"x",)),
        (f"127.0.0.1={URL}", "127.0.0.1", "", ()),
        (f"fa\u00df.de={URL}", "xn--fa-hia.de", "", ()),
        (f"/\u00e9/%C3%A9={URL}", None, "/\u00e9/%C3%A9", (b"\xc3\xa9", b"\xc3\xa9")),
        (f"/a b={URL}", None, "/a b", (b"a b",)),
    ],
)
def test_a_route_is_a_place_and_a_target(text, host, path, segments):
    route = parse_route(text)

    assert route.target == parse_upstream(URL)
    assert (route.host.value if route.host else None, route.path) == (host, path)
    assert (route.place.host, route.place.segments) == (route.host, segments)


@pytest.mark.parametrize("target", ["folder", "./folder", "http://a.test/x=y"])
def test_its_target_is_whatever_a_target_is(target):
    assert parse_route(f"/x={target}").target == parse_target(target)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "not a place and a target"),
        (URL, "not a place and a target"),
        (f"={URL}", "not a place and a target"),
        ("/api=", "not a place and a target"),
        ("/api", "not a place and a target"),
        (f"/api?x={URL}", "is not a path"),
        (f"/api#x={URL}", "is not a path"),
        (f"//api={URL}", "is not a path"),
        (f"/a//b={URL}", "is not a path"),
        (f"a b={URL}", "a b"),
        (f"a.test:80={URL}", "a.test:80"),
        (f"user@a.test={URL}", "user@a.test"),
        (f"*={URL}", "*"),
        (f"a.*.test={URL}", "a.*.test"),
        ("/api=absent", "no folder"),
        ("/api=ftp://a", "ftp is not spoken"),
    ],
)
def test_what_is_no_route_is_refused_in_words(text, words):
    with pytest.raises(UsageError) as caught:
        parse_route(text)

    assert words in str(caught.value)
    assert caught.value.hints


@pytest.mark.parametrize(
    ("one", "other"),
    [("/api", "/api/"), ("/api", "/%61pi"), ("a.test", "A.test/"), ("a.test/x", "a.test/x")],
)
def test_two_routes_at_one_place_are_refused(one, other):
    routes = (parse_route(f"{one}={URL}"), parse_route(f"{other}=folder"))

    with pytest.raises(UsageError, match="two targets"):
        content_of(Path("folder"), Authorities([]), ContentOptions(routes=routes))


def test_routes_of_one_path_for_different_hosts_are_not():
    routes = tuple(parse_route(f"{place}={URL}") for place in ("a.test/x", "b.test/x", "/x"))

    assert content_of(Path("folder"), Authorities([]), ContentOptions(routes=routes)).handler()


def test_a_route_is_a_value():
    upstream = parse_upstream(URL)
    assert isinstance(upstream, Upstream)
    assert parse_route(f"a.test/x={URL}") == Route(parse_host("a.test"), "/x", upstream)


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:{}"),
        ("127.0.0.1", "http://localhost:{}"),
        ("127.0.0.1", "https://app.localhost:{}/x"),
        ("0.0.0.0", "http://127.0.0.1:{}"),
    ],
)
def test_a_server_does_not_stand_before_itself(host, url):
    listeners = open_tcp(Address(host, 0))
    upstream = parse_upstream(url.format(listeners[0].getsockname()[1]))
    with pytest.raises(UsageError, match="this server itself") as caught:
        refuse_loop([Path("folder"), upstream], listeners)

    assert any("--port" in hint for hint in caught.value.hints)
    assert listeners[0].fileno() < 0


@pytest.mark.parametrize(
    "url",
    ["http://127.0.0.1:1", "http://127.0.0.2:{}", "http://[::1]:{}", "http://a.test:{}"],
)
def test_but_it_may_before_another(url):
    (listener,) = listeners = open_tcp(Address("127.0.0.1", 0))
    with listener:
        refuse_loop([parse_upstream(url.format(listener.getsockname()[1])), Path()], listeners)
        assert listener.fileno() >= 0
