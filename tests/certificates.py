"""What a certificate must be, checked by readers that we did not write: cryptography, openssl."""

import datetime as dt
import ipaddress
import socket
import ssl
import subprocess
import threading
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.x509.oid import ExtendedKeyUsageOID as Purpose
from cryptography.x509.oid import NameOID

from openssl_serve.certs.profile import CertificateProfile


def load(path: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate(Path(path).read_bytes())


def extension(certificate, kind):
    return certificate.extensions.get_extension_for_class(kind)


def names_of(certificate) -> list[str]:
    return [str(name.value) for name in extension(certificate, x509.SubjectAlternativeName).value]


def assert_common(certificate):
    assert certificate.version is x509.Version.v3
    assert 1 << 120 <= certificate.serial_number < 1 << 127
    assert not extension(certificate, x509.SubjectKeyIdentifier).critical


def assert_self_signed(path: Path, names: list[str], days: int = 365):
    """code-server's shape, mended."""
    certificate = load(path)
    assert_common(certificate)
    assert certificate.issuer == certificate.subject
    constraints = extension(certificate, x509.BasicConstraints)
    assert (constraints.critical, constraints.value.ca) == (True, True)
    assert list(extension(certificate, x509.ExtendedKeyUsage).value) == [Purpose.SERVER_AUTH]
    assert not extension(certificate, x509.SubjectAlternativeName).critical
    assert names_of(certificate) == names
    assert len(certificate.extensions) == 4
    lifetime = certificate.not_valid_after_utc - certificate.not_valid_before_utc
    assert lifetime.days == days
    assert openssl("verify", "-x509_strict", "-CAfile", path, path) == f"{path}: OK\n"


def usages_of(certificate) -> set[str]:
    found = extension(certificate, x509.KeyUsage)
    assert found.critical
    names = ("digital_signature", "key_encipherment", "key_cert_sign", "crl_sign", "key_agreement",
             "content_commitment", "data_encipherment")  # fmt: skip
    return {name for name in names if getattr(found.value, name)}


def assert_authority(path: Path, *, constrained: bool = False):
    """The reference's section 2.2; each line is one that some client insists on."""
    certificate = load(path)
    assert_common(certificate)
    assert certificate.issuer == certificate.subject
    constraints = extension(certificate, x509.BasicConstraints)
    assert (constraints.critical, constraints.value.ca) == (True, True)
    assert constraints.value.path_length == 0
    assert usages_of(certificate) == {"key_cert_sign", "crl_sign"}
    assert len(certificate.extensions) == 3 + constrained
    if constrained:
        assert extension(certificate, x509.NameConstraints).critical
    (name,) = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    assert len(name.value) <= 64
    lifetime = certificate.not_valid_after_utc - certificate.not_valid_before_utc
    assert lifetime.days <= 3650


def assert_leaf(path: Path, ca: Path, names: list[str], *, rsa: bool = False):
    certificate, issuer = load(path), load(ca)
    assert_common(certificate)
    certificate.verify_directly_issued_by(issuer)
    constraints = extension(certificate, x509.BasicConstraints)
    assert (constraints.critical, constraints.value.ca) == (True, False)
    encipher = {"key_encipherment"} if rsa else set()
    assert usages_of(certificate) == {"digital_signature"} | encipher
    purposes = extension(certificate, x509.ExtendedKeyUsage)
    assert (purposes.critical, list(purposes.value)) == (False, [Purpose.SERVER_AUTH])
    identifier = extension(certificate, x509.AuthorityKeyIdentifier)
    assert not identifier.critical
    key_id = extension(issuer, x509.SubjectKeyIdentifier).value.digest
    assert identifier.value.key_identifier == key_id
    assert identifier.value.authority_cert_issuer is None
    assert names_of(certificate) == names
    san = extension(certificate, x509.SubjectAlternativeName)
    assert san.critical is not bool(list(certificate.subject))
    assert len(certificate.extensions) == 6
    assert certificate.not_valid_after_utc <= issuer.not_valid_after_utc
    verdict = openssl("verify", "-x509_strict", "-purpose", "sslserver", "-CAfile", ca, path)
    assert verdict == f"{path}: OK\n"


def assert_pair(cert: Path, key: Path):
    """The key belongs to the certificate, and only its owner can read it."""
    private = serialization.load_pem_private_key(key.read_bytes(), None)
    assert private.public_key() == load(cert).public_key()
    assert key.stat().st_mode & 0o777 == 0o600
    assert cert.stat().st_mode & 0o777 == 0o644
    assert cert.parent.stat().st_mode & 0o777 == 0o700


def openssl(*arguments) -> str:
    """What the system's openssl prints; its failure is the test's."""
    result = subprocess.run(
        ["openssl", *map(str, arguments)], capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


def handshake(cert: Path, key: Path, host: str, ca: Path | None = None) -> dict:
    """One strict handshake over a socket pair, as a client that trusts *ca* does it."""
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(cert, key)
    client = ssl.create_default_context(cafile=ca or cert)
    # The default from Python 3.13 on.
    client.verify_flags |= ssl.VERIFY_X509_STRICT | ssl.VERIFY_X509_PARTIAL_CHAIN
    ours, theirs = socket.socketpair()
    ours.settimeout(10)
    theirs.settimeout(10)

    def serve():
        try:
            server.wrap_socket(theirs, server_side=True).close()
        except (OSError, ssl.SSLError):
            theirs.close()

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        with client.wrap_socket(ours, server_hostname=host) as tls:
            return tls.getpeercert() or {}
    finally:
        thread.join()


def shake_hands(server, client, name="a.test"):
    """Both ends in memory: what the client sees, or the error of either."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = [
        client.wrap_bio(to_client, to_server, server_hostname=name),
        server.wrap_bio(to_server, to_client, server_side=True),
    ]
    errors = []
    for _ in range(4):
        for end in ends:
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                continue
            except ssl.SSLError as error:
                errors.append(error)
    return ends[0], errors


def profile(*hosts: str, **options) -> CertificateProfile:
    return CertificateProfile.for_server(hosts, **options)


NOW = dt.datetime.now(dt.UTC).replace(microsecond=0)
DAY = dt.timedelta(days=1)
KEY = ec.generate_private_key(ec.SECP256R1())


def make(
    *extensions: x509.ExtensionType,
    names=("a.test",),
    subject="a.test",
    issuer=None,
    key=KEY,
    signed_by=None,
    start=NOW - DAY,
    end=NOW + 90 * DAY,
    algorithm=None,
) -> x509.Certificate:
    """Any certificate at all, made by cryptography: good, bad, old or strange."""
    san = [
        x509.IPAddress(ipaddress.ip_address(name))
        if name.replace(".", "").isdigit() or ":" in name
        else x509.DNSName(name)
        for name in names
    ]
    builder = (
        x509.CertificateBuilder()
        .subject_name(_name(subject))
        .issuer_name(_name(issuer or subject))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(end)
    )
    for found in ([x509.SubjectAlternativeName(san)] if san else []) + list(extensions):
        critical = isinstance(found, (x509.BasicConstraints, x509.KeyUsage))
        builder = builder.add_extension(found, critical)
    no_digest = isinstance(signed_by or key, ed25519.Ed25519PrivateKey)
    return builder.sign(signed_by or key, None if no_digest else algorithm or hashes.SHA256())


SERVER = x509.ExtendedKeyUsage([Purpose.SERVER_AUTH])
CA_TRUE = x509.BasicConstraints(ca=True, path_length=None)
CA_FALSE = x509.BasicConstraints(ca=False, path_length=None)

_USAGES = (
    "digital_signature", "content_commitment", "key_encipherment", "data_encipherment",
    "key_agreement", "key_cert_sign", "crl_sign", "encipher_only", "decipher_only",
)  # fmt: skip


def key_usage(*wanted: str) -> x509.KeyUsage:
    """A key usage of what is *wanted*, and nothing else."""
    assert set(wanted) <= set(_USAGES)
    return x509.KeyUsage(**{name: name in wanted for name in _USAGES})


def ours(**options) -> x509.Certificate:
    """A certificate in our self-signed shape."""
    return make(CA_TRUE, SERVER, **options)


def pem(*things, password: str | None = None) -> bytes:
    """Certificates and keys as they stand in a file."""
    parts = []
    for thing in things:
        if isinstance(thing, x509.Certificate):
            parts.append(thing.public_bytes(serialization.Encoding.PEM))
        else:
            encryption = (
                serialization.BestAvailableEncryption(password.encode())
                if password
                else serialization.NoEncryption()
            )
            parts.append(
                thing.private_bytes(
                    serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption
                )
            )
    return b"".join(parts)


def write(path: Path, *things, password: str | None = None) -> Path:
    """A file with these, private as a key has to be."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(pem(*things, password=password))
    path.chmod(0o600)
    return path


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)] if text else [])


LOOPBACK = ["localhost", "127.0.0.1", "::1"]
NAMES = ["a.test", *LOOPBACK]


def files(store) -> list[str]:
    """What a store's folder holds: nothing temporary, no key that others can read."""
    found = sorted(path for path in store.folder.iterdir() if path.name != ".lock")
    assert not [path for path in found if path.name.startswith(".")]
    assert all(path.stat().st_mode & 0o077 == 0 for path in found if path.name.endswith(".key"))
    return [path.name for path in found]


def element(tag: int, content: bytes) -> bytes:
    """One element of DER."""
    length = len(content)
    if length < 0x80:
        return bytes([tag, length]) + content
    digits = length.to_bytes((length.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(digits)]) + digits + content
