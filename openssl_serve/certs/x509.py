"""The structure of an X.509 certificate (RFC 5280 section 4.1); what it means is facts.py's.

Pure: bytes in, a `Certificate` out, or CertificateError.
"""

import datetime as dt
from typing import NamedTuple

from openssl_serve.certs import der
from openssl_serve.certs.der import Element
from openssl_serve.errors import CertificateError


class Extension(NamedTuple):
    """One extension: whether a client that does not know it must refuse, and its content."""

    critical: bool
    value: bytes


class Certificate(NamedTuple):
    """The parts of a certificate; extensions by their object identifier."""

    serial: int
    signature_algorithm: str
    issuer: Element
    not_before: dt.datetime
    not_after: dt.datetime
    subject: Element
    public_key: Element
    extensions: dict[str, Extension]


def parse_certificate(data: bytes) -> Certificate:
    """Take a certificate in DER apart."""
    parts = list(der.children(der.read(data)))
    if len(parts) != 3:
        raise CertificateError("it is not a certificate: three parts were expected")
    body, algorithm, signature = parts
    der.bit_string(signature)
    fields = list(der.children(body))
    version = 1
    if fields and fields[0].tag == 0xA0:
        version = der.integer(der.read(fields.pop(0).content)) + 1
    if version not in (1, 2, 3) or len(fields) < 6:
        raise CertificateError("it is not a certificate: a field is missing")
    serial, inner_algorithm, issuer, validity, subject, public_key, *optional = fields
    if inner_algorithm.encoded != algorithm.encoded:
        # RFC 5280 section 4.1.1.2: or a signature could be passed off as a weaker one's.
        raise CertificateError("it names two different signature algorithms")
    dates = list(der.children(validity))
    if len(dates) != 2:
        raise CertificateError("it has no period of validity")
    return Certificate(
        der.integer(serial),
        algorithm_of(algorithm),
        issuer,
        der.time(dates[0]),
        der.time(dates[1]),
        subject,
        public_key,
        _extensions(optional, version),
    )


def algorithm_of(element: Element) -> str:
    """The object identifier of an AlgorithmIdentifier."""
    return der.oid(next(der.children(element), None))


def attributes(name: Element) -> list[tuple[str, str]]:
    """The attributes of a Name, each as (object identifier, text), in its order."""
    found = []
    for relative in der.children(name):
        for attribute in der.children(relative, der.SET):
            pair = list(der.children(attribute))
            if len(pair) != 2:
                raise CertificateError("an attribute of a name is not a pair")
            found.append((der.oid(pair[0]), der.text(pair[1])))
    return found


def _extensions(optional: list[Element], version: int) -> dict[str, Extension]:
    # The unique identifiers, [1] and [2], come before and are dead; nothing may come after.
    rest = [element for element in optional if element.tag not in (0x81, 0x82)]
    if not rest:
        return {}
    if len(rest) > 1 or rest[0].tag != 0xA3 or version != 3:
        raise CertificateError("it has fields after the public key that are not extensions")
    return extensions_of(der.read(rest[0].content))


def extensions_of(sequence: Element) -> dict[str, Extension]:
    """The Extensions of a certificate, or of a request for one."""
    found: dict[str, Extension] = {}
    for extension in der.children(sequence):
        fields = list(der.children(extension))
        if len(fields) not in (2, 3):
            raise CertificateError("an extension has too few or too many fields")
        name = der.oid(fields[0])
        if name in found:
            # RFC 5280 section 4.2; macOS refuses the whole chain.
            raise CertificateError(f"it has the extension {name} twice")
        critical = len(fields) == 3 and der.boolean(fields[1])
        found[name] = Extension(critical, der.expect(fields[-1], der.OCTET_STRING).content)
    return found
