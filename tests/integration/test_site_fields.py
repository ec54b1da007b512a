"""CORS, isolation, own fields, HSTS and a password, over real sockets and on every response."""

import base64

import h11
import pytest
from readers import faults_of
from server_fixtures import request

from openssl_serve import api
from openssl_serve.errors import UsageError
from openssl_serve.handlers.credentials import Credentials
from openssl_serve.handlers.decorations import Decorations, parse_header
from openssl_serve.handlers.folder import FolderOptions
from openssl_serve.server.handling import Offload

PAGE = b"Accept: text/html"
ANSWERS = {
    "file": (request("/a.txt"), 200),
    "file as gzip": (request("/long.txt", b"Accept-Encoding: gzip"), 200),
    "large file as gzip": (request("/large.txt", b"Accept-Encoding: gzip"), 200),
    "not modified": (request("/a.txt", b"If-None-Match: *"), 304),
    "part": (request("/a.txt", b"Range: bytes=0-1"), 206),
    "parts": (request("/a.txt", b"Range: bytes=0-1,5-6"), 206),
    "no such part": (request("/a.txt", b"Range: bytes=99-"), 416),
    "listing": (request("/"), 200),
    "listing, as a page": (request("/", PAGE), 200),
    "clean URL": (request("/page"), 200),
    "page of an app": (request("/users", PAGE), 200),
    "missing": (request("/missing.js"), 404),
    "missing, as a page": (request("/missing.js", PAGE), 404),
    "to the slash": (request("/sub"), 301),
    "not allowed": (request("/", b"Content-Length: 0", method=b"POST"), 405),
    "another host": (request("/", host=b"evil.test"), 421),
    "options": (request("/", method=b"OPTIONS"), 204),
    "preflight": (
        request("/", b"Origin: https://a.test", b"Access-Control-Request-Method: GET",
                b"Access-Control-Request-Headers: authorization", method=b"OPTIONS"), 204),
}  # fmt: skip

ACCEPTED = {
    # httplint knows no multipart; RFC 9110 section 15.3.7.2 forbids the field there.
    "parts": {"This response is partial, but doesn't have a Content-Range header."},
    # It does not see the request, and this is the answer to a preflight.
    "preflight": {"CORS headers are only allowed in preflight responses."},
}


@pytest.fixture
def site(root):
    (root / "sub").mkdir()
    (root / "sub" / "index.html").write_text("sub")
    (root / "page.html").write_text("<title>page</title>")
    (root / "long.txt").write_text("long " * 1000)
    (root / "large.txt").write_text("long " * 20_000)
    return root


def fields_of(answer, *names):
    return [answer.get(name) for name in names]


# Every kind of response.


@pytest.mark.parametrize("name", ANSWERS)
def test_every_response_has_what_it_was_told_to_have(serve, site, name):
    data, status = ANSWERS[name]
    if name == "page of an app":
        (site / "index.html").write_text("<title>app</title>")
    running = serve(
        folder=FolderOptions(spa=True),
        decorations=Decorations(
            (parse_header("X-One: 1"), parse_header("Cache-Control: no-store")),
            cors=True,
            cross_origin_isolated=True,
            hsts=True,
        ),
    )
    with running.tls() as client:
        for _ in range(2):
            answer = client.send(data).answer(data.partition(b" ")[0])
            assert answer.status == status
            assert fields_of(
                answer, b"x-one", b"cache-control", b"access-control-allow-origin",
                b"cross-origin-opener-policy", b"cross-origin-embedder-policy",
                b"cross-origin-resource-policy", b"strict-transport-security",
            ) == [b"1", b"no-store", b"*", b"same-origin", b"require-corp", b"cross-origin",
                  b"max-age=300"]  # fmt: skip


@pytest.mark.parametrize("name", ANSWERS)
@pytest.mark.parametrize("decorated", [False, True], ids=["bare", "decorated"])
def test_a_reader_of_http_finds_no_fault_with_it(serve, site, name, decorated):
    data, status = ANSWERS[name]
    if name == "page of an app":
        (site / "index.html").write_text("<title>app</title>")
    decorations = Decorations(
        (parse_header("X-One: 1"),), cors=True, cross_origin_isolated=True, hsts=True
    )
    running = serve(
        folder=FolderOptions(spa=True, cache_s=60),
        decorations=decorations if decorated else Decorations(),
    )
    with running.tls() as client:
        answer = client.send(data).answer(data.partition(b" ")[0])
    assert answer.status == status
    assert faults_of(answer) <= ACCEPTED.get(name, set())


def test_without_a_word_none_of_it_is_there(server, site):
    for target in ("/a.txt", "/missing"):
        answer = server.get(target, b"Origin: https://a.test")
        names = {name for name, _ in answer.fields}
        assert not any(name.startswith((b"access-control", b"cross-origin")) for name in names)
        assert b"strict-transport-security" not in names
    preflight = server.get("/a.txt", b"Origin: https://a.test",
                           b"Access-Control-Request-Method: GET", method=b"OPTIONS")  # fmt: skip
    assert preflight.get(b"access-control-allow-methods") is None


def test_a_field_of_the_users_replaces_ours_in_what_is_kept_too(serve, site, monkeypatch):
    monkeypatch.setattr("openssl_serve.handlers.files.SETTLED_S", -10.0)
    running = serve(decorations=Decorations((parse_header("cache-control: no-store"),)))
    with running.tls() as client:
        for _ in range(3):
            assert client.get("/a.txt").get(b"cache-control") == b"no-store"


def test_hsts_is_never_told_over_plain_http(serve, site, monkeypatch):
    """RFC 6797 section 7.2; not even in an answer that was kept for TLS."""
    monkeypatch.setattr("openssl_serve.handlers.files.SETTLED_S", -10.0)
    running = serve(plain_http=api.PlainHttp.SERVE, decorations=Decorations(hsts=True))

    for _ in range(2):
        assert running.get("/a.txt").get(b"strict-transport-security") == b"max-age=300"
        with running.plain() as client:
            assert client.get("/a.txt").get(b"strict-transport-security") is None
    with serve(decorations=Decorations(hsts=True)).plain() as client:
        assert client.get("/a.txt").get(b"strict-transport-security") is None


# What is answered before there is a handler, or instead of one.

OURS = Decorations(
    tuple(map(parse_header, (
        "X-One: 1", "Content-Security-Policy: img-src 'none'", "Cache-Control: max-age=9",
        "Set-Cookie: a=b", "Expires: Mon, 23 Nov 2037 00:00:00 GMT",
    ))),
    cors=True,
    hsts=True,
)  # fmt: skip
REFUSALS = {
    "no host": (request(host=None), 400),
    "malformed": (b"QQQ\r\n\r\n", 400),
    "too late": (b"GET / HTTP/1.1\r\nHost:", 408),
    "too long": (request(b"/" + b"a" * 9000), 414),
    "too many fields": (request("/", *[b"X: y"] * 200), 431),
    "too many fields, as a page": (request("/", PAGE, *[b"X: y"] * 200), 431),
    "unknown coding": (request("/", b"Transfer-Encoding: gzip, chunked") + b"0\r\n\r\n", 501),
    "version 2.0": (b"GET / HTTP/2.0\r\nHost: localhost\r\n\r\n", 505),
}


def assert_decorated(answer, *, secure):
    """Once, all that goes with everything, and nothing of what is meant for the content."""
    names = [name for name, _ in answer.fields if name != b"connection"]
    assert fields_of(
        answer, b"x-one", b"access-control-allow-origin", b"strict-transport-security"
    ) == [b"1", b"*", b"max-age=300" if secure else None]
    assert answer.get(b"cache-control") in {b"no-store", b"no-cache"}
    assert not {b"set-cookie", b"expires"} & set(names)
    policies = [value for name, value in answer.fields if name == b"content-security-policy"]
    assert policies.count(b"img-src 'none'") == 1
    assert len(names) == len(set(names)) + len(policies) - 1


@pytest.mark.parametrize("tls", [True, False], ids=["tls", "plain"])
@pytest.mark.parametrize("name", REFUSALS)
def test_a_refusal_by_the_parser_has_it_too(serve, site, name, tls):
    data, status = REFUSALS[name]
    running = serve(decorations=OURS, limits=api.Limits(head_timeout_s=0.1))

    with (running.tls if tls else running.plain)() as client:
        answer = client.send(data).answer()

    assert answer.status == status
    assert_decorated(answer, secure=tls)


@pytest.mark.parametrize("secure", [True, False], ids=["tls", "plain"])
@pytest.mark.parametrize("in_thread", [False, True])
def test_a_fault_of_ours_has_it_too(serve, site, secure, in_thread):
    def fail():
        raise RuntimeError("a bug")

    def handler(_request):
        return Offload(fail) if in_thread else fail()

    running = serve(decorations=OURS, secure=handler, plain=handler)
    running.faults_expected = True

    with (running.tls if secure else running.plain)() as client:
        answer = client.get("/")

    assert answer.status == 500
    assert_decorated(answer, secure=secure)


def test_one_connection_too_many_has_it_too(serve, site):
    running = serve(decorations=OURS, limits=api.Limits(max_connections=1))

    with running.tls() as client, running.tls() as other:
        assert client.get("/a.txt").status == 200
        answer = other.get("/a.txt")

    assert answer.status == 503
    assert_decorated(answer, secure=True)


def test_what_is_no_protocol_has_it_too(serve, site):
    with serve(decorations=OURS).plain() as client:
        answer = client.send(b"\x00").answer()

    assert answer.status == 400
    assert_decorated(answer, secure=False)


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (request("/a?b"), 301),
        (request("/a?b", b"Content-Length: 0", method=b"POST"), 308),
        (request("/", host=b"evil.test"), 421),
        (request("/", PAGE, host=b"evil.test"), 421),
    ],
)
def test_the_redirect_has_it_too(serve, site, data, status):
    """Fetch checks each redirect for CORS; and no browser shall keep this one."""
    running = serve(decorations=OURS)

    with running.plain() as client:
        for _ in range(2):
            answer = client.send(data).answer(data.partition(b" ")[0])
            assert answer.status == status
            assert_decorated(answer, secure=False)
            place = b"https://localhost/a?b" if status < 400 else None
            assert answer.get(b"location") == place


@pytest.mark.parametrize("accept", [b"Accept: */*", PAGE])
@pytest.mark.parametrize(
    ("data", "status"),
    [("/missing.js", 404), ("/sub", 301), ("/a.txt", 412), ("/a.txt", 416), ("/", 421), ("/", 405)],
)
def test_what_is_of_the_moment_is_not_kept_as_long_as_a_file(serve, site, data, status, accept):
    """A browser would have a script missing, or a folder moved, for as long as the user's files."""
    given = {412: b'If-Match: "x"', 416: b"Range: bytes=99-"}.get(status, b"X: y")
    method = b"POST" if status == 405 else b"GET"
    host = b"evil.test" if status == 421 else b"localhost"

    with serve(decorations=OURS).tls() as client:
        data = request(data, accept, given, b"Content-Length: 0", method=method, host=host)
        answer = client.send(data).answer(method)
        assert answer.status == status
        assert_decorated(answer, secure=True)
        assert client.get("/a.txt").get(b"cache-control") == b"max-age=9"


def test_the_sites_own_page_for_what_is_missing_is_not_kept_either(serve, site):
    (site / "404.html").write_text("not here")
    answer = serve(decorations=OURS).get("/missing.js")

    assert answer.body == b"not here"
    assert_decorated(answer, secure=True)


def test_plain_http_refused_has_it_too(serve, site):
    with serve(decorations=OURS, plain_http=api.PlainHttp.REFUSE).plain() as client:
        answer = client.get("/a.txt")

    assert (answer.status, answer.get(b"upgrade")) == (426, b"TLS/1.2, HTTP/1.1")
    assert_decorated(answer, secure=False)


# Preflights.

ASK = (b"Origin: https://a.test", b"Access-Control-Request-Method: GET")


def test_a_preflight_is_answered_with_all_that_it_asks_for(serve, site):
    running = serve(decorations=Decorations(cors=True))
    answer = running.get(
        "/missing.js",
        *ASK,
        b"Access-Control-Request-Headers: range, x-own",
        b"Access-Control-Request-Private-Network: true",
        method=b"OPTIONS",
    )

    assert (answer.status, answer.body) == (204, b"")
    assert fields_of(
        answer, b"access-control-allow-origin", b"access-control-allow-methods",
        b"access-control-allow-headers", b"access-control-max-age",
        b"access-control-allow-private-network",
    ) == [b"*", b"GET, HEAD, OPTIONS", b"range, x-own", b"600", b"true"]  # fmt: skip
    assert b"Access-Control-Request-Headers" in (answer.get(b"vary") or b"")


def test_a_preflight_allows_no_more_than_was_asked(serve, site):
    running = serve(decorations=Decorations(cors=True))

    for fields in (ASK, (*ASK, b"Access-Control-Request-Headers: x; y"),
                   (*ASK, b"Access-Control-Request-Private-Network: maybe")):  # fmt: skip
        answer = running.get("/a.txt", *fields, method=b"OPTIONS")
        assert answer.get(b"access-control-allow-headers") is None
        assert answer.get(b"access-control-allow-private-network") is None
    assert running.get("/a.txt", method=b"OPTIONS").get(b"allow") == b"GET, HEAD, OPTIONS"


def test_a_preflight_for_another_host_is_refused(serve, site):
    """What stops DNS rebinding comes before CORS."""
    running = serve(decorations=Decorations(cors=True))
    with running.tls() as client:
        client.send(request("/", *ASK, method=b"OPTIONS", host=b"evil.test"))
        assert client.answer(b"OPTIONS").status == 421


# A password.

ME = Credentials("me", "a:b\u00e9")


def basic(text, scheme=b"Basic"):
    data = text if isinstance(text, bytes) else text.encode()
    return b"Authorization: " + scheme + b" " + base64.b64encode(data)


def test_only_who_knows_the_password_is_let_in(serve, site):
    running = serve(auth=ME)

    for target in ("/a.txt", "/", "/missing", "/sub"):
        answer = running.get(target)
        assert answer.status == 401
        assert answer.get(b"www-authenticate") == b'Basic realm="openssl-serve", charset="UTF-8"'
        assert b"content of a" not in answer.body
    assert running.get("/a.txt", basic("me:a:b\u00e9")).body == b"content of a\n"
    assert running.get("/a.txt", basic("me:a:b\u00e9", b"bAsIc")).status == 200


@pytest.mark.parametrize(
    "field",
    [
        basic("me:a:b"), basic("me:"), basic("me"), basic(":a:b\u00e9"), basic("you:a:b\u00e9"),
        basic("ME:a:b\u00e9"), basic(""), basic(b"me:a:b\xe9"), basic(b"\xff\xfe:\xff"),
        basic("me:a:b\u00e9\0"), basic("me:a:b\u00e9", b"Bearer"), basic("me:a:b\u00e9", b"Digest"),
        b"Authorization: Basic", b"Authorization: Basic ", b"Authorization: Basic !!!!",
        b"Authorization: Basic bWU6YTpi", b"Authorization: Basic bWU6YTpi===x",
        b"Authorization: Basic " + b"A" * 20_000, b"Authorization: \xff", b"Authorization:",
        b"Authorization: Basic bWU6YTpiw6k=, Basic bWU6YTpiw6k=",
    ],
)  # fmt: skip
def test_who_does_not_is_told_so_whatever_was_sent(serve, site, field):
    """static-web-server CVE-2026-27480, uploadserver 6.0.2: no traceback, no difference."""
    assert serve(auth=ME).get("/a.txt", field).status == 401


def test_what_is_kept_is_not_given_to_strangers(serve, site, monkeypatch):
    monkeypatch.setattr("openssl_serve.handlers.files.SETTLED_S", -10.0)
    with serve(auth=ME).tls() as client:
        assert client.get("/a.txt", basic("me:a:b\u00e9")).status == 200
        assert client.get("/a.txt").status == 401
        assert client.get("/a.txt", b"If-None-Match: *").status == 401


def test_a_preflight_needs_no_password_and_opens_nothing(serve, site):
    """Fetch standard: a preflight carries no credentials."""
    running = serve(auth=ME, decorations=Decorations(cors=True))

    assert running.get("/a.txt", *ASK, method=b"OPTIONS").status == 204
    assert running.get("/a.txt", method=b"OPTIONS").status == 401
    answer = running.get("/a.txt", b"Origin: https://a.test")
    assert (answer.status, answer.get(b"access-control-allow-origin")) == (401, b"*")


def test_a_password_is_never_asked_for_over_plain_http(serve, site):
    with serve(auth=ME).plain() as client:
        assert client.get("/a.txt").status == 301
    with pytest.raises(UsageError, match="--auth with --plain-http serve"):
        serve(auth=ME, plain_http=api.PlainHttp.SERVE)


def test_the_refusal_is_one_that_other_readers_understand(serve, site):
    answer = serve(auth=ME).get("/a.txt", PAGE)

    assert answer.status == 401
    assert not faults_of(answer)
    assert h11.Response(status_code=401, headers=answer.fields)
