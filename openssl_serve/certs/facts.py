"""What is in a certificate, and the questions that are put to it.

Read in Python and not by openssl: a start with a good certificate needs no child process.
"""

import datetime as dt
import hashlib
from pathlib import Path
from typing import NamedTuple

from openssl_serve.certs import pem
from openssl_serve.certs.meaning import (
    Extensions,
    colon_separated,
    common_name_in,
    describe_key,
    describe_name,
    read_extensions,
)
from openssl_serve.certs.oids import SIGNATURES
from openssl_serve.certs.pem_files import read_file, wrong_content
from openssl_serve.certs.profile import Shape
from openssl_serve.certs.x509 import parse_certificate
from openssl_serve.errors import CertificateError
from openssl_serve.hosts import Host, HostKind

DUE_DAYS = 30
"""As certbot renews: long enough that a month of holidays passes unnoticed."""


class CertificateFacts(NamedTuple):
    """One certificate. Dates are aware and UTC; identifiers are upper-case hexadecimal."""

    subject: str
    issuer: str
    serial: str
    not_before: dt.datetime
    not_after: dt.datetime
    fingerprint: str
    """SHA-256 of the certificate, with colons, as browsers and openssl show it."""
    public_key_sha256: str
    key: str
    """"EC P-256", "RSA 2048"."""
    signature: str
    extensions: Extensions
    is_self_signed: bool
    """Issuer and subject are the same, and so are the key identifiers if there are any."""

    @property
    def dns_names(self) -> tuple[str, ...]:
        """The names in the SAN, in its order."""
        return self.extensions.dns_names

    @property
    def ip_addresses(self) -> tuple[str, ...]:
        """The addresses in the SAN, compressed, in its order."""
        return self.extensions.ip_addresses

    @property
    def names(self) -> tuple[str, ...]:
        """All that it is valid for: names, then addresses."""
        return self.dns_names + self.ip_addresses

    @property
    def common_name(self) -> str:
        """The last CN of the subject; empty when there is none."""
        return common_name_in(self.subject)

    @property
    def is_ca(self) -> bool:
        """Whether it may sign other certificates."""
        return bool(self.extensions.is_ca)

    @property
    def is_for_servers(self) -> bool:
        """Whether servers may use it: by its extended key usage, if any (RFC 5280, 4.2.1.12)."""
        usages = self.extensions.extended_key_usage
        return not usages or bool({"serverAuth", "anyExtendedKeyUsage"} & set(usages))

    @property
    def is_only_a_ca(self) -> bool:
        """Whether it is there to sign others, and not to be shown by a server."""
        signs = "keyCertSign" in self.extensions.key_usage
        return signs or (self.is_ca and not self.is_self_signed)

    @property
    def shape(self) -> Shape | None:
        """Which of the shapes that we make this is; None for any other certificate."""
        found = self.extensions
        if self.is_self_signed and found.is_ca and "keyCertSign" in found.key_usage:
            return Shape.CA
        if "serverAuth" not in found.extended_key_usage or not self.names:
            return None
        if self.is_self_signed and found.is_ca and not found.key_usage:
            return Shape.SELF_SIGNED
        if not self.is_self_signed and found.is_ca is False and found.authority_key_id:
            return Shape.LEAF
        return None

    def covers(self, host: Host) -> bool:
        """Whether clients accept it for *host*: by its SAN only, never by the common name."""
        if host.is_ip:
            return host.value in self.ip_addresses
        names = [Host(name.lower().removesuffix("."), HostKind.DNS) for name in self.dns_names]
        # A wildcard on a single label (*.localhost) counts for no client.
        return any(
            name.covers(host) for name in names if not name.is_wildcard or name.value.count(".") > 1
        )

    def days_left(self, now: dt.datetime) -> int:
        """Whole days until it expires; negative when it has."""
        return (self.not_after - now).days

    def expired(self, now: dt.datetime) -> bool:
        """Whether its time is over. The last second counts as valid (RFC 5280, 4.1.2.5)."""
        return now > self.not_after

    @property
    def due_from(self) -> dt.datetime:
        """When to renew it: in the last third of its life, at most 30 days.

        The smaller of both: a third of 365 days would bring people a new fingerprint months
        too early, and a certificate for 14 days would be due from its first.
        """
        life = self.not_after - self.not_before
        return self.not_after - min(life / 3, dt.timedelta(days=DUE_DAYS))

    def due(self, now: dt.datetime) -> bool:
        """Whether to renew it; from `due_from` on."""
        return now > self.due_from


def read_facts_file(path: Path) -> CertificateFacts:
    """The facts of the first certificate in the file at *path*. Raises CertificateError."""
    return read_chain_file(path)[0]


def read_chain_file(path: Path) -> tuple[CertificateFacts, ...]:
    """The facts of every certificate in the file at *path*. Raises CertificateError."""
    return tuple(facts for _, facts in read_certificates(path))


def read_certificates(path: Path) -> tuple[tuple[bytes, CertificateFacts], ...]:
    """Every certificate in the file at *path*, in DER and as facts, and nothing else in it.

    There is one at least. Raises CertificateError, which names the file.
    """
    data = read_file(path)
    found = [block for block in pem.blocks(data) if block.label in pem.CERTIFICATE_LABELS]
    if not found:
        raise wrong_content(path, data, "certificate", "x509")
    try:
        return tuple([(block.der, facts_of(block.der)) for block in found])
    except CertificateError as error:
        raise CertificateError(f"{path}: the certificate in it is damaged: {error}") from error


def facts_of(data: bytes) -> CertificateFacts:
    """The facts of a certificate in DER. Raises CertificateError."""
    certificate = parse_certificate(data)
    extensions = read_extensions(certificate.extensions)
    same_key = extensions.authority_key_id in (None, extensions.subject_key_id)
    return CertificateFacts(
        subject=describe_name(certificate.subject),
        issuer=describe_name(certificate.issuer),
        serial=_whole_bytes(certificate.serial),
        not_before=certificate.not_before,
        not_after=certificate.not_after,
        fingerprint=colon_separated(hashlib.sha256(data).digest()),
        public_key_sha256=hashlib.sha256(certificate.public_key.encoded).hexdigest(),
        key=describe_key(certificate.public_key),
        signature=SIGNATURES.get(certificate.signature_algorithm, certificate.signature_algorithm),
        extensions=extensions,
        is_self_signed=certificate.subject.encoded == certificate.issuer.encoded and same_key,
    )


def _whole_bytes(serial: int) -> str:
    """*serial* in hexadecimal as openssl shows it: two digits for each byte.

    >>> _whole_bytes(0x123), _whole_bytes(0), _whole_bytes(-1)
    ('0123', '00', '-01')
    """
    digits = f"{abs(serial):X}"
    return "-" * (serial < 0) + digits.zfill(len(digits) + len(digits) % 2)
