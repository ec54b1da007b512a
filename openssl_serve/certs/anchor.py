"""The trust anchor of a server's certificate (RFC 5280 section 6): what clients have to trust.

In the forms that phones and computers take. Made from certificates that were parsed, so that no
private key can be in any of them, whatever the files hold.
"""

import ssl
from dataclasses import dataclass
from pathlib import Path

from openssl_serve.certs import authority as authorities
from openssl_serve.certs.facts import CertificateFacts, read_certificates
from openssl_serve.certs.folder import Folder
from openssl_serve.certs.pairs import Pairs


@dataclass(frozen=True, slots=True)
class Anchor:
    """A self-signed certificate: the local CA's, or the server's own."""

    der: bytes
    facts: CertificateFacts
    server: CertificateFacts
    """Of the certificate that is trusted with it; the same when it is the server's own."""

    @property
    def name(self) -> str:
        """What devices call it in their lists."""
        return self.facts.common_name or next(iter(self.facts.names), self.facts.subject)

    @property
    def pem(self) -> bytes:
        """In PEM (RFC 7468)."""
        return ssl.DER_cert_to_PEM_cert(self.der).encode()

    @property
    def mobileconfig(self) -> bytes:
        """An Apple configuration profile with it; the switch is still the user's to flip."""
        # Imported here, as all that only an export or a phone needs.
        import plistlib  # noqa: PLC0415

        fingerprint = self.facts.fingerprint
        # The same certificate is the same profile: installed again, it replaces itself.
        identifier = f"openssl-serve.{fingerprint.replace(':', '').lower()[:32]}"
        payload = {
            "PayloadType": "com.apple.security.root",
            "PayloadIdentifier": f"{identifier}.certificate",
            "PayloadUUID": _uuid(fingerprint),
            "PayloadVersion": 1,
            "PayloadDisplayName": self.name,
            "PayloadContent": self.der,
        }
        profile = {
            "PayloadType": "Configuration",
            "PayloadIdentifier": identifier,
            "PayloadUUID": _uuid(f"profile {fingerprint}"),
            "PayloadVersion": 1,
            "PayloadDisplayName": self.name,
            "PayloadDescription": f"Trusts one certificate, SHA-256 {fingerprint}",
            "PayloadContent": [payload],
        }
        return plistlib.dumps(profile)


def anchor_of(cert: Path, data: Path) -> Anchor | None:
    """Find the anchor of the certificate in the file *cert*, which has the leaf first.

    It is the certificate itself, the end of its chain, or the local CA in the folder *data*; None
    when the issuer is another, whose certificate is not here. Raises CertificateError.
    """
    found = read_certificates(cert)
    server = found[0][1]
    der, facts = found[-1]
    if facts.is_self_signed and facts.subject == found[-2:][0][1].issuer:
        return Anchor(der, facts, server)
    authority = authorities.find(Pairs(Folder(data)))
    if authority is None or not authority.issued(server):
        return None
    der, facts = read_certificates(authority.cert_path)[0]
    return Anchor(der, facts, server)


def _uuid(text: str) -> str:
    import uuid  # noqa: PLC0415  as above

    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"openssl-serve:{text}")).upper()
