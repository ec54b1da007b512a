"""What a client asks for in its first record."""

import ssl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openssl_serve.server.hello import MAX_RECORD, RECORD_HEADER, asked_name, record_length


def hello(name):
    """The first record of a real client."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    outgoing = ssl.MemoryBIO()
    client = context.wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname=name)
    with pytest.raises(ssl.SSLWantReadError):
        client.do_handshake()
    return outgoing.read()


@pytest.mark.parametrize("name", ["a.test", "x.y.localhost", None])
def test_the_name_is_read(name):
    assert asked_name(hello(name)) == name


def test_the_length_of_a_record_is_in_its_header():
    record = hello("a.test")

    assert record_length(record[:RECORD_HEADER]) == len(record)
    assert record_length(record[:2]) == RECORD_HEADER
    assert record_length(b"\x16\x03\x01\xff\xff") == MAX_RECORD


@given(st.binary(max_size=600))
def test_what_is_no_hello_asks_for_nothing(data):
    assert asked_name(data) is None
    assert asked_name(b"\x16\x03\x01" + len(data).to_bytes(2, "big") + data) is None


def test_half_a_hello_asks_for_nothing():
    record = hello("a.test")

    assert asked_name(record[:-1]) is None
