"""What a client asks for in its first record."""

import ssl
import sys
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openssl_serve.server.hello import (
    GROUPS,
    NO_COMMON_GROUP,
    RECORD_HEADER,
    asked_name,
    names_read_or_not,
    offered_groups,
    record_length,
)


def hello(name, *, group=None, version=ssl.TLSVersion.MAXIMUM_SUPPORTED):
    """The first record of a real client."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.maximum_version = version
    if group:
        context.set_ecdh_curve(group)
    context.check_hostname = False
    outgoing = ssl.MemoryBIO()
    client = context.wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname=name)
    with pytest.raises(ssl.SSLWantReadError):
        client.do_handshake()
    return outgoing.read()


@pytest.mark.parametrize("name", ["a.test", "x.y.localhost", None])
def test_the_name_is_read(name):
    assert asked_name(hello(name)) == name


def test_a_name_that_cannot_be_read_ends_the_handshake_without_a_traceback(monkeypatch):
    shown: list[Any] = []
    monkeypatch.setattr(sys, "unraisablehook", shown.append)
    record = hello("aaa.test").replace(b"aaa.test", b"a\xffa.test")

    with names_read_or_not():
        assert asked_name(record) is None
        assert not shown
        sys.unraisablehook(SimpleNamespace(exc_type=OSError, object=b""))
    assert [each.exc_type for each in shown] == [OSError]


def test_the_length_of_a_record_is_in_its_header():
    record = hello("a.test")

    assert record_length(record[:RECORD_HEADER]) == len(record)
    assert record_length(record[:2]) == RECORD_HEADER
    assert record_length(b"\x16\x03\x01\x40\x00") == RECORD_HEADER + 16384


@pytest.mark.parametrize("start", [b"\x16\x03\x01\x40\x01", b"\x16GET / HTTP/1.1"])
def test_what_is_no_record_is_not_waited_for(start):
    assert record_length(start) == RECORD_HEADER


@given(st.binary(max_size=600))
def test_what_is_no_hello_asks_for_nothing(data):
    assert asked_name(data) is None
    assert asked_name(b"\x16\x03\x01" + len(data).to_bytes(2, "big") + data) is None


def test_half_a_hello_asks_for_nothing():
    record = hello("a.test")

    assert asked_name(record[:-1]) is None


NUMBERS = {"X25519": 0x1D, "prime256v1": 0x17, "secp384r1": 0x18, "secp521r1": 0x19, "X448": 0x1E}


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize("group", NUMBERS)
def test_the_groups_are_read(group, version):
    offered = offered_groups(hello("a.test", group=group, version=version))

    assert offered == (NUMBERS[group],)
    assert GROUPS.isdisjoint(offered) == (group in {"secp521r1", "X448"})


def test_all_groups_are_read_in_their_order():
    offered = offered_groups(hello(None))

    assert offered is not None
    assert len(offered) > 4
    assert set(NUMBERS.values()) <= set(offered)


def test_who_has_no_curves_names_no_groups():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers("AES128-SHA")
    outgoing = ssl.MemoryBIO()
    with pytest.raises(ssl.SSLWantReadError):
        context.wrap_bio(ssl.MemoryBIO(), outgoing).do_handshake()

    assert offered_groups(outgoing.read()) is None


def test_no_part_of_a_hello_names_groups_that_are_not_in_it():
    record = hello("a.test", group="X448")

    assert {offered_groups(record[:end]) for end in range(len(record))} <= {None, (0x1E,)}
    assert offered_groups(record[:60]) is None


def test_a_hello_in_two_records_names_no_group_that_is_not_in_it():
    """As those send it who do not want their hello to be read on the way."""
    record = hello("a.test")
    offered = offered_groups(record)

    for cut in range(RECORD_HEADER + 1, len(record)):
        first, second = (
            record[:3] + len(part).to_bytes(2, "big") + part
            for part in (record[RECORD_HEADER:cut], record[cut:])
        )
        assert offered_groups(first + second) in (None, offered)


@given(st.binary(max_size=600), st.integers(0, 500))
def test_what_is_no_hello_harms_nobody(data, at):
    record = hello("a.test")

    for junk in (data, record[:at] + data, record[:at] + data + record[at + len(data) :]):
        offered = offered_groups(junk)
        assert offered is None or all(0 <= group <= 0xFFFF for group in offered)


def test_the_alert_is_a_record_that_clients_understand():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    incoming = ssl.MemoryBIO()
    client = context.wrap_bio(incoming, ssl.MemoryBIO())
    with pytest.raises(ssl.SSLWantReadError):
        client.do_handshake()
    incoming.write(NO_COMMON_GROUP)

    with pytest.raises(ssl.SSLError, match="HANDSHAKE_FAILURE"):
        client.do_handshake()
