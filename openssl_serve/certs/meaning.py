"""What the parts of a certificate mean: names, keys and extensions as people read them. Pure."""

import ipaddress
import re
from typing import NamedTuple

from openssl_serve.certs import der, oids
from openssl_serve.certs.der import Element
from openssl_serve.certs.x509 import Extension, algorithm_of, attributes
from openssl_serve.errors import CertificateError

EXPLICIT = "EC with explicit parameters"
"""RFC 8422 section 5.1.1 forbids these. Browsers obey; OpenSSL takes those of a known curve."""


class Extensions(NamedTuple):
    """The extensions that decide what a certificate can be used for."""

    present: tuple[str, ...] = ()
    critical: tuple[str, ...] = ()
    dns_names: tuple[str, ...] = ()
    ip_addresses: tuple[str, ...] = ()
    other_names: int = 0
    is_ca: bool | None = None
    """None: no basicConstraints at all, which is no CA either, but another shape."""
    path_length: int | None = None
    key_usage: tuple[str, ...] = ()
    extended_key_usage: tuple[str, ...] = ()
    subject_key_id: str | None = None
    authority_key_id: str | None = None
    permitted: tuple[str, ...] = ()
    """Name constraints: the names, with all below them, and networks that a CA may issue for."""


def read_extensions(found: dict[str, Extension]) -> Extensions:
    """Read what is known; the rest is only named."""

    def value(oid: str) -> Element | None:
        return der.read(found[oid].value) if oid in found else None

    dns_names, addresses, others = _alternative_names(value(oids.SUBJECT_ALT_NAME))
    is_ca, path_length = _basic_constraints(value(oids.BASIC_CONSTRAINTS))
    key_id = value(oids.SUBJECT_KEY_ID)
    return Extensions(
        present=tuple(oids.EXTENSIONS.get(oid, oid) for oid in found),
        critical=tuple(oids.EXTENSIONS.get(oid, oid) for oid in found if found[oid].critical),
        dns_names=dns_names,
        ip_addresses=addresses,
        other_names=others,
        is_ca=is_ca,
        path_length=path_length,
        key_usage=_key_usage(value(oids.KEY_USAGE)),
        extended_key_usage=_extended_key_usage(value(oids.EXTENDED_KEY_USAGE)),
        subject_key_id=(
            colon_separated(der.expect(key_id, der.OCTET_STRING).content) if key_id else None
        ),
        authority_key_id=_authority_key_id(value(oids.AUTHORITY_KEY_ID)),
        permitted=_permitted(value(oids.NAME_CONSTRAINTS)),
    )


def describe_name(name: Element) -> str:
    """A Name as "O=Example, CN=a.example", in its own order; unprintable characters escaped."""
    parts = []
    for oid, value in attributes(name):
        safe = "".join(c if c.isprintable() and c not in ",\\" else _escaped(c) for c in value)
        parts.append(f"{oids.ATTRIBUTES.get(oid, oid)}={safe}")
    return ", ".join(parts)


def common_name_in(name: str) -> str:
    r"""The last CN in what `describe_name` has made, still escaped; empty when there is none.

    >>> common_name_in("O=Example, CN=a.example"), common_name_in(r"CN=Doe\, CN=Jane, O=Example")
    ('a.example', 'Doe\\, CN=Jane')
    """
    # A comma inside a value has a backslash before it, and so has a backslash.
    parts = re.findall(r"((?:[^\\,]|\\.)+)(?:, |\Z)", name)
    return next((part[3:] for part in reversed(parts) if part.startswith("CN=")), "")


def describe_key(public_key: Element) -> str:
    """The type and size of a SubjectPublicKeyInfo: "EC P-256", "RSA 2048"."""
    parts = list(der.children(public_key))
    if len(parts) != 2:
        raise CertificateError("its public key does not have two parts")
    algorithm = algorithm_of(parts[0])
    bits, _ = der.bit_string(parts[1])
    if algorithm == oids.RSA:
        modulus = der.integer(next(der.children(der.read(bits)), None))
        return f"RSA {modulus.bit_length()}"
    if algorithm == oids.EC:
        return describe_curve(parts[0])
    return oids.KEYS.get(algorithm, algorithm)


def describe_curve(algorithm: Element) -> str:
    """The curve in the AlgorithmIdentifier of an EC key."""
    parts = list(der.children(algorithm))
    if len(parts) < 2 or parts[1].tag != der.OID:
        return EXPLICIT
    curve = der.oid(parts[1])
    return f"EC {oids.CURVES.get(curve, curve)}"


def colon_separated(data: bytes) -> str:
    """Bytes as openssl and browsers show them.

    >>> colon_separated(bytes([1, 171]))
    '01:AB'
    """
    return data.hex(":").upper()


def _escaped(character: str) -> str:
    return f"\\{character}" if character in ",\\" else ascii(character)[1:-1]


def _alternative_names(value: Element | None) -> tuple[tuple[str, ...], tuple[str, ...], int]:
    names: list[str] = []
    addresses: list[str] = []
    others = 0
    for name in der.children(value) if value else ():
        if name.tag == 0x82:
            names.append(name.content.decode("ascii", "backslashreplace"))
        elif name.tag == 0x87:
            if len(name.content) not in (4, 16):
                raise CertificateError("an address in it has neither 4 nor 16 bytes")
            addresses.append(ipaddress.ip_address(name.content).compressed)
        else:
            others += 1
    return tuple(names), tuple(addresses), others


def _basic_constraints(value: Element | None) -> tuple[bool | None, int | None]:
    if value is None:
        return None, None
    is_ca, path_length = False, None
    for field in der.children(value):
        if field.tag == der.BOOLEAN:
            is_ca = der.boolean(field)
        else:
            path_length = der.integer(field)
    return is_ca, path_length


def _key_usage(value: Element | None) -> tuple[str, ...]:
    if value is None:
        return ()
    content, unused = der.bit_string(value)
    bits = "".join(f"{byte:08b}" for byte in content)[: len(content) * 8 - unused]
    return tuple(name for name, bit in zip(oids.KEY_USAGES, bits, strict=False) if bit == "1")


def _extended_key_usage(value: Element | None) -> tuple[str, ...]:
    found = [der.oid(purpose) for purpose in der.children(value)] if value else []
    return tuple(oids.EXTENDED_KEY_USAGES.get(purpose, purpose) for purpose in found)


def _authority_key_id(value: Element | None) -> str | None:
    for field in der.children(value) if value else ():
        if field.tag == 0x80:
            return colon_separated(field.content)
    return None


def _permitted(value: Element | None) -> tuple[str, ...]:
    """The permitted subtrees (RFC 5280 section 4.2.1.10); a network as `10.0.0.0/8`."""
    found = []
    for part in der.children(value) if value else ():
        if part.tag != 0xA0:
            continue
        for subtree in der.children(part, 0xA0):
            base = next(der.children(subtree), None)
            if base is not None and base.tag == 0x82:
                found.append(base.content.decode("ascii", "backslashreplace"))
            elif base is not None and base.tag == 0x87 and len(base.content) in (8, 32):
                found.append(_network(base.content))
    return tuple(found)


def _network(content: bytes) -> str:
    """An address and its mask, each of half the length; one address stands alone."""
    half = len(content) // 2
    address = ipaddress.ip_address(content[:half]).compressed
    mask = int.from_bytes(content[half:], "big")
    length = mask.bit_count()
    if mask != (1 << 8 * half) - (1 << 8 * half - length):
        # Bits with holes: allowed by the format, and no prefix says it.
        return f"{address}/{ipaddress.ip_address(content[half:])}"
    return address if length == 8 * half else f"{address}/{length}"
