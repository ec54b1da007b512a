import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openssl_serve.addresses import Address, parse_address, parse_port
from openssl_serve.errors import UsageError


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("127.0.0.1:8080", Address("127.0.0.1", 8080)),
        ("localhost:0", Address("localhost", 0)),
        ("[::1]:8443", Address("::1", 8443)),
        ("0.0.0.0:65535", Address("0.0.0.0", 65535)),
        ("Dev.Local:1", Address("dev.local", 1)),
    ],
)
def test_an_address_to_listen_on(text, address):
    assert parse_address(text) == address
    assert parse_address(str(address)) == address


@pytest.mark.parametrize(
    "text",
    ["8080", ":8080", "localhost", "localhost:", "localhost:99999", "localhost:-1", "localhost:+80",
     "localhost: 80", "localhost:8_0", "localhost:\u0668", "localhost:0x50", "::1:8080", "[::1]",
     "[::1]8080", "a b:80", "http://localhost:80", "", ":", "localhost:080808"],
)  # fmt: skip
def test_what_is_no_address_to_listen_on(text):
    with pytest.raises(UsageError) as caught:
        parse_address(text, "--listen")

    assert str(caught.value).startswith("--listen")
    assert caught.value.exit_code == 2
    assert caught.value.hints


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("::1", "--listen [::1]:8080"),
        ("[fe80::1]", "--listen [fe80::1]:8080"),
        ("::1:8080", "[::1]:8080"),
        ("a.test", "--listen a.test:8080"),
        (":80", "this machine only: 127.0.0.1:80"),
    ],
)
def test_the_hint_is_an_address_to_listen_on(text, hint):
    with pytest.raises(UsageError) as caught:
        parse_address(text, "--listen")

    assert caught.value.hints == (hint,)


@given(st.text(max_size=20))
def test_only_ascii_digits_are_a_port(text):
    try:
        port = parse_port(text)
    except UsageError:
        assert not (re.fullmatch(r"[0-9]{1,5}", text) and int(text) < 65536)
    else:
        assert text.isascii()
        assert int(text) == port < 65536
