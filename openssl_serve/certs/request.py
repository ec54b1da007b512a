"""Signing somebody's certificate request (PKCS #10, RFC 2986) with the local CA.

Taken from the request: its key, its subject, and the hosts it names, each read as we read any
host. Never its extensions as they stand: a request may ask to be a CA.
"""

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

from openssl_serve.certs import der, pem
from openssl_serve.certs.authority import Authority
from openssl_serve.certs.clients import fault_of_key
from openssl_serve.certs.facts import CertificateFacts, read_facts_file
from openssl_serve.certs.issue import follow, new_serial, work_folder
from openssl_serve.certs.meaning import describe_key, read_extensions
from openssl_serve.certs.pem_files import read_file, wrong_content
from openssl_serve.certs.profile import CertificateProfile, Shape
from openssl_serve.certs.x509 import Extension, attributes, extensions_of
from openssl_serve.errors import CertificateError, InvalidHostError, OpensslFailedError
from openssl_serve.hosts import Host, parse_host
from openssl_serve.openssl import commands
from openssl_serve.openssl.binary import Openssl
from openssl_serve.openssl.commands import CERTIFICATE, REQUEST, Recipe
from openssl_serve.openssl.template import render

_EXTENSION_REQUEST = "1.2.840.113549.1.9.14"
_LABELS = ("CERTIFICATE REQUEST", "NEW CERTIFICATE REQUEST")
# "Certificate request self-signature did not match the contents" since OpenSSL 3.0; "Signature did
# not match the certificate request" before, and in LibreSSL.
_UNSIGNED = re.compile(r"signature did not match", re.IGNORECASE)
_COMMON_NAME = "2.5.4.3"


@dataclass(frozen=True, slots=True)
class Request:
    """What counts of a request, and where it is."""

    path: Path
    data: bytes
    hosts: tuple[Host, ...]
    key: str
    public_key_sha256: str
    has_subject: bool


@dataclass(frozen=True, slots=True)
class Signed:
    """A certificate that was made of a request."""

    pem: bytes
    facts: CertificateFacts


def read_request_file(path: Path) -> Request:
    """Read the first request in the file at *path*. Raises CertificateError."""
    return request_in(read_file(path), path)


def request_in(data: bytes, path: Path) -> Request:
    """Read the first request in *data*, which came from *path*. Raises CertificateError."""
    if not any(block.label in _LABELS for block in pem.blocks(data)):
        raise wrong_content(path, data, "certificate request", "req")
    try:
        return read_request(data, path)
    except (CertificateError, InvalidHostError) as error:
        raise CertificateError(f"{path}: {error}", *error.hints) from error


def read_request(data: bytes, path: Path) -> Request:
    """Read the first request in PEM *data*, which has one and came from *path*.

    Raises CertificateError, InvalidHostError for a host in it.
    """
    found = [block for block in pem.blocks(data) if block.label in _LABELS]
    body = next(der.children(der.read(found[0].der)), None)
    fields = list(der.children(der.expect(body, der.SEQUENCE)))
    if len(fields) not in (3, 4):
        raise CertificateError("it is not a certificate request: a field is missing")
    subject, public_key = fields[1:3]
    requested = read_extensions(_requested(fields[3]) if len(fields) == 4 else {})
    names = requested.dns_names + requested.ip_addresses
    if requested.other_names:
        raise CertificateError("it asks for something other than hosts: e-mail, a URL or a name")
    if not names:
        names = tuple(text for oid, text in attributes(subject) if oid == _COMMON_NAME)
    if not names:
        raise CertificateError("it names no host")
    hosts = dict.fromkeys(map(parse_host, names))
    key = describe_key(public_key)
    if fault := fault_of_key(key):
        raise CertificateError(fault)
    digest = hashlib.sha256(public_key.encoded).hexdigest()
    return Request(path, data, tuple(hosts), key, digest, bool(attributes(subject)))


def signing_recipe(request: Request, authority: Authority, days: int) -> Recipe:
    """How to sign *request*, a file in the folder. Raises CertificateError, UsageError."""
    if refusal := authority.refusal(request.hosts):
        raise refusal
    profile = CertificateProfile(request.hosts, min(days, authority.days_left()))
    config = render(
        # The certificate gets the request's subject; what counts is whether there is one.
        common_name="unused" if request.has_subject else None,
        names=profile.hosts,
        key_is_rsa=request.key.startswith("RSA"),
    )
    step = commands.sign(authority.issuer, Shape.LEAF.section, profile.days, new_serial())
    return Recipe(config, (step,))


def sign(openssl: Openssl, authority: Authority, request: Request, days: int) -> Signed:
    """Make a leaf of *request*. Raises CertificateError, OpensslError."""
    recipe = signing_recipe(request, authority, days)
    with work_folder() as folder:
        (folder / REQUEST).write_bytes(request.data)
        try:
            follow(openssl, recipe, folder)
        except OpensslFailedError as error:
            if not _UNSIGNED.search(error.stderr):
                raise
            raise CertificateError(
                f"{request.path}: its signature is not by its key: it was changed, or damaged",
                "whoever has the key makes another: openssl req -new -key KEY",
            ) from error
        facts = read_facts_file(folder / CERTIFICATE)
        made = (folder / CERTIFICATE).read_bytes()
    missing = [str(host) for host in request.hosts if not facts.covers(host)]
    if missing or facts.shape is not Shape.LEAF:
        raise OpensslFailedError(f"{openssl.path} made a certificate that was not asked for")
    if facts.public_key_sha256 != request.public_key_sha256:
        raise OpensslFailedError(f"{openssl.path} made a certificate for another key")
    return Signed(made, facts)


def _requested(wrapper: der.Element) -> dict[str, Extension]:
    """The extensions asked for in the attributes of a request."""
    for attribute in der.children(wrapper, 0xA0):
        parts = list(der.children(attribute))
        if len(parts) == 2 and der.oid(parts[0]) == _EXTENSION_REQUEST:
            value = next(der.children(parts[1], der.SET), None)
            return extensions_of(der.expect(value, der.SEQUENCE))
    return {}
