import os

import pytest
from certificates import KEY, make, pem, write
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from openssl_serve.certs import pem as pem_module
from openssl_serve.certs.keys import check_pair, describe_private_key, read_key_block
from openssl_serve.errors import CertificateError, KeyMismatchError

OTHER = ec.generate_private_key(ec.SECP256R1())
RSA = rsa.generate_private_key(65537, 2048)
TRADITIONAL = serialization.PrivateFormat.TraditionalOpenSSL


@pytest.fixture
def cert(tmp_path):
    return write(tmp_path / "cert.pem", make())


def test_a_pair_that_belongs_together(cert, tmp_path):
    check_pair(cert, write(tmp_path / "key.pem", KEY))


def test_one_file_for_both(tmp_path):
    both = write(tmp_path / "both.pem", KEY, make())

    check_pair(both, both)


@pytest.mark.parametrize(
    ("key", "hint"),
    [
        (RSA, "the certificate's public key is EC P-256, the key is RSA"),
        (ec.generate_private_key(ec.SECP384R1()), "is EC P-256, the key is EC P-384"),
        (OTHER, "these must print the same: openssl pkey"),
    ],
)
def test_a_pair_that_does_not(cert, tmp_path, key, hint):
    path = write(tmp_path / "key.pem", key)

    with pytest.raises(KeyMismatchError) as caught:
        check_pair(cert, path)

    assert str(caught.value) == f"the key in {path} does not belong to the certificate in {cert}"
    assert hint in caught.value.hints[0]


def test_an_encrypted_key_needs_its_password(cert, tmp_path):
    key = write(tmp_path / "key.pem", KEY, password="right")

    check_pair(cert, key, "right")
    with pytest.raises(CertificateError, match=f"{key}: the key is encrypted, and no password"):
        check_pair(cert, key)
    for wrong in ("wrong", "", "x" * 5000, "ö"):
        with pytest.raises(CertificateError, match=f"{key}: the password does not open the key"):
            check_pair(cert, key, wrong)


def test_an_old_encrypted_key(cert, tmp_path):
    key = tmp_path / "key.pem"
    key.write_bytes(
        KEY.private_bytes(
            serialization.Encoding.PEM, TRADITIONAL, serialization.BestAvailableEncryption(b"right")
        )
    )

    check_pair(cert, key, "right")
    with pytest.raises(CertificateError, match="encrypted"):
        check_pair(cert, key)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is empty"),
        (b"garbage", "is not a private key in PEM form"),
        (pem(make()), "holds no private key, but CERTIFICATE"),
        (b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "cannot be read"),
        (pem(KEY)[:80] + b"\n-----END PRIVATE KEY-----\n", "cannot be read"),
    ],
)
def test_what_is_no_key_is_named(cert, tmp_path, content, words):
    key = tmp_path / "key.pem"
    key.write_bytes(content)

    with pytest.raises(CertificateError) as caught:
        check_pair(cert, key)

    assert str(caught.value).startswith(str(key))
    assert words in str(caught.value)


def test_files_that_are_none(cert, tmp_path):
    os.mkfifo(tmp_path / "fifo")
    for path in (tmp_path / "absent", tmp_path, tmp_path / "fifo"):
        with pytest.raises(CertificateError, match=str(path)):
            check_pair(cert, path)


def test_a_key_too_weak_for_tls(tmp_path):
    weak = rsa.generate_private_key(65537, 1024)

    with pytest.raises(CertificateError, match="too weak for this system's TLS"):
        check_pair(write(tmp_path / "cert.pem", make(key=weak)), write(tmp_path / "key.pem", weak))


@pytest.mark.parametrize(
    ("key", "described"),
    [(KEY, "EC P-256"), (RSA, "RSA"), (ed25519.Ed25519PrivateKey.generate(), "Ed25519")],
)
def test_the_type_is_seen_without_openssl(tmp_path, key, described):
    assert describe_private_key(read_key_block(write(tmp_path / "k", key))) == described


def test_the_type_of_older_forms():
    old = KEY.private_bytes(serialization.Encoding.PEM, TRADITIONAL, serialization.NoEncryption())

    assert describe_private_key(pem_module.blocks(old)[0]) == "EC"
    assert describe_private_key(pem_module.Block("PRIVATE KEY", b"", b"AAAA")) is None
    assert describe_private_key(pem_module.Block("PRIVATE KEY", b"", b"MAA=")) is None
    assert describe_private_key(pem_module.Block("ENCRYPTED PRIVATE KEY", b"", b"")) is None
