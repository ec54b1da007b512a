"""Which clients can be brought to trust a certificate, judged by its shape; nothing is asked.

Every rule was measured or read in the client's source or documents: DESIGN's reference notes on
local certificates, section 2, name the versions.
"""

from typing import NamedTuple

from openssl_serve.certs.facts import CertificateFacts
from openssl_serve.certs.meaning import EXPLICIT

APPLE_MAX_DAYS = 825
"""support.apple.com/103769; also for what a local CA issues."""

MIN_RSA_BITS = 2048
"""CA/Browser Forum, section 6.1.5; at OpenSSL's security level 2, which most systems have."""

_WEB_CURVES = ("EC P-256", "EC P-384", "EC P-521")
"""Those that clients offer. TLS 1.3 has no signatures with others (RFC 8446 section 4.2.3), or DSA;
for TLS 1.2, curl and Node.js 20 end the handshake with P-224, secp256k1, Brainpool and DSA."""


class ClientVerdict(NamedTuple):
    """One family of clients. `because` None: it can trust this; else why it never will."""

    family: str
    because: str | None
    how: str
    """What has to be trusted, and anything special about it."""


def client_verdicts(
    facts: CertificateFacts, issuer: CertificateFacts | None = None
) -> tuple[ClientVerdict, ...]:
    """Judge the server certificate *facts*, issued by *issuer* (None: unknown, or itself)."""
    trust = "trust the certificate itself" if facts.is_self_signed else "trust its CA"
    special = ""
    if facts.is_self_signed and not facts.is_ca:
        special = ", as a peer: certutil -t CP,,"
    weak = weakness(facts) or _useless(facts)
    rules = (
        ("Chrome, Edge", weak or _browser(facts), trust + special),
        ("Firefox", weak or _browser(facts) or _ca_as_leaf(facts, "Firefox"), trust + special),
        ("Safari, iPhone, iPad", weak or _apple(facts), f"{trust}, then flip the trust switch"),
        ("Android", weak or _android(facts), f"{trust}; apps have to opt in"),
        ("Python 3.13, openssl -x509_strict", weak or _strict(facts, issuer), trust),
        ("curl, Node.js, OpenSSL", weak, trust),
        ("Go", weak or _no_names(facts), trust),
        ("Java", weak, trust),
        ("rustls (uv, deno)", weak or _no_names(facts) or _ca_as_leaf(facts, "rustls"), trust),
    )
    return tuple(ClientVerdict(family, because, how) for family, because, how in rules)


def weakness(facts: CertificateFacts) -> str | None:
    """What keeps TLS clients from it whomever they trust: its key, or how it was signed."""
    if fault := fault_of_key(facts.key):
        return fault
    if facts.signature.endswith(("SHA-1", "MD5")):
        return f"it is signed with {facts.signature}"
    return None


def fault_of_key(key: str) -> str | None:
    """Why no TLS client accepts a *key*, described as facts do ("RSA 1024"); None if some do."""
    if key.startswith("RSA ") and int(key.removeprefix("RSA ")) < MIN_RSA_BITS:
        return f"its key is {key}, and {MIN_RSA_BITS} bits are the least"
    if key.startswith(("EC ", "DSA")) and key not in (*_WEB_CURVES, EXPLICIT):
        return f"its key is {key}, which TLS clients do not offer"
    return None


def _useless(facts: CertificateFacts) -> str | None:
    """What everybody refuses, by RFC 5280."""
    if not facts.is_for_servers:
        return f"it is not for servers, but for {', '.join(facts.extensions.extended_key_usage)}"
    # Section 4.2. Those that clients do know have a name here, and no number.
    unknown = [name for name in facts.extensions.critical if name[0].isdigit()]
    if unknown:
        return f"it has a critical extension that no client knows: {', '.join(unknown)}"
    return None


def _no_names(facts: CertificateFacts) -> str | None:
    return None if facts.names else "it has no SAN, and a common name counts for nothing"


def _browser(facts: CertificateFacts) -> str | None:
    if not facts.key.startswith("RSA ") and facts.key not in _WEB_CURVES:
        return f"browsers offer no TLS with {facts.key} keys"
    return _no_names(facts)


def _ca_as_leaf(facts: CertificateFacts, client: str) -> str | None:
    return f"{client} accepts no CA:TRUE certificate from a server" if facts.is_ca else None


def _apple(facts: CertificateFacts) -> str | None:
    days = (facts.not_after - facts.not_before).days
    if facts.is_self_signed and not facts.is_ca:
        return "the trust switch is offered only for CA:TRUE certificates"
    if "serverAuth" not in facts.extensions.extended_key_usage:
        return "it lacks the extended key usage serverAuth"
    if days >= APPLE_MAX_DAYS:
        return f"it is valid for {days} days, and {APPLE_MAX_DAYS - 1} are the most"
    return _browser(facts)


def _android(facts: CertificateFacts) -> str | None:
    if facts.is_self_signed and not facts.is_ca:
        return "only CA:TRUE certificates can be installed"
    return _browser(facts)


def _strict(facts: CertificateFacts, issuer: CertificateFacts | None) -> str | None:
    """RFC 5280 to the letter; OpenSSL checks it only in chains of more than one certificate."""
    if facts.is_self_signed:
        return None
    if facts.extensions.authority_key_id is None:
        return "Missing Authority Key Identifier"
    if issuer is None:
        return None
    found = issuer.extensions
    if "keyUsage" not in found.present:
        return "CA cert does not include key usage extension"
    if "basicConstraints" not in found.critical:
        return "Basic Constraints of CA cert not marked critical"
    if found.subject_key_id is None:
        return "Missing Subject Key Identifier"
    return None
