"""What an app is told of a request."""

import pytest

from openssl_serve.errors import HttpError
from openssl_serve.handlers.wsgi import environ as module
from openssl_serve.handlers.wsgi.environ import environ_of
from openssl_serve.http1.request import Peer, Request

PEER = Peer("127.0.0.1", "127.0.0.9", 8443, secure=True)


def environ(target=b"/", *fields, method=b"GET", peer=PEER, version="1.1", depth=0):
    return environ_of(Request(method, target, list(fields), peer, version), depth)


@pytest.mark.parametrize(
    ("target", "path", "query"),
    [
        (b"/", "/", ""),
        (b"/a/b?c=d", "/a/b", "c=d"),
        (b"/a?b?c", "/a", "b?c"),
        (b"/a?", "/a", ""),
        (b"/a%20b%2Fc%3F?d%20e", "/a b/c?", "d%20e"),
        # Bytes of the wire as latin-1, whatever they mean (PEP 3333).
        (b"/%E2%82%AC", "/\xe2\x82\xac", ""),
        (b"/\xe2\x82\xac?\xe2", "/\xe2\x82\xac", "\xe2"),
        (b"//evil.test/x", "//evil.test/x", ""),
        (b"/a;b=c", "/a;b=c", ""),
        (b"/a#b?c", "/a", ""),
        (b"/a%00b%zz%", "/a\0b%zz%", ""),
        (b"https://other.test:8443/a?b", "/a", "b"),
        (b"http://other.test", "/", ""),
    ],
)
def test_a_target_is_taken_apart(target, path, query):
    found = environ(target)

    assert (found["SCRIPT_NAME"], found["PATH_INFO"], found["QUERY_STRING"]) == ("", path, query)
    assert found["REQUEST_URI"] == target.decode("latin-1")


@pytest.mark.parametrize(
    ("target", "script", "path"),
    [
        (b"/api", "/api", ""),
        (b"/api?x", "/api", ""),
        (b"/api/", "/api", "/"),
        (b"/api/v1/x", "/api", "/v1/x"),
        (b"/%61pi/%2F", "/api", "//"),
        (b"/a%2Fb/c", "/a/b", "/c"),
        (b"https://a.test/api/x", "/api", "/x"),
    ],
)
def test_what_leads_to_the_app_is_its_script_name(target, script, path):
    found = environ(target, depth=1)

    assert (found["SCRIPT_NAME"], found["PATH_INFO"]) == (script, path)


def test_a_target_without_a_path_is_refused():
    with pytest.raises(HttpError) as caught:
        environ(b"*")

    assert caught.value.status == 400


def test_fields_are_variables():
    found = environ(
        b"/",
        (b"Host", b"a.test:1"),
        (b"content-type", b"text/plain"),
        (b"Content-Length", b"12"),
        (b"X-Forwarded-For", b"caf\xe9"),
        (b"x.y!", b"1"),
    )

    assert found["HTTP_HOST"] == "a.test:1"
    assert (found["CONTENT_TYPE"], found["CONTENT_LENGTH"]) == ("text/plain", "12")
    assert found["HTTP_X_FORWARDED_FOR"] == "caf\xe9"
    assert found["HTTP_X.Y!"] == "1"
    assert not {"HTTP_CONTENT_TYPE", "HTTP_CONTENT_LENGTH"} & found.keys()


def test_a_field_that_comes_twice_is_a_list_and_cookies_are_one():
    found = environ(
        b"/", (b"Accept", b"a"), (b"Cookie", b"x=1"), (b"accept", b"b"), (b"cookie", b"y=2")
    )

    assert (found["HTTP_ACCEPT"], found["HTTP_COOKIE"]) == ("a, b", "x=1; y=2")


@pytest.mark.parametrize(
    "name",
    [b"X_Real-IP", b"x_real_ip", b"Content_Length", b"Proxy", b"PROXY", b"Transfer-Encoding"],
)
def test_a_field_that_could_pose_as_another_is_dropped(name):
    found = environ(b"/", (b"X-Real-IP", b"good"), (name, b"bad"))

    assert found["HTTP_X_REAL_IP"] == "good"
    assert "bad" not in found.values()


def test_the_authority_of_an_absolute_target_counts():
    found = environ(b"https://a.test:8443/", (b"Host", b"b.test"))

    assert found["HTTP_HOST"] == "a.test:8443"


def test_a_unix_socket_has_a_name_and_a_port_all_the_same():
    found = environ(peer=Peer("", "", 0, secure=True))

    assert (found["SERVER_NAME"], found["SERVER_PORT"]) == ("localhost", "443")
    assert found["REMOTE_ADDR"] == ""


def test_names_are_remembered_up_to_a_bound():
    for number in range(2000):
        environ(b"/", (b"X-%d" % number, b""))

    assert len(module._keys) <= 512
