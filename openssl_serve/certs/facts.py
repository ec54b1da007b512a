"""What is in a certificate, and the questions that are put to it.

Read in Python and not by openssl: a start with a good certificate needs no child process.
Nothing here touches a file except `read_facts_file`.
"""

import datetime as dt
import hashlib
import os
import stat
from pathlib import Path
from typing import NamedTuple

from openssl_serve.certs import pem
from openssl_serve.certs.meaning import (
    Extensions,
    colon_separated,
    describe_key,
    describe_name,
    read_extensions,
)
from openssl_serve.certs.oids import SIGNATURES
from openssl_serve.certs.profile import Shape
from openssl_serve.certs.x509 import parse_certificate
from openssl_serve.errors import CertificateError, reason_of
from openssl_serve.hosts import Host, HostKind

DUE_DAYS = 30

MAX_FILE_SIZE = 1 << 20
"""Bytes. A chain has some ten thousand; more is no certificate, or one that is no use here."""


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
        # No comma ends a value: describe_name escapes those inside.
        names = [part for part in self.subject.split(", ") if part.startswith("CN=")]
        return names[-1].removeprefix("CN=") if names else ""

    @property
    def is_ca(self) -> bool:
        """Whether it may sign other certificates."""
        return bool(self.extensions.is_ca)

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

        The smaller of both: a third of 397 days would bring people a new fingerprint months
        too early, and a certificate for 14 days would be due from its first.
        """
        life = self.not_after - self.not_before
        return self.not_after - min(life / 3, dt.timedelta(days=DUE_DAYS))

    def due(self, now: dt.datetime) -> bool:
        """Whether to renew it; from `due_from` on."""
        return now > self.due_from


def read_facts(data: bytes) -> CertificateFacts:
    """The facts of the first certificate in PEM *data*.

    Raises CertificateError that says what is wrong, without naming a file.
    """
    return read_chain(data)[0]


def read_chain(data: bytes) -> tuple[CertificateFacts, ...]:
    """The facts of every certificate in PEM *data*, at least one. Raises CertificateError."""
    found = [block for block in pem.blocks(data) if block.label in pem.CERTIFICATE_LABELS]
    if not found:
        raise CertificateError(_what_it_is(data))
    try:
        return tuple([facts_of(block.der) for block in found])
    except CertificateError as error:
        raise CertificateError(f"the certificate in it is damaged: {error}") from error


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


def read_facts_file(path: Path) -> CertificateFacts:
    """The facts of the first certificate in the file at *path*, which every error names."""
    try:
        return read_facts(read_file(path))
    except CertificateError as error:
        raise type(error)(f"{path}: {error}", *error.hints) from error


def read_file(path: Path) -> bytes:
    """All bytes of a regular file. Raises CertificateError, without naming the file."""
    try:
        # A FIFO would make an ordinary open() wait for a writer for ever.
        with open(path, "rb", opener=lambda p, flags: os.open(p, flags | os.O_NONBLOCK)) as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise CertificateError("is no regular file")
            data = file.read(MAX_FILE_SIZE + 1)
    except FileNotFoundError as error:
        raise CertificateError("no such file") from error
    except IsADirectoryError as error:
        raise CertificateError("is a folder") from error
    except OSError as error:
        raise CertificateError(reason_of(error)) from error
    if len(data) > MAX_FILE_SIZE:
        raise CertificateError("is larger than a megabyte, and no certificate or key is")
    return data


def _what_it_is(data: bytes) -> str:
    """The best guess at what was given instead of a certificate in PEM."""
    if not data.strip():
        return "is empty"
    labels = [block.label for block in pem.blocks(data)]
    if labels:
        return f"holds no certificate, but {', '.join(dict.fromkeys(labels))}"
    if data[:1] == b"\x30":
        return "is in DER or PKCS #12 form, and PEM is wanted"
    return "is no certificate in PEM form"


def _whole_bytes(serial: int) -> str:
    """*serial* in hexadecimal as openssl shows it: two digits for each byte.

    >>> _whole_bytes(0x123), _whole_bytes(0), _whole_bytes(-1)
    ('0123', '00', '-01')
    """
    digits = f"{abs(serial):X}"
    return "-" * (serial < 0) + digits.zfill(len(digits) + len(digits) % 2)
