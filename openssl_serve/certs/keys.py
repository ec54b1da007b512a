"""Private keys: of what type one is, and whether it belongs to a certificate.

The secret never leaves OpenSSL: only the type and what is public are read here.
"""

import ssl
from pathlib import Path

from openssl_serve.certs import der, oids, pem
from openssl_serve.certs.facts import read_facts_file
from openssl_serve.certs.meaning import describe_curve
from openssl_serve.certs.pem_files import read_file, wrong_content
from openssl_serve.certs.x509 import algorithm_of
from openssl_serve.errors import CertificateError, KeyMismatchError, reason_of, typed

# The last one when the types differ: OpenSSL keeps one certificate for each type of key.
_MISMATCH = ("KEY_VALUES_MISMATCH", "KEY_TYPE_MISMATCH", "NO_CERTIFICATE_ASSIGNED")


def check_pair(certificate: Path, key: Path, password: str | None = None) -> None:
    """Prove that the server can use *certificate* with *key*, by loading both as it does.

    Raises KeyMismatchError when they do not belong together, CertificateError for anything else;
    each names the file.
    """

    def given() -> str:
        if password is None:
            raise CertificateError(
                f"{key}: the key is encrypted, and no password was given",
                "--cert-key-password-file PATH, or $OPENSSL_SERVE_KEY_PASSWORD",
            )
        return password

    block = read_key_block(key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(certificate, key, given)
    except ssl.SSLError as error:
        if error.reason in _MISMATCH:
            raise _mismatch(certificate, key, block) from error
        if block.is_encrypted:
            raise CertificateError(f"{key}: the password does not open the key") from error
        if error.reason and error.reason.endswith(("TOO_SMALL", "TOO_WEAK")):
            raise CertificateError(
                f"{certificate}: too weak for this system's TLS ({reason_of(error)})"
            ) from error
        raise CertificateError(f"{key}: the private key cannot be read") from error
    except ValueError as error:
        # ssl takes 1024 bytes of password.
        raise CertificateError(f"{key}: the password does not open the key") from error
    except OSError as error:
        raise CertificateError(f"{key}: {reason_of(error)}") from error


def read_key_block(path: Path) -> pem.Block:
    """The first private key in the file at *path*. Raises CertificateError."""
    data = read_file(path)
    block = next((block for block in pem.blocks(data) if block.is_private_key), None)
    if block is None:
        raise wrong_content(path, data, "private key", "pkey")
    if block.label == "OPENSSH PRIVATE KEY":
        raise CertificateError(
            f"{path} is in OpenSSH's own form, and PKCS #8 is wanted",
            f"turn it into that: {typed('ssh-keygen', '-p', '-m', 'PKCS8', '-f', path)}",
        )
    return block


def describe_private_key(block: pem.Block) -> str | None:
    """The type of a key as facts name it ("EC P-256", "RSA"); None when it cannot be seen."""
    by_label = {"RSA PRIVATE KEY": "RSA", "EC PRIVATE KEY": "EC", "DSA PRIVATE KEY": "DSA"}
    if block.is_encrypted or block.label in by_label:
        return by_label.get(block.label)
    try:
        # PKCS #8 (RFC 5958): version, algorithm, key.
        algorithm = list(der.children(der.read(block.der)))[1]
        kind = oids.KEYS.get(algorithm_of(algorithm))
        return describe_curve(algorithm) if kind == "EC" else kind
    except (CertificateError, IndexError):
        return None


def _mismatch(certificate: Path, key: Path, block: pem.Block) -> KeyMismatchError:
    facts = read_facts_file(certificate)
    has = describe_private_key(block)
    if has and not facts.key.startswith(has):
        hint = f"the certificate's public key is {facts.key}, the key is {has}"
    else:
        hint = (
            f"these must print the same: {typed('openssl', 'pkey', '-pubout', '-in', key)}, and "
            + typed("openssl", "x509", "-pubkey", "-noout", "-in", certificate)
        )
    return KeyMismatchError(
        f"the key in {key} does not belong to the certificate in {certificate}", hint
    )
