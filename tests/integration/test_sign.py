import base64
import io
import subprocess
from pathlib import Path

import pytest
from certificates import LOOPBACK, assert_leaf, load, names_of
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from stubs import stub

from openssl_serve.certs.request import read_request
from openssl_serve.errors import CertificateError, InvalidHostError

KEY = ec.generate_private_key(ec.SECP256R1())


def request(*names, extensions=(), key=KEY, subject="a.test", email=None):
    found = [x509.DNSName(name) if isinstance(name, str) else name for name in names]
    if email:
        found.append(x509.RFC822Name(email))
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)] if subject else [])
    builder = x509.CertificateSigningRequestBuilder().subject_name(name)
    if found:
        builder = builder.add_extension(x509.SubjectAlternativeName(found), False)
    for extension in extensions:
        builder = builder.add_extension(extension, True)
    digest = None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA256()
    return builder.sign(key, digest).public_bytes(serialization.Encoding.PEM)


@pytest.fixture
def csr(tmp_path):
    def make(*names, **options):
        path = tmp_path / "request.csr"
        path.write_bytes(request(*names, **options))
        return path

    return make


@pytest.fixture
def with_ca(cli, home):
    cli.good("generate", "--ca")
    return home / "_local_ca.crt"


def test_signs_for_the_hosts_of_the_request(cli, with_ca, csr, tmp_path):
    """P8: the SAN of a request is not lost."""
    finished = cli.good("sign", csr("b.test", "*.b.test"), "--out", tmp_path / "b.crt")

    assert finished.out == f"{tmp_path}/b.crt\n"
    assert_leaf(tmp_path / "b.crt", with_ca, ["b.test", "*.b.test"])
    assert load(tmp_path / "b.crt").public_key() == KEY.public_key()


def test_prints_it_without_out(cli, with_ca, csr, tmp_path):
    finished = cli.good("sign", csr("b.test"))

    (tmp_path / "x.crt").write_text(finished.out)
    assert_leaf(tmp_path / "x.crt", with_ca, ["b.test"])
    assert "signed for b.test" in finished.err


@pytest.fixture
def stdin(monkeypatch):
    def give(data):
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(data)))

    return give


def test_a_request_from_stdin(cli, with_ca, stdin, tmp_path):
    stdin(request("b.test"))

    cli.good("sign", "-", "--out", tmp_path / "b.crt")

    assert_leaf(tmp_path / "b.crt", with_ca, ["b.test"])


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "standard input is empty"),
        (b"\x30\x82\x01\x00", "standard input is in DER form, and PEM is wanted"),
        (request("b.test", subject="", email="me@b.test"), "something other than hosts"),
    ],
)
def test_no_request_on_stdin(cli, with_ca, stdin, data, reason):
    stdin(data)

    finished = cli("sign", "-")

    assert finished.code == 4
    assert reason in finished.errors[0]
    assert "hint: openssl req -new -key KEY -subj /CN=HOST | openssl-serve sign -" in finished.err


def test_never_its_extensions_as_they_stand(cli, with_ca, csr, tmp_path):
    """mkcert signs whatever a request asks for."""
    asked = [
        x509.BasicConstraints(ca=True, path_length=None),
        x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CODE_SIGNING]),
    ]

    cli.good("sign", csr("b.test", extensions=asked), "--out", tmp_path / "b.crt")

    assert_leaf(tmp_path / "b.crt", with_ca, ["b.test"])


def test_a_common_name_counts_when_there_is_no_san(cli, with_ca, csr, tmp_path):
    cli.good("sign", csr(), "--out", tmp_path / "b.crt")

    assert names_of(load(tmp_path / "b.crt")) == ["a.test"]


def test_an_rsa_request(cli, with_ca, csr, tmp_path):
    key = rsa.generate_private_key(65537, 2048)

    cli.good("sign", csr("b.test", key=key), "--out", tmp_path / "b.crt", "--days", "9")

    assert_leaf(tmp_path / "b.crt", with_ca, ["b.test"], rsa=True)


def test_one_that_openssl_wrote(cli, with_ca, tmp_path):
    (tmp_path / "c.cnf").write_text(
        "[req]\nprompt=no\ndistinguished_name=d\nreq_extensions=e\n[d]\nCN=x.test\n"
        "[e]\nsubjectAltName=DNS:x.test,IP:10.0.0.1\n"
    )
    subprocess.run(
        ["openssl", "req", "-new", "-newkey", "rsa:2048", "-nodes", "-keyout", "k", "-out", "c.csr",
         "-config", "c.cnf"],
        cwd=tmp_path, check=True, capture_output=True,
    )  # fmt: skip

    cli.good("sign", tmp_path / "c.csr", "--out", tmp_path / "c.crt")

    assert_leaf(tmp_path / "c.crt", with_ca, ["x.test", "10.0.0.1"], rsa=True)


@pytest.mark.parametrize(
    ("options", "code", "part"),
    [
        ({"email": "me@b.test"}, 4, "something other than hosts"),
        ({"subject": ""}, 4, "it names no host"),
        ({"subject": "Jane Doe"}, 4, 'request.csr: "Jane Doe" is not a host'),
        ({"key": rsa.generate_private_key(65537, 1024)}, 4, "request.csr: its key is RSA 1024"),
        ({"key": ec.generate_private_key(ec.SECP256K1())}, 4, "its key is EC secp256k1"),
    ],
)
def test_refusals(cli, with_ca, csr, tmp_path, options, code, part):
    assert part in cli.refused(code, "sign", csr(**options), "--out", tmp_path / "x.crt")
    assert not (tmp_path / "x.crt").exists()


def test_a_key_that_browsers_refuse_is_a_warning(cli, with_ca, csr, tmp_path):
    key = ed25519.Ed25519PrivateKey.generate()

    finished = cli.good("sign", csr("b.test", key=key), "--out", tmp_path / "b.crt")

    assert "warning: no browser accepts an Ed25519 key" in finished.err


def test_a_forged_signature(cli, with_ca, csr, tmp_path):
    """Whoever asks has to hold the key."""
    path = csr("b.test")
    parsed = x509.load_pem_x509_csr(path.read_bytes())
    data = bytearray(parsed.public_bytes(serialization.Encoding.DER))
    data[data.index(b"b.test")] = ord("c")
    subprocess.run(
        ["openssl", "req", "-inform", "DER", "-out", path],
        input=data,
        check=True,
        capture_output=True,
    )

    error = cli.refused(4, "sign", path)

    assert error == f"{path}: its signature is not by its key: it was changed, or damaged"


def test_what_is_no_request(cli, with_ca, tmp_path):
    (tmp_path / "x").write_text("hello")

    assert f"{tmp_path}/x is not a certificate request" in cli.refused(4, "sign", tmp_path / "x")
    assert "no such file" in cli.refused(4, "sign", tmp_path / "absent")


def test_without_a_ca(cli, csr):
    assert cli.refused(4, "sign", csr("b.test")) == "there is no local CA"


def test_nothing_is_overwritten(cli, with_ca, csr, tmp_path):
    (tmp_path / "x.crt").write_text("mine")

    assert "exists already" in cli.refused(2, "sign", csr("b.test"), "--out", tmp_path / "x.crt")


def test_constraints_hold(cli, csr):
    cli.good("generate", "--ca", "--permit", "dev.test")

    assert "may not issue for b.test" in cli.refused(4, "sign", csr("b.test"))


def test_explain(cli, with_ca, csr, tmp_path):
    script = cli.good("sign", csr("b.test"), "--explain").out
    work = tmp_path / "work"
    work.mkdir()
    (work / "request.pem").write_bytes(request("b.test"))

    subprocess.run(
        ["sh", "-eu"], input=script, text=True, cwd=work, check=True, capture_output=True
    )

    assert_leaf(work / "cert.pem", with_ca, ["b.test"])
    assert LOOPBACK


GOOD = x509.load_pem_x509_csr(request("a.test")).public_bytes(serialization.Encoding.DER)


@given(st.data())
@settings(suppress_health_check=[HealthCheck.too_slow])
def test_whatever_comes_only_errors_of_ours_leave(data):
    damaged = bytearray(GOOD)
    for _ in range(data.draw(st.integers(0, 4))):
        damaged[data.draw(st.integers(0, len(GOOD) - 1))] = data.draw(st.integers(0, 255))
    text = b"-----BEGIN CERTIFICATE REQUEST-----\n%b-----END CERTIFICATE REQUEST-----\n"
    try:
        read_request(text % base64.encodebytes(damaged), Path("a.csr"))
    except (CertificateError, InvalidHostError):
        return


def test_a_temporary_folder_that_cannot_be_written(cli, with_ca, csr, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", "/nowhere")

    assert "/nowhere" in cli.refused(4, "sign", csr("b.test"))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("sed -i 's/^DNS.1 = .*/DNS.1 = evil.test/' openssl.cnf", "that was not asked for"),
        ("cp {other} request.pem", "for another key"),
    ],
)
def test_a_certificate_that_was_not_asked_for_is_not_handed_out(
    cli, with_ca, csr, tmp_path, change, words
):
    other = tmp_path / "other"
    other.write_bytes(request("b.test", key=ec.generate_private_key(ec.SECP256R1())))
    body = f'[ "$1" = x509 ] && {change.format(other=other)}\nexec $REAL "$@"'

    error = cli.refused(3, "sign", csr("b.test"), "--openssl", stub(tmp_path / "bin", body))

    assert words in error
