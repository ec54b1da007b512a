"""What becomes of fields on their way through the proxy; see RFC 9110 section 7.6."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openssl_serve.errors import HttpError
from openssl_serve.handlers.proxy.fields import ProxyOptions, Rewriting, upgrade_of
from openssl_serve.handlers.proxy.upstream import parse_upstream
from openssl_serve.http1.request import Peer, Request
from openssl_serve.http1.response_parser import ResponseHead

PEER = Peer("192.0.2.1", "127.0.0.1", 8443, secure=True)
FORWARDED = {
    b"x-forwarded-for": b"192.0.2.1",
    b"x-forwarded-proto": b"https",
    b"x-forwarded-host": b"my.dev.local:8443",
    b"x-forwarded-port": b"8443",
}


def asked(*lines, target=b"/x", method=b"GET", peer=PEER, version="1.1", host=b"my.dev.local:8443"):
    """A request with the fields of *lines*, each a name and a value."""
    fields = [(name, value) for name, _, value in (line.partition(b": ") for line in lines)]
    return Request(method, target, [(b"Host", host), *fields], peer, version)


def rewriting(url="http://127.0.0.1:3000", depth=0, **options):
    return Rewriting(parse_upstream(url), ProxyOptions(**options), depth)


def parts(head):
    """The first line of *head*, and its fields by lower-case name; none stands twice."""
    first, *lines = head.split(b"\r\n")
    assert lines[-1] == b""
    while lines and not lines[-1]:
        lines.pop()
    fields = [(name.lower(), value) for name, _, value in (line.partition(b": ") for line in lines)]
    assert len(dict(fields)) == len(fields), fields
    return first, dict(fields)


def there(request, upgrade=None, host=b"my.dev.local:8443", **options):
    """What the upstream gets of *request*."""
    return parts(rewriting(**options).request_head(request, request.target, host, upgrade))[1]


def back(*lines, request=None, status=200, url="http://127.0.0.1:3000", depth=0, **options):
    """What the client gets of a response with the fields of *lines*, in their order."""
    fields = [(name, value) for name, _, value in (line.partition(b": ") for line in lines)]
    head = rewriting(url, depth, **options).response_head(
        request or asked(), ResponseHead(status, b"OK", fields)
    )
    first, *left = head.split(b"\r\n")
    assert first == b"HTTP/1.1 %d OK" % status
    return left[:-1]


# Requests.


def test_a_head_is_complete():
    head = rewriting().request_head(
        asked(b"B: 1", b"a: 2", b"B: 3"), b"/there?x", b"my.dev.local:8443", None
    )

    assert head.startswith(
        b"GET /there?x HTTP/1.1\r\nHost: my.dev.local:8443\r\nB: 1\r\na: 2\r\nB: 3\r\nX-Forwarded-"
    )
    assert head.endswith(b"\r\n\r\n")
    assert head.count(b"\r\n\r\n") == 1


@pytest.mark.parametrize(
    "line",
    [
        b"Connection: keep-alive", b"Keep-Alive: timeout=5", b"Proxy-Connection: keep-alive",
        b"TE: trailers", b"Trailer: X", b"Upgrade: websocket", b"HTTP2-Settings: x", b"tE: x",
        b"Proxy-Authorization: Basic x", b"Proxy-Authenticate: x", b"Proxy: http://evil.example",
        b"Proxy_Connection: x", b"Transfer_Encoding: chunked", b"X_Forwarded_For: 1.2.3.4",
        b"x-forwarded_for: 1.2.3.4", b"Content_Length: 5", b"CONTENT_TYPE: a/b", b"Ho_st: a",
    ],
)  # fmt: skip
def test_what_is_for_one_connection_stays_on_it(line):
    name = line.partition(b":")[0].lower()
    fields = there(asked(line))

    assert (name in fields) is (name == b"ho_st")


@pytest.mark.parametrize("line", [b"Cookie: a", b"X_Own: 1", b"Expect: 100-continue", b"Range: x"])
def test_all_else_goes_on(line):
    name, _, value = line.partition(b": ")

    assert there(asked(line))[name.lower()] == value


@pytest.mark.parametrize(
    "named", [b"x-secret", b"close, X-Secret", b"X-SECRET ,close", b"\tx-secret\t", b",,x-secret"]
)
def test_what_connection_names_stays_too(named):
    fields = there(asked(b"X-Secret: 1", b"X-Other: 2", b"Connection: " + named))

    assert b"x-secret" not in fields
    assert fields[b"x-other"] == b"2"


@pytest.mark.parametrize("trust", [False, True])
@pytest.mark.parametrize(
    "name",
    [b"Content-Length", b"host", b"X-Forwarded-For", b"x-forwarded-host", b"X-Forwarded-Proto",
     b"X-Forwarded-Port", b"Transfer-Encoding", b"Via", b"Forwarded"],
)  # fmt: skip
def test_but_for_what_frames_a_message_and_what_is_ours(name, trust):
    request = asked(
        b"Content-Length: 5" if name != b"Transfer-Encoding" else b"Transfer-Encoding: chunked",
        b"X-Forwarded-Proto: http", b"X-Forwarded-Port: 1", b"X-Forwarded-Host: a.test",
        b"Connection: " + name,
    )  # fmt: skip
    fields = there(request, trust_forwarded=trust, forwarded=True)

    assert name.lower() in fields
    assert fields[b"host"] == b"my.dev.local:8443"


def test_chunks_are_announced_by_us():
    assert there(asked(b"Transfer-Encoding: Chunked"))[b"transfer-encoding"] == b"chunked"


def test_expect_is_not_for_an_old_client():
    assert b"expect" not in there(asked(b"Expect: 100-continue", version="1.0"))


# Who asks.


LIES = (
    b"X-Forwarded-For: 10.0.0.1", b"X-Forwarded-Proto: http", b"X-Forwarded-Host: evil.example",
    b"X-Forwarded-Port: 1", b"Forwarded: for=10.0.0.1", b"X-Real-IP: 10.0.0.1",
    b"X-Forwarded-Server: x", b"X-Forwarded-Ssl: off", b"X-Forwarded-Prefix: /x",
    b"X-Forwarded-Scheme: http",
)  # fmt: skip


@pytest.mark.parametrize("lines", [(), LIES])
def test_the_upstream_is_told_who_asks_and_a_client_has_no_say_in_it(lines):
    fields = there(asked(*lines))

    assert {name: value for name, value in fields.items() if b"forward" in name} == FORWARDED
    assert b"x-real-ip" not in fields


def test_a_client_on_plain_http():
    fields = there(asked(peer=Peer("127.0.0.1", "127.0.0.1", 80, secure=False)))

    assert fields[b"x-forwarded-proto"] == b"http"
    assert fields[b"x-forwarded-port"] == b"80"


def test_a_client_on_a_unix_socket_has_no_address():
    fields = there(asked(peer=Peer("", "", 0, secure=True)), forwarded=True)

    assert fields[b"x-forwarded-for"] == b"unknown"
    assert b"x-forwarded-port" not in fields
    assert fields[b"forwarded"].startswith(b"for=unknown;")


def test_a_client_that_is_trusted_has():
    fields = there(asked(*LIES), trust_forwarded=True)

    assert fields[b"x-forwarded-for"] == b"10.0.0.1, 192.0.2.1"
    assert fields[b"x-forwarded-proto"] == b"http"
    assert fields[b"x-forwarded-host"] == b"evil.example"
    assert fields[b"x-forwarded-port"] == b"1"
    assert fields[b"forwarded"] == b"for=10.0.0.1"
    assert fields[b"x-real-ip"] == b"10.0.0.1"
    # Nobody writes those; to CGI they would be the others.
    assert b"x_forwarded_proto" not in there(asked(b"X_Forwarded_Proto: x"), trust_forwarded=True)


def test_what_it_does_not_say_is_said_by_us():
    fields = there(asked(b"X-Forwarded-Host: a.test"), trust_forwarded=True)

    expected = FORWARDED | {b"x-forwarded-host": b"a.test"}
    assert {name: value for name, value in fields.items() if b"forward" in name} == expected


def test_several_before_us_are_one_list():
    lines = (b"X-Forwarded-For: a", b"x-forwarded-for: b, c",
             b"Forwarded: for=a", b"forwarded: for=b")  # fmt: skip
    fields = there(asked(*lines), trust_forwarded=True, forwarded=True)

    assert fields[b"x-forwarded-for"] == b"a, b, c, 192.0.2.1"
    assert fields[b"forwarded"].startswith(b"for=a, for=b, for=192.0.2.1;")


@pytest.mark.parametrize(
    ("client", "host", "expected"),
    [
        ("192.0.2.1", b"a.test:1", b'for=192.0.2.1;host="a.test:1";proto=https'),
        ("2001:db8::1", b"[::1]:8443", b'for="[2001:db8::1]";host="[::1]:8443";proto=https'),
        ("fe80::1%eth0", b"a", b'for="[fe80::1%eth0]";host="a";proto=https'),
        ("192.0.2.1", b'a"b\\c', b'for=192.0.2.1;host="a\\"b\\\\c";proto=https'),
    ],
)
def test_forwarded_is_quoted_as_it_must_be(client, host, expected):
    """RFC 7239 sections 4 and 6."""
    request = asked(peer=Peer(client, "127.0.0.1", 8443, secure=True), host=host)

    assert there(request, host=host, forwarded=True)[b"forwarded"] == expected


def test_forwarded_is_not_sent_unless_asked_for():
    assert b"forwarded" not in there(asked())


@pytest.mark.parametrize(
    ("options", "host", "told"),
    [
        ({}, b"my.dev.local", b"my.dev.local"),
        ({}, None, b"127.0.0.1:3000"),
        ({"rewrite_host": True}, b"my.dev.local", b"127.0.0.1:3000"),
    ],
)
def test_the_host_is_the_clients_unless_asked_for(options, host, told):
    head = rewriting(**options).request_head(asked(), b"/", host, None)

    assert parts(head)[1][b"host"] == told
    assert parts(head)[1].get(b"x-forwarded-host") == host


# Where it has been.


def test_via_tells_a_loop():
    rewriter = rewriting()
    first = parts(rewriter.request_head(asked(b"Via: 1.0 a"), b"/", b"a", None))[1][b"via"]
    assert first.startswith(b"1.0 a, 1.1 openssl-serve-")
    rewriter.refuse_loop(asked(b"Via: 1.0 a"))
    rewriting().refuse_loop(asked(b"Via: " + first))

    with pytest.raises(HttpError) as caught:
        rewriter.refuse_loop(asked(b"Via: " + first + b", 1.1 b"))
    assert caught.value.status == 508


def test_nobody_can_tell_it_from_another():
    vias = {parts(rewriting().request_head(asked(), b"/", b"a", None))[1][b"via"] for _ in range(9)}

    assert len(vias) == 9


# Upgrades.


def upgrading(value, method=b"GET", version="1.1", **fields):
    request = asked(b"Connection: Upgrade", b"Upgrade: " + value, method=method, version=version)
    request.upgrade = True
    return request


@pytest.mark.parametrize("value", [b"websocket", b"WebSocket", b"x/1, websocket"])
def test_an_upgrade_is_passed_on(value):
    request = upgrading(value)
    assert upgrade_of(request) == value
    fields = there(request, value)

    assert fields[b"connection"] == b"Upgrade"
    assert fields[b"upgrade"] == value


@pytest.mark.parametrize(
    "request_",
    [
        upgrading(b"h2c"), upgrading(b"websocket,H2C"), upgrading(b"h2c/1"), upgrading(b"TLS/1.2"),
        upgrading(b""), upgrading(b"websocket", version="1.0"),
        upgrading(b"websocket", method=b"CONNECT"), asked(b"Upgrade: websocket"),
    ],
)  # fmt: skip
def test_some_are_not(request_):
    assert upgrade_of(request_) is None
    fields = there(request_)
    assert b"upgrade" not in fields
    assert b"connection" not in fields


# Responses.


def test_a_response_keeps_its_fields_in_order():
    lines = [b"B: 1", b"a: 2", b"Set-Cookie: x", b"set-cookie: y", b"Content-Length: 5", b"Date: z"]

    assert back(*lines) == lines


@pytest.mark.parametrize(
    "line",
    [b"Connection: close", b"Keep-Alive: timeout=5", b"Transfer-Encoding: chunked", b"Trailer: X",
     b"Upgrade: h2c", b"Proxy-Connection: close", b"Proxy-Authenticate: x", b"TE: x"],
)  # fmt: skip
def test_what_is_for_one_connection_stays_on_that(line):
    assert back(line, b"X: y") == [b"X: y"]


def test_what_its_connection_names_stays_there():
    lines = [b"X-A: 1", b"Connection: x-a, X-B", b"X-B: 2", b"X-C: 3", b"connection: x-c"]

    assert back(*lines, b"X-D: 4") == [b"X-D: 4"]


def test_but_for_what_frames_it():
    lines = [b"Content-Length: 5", b"Date: x"]

    assert back(b"Connection: Content-Length, date", *lines) == lines


@pytest.mark.parametrize("status", [100, 103, 204])
def test_where_there_is_no_content_there_is_no_length(status):
    assert back(b"Content-Length: 0", b"X: y", status=status) == [b"X: y"]


@pytest.mark.parametrize("status", [200, 304])
def test_elsewhere_there_is(status):
    assert back(b"Content-Length: 5", status=status) == [b"Content-Length: 5"]


HERE = b"https://my.dev.local:8443"


@pytest.mark.parametrize(
    ("url", "value", "expected"),
    [
        ("http://127.0.0.1:3000", b"http://127.0.0.1:3000/a?b#c", HERE + b"/a?b#c"),
        ("http://127.0.0.1:3000", b"http://127.0.0.1:3000", HERE + b"/"),
        ("http://127.0.0.1:3000", b"http://127.0.0.1:3000?a", HERE + b"/?a"),
        ("http://127.0.0.1:3000", b"http://localhost:3000/a", HERE + b"/a"),
        ("http://localhost:3000", b"http://[::1]:3000/a", HERE + b"/a"),
        ("http://app.test", b"http://app.test/a", HERE + b"/a"),
        ("https://app.test", b"https://app.test/a", HERE + b"/a"),
        # Somewhere else:
        ("http://127.0.0.1:3000", b"http://127.0.0.1:30001/a", None),
        ("http://127.0.0.1:3000", b"http://127.0.0.1:3000.evil.example/a", None),
        ("http://127.0.0.1:3000", b"http://127.0.0.1:3000@evil.example/a", None),
        ("http://127.0.0.1:3000", b"https://127.0.0.1:3000/a", None),
        ("http://app.test", b"http://www.app.test/a", None),
        ("http://app.test", b"//app.test/a", None),
        # From here to here:
        ("http://127.0.0.1:3000", b"/a?b", None),
        ("http://127.0.0.1:3000", b"a?b", None),
        ("http://127.0.0.1:3000", b"?b", None),
        ("http://127.0.0.1:3000", b"", None),
    ],
)
@pytest.mark.parametrize("name", [b"Location", b"content-location"])
def test_location_leads_here_if_asked_for(url, value, expected, name):
    line = name + b": " + value

    assert back(line, url=url) == [line]
    expected = line if expected is None else name + b": " + expected
    assert back(line, url=url, rewrite_responses=True) == [expected]


@pytest.mark.parametrize(
    ("depth", "target", "value", "expected"),
    [
        (0, b"/x", b"/base/a", b"/a"),
        (0, b"/x", b"/base", b"/"),
        (0, b"/x", b"/base?q", b"/?q"),
        (0, b"/x", b"http://127.0.0.1:3000/base/a?b", HERE + b"/a?b"),
        (0, b"/x", b"http://127.0.0.1:3000/base", HERE + b"/"),
        (1, b"/api/x", b"/base/a", b"/api/a"),
        (1, b"/api?x=/y", b"/base/", b"/api/"),
        (1, b"/api", b"/base?q", b"/api?q"),
        (2, b"/%61pi/v1/x/y", b"http://localhost:3000/base/a", HERE + b"/%61pi/v1/a"),
        (1, b"http://my.dev.local/api/x", b"/base/a", b"/api/a"),
        # Nothing leads there from here.
        (0, b"/x", b"/basement", b"/basement"),
        (0, b"/x", b"/other", b"/other"),
        (0, b"/x", b"http://127.0.0.1:3000/other", b"http://127.0.0.1:3000/other"),
        (0, b"/x", b"http://127.0.0.1:3000", b"http://127.0.0.1:3000"),
        (1, b"*", b"/base/a", b"/a"),
    ],
)
def test_it_leads_to_where_the_upstream_stands(depth, target, value, expected):
    found = back(
        b"Location: " + value, url="http://127.0.0.1:3000/base", depth=depth,
        request=asked(target=target), rewrite_responses=True,
    )  # fmt: skip

    assert found == [b"Location: " + expected]


def test_it_leads_to_whom_an_absolute_target_is_for():
    """Its Host counts for nothing, so that anything can stand there."""
    request = asked(target=b"http://a.test:1/x", host=b"evil.example")
    found = back(b"Location: http://127.0.0.1:3000/a", request=request, rewrite_responses=True)

    assert found == [b"Location: https://a.test:1/a"]


def test_on_plain_http_it_leads_to_plain_http():
    request = asked(peer=Peer("127.0.0.1", "127.0.0.1", 80, secure=False), host=b"a.test")
    found = back(b"Location: http://127.0.0.1:3000/a", request=request, rewrite_responses=True)

    assert found == [b"Location: http://a.test/a"]


@pytest.mark.parametrize(
    ("cookie", "expected"),
    [
        (b"a=b", b"a=b; Secure"),
        (b"a=b; HttpOnly; Path=/", b"a=b; HttpOnly; Path=/; Secure"),
        (b"a=b; secure", b"a=b; secure"),
        (b"a=b;SECURE ; HttpOnly", b"a=b;SECURE ; HttpOnly"),
        (b"secure", b"secure; Secure"),
        (b"secure=1; Path=/secure", b"secure=1; Path=/secure; Secure"),
        (b"", b"; Secure"),
    ],
)
def test_cookies_become_secure_if_asked_for(cookie, expected):
    line = b"Set-Cookie: " + cookie

    assert back(line) == [line]
    assert back(line, rewrite_responses=True) == [b"Set-Cookie: " + expected]
    plain = asked(peer=Peer("127.0.0.1", "127.0.0.1", 80, secure=False))
    assert back(line, request=plain, rewrite_responses=True) == [line]


@pytest.mark.parametrize(
    ("path", "expected"),
    [(b"/base", b"/api"), (b"/base/x", b"/api/x"), (b"/", b"/"), (b"/basement", b"/basement")],
)
def test_and_are_for_where_the_upstream_stands(path, expected):
    found = back(
        b"Set-Cookie: a=b; path=" + path, url="http://127.0.0.1:3000/base", depth=1,
        request=asked(target=b"/api/x"), rewrite_responses=True,
    )  # fmt: skip

    assert found[0].lower() == b"set-cookie: a=b; path=" + expected + b"; secure"


OURS = (b"x-forwarded-for", b"x-forwarded-proto", b"x-forwarded-host", b"x-forwarded-port", b"via")


@given(
    st.lists(st.tuples(st.sampled_from(OURS), st.integers(0, 2**17 - 1)), max_size=8),
    st.lists(st.sampled_from(OURS), max_size=3),
    st.booleans(),
)
def test_however_a_client_writes_them_there_is_one_of_each_of_ours(written, named, trust):
    """A bit for each character: upper case, or an underscore."""
    lines = [b"Connection: " + b", ".join(named)]
    for name, bits in written:
        letters = (
            chr(letter) if not bits >> place & 1 else "_" if letter == 0x2D else chr(letter).upper()
            for place, letter in enumerate(name)
        )
        lines.append("".join(letters).encode() + b": lie")
    head = rewriting(trust_forwarded=trust).request_head(asked(*lines), b"/", b"a", None)
    names = [line.partition(b":")[0].lower().replace(b"_", b"-") for line in head.split(b"\r\n")]

    if not trust:
        assert [names.count(name) for name in OURS] == [1] * len(OURS)
        # Where it has been, a client may say.
        assert b"lie" not in head[: head.index(b"\r\nVia: ")]
    else:
        assert names.count(b"x-forwarded-for") == names.count(b"via") == 1
        assert b"x-forwarded-proto" in names
