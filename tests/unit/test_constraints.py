import pytest

from openssl_serve.certs.constraints import LOCAL, is_within, local_subtrees, with_loopback
from openssl_serve.errors import InvalidHostError
from openssl_serve.hosts import parse_host, parse_subtree


def subtrees(*texts):
    return tuple(map(parse_subtree, texts))


def test_loopback_is_always_among_them_and_each_once():
    assert with_loopback(subtrees("*.dev.test", "localhost")) == subtrees(
        "dev.test", "localhost", "127.0.0.1", "::1"
    )
    assert with_loopback(subtrees("127.0.0.0/8")) == subtrees("127.0.0.0/8", "localhost", "::1")


def test_without_constraints_there_are_none():
    assert with_loopback(()) == ()


@pytest.mark.parametrize(
    "host",
    ["localhost", "a.localhost", "*.app.test", "my.dev.local", "db.internal", "127.0.0.53",
     "10.255.0.1", "172.31.9.9", "192.168.178.2", "169.254.1.1", "fd12::1", "fe80::1", "::1"],
)  # fmt: skip
def test_local_is_what_nobody_on_the_internet_owns(host):
    assert is_within(parse_host(host), LOCAL)


@pytest.mark.parametrize(
    "host",
    ["example.com", "mylocal", "local.example", "test.example", "172.32.0.1", "11.0.0.1",
     "8.8.8.8", "2001:db8::1", "::2"],
)  # fmt: skip
def test_and_nothing_else(host):
    assert not is_within(parse_host(host), LOCAL)


def test_local_needs_nothing_added():
    assert with_loopback(local_subtrees()) == local_subtrees()


def test_a_mask_with_holes_and_the_other_family_cover_nothing():
    assert not is_within(parse_host("10.0.0.1"), ["10.0.0.0/255.0.255.0", "::/0", "0.0.0.1"])


@pytest.mark.parametrize("text", ["10.0.0.1/8", "10.0.0.0/33", "example.com/8", "::1/"])
def test_what_is_no_network(text):
    with pytest.raises(InvalidHostError):
        parse_subtree(text)
