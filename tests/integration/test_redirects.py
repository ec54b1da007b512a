"""Redirects: from plain HTTP to https (R1-R19), and from a folder to its slash."""

import socket
import time
from dataclasses import replace
from types import SimpleNamespace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from server_fixtures import Client, answers, request

from openssl_serve import api
from openssl_serve.hosts import parse_host


def redirected(running, data):
    """The only answer to *data* over plain HTTP."""
    (answer,) = answers(running.plain_exchange(data))
    return answer


@pytest.mark.parametrize(
    ("host", "target", "location"),
    [
        (b"my.dev.local:9999", b"/a/b?x=1&y=%2F", b"https://my.dev.local:9999/a/b?x=1&y=%2F"),
        (b"my.dev.local", b"/", b"https://my.dev.local/"),
        (b"MY.dev.LOCAL:80", b"/", b"https://my.dev.local:80/"),
        (b"a.wild.dev.local:1", b"/", b"https://a.wild.dev.local:1/"),
        (b"127.0.0.1:8080", b"/", b"https://127.0.0.1:8080/"),
        (b"[::1]:8443", b"/x", b"https://[::1]:8443/x"),
        (b"[0:0::1]:8443", b"/x", b"https://[::1]:8443/x"),
        (b"localhost.:1", b"/", b"https://localhost:1/"),
        (b"localhost:", b"/", b"https://localhost/"),
        (b"[::1]:", b"/", b"https://[::1]/"),
        (b" localhost ", b"/", b"https://localhost/"),
        (b"localhost", b"//evil.example/x", b"https://localhost//evil.example/x"),
        (b"localhost", b"/%5cevil.example", b"https://localhost/%5cevil.example"),
        (b"localhost", b"/%0d%0aX:%201", b"https://localhost/%0d%0aX:%201"),
        (b"localhost", b"/a#fragment", b"https://localhost/a"),
        (b"localhost", b'/"<>|', b"https://localhost/%22%3C%3E%7C"),
        (b"localhost", b"/@evil.example", b"https://localhost/@evil.example"),
        (b"localhost", b"/%zz%", b"https://localhost/%zz%"),
        (b"other.test", b"http://localhost:8/z?q", b"https://localhost:8/z?q"),
        (b"other.test", b"http://localhost", b"https://localhost/"),
        (b"other.test", b"HTTP://LOCALHOST?q", b"https://localhost/?q"),
    ],
)
def test_plain_http_is_sent_to_the_same_place_over_https(server, host, target, location):
    answer = redirected(server, request(target, host=host))

    assert (answer.status, answer.get(b"location")) == (301, location)
    assert answer.get(b"cache-control") == b"no-store"


@pytest.mark.parametrize(
    ("method", "status"),
    [(b"GET", 301), (b"HEAD", 301), (b"POST", 308), (b"PUT", 308), (b"DELETE", 308),
     (b"PATCH", 308), (b"OPTIONS", 308), (b"PROPFIND", 308)],
)  # fmt: skip
def test_method_and_body_survive_a_redirect(server, method, status):
    with server.plain() as client:
        answer = client.get("/x?y", method=method)

        assert (answer.status, answer.get(b"location")) == (status, b"https://localhost/x?y")
        assert (answer.body == b"") is (method == b"HEAD")
        # Nothing of a body is left over to be taken for the next response.
        assert client.get("/").status == 301


@pytest.mark.parametrize(
    ("host", "status"),
    [
        (b"evil.example", 421),
        (b"localhost.evil.example", 421),
        (b"wild.dev.local", 421),
        (b"a.b.wild.dev.local", 421),
        (b"127.0.0.2", 421),
        (b"10.0.0.1:80", 421),
        (b"xn--fa-hia.de", 421),
        (b"*.wild.dev.local", 400),
        (b"a@b", 400),
        (b"localhost@evil.example", 400),
        (b"localhost:80@evil.example", 400),
        (b"localhost/evil", 400),
        (b"localhost evil", 400),
        (b"localhost:x", 400),
        (b":", 400),
        (b"localhost::", 400),
        (b"[::1]::", 400),
        (b"localhost:99999", 400),
        (b"evil.example\\.localhost", 400),
        (b'"localhost"', 400),
        (b"fa\xc3\x9f.de", 400),
        (b"localhost,evil.example", 400),
        (b"::1", 400),
        (b"[::1", 400),
        (b"", 400),
        (b"http://localhost", 400),
        (b"0x7f.1", 400),
        (b"2130706433", 400),
        (b"%6cocalhost", 400),
        (b"localhost\x00", 400),
        (b"localhost\rX: y", 400),
        (None, 400),
    ],
)
@pytest.mark.parametrize("secure", [False, True])
def test_a_host_that_is_not_ours_is_no_place_to_go(server, host, status, secure):
    """An open redirect on plain HTTP; over TLS, the way of DNS rebinding into this machine."""
    data = request("/a.txt", b"Connection: close", host=host)
    with server.tls() if secure else server.plain() as client:
        answer = client.send(data).answer()

        assert (answer.status, answer.get(b"location")) == (status, None)
        assert b"content of a" not in answer.body
        assert client.is_ended()


@pytest.mark.parametrize(
    ("target", "status"),
    [
        (b"*", 400),
        (b"http://evil.example/", 421),
        (b"http://a@localhost/", 400),
        (b"http:///x", 400),
        (b"ftp://localhost/", 400),
        (b"javascript:alert(1)", 400),
    ],
)
def test_a_target_that_is_no_path_here(server, target, status):
    answer = redirected(server, request(target, method=b"OPTIONS" if target == b"*" else b"GET"))

    assert (answer.status, answer.get(b"location")) == (status, None)


def test_a_proxy_request_is_refused(server):
    answer = redirected(server, b"CONNECT localhost:443 HTTP/1.1\r\nHost: localhost:443\r\n\r\n")

    assert (answer.status, answer.get(b"location")) == (400, None)


@pytest.mark.parametrize("form", [b"/", b"http://localhost/"])
def test_two_hosts_are_none(server, form):
    data = request(form, b"Host: evil.example")

    assert redirected(server, data).status == 400


def test_forwarded_hosts_are_not_listened_to(server):
    fields = (
        b"X-Forwarded-Host: evil.example",
        b"X-Forwarded-Proto: gopher",
        b"Forwarded: host=evil.example",
        b"X-Original-URL: /evil",
        b"X-Rewrite-URL: /evil",
    )
    answer = redirected(server, request("/x", *fields))

    assert answer.get(b"location") == b"https://localhost/x"


def test_http_1_0_without_a_host_is_sent_to_the_first_name(server):
    answer = redirected(server, request("/p", host=None, version=b"1.0"))

    assert answer.get(b"location") == b"https://my.dev.local:%d/p" % server.port
    assert answer.get(b"connection") == b"close"


def test_http_1_0_without_a_host_is_not_sent_to_a_wildcard(serve, pair):
    named = serve(certificate=replace(pair, facts=SimpleNamespace(names=("*.b.test", "c.test"))))
    nameless = serve(certificate=replace(pair, facts=SimpleNamespace(names=("*.b.test",))))
    data = request("/p", host=None, version=b"1.0")

    assert redirected(named, data).get(b"location") == b"https://c.test:%d/p" % named.port
    assert redirected(nameless, data).status == 400


def test_more_hosts_can_be_allowed(serve):
    running = serve(allow_hosts=[parse_host("other.test"), parse_host("*.many.test")])

    for host in (b"other.test:1", b"x.many.test:1"):
        assert redirected(running, request(host=host)).get(b"location") == b"https://" + host + b"/"
    assert redirected(running, request(host=b"third.test")).status == 421


def test_the_address_connected_to_is_a_place_to_go(serve, pair):
    """Also when the server listens on all of them, and no certificate names it."""
    running = serve(address=api.Address("0.0.0.0", 0))
    with Client(socket.create_connection(("127.0.0.3", running.port), 5)) as client:
        client.send(request(host=b"127.0.0.3:%d" % running.port))
        assert client.answer().status == 301
        client.send(request(host=b"127.0.0.4:%d" % running.port))
        assert client.answer().status == 421


def test_several_requests_on_one_connection_are_all_redirected(server):
    with server.plain() as client:
        client.send(request("/1") + request("/2") + request("/3"))
        found = [client.answer().get(b"location") for _ in range(3)]

    assert found == [b"https://localhost/1", b"https://localhost/2", b"https://localhost/3"]


def test_a_long_body_is_not_waited_for(server):
    began = time.monotonic()
    with server.plain() as client:
        client.send(request("/", b"Content-Length: 5000000", method=b"POST") + b"x" * 1000)
        answer = client.answer()

        assert (answer.status, answer.get(b"connection")) == (308, b"close")
        assert client.is_ended()
    assert time.monotonic() - began < 1


@pytest.mark.parametrize("protocol", [b"websocket", b"h2c", b"TLS/1.0"])
def test_a_plain_upgrade_is_redirected_and_never_tunnelled(server, protocol):
    data = request("/chat", b"Upgrade: " + protocol, b"Connection: Upgrade",
                   b"Sec-WebSocket-Key: x", b"Sec-WebSocket-Version: 13")  # fmt: skip
    received = server.plain_exchange(data + b"\x81\x05hello" + request("/second"))

    (answer,) = answers(received)
    assert (answer.status, answer.get(b"location")) == (301, b"https://localhost/chat")
    assert answer.get(b"connection") == b"close"


@pytest.mark.parametrize(
    "target",
    [b"/x\r\nSet-Cookie:a=b", b"/x\rSet-Cookie:a=b", b"/x\nSet-Cookie:a=b", b"/x\x00", b"/x\x7f"],
)
def test_no_byte_of_a_target_begins_a_field(server, target):
    for answer in answers(server.plain_exchange(request(target))):
        assert answer.get(b"set-cookie") is None
        assert answer.status in (400, 301)
        assert b"\r" not in (answer.get(b"location") or b"")


def test_plain_http_can_be_refused(serve):
    answer = redirected(serve(plain_http=api.PlainHttp.REFUSE), request("/a.txt"))

    assert answer.status == 426
    assert b"TLS" in (answer.get(b"upgrade") or b"")
    assert b"content of a" not in answer.body
    assert answer.get(b"location") is None


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow,
          HealthCheck.function_scoped_fixture])  # fmt: skip
@given(
    path=st.binary(max_size=30),
    host=st.sampled_from([b"localhost", b"[::1]:1", b"evil.test"]) | st.binary(max_size=12),
)
def test_a_location_leads_only_to_the_same_path_of_a_host_of_ours(server, path, host):
    data = request(b"/" + path, host=host)
    for answer in answers(server.plain_exchange(data)):
        location = answer.get(b"location")
        if location is not None:
            assert answer.status == 301
            assert location.startswith((b"https://localhost", b"https://[::1]", b"https://127."))
            assert all(0x21 <= byte < 0x7F and byte not in b'"<>\\^`{|}' for byte in location)


# From a folder to its slash.


@pytest.mark.parametrize(
    ("target", "location"),
    [
        (b"/sub", b"/sub/"),
        (b"/sub?x=1", b"/sub/?x=1"),
        (b"/sub?", b"/sub/?"),
        (b"/sub?a=%2F&b=\\", b"/sub/?a=%2F&b=%5C"),
        (b"//sub", b"/sub/"),
        (b"///sub", b"/sub/"),
        (b"/./sub", b"/sub/"),
        (b"/%2fsub", b"/sub/"),
        (b"/%73ub", b"/sub/"),
        # The links of its listing would begin at the top.
        (b"/sub%2f", b"/sub/"),
        (b"/sub%2F?x=1", b"/sub/?x=1"),
        (b"/sub%2f%2e", b"/sub/"),
        (b"/%2fevil.example%2f", b"/evil.example/"),
        (b"http://localhost/sub?x", b"/sub/?x"),
        (b"/evil.example", b"/evil.example/"),
        (b"//evil.example", b"/evil.example/"),
        (b"///evil.example?x", b"/evil.example/?x"),
        (b"/%2f%2fevil.example", b"/evil.example/"),
        (b"/%5cevil.example", b"/%5Cevil.example/"),
        (b"/a%0d%0ab", b"/a%0D%0Ab/"),
        (b"/caf%c3%a9", b"/caf%C3%A9/"),
    ],
)
def test_a_folder_is_sent_to_its_slash_on_this_host(server, root, target, location):
    """CVE-2021-28861 and its many kin: the Location began with two slashes, or a backslash."""
    for name in ("sub", "evil.example", "\\evil.example", "a\r\nb", "café"):
        (root / name).mkdir()

    answer = server.get(target)

    assert (answer.status, answer.get(b"location")) == (301, location)
    assert answer.get(b"cache-control") == b"no-store"


def test_the_top_is_where_it_is_however_it_is_written(server, root):
    for target in (b"/", b"//", b"/%2f", b"/.%2f", b"/%2e", b"/%2f%2f"):
        assert (server.get(target).status, server.get(target).get(b"location")) == (200, None)


@pytest.mark.parametrize(
    "target",
    [b"//evil.org/%2e%2e/sub", b"//evil.org/..%2fsub", b"///evil.org/%2e%2e/sub",
     b"//evil.example/%2e%2e", b"/..%2F%5cgithub.com%2F%3f%2F..%2F.."],
)  # fmt: skip
def test_a_way_back_up_is_no_way_to_another_host(server, root, target):
    (root / "sub").mkdir()
    (root / "evil.example").mkdir()

    answer = server.get(target)

    assert (answer.status, answer.get(b"location")) == (404, None)
