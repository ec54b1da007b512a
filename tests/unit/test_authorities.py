import pytest

from openssl_serve.errors import HttpError
from openssl_serve.handlers.authorities import _CACHE_SIZE, Authorities, ForAuthorities
from openssl_serve.handlers.redirect import RedirectToHttps
from openssl_serve.hosts import parse_host
from openssl_serve.http1.request import Peer, Request
from openssl_serve.http1.response import Response

NAMES = [parse_host(name) for name in ("my.dev.local", "*.wild.test", "::1")]


def asked(host, target=b"/", local="192.0.2.7", port=8080):
    fields = [] if host is None else [(b"Host", host)]
    return Request(b"GET", target, fields, Peer("192.0.2.9", local, port, secure=False))


@pytest.mark.parametrize(
    "host", [b"my.dev.local", b"MY.DEV.LOCAL:1", b"a.wild.test", b"[::1]:1", b"192.0.2.7:8080"]
)
def test_a_host_that_is_served(host):
    authorities = Authorities(NAMES)

    first, again = authorities.of(asked(host)), authorities.of(asked(host))

    assert first is again
    assert str(first) == host.decode().lower()


@pytest.mark.parametrize(
    ("host", "status"),
    [(b"evil.test", 421), (b"wild.test", 421), (b"192.0.2.8", 421), (b"a b", 400), (b"", 400)],
)
def test_a_host_that_is_not(host, status):
    authorities = Authorities(NAMES)

    for _ in range(2):
        with pytest.raises(HttpError) as caught:
            authorities.of(asked(host))
        assert caught.value.status == status


def test_a_refused_host_is_told_how_to_be_allowed():
    with pytest.raises(HttpError, match=r"--allow-host evil\.test"):
        Authorities(NAMES).of(asked(b"evil.test"))


def test_what_was_allowed_at_one_address_is_not_at_another():
    authorities = Authorities(NAMES)
    authorities.of(asked(b"192.0.2.7"))

    with pytest.raises(HttpError):
        authorities.of(asked(b"192.0.2.7", local="192.0.2.8"))


def test_the_authority_of_a_target_counts_and_host_does_not():
    authorities = Authorities(NAMES)

    assert str(authorities.of(asked(b"evil.test", b"http://my.dev.local:1/"))) == "my.dev.local:1"
    with pytest.raises(HttpError):
        authorities.of(asked(b"my.dev.local", b"http://evil.test/"))
    # A query that holds a URL is no absolute form.
    assert str(authorities.of(asked(b"my.dev.local", b"/?u=http://evil.test"))) == "my.dev.local"


def test_who_does_not_say_is_told_from_who_says_nonsense():
    assert Authorities(NAMES).of(asked(None)) is None


def test_what_is_remembered_has_a_bound():
    authorities = Authorities(NAMES)
    for number in range(_CACHE_SIZE * 3):
        authorities.of(asked(b"a%d.wild.test" % number))

    assert len(authorities._known) <= _CACHE_SIZE


def test_a_handler_sees_only_requests_for_its_hosts():
    seen = []

    def handler(request):
        seen.append(request.get(b"host"))
        return Response(200)

    guarded = ForAuthorities(Authorities(NAMES), handler)
    guarded(asked(b"my.dev.local"))
    with pytest.raises(HttpError):
        guarded(asked(b"evil.test"))

    assert seen == [b"my.dev.local"]


@pytest.mark.parametrize(
    ("names", "port", "place"),
    [
        (["a.test", "b.test"], 8443, b"https://a.test:8443/"),
        (["*.a.test", "b.test"], 8443, b"https://b.test:8443/"),
        (["::1"], 8443, b"https://[::1]:8443/"),
        (["a.test"], 0, b"https://a.test/"),
        (["*.a.test"], 8443, None),
        ([], 8443, None),
    ],
)
def test_where_a_client_without_a_host_is_sent(names, port, place):
    """HTTP/1.0; port 0 is a Unix socket, behind which somebody else has the port."""
    redirect = RedirectToHttps(Authorities(map(parse_host, names)))
    request = asked(None, port=port)

    if place is None:
        with pytest.raises(HttpError) as caught:
            redirect(request)
        assert caught.value.status == 400
    else:
        assert b"Location: %s\r\n" % place in redirect(request).head
