import os

import pytest
from certificates import CA_FALSE, CA_TRUE, DAY, KEY, NOW, SERVER, key_usage, make, ours, write
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from processes import NOBODY, in_child

from openssl_serve.certs.custom import load_custom
from openssl_serve.errors import CertificateError, KeyMismatchError

OTHER = ec.generate_private_key(ec.SECP256R1())
CA_USAGE = key_usage("key_cert_sign", "crl_sign")
LEAF = make(CA_FALSE, SERVER, issuer="ca", signed_by=OTHER)
CA = make(CA_TRUE, CA_USAGE, names=(), subject="ca", key=OTHER)


@pytest.fixture
def key(tmp_path):
    return write(tmp_path / "key.pem", KEY)


def test_a_good_pair(tmp_path, key):
    cert = write(tmp_path / "cert.pem", LEAF)

    found = load_custom(cert, key)

    assert (found.cert_path, found.key_path) == (cert, key)
    assert found.facts.names == ("a.test",)
    assert (found.chain, found.password, found.warnings, found.made_because) == ((), None, (), None)


def test_a_chain_comes_after_the_leaf(tmp_path, key):
    found = load_custom(write(tmp_path / "chain.pem", LEAF, CA), key)

    assert found.facts.subject == "CN=a.test"
    assert [facts.subject for facts in found.chain] == ["CN=ca"]


def test_a_leaf_that_is_not_first(tmp_path, key):
    chain = write(tmp_path / "chain.pem", CA, LEAF)

    with pytest.raises(KeyMismatchError) as caught:
        load_custom(chain, key)

    assert "here it is number 2 of 2" in str(caught.value)
    assert str(caught.value).startswith(f"{chain}: ")


def test_a_tilde_is_home(tmp_path, key, monkeypatch):
    """code-server: a literal ~, or a folder of that name (its issues 514 and 451)."""
    monkeypatch.setenv("HOME", str(tmp_path))
    write(tmp_path / "cert.pem", LEAF)

    found = load_custom(type(key)("~/cert.pem"), type(key)("~/key.pem"))

    assert found.cert_path == tmp_path / "cert.pem"


class TestPassphrase:
    @pytest.fixture
    def pair(self, tmp_path):
        return write(tmp_path / "c", LEAF), write(tmp_path / "k", KEY, password="right")

    def test_is_asked_for_and_kept_out_of_sight(self, pair):
        found = load_custom(pair[0], pair[1], lambda: "right")

        assert found.password == "right"
        assert "right" not in repr(found)

    def test_is_not_asked_for_without_need(self, tmp_path, key):
        def never():
            raise AssertionError

        load_custom(write(tmp_path / "cert.pem", LEAF), key, never)

    @pytest.mark.parametrize(("answer", "words"), [(None, "no password"), ("no", "does not open")])
    def test_absent_or_wrong(self, pair, answer, words):
        with pytest.raises(CertificateError, match=words) as caught:
            load_custom(pair[0], pair[1], lambda: answer)

        assert str(pair[1]) in str(caught.value)


def der(certificate):
    return certificate.public_bytes(serialization.Encoding.DER)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "no such file"),
        ("folder", "is a folder"),
        ("fifo", "is not a regular file"),
        (b"", "is empty"),
        (b"garbage", "is not a certificate in PEM form"),
        (der(LEAF), "is in DER form"),
        (
            b"-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n",
            "the certificate in it is damaged: ",
        ),
    ],
)
@pytest.mark.parametrize("which", ["cert", "key"])
def test_every_fault_is_one_line_with_the_file(tmp_path, key, content, words, which):
    """L1 to L7: code-server names no file, or is silent, or never ends."""
    path = tmp_path / "broken"
    if content == "folder":
        path.mkdir()
    elif content == "fifo":
        os.mkfifo(path)
    elif content is not None:
        path.write_bytes(content)
    cert = write(tmp_path / "cert.pem", LEAF)

    with pytest.raises(CertificateError) as caught:
        load_custom(path, key) if which == "cert" else load_custom(cert, path)

    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 4
    if which == "cert":
        assert words in str(caught.value)


def test_der_has_the_command_that_helps(tmp_path, key):
    path = tmp_path / "cert.der"
    path.write_bytes(der(LEAF))

    with pytest.raises(CertificateError) as caught:
        load_custom(path, key)

    assert caught.value.hints == (f"openssl x509 -inform DER -in {path} -out {path}.pem",)


@pytest.mark.parametrize("which", ["cert.pem", "key.pem"])
def test_a_file_that_may_not_be_read(public, which):
    pair = write(public / "cert.pem", LEAF), write(public / "key.pem", KEY)
    for path in pair:
        path.chmod(0o644)
    (public / which).chmod(0)

    with pytest.raises(CertificateError, match=f"{public / which}: permission denied"):
        in_child(lambda: load_custom(pair[0], pair[1]), user=NOBODY)


def test_a_pair_that_does_not_belong_together(tmp_path):
    cert = write(tmp_path / "cert.pem", LEAF)
    key = write(tmp_path / "key.pem", rsa.generate_private_key(65537, 2048))

    with pytest.raises(KeyMismatchError) as caught:
        load_custom(cert, key)

    assert "EC P-256, the key is RSA" in caught.value.hints[0]


@pytest.mark.parametrize(
    ("certificate", "words"),
    [
        (make(CA_FALSE, SERVER, end=NOW - DAY / 2), "expired on"),
        (make(CA_FALSE, SERVER, start=NOW + DAY), "is not valid before"),
        (make(CA_FALSE, SERVER, names=()), "has no SAN"),
        (make(CA_TRUE, SERVER, CA_USAGE), "a CA's certificate, not a server's"),
        (make(CA_TRUE, SERVER, issuer="other", signed_by=OTHER), "a CA's certificate"),
        (
            make(CA_FALSE, x509.ExtendedKeyUsage([x509.oid.ExtendedKeyUsageOID.CLIENT_AUTH])),
            "is not for servers, but for clientAuth",
        ),
    ],
)
def test_what_clients_will_dislike_is_a_warning(tmp_path, key, certificate, words):
    cert = write(tmp_path / "cert.pem", certificate)

    found = load_custom(cert, key)

    assert len(found.warnings) == 1
    assert words in found.warnings[0]
    assert str(cert) in found.warnings[0]


def test_a_key_that_no_client_takes_is_a_warning(tmp_path):
    secret = ec.generate_private_key(ec.SECP224R1())
    cert = write(tmp_path / "cert.pem", make(CA_FALSE, SERVER, key=secret))

    found = load_custom(cert, write(tmp_path / "key.pem", secret))

    assert found.warnings == (f"{cert}: its key is EC P-224, which TLS clients do not offer",)


def test_our_own_shape_is_no_reason_to_warn(tmp_path, key):
    assert load_custom(write(tmp_path / "cert.pem", ours()), key).warnings == ()


def test_a_key_that_others_can_read_is_a_warning(tmp_path, key):
    key.chmod(0o644)

    found = load_custom(write(tmp_path / "cert.pem", LEAF), key)

    assert found.warnings == (f"{key} can be read by others: chmod 600 {key}",)
