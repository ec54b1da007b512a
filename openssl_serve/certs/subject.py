"""What `show`, `verify` and `export` look at: a kept host, a file, or a server that is running."""

import os
import socket
import ssl
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from openssl_serve.addresses import Address, parse_address
from openssl_serve.certs.facts import CertificateFacts, facts_of, read_chain_file, read_facts_file
from openssl_serve.certs.store import Kept, Store
from openssl_serve.errors import CertificateError, UsageError, reason_of
from openssl_serve.hosts import Host, parse_host, shorten
from openssl_serve.paths import expand

CONNECT_TIMEOUT_S = 10
"""For the connection and each step of the handshake: three lost packets in a row (RFC 6298)."""

_SUFFIXES = (".pem", ".crt", ".cer", ".der", ".p12", ".pfx", ".key")
"""A name that ends so is a file's, even where there is no such file: none is a top-level domain."""


@dataclass(frozen=True, slots=True)
class Subject:
    """A certificate, and what is known about where it comes from."""

    name: str
    """As the user named it."""
    chain: tuple[CertificateFacts, ...]
    """Leaf first, as the file has it; of a server, the leaf alone."""
    cert_path: Path | None = None
    key_path: Path | None = None
    ca_path: Path | None = None
    """What is to be trusted for it; None: whatever the system trusts."""
    issuer: CertificateFacts | None = None
    host: Host | None = None
    """What it has to be valid for."""
    address: Address | None = None

    @property
    def facts(self) -> CertificateFacts:
        """Of the leaf."""
        return self.chain[0]


def find_subject(text: str, store: Store, ca: Path | None = None) -> Subject:
    """What *text* names: a file that exists, `host:port`, or a host that is kept.

    *ca* is to be trusted instead of what is known. Raises OpensslServeError.
    """
    if "://" in text:
        raise UsageError(f'"{shorten(text)}" is a URL', *_without_scheme(text))
    if ca is not None:
        # Or openssl would say of the certificate what is wrong with this.
        read_facts_file(ca)
    path = expand(text)
    if (
        "/" in text
        or path.suffix.lower() in _SUFFIXES
        or (os.path.lexists(path) and not path.is_dir())
    ):
        return _of_file(text, path.absolute(), ca)
    if _is_address(text):
        return _of_server(text, store, ca)
    return _of_kept(text, store.get(parse_host(text)), ca)


def fetch(address: Address) -> bytes:
    """The certificate in DER that the server at *address* shows, trusted or not."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    # Only to look at it; whether it is to be trusted is the question that comes after.
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with handshake(address, context) as tls:
        return tls.getpeercert(binary_form=True) or b""


def handshake(address: Address, context: ssl.SSLContext) -> ssl.SSLSocket:
    """A connection to *address* that has passed the checks of *context*.

    Raises ssl.SSLError from those, CertificateError when there is no TLS to talk to.
    """
    try:
        raw = socket.create_connection(address, CONNECT_TIMEOUT_S)
    except OSError as error:
        raise CertificateError(
            f"no answer from {address}: {reason_of(error)}",
            "is the server running, and on this port?",
        ) from error
    try:
        return context.wrap_socket(raw, server_hostname=address.host)
    except ssl.SSLError as error:
        raw.close()
        if (
            isinstance(error, ssl.SSLCertVerificationError)
            or error.reason != "WRONG_VERSION_NUMBER"
        ):
            raise
        raise CertificateError(f"{address} does not speak TLS") from error
    except OSError as error:
        raw.close()
        raise CertificateError(f"{address} ended the TLS handshake: {reason_of(error)}") from error


def _without_scheme(text: str) -> list[str]:
    """What to type instead of a URL."""
    try:
        url = urlsplit(text)
        host, port = url.hostname, url.port or 443
    except ValueError:
        return []
    return [f"its server: {Address(host, port)}"] if host else []


def _is_address(text: str) -> bool:
    host, colon, port = text.rpartition(":")
    # Not "::1", which is an address without a port.
    return bool(colon and port.isdecimal() and (":" not in host or host.startswith("[")))


def _of_kept(text: str, kept: Kept, ca: Path | None) -> Subject:
    return Subject(
        text,
        (kept.facts,),
        kept.cert_path,
        kept.key_path,
        ca or kept.ca_path,
        kept.authority.facts if kept.authority else None,
        parse_host(text),
    )


def _of_file(text: str, path: Path, ca: Path | None) -> Subject:
    chain = read_chain_file(path)
    issuer = next((facts for facts in chain[1:] if facts.subject == chain[0].issuer), None)
    if ca is None and chain[0].is_self_signed:
        ca = path
    return Subject(text, chain, path, ca_path=ca, issuer=issuer)


def _of_server(text: str, store: Store, ca: Path | None) -> Subject:
    address = parse_address(text, "the server")
    if not address.port:
        raise UsageError(f'"{shorten(text)}": no server has port 0')
    try:
        facts = facts_of(fetch(address))
    except ssl.SSLError as error:
        raise CertificateError(
            f"{address} refused the TLS handshake: {reason_of(error)}"
        ) from error
    kept = next((k for k in store.list() if k.facts.fingerprint == facts.fingerprint), None)
    if ca is None and kept:
        ca = kept.ca_path
    issuer = kept.authority.facts if kept and kept.authority else None
    host = parse_host(address.host)
    return Subject(text, (facts,), ca_path=ca, issuer=issuer, host=host, address=address)
