"""What is wrong with a file that was named, in words, and with what could be typed to mend it."""

import os
import stat
import subprocess

import pytest
from certificates import KEY, make, pem
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.serialization import pkcs12
from hypothesis import given
from hypothesis import strategies as st
from stubs import REAL, stub

from openssl_serve.certs.facts import read_chain_file, read_facts_file
from openssl_serve.certs.keys import read_key_block
from openssl_serve.certs.pem_files import MAX_FILE_SIZE, wrong_content
from openssl_serve.errors import CertificateError

CERTIFICATE = make()
PEM = pem(CERTIFICATE)
DER = CERTIFICATE.public_bytes(serialization.Encoding.DER)
PKCS12 = pkcs12.serialize_key_and_certificates(
    b"x", KEY, CERTIFICATE, None, serialization.NoEncryption()
)


def test_what_is_no_file_to_read_is_named(tmp_path):
    cases = {
        tmp_path / "absent": ": no such file",
        tmp_path: " is a folder",
        tmp_path / "fifo": " is not a regular file",
        tmp_path / "huge": " is larger than a megabyte, and no certificate or key is",
        tmp_path / "absent" / "below": ": no such file",
        tmp_path / "loop": ": too many levels of symbolic links",
    }
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "huge").write_bytes(b"x" * (MAX_FILE_SIZE + 1))

    for path, words in cases.items():
        with pytest.raises(CertificateError) as caught:
            read_facts_file(path)
        assert str(caught.value) == f"{path}{words}"
        assert caught.value.exit_code == 4


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", " is empty"),
        (b" \n", " is empty"),
        (b"hello", " is not a certificate in PEM form"),
        (PEM.replace(b"\n", b"\r"), " is cut off: the CERTIFICATE in it has no END line"),
        (PEM[:200], " is cut off: the CERTIFICATE in it has no END line"),
        (pem(KEY), " holds no certificate, but PRIVATE KEY"),
        (b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "bytes follow"),
        (b"-----BEGIN CERTIFICATE-----\n\n-----END CERTIFICATE-----\n", "ends in the middle"),
        (b"-----BEGIN CERTIFICATE-----\n\xc3\n-----END CERTIFICATE-----\n", "is not base64"),
    ],
)
def test_what_holds_no_certificate_is_named(tmp_path, data, words):
    path = tmp_path / "a.pem"
    path.write_bytes(data)

    with pytest.raises(CertificateError) as caught:
        read_facts_file(path)

    assert str(caught.value).startswith(str(path))
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (DER, "is in DER form, and PEM is wanted"),
        (PKCS12, "is in PKCS #12 form, and PEM is wanted"),
        (b"\xef\xbb\xbf" + PEM, "begins with a byte order mark, and PEM has none"),
        (PEM.decode("ascii").encode("utf-16"), "is in UTF-16, and PEM is ASCII"),
    ],
)
def test_what_can_be_mended_is_mended_by_its_hint(tmp_path, data, words):
    """A name with a space and an asterisk in it is quoted."""
    path = tmp_path / "my *.crt"
    path.write_bytes(data)

    with pytest.raises(CertificateError) as caught:
        read_facts_file(path)
    command = caught.value.hints[0].replace("pkcs12", "pkcs12 -passin pass:")
    subprocess.run(["/bin/sh", "-c", command], check=True, capture_output=True)

    assert str(caught.value) == f"{path} {words}"
    assert path.read_bytes() == data
    assert [found.subject for found in read_chain_file(tmp_path / "my *.crt.pem")] == ["CN=a.test"]


@pytest.mark.parametrize(
    "data",
    [
        KEY.private_bytes(
            serialization.Encoding.DER,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ),
        PKCS12,
        b"\xef\xbb\xbf" + pem(KEY),
        pem(KEY).decode("ascii").encode("utf-16"),
    ],
)
def test_a_key_is_mended_in_private(tmp_path, monkeypatch, data):
    """With an openssl that leaves it to the umask who may read what it writes: LibreSSL's."""
    openssl = stub(
        tmp_path,
        f'for out; do :; done; {REAL} "$@" && cat "$out" >"$out.x" && mv -f "$out.x" "$out"',
    )
    monkeypatch.setenv("PATH", f"{openssl.parent}:{os.environ['PATH']}")
    path = tmp_path / "my.key"
    path.write_bytes(data)

    with pytest.raises(CertificateError) as caught:
        read_key_block(path)
    command = caught.value.hints[0].replace("pkcs12", "pkcs12 -passin pass:")
    subprocess.run(["/bin/sh", "-c", f"umask 022; {command}"], check=True, capture_output=True)

    assert stat.S_IMODE((tmp_path / "my.key.pem").stat().st_mode) == 0o600
    assert read_key_block(tmp_path / "my.key.pem").is_private_key


def test_a_key_of_openssh_is_named(tmp_path):
    path = tmp_path / "id"
    path.write_bytes(
        KEY.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.OpenSSH,
            serialization.NoEncryption(),
        )
    )

    with pytest.raises(CertificateError, match="is in OpenSSH's own form") as caught:
        read_key_block(path)

    assert caught.value.hints == (f"turn it into that: ssh-keygen -p -m PKCS8 -f {path}",)


@given(st.binary(max_size=300))
def test_any_bytes_have_an_error_of_one_line(tmp_path_factory, data):
    error = wrong_content(tmp_path_factory.getbasetemp() / "a", data, "certificate", "x509")

    assert "\n" not in str(error)
