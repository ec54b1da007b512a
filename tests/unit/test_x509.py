"""What only a hand-made certificate can have: cryptography and openssl refuse to write these."""

import pytest
from certificates import element, make
from cryptography.hazmat.primitives import serialization

from openssl_serve.certs import der
from openssl_serve.certs.x509 import attributes, parse_certificate
from openssl_serve.errors import CertificateError

GOOD = make().public_bytes(serialization.Encoding.DER)
BODY, ALGORITHM, SIGNATURE = der.children(der.read(GOOD))
FIELDS = [field.encoded for field in der.children(BODY)]


def certificate(fields=FIELDS, algorithm=ALGORITHM.encoded, signature=SIGNATURE.encoded):
    return element(0x30, element(0x30, b"".join(fields)) + algorithm + signature)


def extensions(*found):
    return [*FIELDS[:7], element(0xA3, element(0x30, b"".join(found)))]


def extension(oid=b"\x55\x1d\x11", critical=b"", value=b"\x30\x00"):
    return element(0x30, element(0x06, oid) + critical + element(0x04, value))


def test_the_parts_put_together_again_are_the_certificate():
    assert certificate() == GOOD
    assert parse_certificate(certificate()).signature_algorithm == "1.2.840.10045.4.3.2"


@pytest.mark.parametrize(
    "data",
    [
        element(0x30, b""),
        element(0x30, BODY.encoded),
        element(0x31, GOOD[4:]),
        GOOD + b"\x00",
        certificate(FIELDS[:6]),
        certificate(FIELDS[1:3]),
        certificate(algorithm=element(0x30, element(0x06, b"\x2b\x65\x70"))),
        certificate(signature=element(0x03, b"")),
        certificate([element(0xA0, element(0x02, b"\x05")), *FIELDS[1:]]),
        certificate([element(0xA0, b""), *FIELDS[1:]]),
        certificate(FIELDS[1:]),  # extensions in a certificate of version 1
        certificate([*FIELDS[:4], element(0x30, b""), *FIELDS[5:]]),
        certificate([*FIELDS, element(0x30, b"")]),
        certificate(extensions(extension(), extension())),
        certificate(extensions(element(0x30, element(0x06, b"\x55\x1d\x11")))),
        certificate(extensions(element(0x30, b""))),
        certificate(extensions(extension(critical=element(0x01, b"\x01")))),
    ],
)
def test_what_is_no_certificate_is_refused(data):
    with pytest.raises(CertificateError):
        parse_certificate(data)


def test_the_same_extension_twice_says_so():
    """What -addext makes on OpenSSL 1.1.1; macOS refuses the whole chain."""
    with pytest.raises(CertificateError, match=r"the extension 2\.5\.29\.17 twice"):
        parse_certificate(certificate(extensions(extension(), extension())))


def test_version_one_has_no_extensions():
    assert parse_certificate(certificate(FIELDS[1:7])).extensions == {}


def test_criticality_and_unknown_extensions_are_kept():
    found = parse_certificate(
        certificate(extensions(extension(b"\x2a\x03", element(0x01, b"\xff"), b"anything")))
    ).extensions

    assert found == {"1.2.3": (True, b"anything")}


def test_unique_identifiers_are_read_over():
    data = certificate([*FIELDS[:7], element(0x81, b"\x00\x01"), *FIELDS[7:]])

    assert parse_certificate(data).extensions


@pytest.mark.parametrize("name", [b"\x31\x00", b"\x31\x02\x30\x00", b"\x30\x00"])
def test_a_name_is_made_of_pairs(name):
    if name == b"\x31\x00":
        assert attributes(der.read(element(0x30, name))) == []
        return
    with pytest.raises(CertificateError):
        attributes(der.read(element(0x30, name)))
