import pytest

from openssl_serve.sniff import Protocol, sniff


def expected(byte):
    if byte == 0x16:
        return Protocol.TLS
    letters = [*range(ord("A"), ord("Z") + 1), *range(ord("a"), ord("z") + 1)]
    return Protocol.HTTP if byte in [*letters, 0x0D, 0x0A] else Protocol.UNKNOWN


@pytest.mark.parametrize("byte", range(256), ids=hex)
def test_the_first_byte_decides_alone(byte):
    assert sniff(bytes([byte])) is expected(byte)
    assert sniff(bytes([byte]) + b"\x16GET") is expected(byte)


def test_a_stream_that_ended_is_told_from_all_others():
    assert sniff(b"") is Protocol.CLOSED
