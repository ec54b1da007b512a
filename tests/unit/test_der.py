import datetime as dt

import pytest
from certificates import element
from hypothesis import given
from hypothesis import strategies as st

from openssl_serve.certs import der
from openssl_serve.errors import CertificateError


@given(st.integers(0, 254).filter(lambda tag: tag & 0x1F != 0x1F), st.binary(max_size=700))
def test_an_element_reads_back(tag, content):
    assert der.read(element(tag, content)) == (tag, content, element(tag, content))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x30",
        b"\x30\x01",
        b"\x30\x80\x00\x00",  # indefinite length: BER
        b"\x30\x81\x01\x00",  # one byte of length would do
        b"\x30\x82\x00\x80" + bytes(128),  # a length that begins with zero
        b"\x30\x85\x00\x00\x00\x00\x01\x00",
        b"\x30\x84\xff\xff\xff\xff",
        b"\x30\xff",
        b"\x1f\x01\x00",  # tag of several bytes
        b"\x30\x00\x00",  # something follows
    ],
)
def test_what_is_not_der_to_the_letter_is_refused(data):
    with pytest.raises(CertificateError):
        der.read(data)


@given(st.integers(-(1 << 200), 1 << 200))
def test_integers_read_back(value):
    data = value.to_bytes((value + (value < 0)).bit_length() // 8 + 1, "big", signed=True)

    assert der.integer(der.read(element(0x02, data))) == value


@pytest.mark.parametrize("content", [b"", b"\x00\x01", b"\xff\xff", b"\x00\x00", b"\xff\x80"])
def test_an_integer_takes_the_fewest_bytes(content):
    with pytest.raises(CertificateError):
        der.integer(der.read(element(0x02, content)))


@pytest.mark.parametrize(
    ("content", "value"), [(b"\x00", False), (b"\xff", True), (b"\x01", None), (b"", None)]
)
def test_booleans_have_two_forms(content, value):
    if value is None:
        with pytest.raises(CertificateError):
            der.boolean(der.read(element(0x01, content)))
    else:
        assert der.boolean(der.read(element(0x01, content))) is value


@pytest.mark.parametrize(
    ("content", "value"),
    [
        (b"\x00", (b"", 0)),
        (b"\x07\x80", (b"\x80", 7)),
        (b"", None),
        (b"\x08\x00", None),
        (b"\x01", None),
        (b"\x01\x01", None),  # an unused bit is set
    ],
)
def test_bit_strings_count_their_unused_bits(content, value):
    if value is None:
        with pytest.raises(CertificateError):
            der.bit_string(der.read(element(0x03, content)))
    else:
        assert der.bit_string(der.read(element(0x03, content))) == value


@pytest.mark.parametrize(
    ("content", "value"),
    [
        (b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0b", "1.2.840.113549.1.1.11"),
        (b"\x55\x1d\x11", "2.5.29.17"),
        (b"\x2b\x65\x70", "1.3.101.112"),
        (b"\x88\x37", "2.999"),
        (b"\x00", "0.0"),
        (b"", None),
        (b"\x55\x80\x01", None),
        (b"\x55\x81", None),
        (b"\x55" + b"\xff" * 40 + b"\x01", None),
    ],
)
def test_object_identifiers(content, value):
    if value is None:
        with pytest.raises(CertificateError):
            der.oid(der.read(element(0x06, content)))
    else:
        assert der.oid(der.read(element(0x06, content))) == value


@pytest.mark.parametrize(
    ("tag", "content", "value"),
    [
        (0x17, b"261123120000Z", dt.datetime(2026, 11, 23, 12, tzinfo=dt.UTC)),
        (0x17, b"491231235959Z", dt.datetime(2049, 12, 31, 23, 59, 59, tzinfo=dt.UTC)),
        (0x17, b"500101000000Z", dt.datetime(1950, 1, 1, tzinfo=dt.UTC)),
        (0x18, b"20500101000000Z", dt.datetime(2050, 1, 1, tzinfo=dt.UTC)),
        (0x17, b"2611231200Z", None),
        (0x17, b"261123120000+0100", None),
        (0x18, b"20500101000000.5Z", None),
        (0x18, b"500101000000Z", None),
        (0x17, b"261323120000Z", None),
        (0x17, "\uff12\uff161123120000Z".encode(), None),
        (0x04, b"261123120000Z", None),
    ],
)
def test_dates(tag, content, value):
    if value is None:
        with pytest.raises(CertificateError):
            der.time(der.read(element(tag, content)))
    else:
        assert der.time(der.read(element(tag, content))) == value


@pytest.mark.parametrize(
    ("tag", "content", "value"),
    [
        (0x0C, "ö".encode(), "ö"),
        (0x13, b"a b", "a b"),
        (0x14, b"\xf6", "ö"),
        (0x1E, b"\x00a", "a"),
        (0x0C, b"\xff", "\\xff"),
        (0x04, b"a", "#040161"),
    ],
)
def test_text_never_hides_a_certificate(tag, content, value):
    assert der.text(der.read(element(tag, content))) == value


READERS = [
    der.read, der.children, der.integer, der.boolean, der.bit_string, der.oid, der.text, der.time,
]  # fmt: skip


@pytest.mark.parametrize("reader", READERS, ids=lambda reader: reader.__name__)
@given(data=st.binary(max_size=60), tag=st.sampled_from([1, 2, 3, 6, 0x17, 0x18, 0x0C, 0x1E, 0x1C]))
def test_whatever_comes_only_a_certificate_error_leaves(reader, data, tag):
    inner = der.read(element(tag, data))
    try:
        result = reader(data if reader is der.read else inner)
        if reader is der.children:
            list(result)
    except CertificateError:
        pass


def test_a_missing_element_is_an_error_too():
    for reader in (der.integer, der.bit_string, der.oid, der.time):
        with pytest.raises(CertificateError):
            reader(None)
