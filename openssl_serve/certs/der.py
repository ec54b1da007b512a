"""DER (ITU-T X.690), read strictly; nothing here knows what a certificate is.

Only what X.509 needs. Whatever is not DER to the letter raises CertificateError: a reader that
guesses would see another certificate than the one that clients see.
"""

import datetime as dt
import re
from collections.abc import Iterator
from typing import NamedTuple

from openssl_serve.errors import CertificateError

BOOLEAN, INTEGER, BIT_STRING, OCTET_STRING, NULL, OID = 0x01, 0x02, 0x03, 0x04, 0x05, 0x06
UTC_TIME, GENERALIZED_TIME, SEQUENCE, SET = 0x17, 0x18, 0x30, 0x31

# Text types and how they are decoded; T61 is Latin-1 in practice, as openssl reads it.
_TEXT = {
    0x0C: "utf-8",
    0x12: "ascii",
    0x13: "ascii",
    0x14: "latin-1",
    0x16: "ascii",
    0x1A: "ascii",
    0x1C: "utf-32-be",
    0x1E: "utf-16-be",
}

_TIME = re.compile(r"(\d{4}|\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z", re.ASCII)


class Element(NamedTuple):
    """One value: its tag, its content, and all its bytes."""

    tag: int
    content: bytes
    encoded: bytes


def read(data: bytes) -> Element:
    """The one element that *data* is, with nothing behind it."""
    element, end = _read_at(data, 0)
    if end != len(data):
        raise CertificateError(f"{len(data) - end} bytes follow the end of an element")
    return element


def children(element: Element, tag: int = SEQUENCE) -> Iterator[Element]:
    """The elements in *element*, which must have *tag*."""
    expect(element, tag)
    offset = 0
    while offset < len(element.content):
        child, offset = _read_at(element.content, offset)
        yield child


def expect(element: Element | None, tag: int) -> Element:
    """*element*, proven to be there and to have *tag*."""
    if element is None or element.tag != tag:
        found = "nothing" if element is None else f"{element.tag:#04x}"
        raise CertificateError(f"an element of type {tag:#04x} was expected, found {found}")
    return element


def integer(element: Element | None, tag: int = INTEGER) -> int:
    """An INTEGER, in the fewest bytes."""
    content = expect(element, tag).content
    if not content:
        raise CertificateError("an integer has no bytes")
    # The first nine bits must not be alike.
    if len(content) > 1 and int.from_bytes(content[:2], "big") >> 7 in (0, 0x1FF):
        raise CertificateError("an integer has more bytes than it needs")
    return int.from_bytes(content, "big", signed=True)


def boolean(element: Element) -> bool:
    """A BOOLEAN, which is 0x00 or 0xff in DER."""
    content = expect(element, BOOLEAN).content
    if content not in (b"\x00", b"\xff"):
        raise CertificateError("a boolean is neither true nor false")
    return content == b"\xff"


def bit_string(element: Element | None) -> tuple[bytes, int]:
    """The bytes of a BIT STRING and how many bits of the last one are unused."""
    content = expect(element, BIT_STRING).content
    unused = content[0] if content else 8
    if unused > 7 or (unused and (len(content) < 2 or content[-1] & ((1 << unused) - 1))):
        raise CertificateError("a bit string counts its unused bits wrongly")
    return content[1:], unused


def oid(element: Element | None) -> str:
    """An OBJECT IDENTIFIER in dotted form."""
    content = expect(element, OID).content
    if not content or content[-1] & 0x80:
        raise CertificateError("an object identifier ends in the middle of a number")
    arcs: list[int] = []
    value = 0
    fresh = True
    for byte in content:
        if fresh and byte == 0x80:
            raise CertificateError("a number in an object identifier begins with zeros")
        value = value << 7 | byte & 0x7F
        fresh = not byte & 0x80
        # The largest real arcs are UUIDs (2.25), 128 bits; more is an attack on memory.
        if value.bit_length() > 128:
            raise CertificateError("a number in an object identifier is too large")
        if fresh:
            arcs.append(value)
            value = 0
    first = min(arcs[0] // 40, 2)
    return ".".join(map(str, [first, arcs[0] - 40 * first, *arcs[1:]]))


def text(element: Element) -> str:
    """A character string of any of the types that names are made of.

    Text that is wrong for its type is escaped and any other type shown in hexadecimal: a badly
    spelt name must not hide the dates of the certificate.
    """
    encoding = _TEXT.get(element.tag)
    if encoding is None:
        return f"#{element.encoded.hex()}"
    return element.content.decode(encoding, "backslashreplace")


def time(element: Element | None) -> dt.datetime:
    """A UTCTime or GeneralizedTime, in the only forms that RFC 5280 section 4.1.2.5 allows."""
    if element is None or element.tag not in (UTC_TIME, GENERALIZED_TIME):
        raise CertificateError("a date was expected")
    match = _TIME.fullmatch(element.content.decode("latin-1"))
    if not match or len(match[1]) != (2 if element.tag == UTC_TIME else 4):
        raise CertificateError(f"not a date: {element.content[:20]!r}")
    year, month, day, hour, minute, second = map(int, match.groups())
    if element.tag == UTC_TIME:
        year += 1900 if year >= 50 else 2000
    try:
        return dt.datetime(year, month, day, hour, minute, second, tzinfo=dt.UTC)
    except ValueError as error:
        raise CertificateError(f"not a date: {error}") from error


def _read_at(data: bytes, start: int) -> tuple[Element, int]:
    """The element at *start*, and where it ends."""
    header = data[start : start + 2]
    if len(header) < 2:
        raise CertificateError("it ends in the middle of an element")
    tag, length = header
    if tag & 0x1F == 0x1F:
        raise CertificateError("an element has a tag of several bytes")
    offset = start + 2
    if length & 0x80:
        count = length & 0x7F
        digits = data[offset : offset + count]
        # Four bytes are 4 GiB. No length at all (0x80) is BER, not DER.
        if not 1 <= count <= 4 or len(digits) < count:
            raise CertificateError("an element has a length that DER does not allow")
        length = int.from_bytes(digits, "big")
        if length < 0x80 or digits[0] == 0:
            raise CertificateError("an element has a length in more bytes than it needs")
        offset += count
    end = offset + length
    if end > len(data):
        raise CertificateError("it ends in the middle of an element")
    return Element(tag, data[offset:end], data[start:end]), end
