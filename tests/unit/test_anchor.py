"""What clients have to trust for a certificate: which one it is, its forms, and never a key."""

import base64
import plistlib

import pytest
from certificates import CA_FALSE, CA_TRUE, KEY, SERVER, key_usage, make, ours, pem, write
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from openssl_serve.certs import authority
from openssl_serve.certs.anchor import Anchor, anchor_of
from openssl_serve.errors import CertificateError

CA_KEY = ec.generate_private_key(ec.SECP256R1())
CA_ID = x509.SubjectKeyIdentifier.from_public_key(CA_KEY.public_key())
CA_USAGE = key_usage("key_cert_sign", "crl_sign")
CA = make(CA_TRUE, CA_USAGE, CA_ID, names=(), subject="ca", key=CA_KEY)
LEAF = make(
    CA_FALSE, SERVER, x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(CA_ID),
    issuer="ca", signed_by=CA_KEY,
)  # fmt: skip
SELF_SIGNED = ours()


def der(certificate):
    return certificate.public_bytes(serialization.Encoding.DER)


def anchored(folder, *things) -> Anchor:
    found = anchor_of(write(folder / "x.pem", *things), folder)
    assert found
    return found


def test_a_self_signed_certificate_is_its_own(tmp_path):
    anchor = anchored(tmp_path, SELF_SIGNED)

    assert anchor.der == der(SELF_SIGNED)
    assert anchor.facts == anchor.server
    assert anchor.name == "a.test"


def test_a_chain_that_ends_in_its_ca_has_it(tmp_path):
    anchor = anchored(tmp_path, LEAF, CA)

    assert (anchor.der, anchor.name) == (der(CA), "ca")
    assert anchor.server.names == ("a.test",)


def test_what_the_local_ca_issued_has_that(tmp_path):
    write(tmp_path / f"{authority.STEM}.crt", CA)

    assert anchored(tmp_path, LEAF).der == der(CA)


def test_what_somebody_else_issued_has_none(tmp_path):
    """Neither without a local CA, nor with another, nor with a stranger at the end of the file."""
    path = write(tmp_path / "x.pem", LEAF)
    assert anchor_of(path, tmp_path) is None
    other = make(CA_TRUE, CA_USAGE, CA_ID, names=(), subject="other", key=CA_KEY)
    write(tmp_path / f"{authority.STEM}.crt", other)
    assert anchor_of(path, tmp_path) is None

    assert anchor_of(write(tmp_path / "x.pem", LEAF, SELF_SIGNED), tmp_path) is None


@pytest.mark.parametrize("order", [(KEY, SELF_SIGNED), (SELF_SIGNED, KEY)])
def test_a_key_in_the_same_file_is_in_no_form(tmp_path, order):
    """As haproxy has it, and as people give it to --cert."""
    anchor = anchored(tmp_path, *order)
    secret = KEY.private_bytes(
        serialization.Encoding.DER,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    number = KEY.private_numbers().private_value.to_bytes(32, "big")

    for form in (anchor.der, anchor.pem, anchor.mobileconfig):
        assert b"PRIVATE" not in form
        assert secret not in form
        assert number not in form
    assert anchor.pem == pem(SELF_SIGNED)


def test_what_follows_a_certificate_in_its_block_is_not_passed_on(tmp_path):
    text = base64.encodebytes(der(SELF_SIGNED) + b"and more").decode()
    path = tmp_path / "x.pem"
    path.write_text(f"-----BEGIN CERTIFICATE-----\n{text}-----END CERTIFICATE-----\n")

    with pytest.raises(CertificateError, match=r"x\.pem: the certificate in it is damaged"):
        anchor_of(path, tmp_path)


def test_the_forms_are_the_certificate(tmp_path):
    anchor = anchored(tmp_path, CA)

    assert x509.load_der_x509_certificate(anchor.der) == CA
    assert x509.load_pem_x509_certificate(anchor.pem) == CA
    profile = plistlib.loads(anchor.mobileconfig)
    (payload,) = profile["PayloadContent"]
    assert (profile["PayloadType"], payload["PayloadType"]) == (
        "Configuration", "com.apple.security.root",
    )  # fmt: skip
    assert payload["PayloadContent"] == der(CA)
    assert CA.fingerprint(hashes.SHA256()).hex(":").upper() in profile["PayloadDescription"]


def test_what_has_no_common_name_has_another(tmp_path):
    """iOS shows nothing whose name is empty."""
    assert anchored(tmp_path, ours(subject="", names=("b.test", "c.test"))).name == "b.test"


def test_a_file_that_is_gone_is_named(tmp_path):
    with pytest.raises(CertificateError, match=r"nowhere\.pem: no such file"):
        anchor_of(tmp_path / "nowhere.pem", tmp_path)
