"""The lab's matrix (section 2.3 of the reference), row by row."""

import pytest
from certificates import CA_FALSE, CA_TRUE, DAY, NOW, SERVER, key_usage, make, ours
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID

from openssl_serve.certs.clients import client_verdicts
from openssl_serve.certs.facts import facts_of

CHROME, FIREFOX, APPLE, ANDROID, STRICT, CURL, GO, JAVA, RUSTLS = EVERY = (
    "Chrome, Edge", "Firefox", "Safari, iPhone, iPad", "Android",
    "Python 3.13, openssl -x509_strict", "curl, Node.js, OpenSSL", "Go", "Java",
    "rustls (uv, deno)",
)  # fmt: skip
CA_KEY = ec.generate_private_key(ec.SECP256R1())
CLIENT_AUTH, ANY = ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE
CLIENT = x509.ExtendedKeyUsage([CLIENT_AUTH])
AKI = x509.AuthorityKeyIdentifier(b"1", None, None)
SKI = x509.SubjectKeyIdentifier(b"1")


def facts(certificate):
    return facts_of(certificate.public_bytes(serialization.Encoding.DER))


def leaf(*extensions, **options):
    return make(*(extensions or (CA_FALSE, SERVER, AKI)), issuer="ca", signed_by=CA_KEY, **options)


def refusing(certificate, issuer=None):
    verdicts = client_verdicts(facts(certificate), facts(issuer) if issuer else None)
    assert tuple(verdict.family for verdict in verdicts) == EVERY
    return {verdict.family for verdict in verdicts if verdict.because}


GOOD_CA = make(
    x509.BasicConstraints(ca=True, path_length=0), key_usage("key_cert_sign"), SKI, names=(),
    subject="ca", key=CA_KEY,
)  # fmt: skip


@pytest.mark.parametrize(
    ("certificate", "issuer", "refuse"),
    [
        (leaf(), GOOD_CA, set()),
        (leaf(), None, set()),
        (leaf(CA_FALSE, SERVER), GOOD_CA, {STRICT}),
        (leaf(), make(CA_TRUE, SKI, names=(), subject="ca", key=CA_KEY), {STRICT}),
        (
            leaf(),
            make(CA_TRUE, key_usage("key_cert_sign"), names=(), subject="ca", key=CA_KEY),
            {STRICT},
        ),
        (ours(), None, {FIREFOX, RUSTLS}),
        (make(CA_TRUE, SERVER, key_usage("key_cert_sign")), None, {FIREFOX, RUSTLS}),
        (make(CA_FALSE, SERVER, key_usage("digital_signature")), None, {APPLE, ANDROID}),
        (make(SERVER), None, {APPLE, ANDROID}),
        (ours(names=()), None, {CHROME, FIREFOX, APPLE, ANDROID, GO, RUSTLS}),
        (
            leaf(key=ed25519.Ed25519PrivateKey.generate()),
            GOOD_CA,
            {CHROME, FIREFOX, APPLE, ANDROID},
        ),
        (leaf(key=ec.generate_private_key(ec.SECP256K1())), None, set(EVERY)),
        (leaf(key=ec.generate_private_key(ec.SECP224R1())), None, set(EVERY)),
        (leaf(key=dsa.generate_private_key(1024)), None, set(EVERY)),
        (leaf(key=ec.generate_private_key(ec.SECP521R1())), None, set()),
        (leaf(CA_FALSE, CLIENT, AKI), None, set(EVERY)),
        (leaf(CA_FALSE, x509.ExtendedKeyUsage([ANY]), AKI), None, {APPLE}),
        (leaf(x509.UnrecognizedExtension(CLIENT_AUTH, b"\5\0"), AKI, SERVER), None, set()),
        (leaf(CA_FALSE, AKI), None, {APPLE}),
        (leaf(end=NOW + 824 * DAY), None, {APPLE}),
        (leaf(start=NOW, end=NOW + 824 * DAY), None, set()),
        (leaf(key=rsa.generate_private_key(65537, 1024)), None, set(EVERY)),
    ],
)  # fmt: skip
def test_who_refuses(certificate, issuer, refuse):
    assert refusing(certificate, issuer) == refuse


def test_sha1_is_refused_by_all():
    found = facts(leaf())

    weak = client_verdicts(found._replace(signature="ECDSA with SHA-1"))

    assert all(verdict.because == "it is signed with ECDSA with SHA-1" for verdict in weak)


def test_a_critical_extension_that_is_unknown_is_refused_by_all():
    """RFC 5280 section 4.2; those that clients know are no reason."""
    found = facts(leaf())

    for name, because in {
        "1.2.3.4": "it has a critical extension that no client knows: 1.2.3.4",
        "nameConstraints": None,
    }.items():
        extensions = found.extensions._replace(critical=(name,))
        verdicts = client_verdicts(found._replace(extensions=extensions))
        assert {verdict.because for verdict in verdicts} == {because}


def test_browsers_take_no_key_that_is_for_pss_alone():
    """Chromium 156 ends the handshake, where curl and Node.js do not."""
    found = client_verdicts(facts(leaf())._replace(key="RSA-PSS"))

    assert found[0].because == "browsers offer no TLS with RSA-PSS keys"
    assert found[5].because is None


def test_a_leaf_without_a_ca_needs_a_peer_entry():
    """The lab's third finding: no other tool does this."""
    verdict = client_verdicts(facts(make(CA_FALSE, SERVER)))[1]

    assert verdict.because is None
    assert "CP,," in verdict.how
