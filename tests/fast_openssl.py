"""An openssl in this process, for tests that need hundreds of certificates: cryptography does
what the recipes ask for, in a millisecond."""

import configparser
import datetime as dt
import ipaddress
import itertools
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID as Purpose
from cryptography.x509.oid import NameOID

from openssl_serve.openssl.binary import Openssl, Output
from openssl_serve.openssl.flavour import parse_version

NAMES = {"commonName": NameOID.COMMON_NAME, "organizationName": NameOID.ORGANIZATION_NAME}


class FastOpenssl(Openssl):
    """Stands where an `Openssl` is wanted; `runs` counts its calls."""

    def __init__(self, start: dt.datetime | None = None) -> None:
        super().__init__()
        self.path = Path("/fast/openssl")
        self.version = parse_version("OpenSSL 3.0.0", "fast")
        self.runs: list[str] = []
        self.start = start

    def run(self, *arguments: str, folder: Path, timeout_s: int = 0) -> Output:
        self.runs.append(arguments[0])
        options = dict(itertools.pairwise(arguments))
        key = folder / options.get("-keyout", options.get("-key", ""))
        if "-newkey" in arguments:
            self._write(key, ec.generate_private_key(ec.SECP256R1()))
        if "-x509" in arguments:
            self._certificate(folder, options, key, None)
        elif arguments[0] == "req":
            (folder / options["-out"]).write_bytes(key.read_bytes())
        else:
            self._certificate(folder, options, folder / options["-in"], Path(options["-CA"]))
        return Output(0, b"", "")

    def _certificate(self, folder, options, key_path, ca_path):
        config = configparser.ConfigParser(interpolation=None, delimiters=("=",))
        config.optionxform = str  # type: ignore[assignment,method-assign]
        config.read_string((folder / "openssl.cnf").read_text())
        key = _load(key_path)
        subject = x509.Name(
            [x509.NameAttribute(NAMES[name], value) for name, value in config["subject"].items()]
        )
        ca = x509.load_pem_x509_certificate(ca_path.read_bytes()) if ca_path else None
        start = self.start or dt.datetime.now(dt.UTC)
        key_id = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
        shape = options["-extensions"]
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(ca.subject if ca else subject)
            .public_key(key.public_key())
            .serial_number(int(options["-set_serial"], 16))
            .not_valid_before(start)
            .not_valid_after(start + dt.timedelta(days=int(options["-days"])))
            .add_extension(
                x509.BasicConstraints(shape != "leaf", 0 if shape == "ca" else None), critical=True
            )
            .add_extension(key_id, critical=False)
        )
        if shape != "ca":
            names = [_general(kind, value) for kind, value in config["names"].items()]
            builder = builder.add_extension(x509.ExtendedKeyUsage([Purpose.SERVER_AUTH]), False)
            builder = builder.add_extension(x509.SubjectAlternativeName(names), False)
        if shape != "self_signed":
            usage = dict.fromkeys(
                ("content_commitment", "key_encipherment", "data_encipherment", "key_agreement",
                 "encipher_only", "decipher_only"), False,
            )  # fmt: skip
            usage |= {"digital_signature": shape == "leaf"}
            usage |= dict.fromkeys(("key_cert_sign", "crl_sign"), shape == "ca")
            builder = builder.add_extension(x509.KeyUsage(**usage), True)
        if ca:
            issuer_id = ca.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
            identifier = x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(issuer_id)
            builder = builder.add_extension(identifier, False)
        signer = _load(Path(options["-CAkey"])) if ca else key
        certificate = builder.sign(signer, hashes.SHA256())
        (folder / options["-out"]).write_bytes(certificate.public_bytes(serialization.Encoding.PEM))

    def _write(self, path: Path, key) -> None:
        path.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )


def _load(path: Path):
    return serialization.load_pem_private_key(path.read_bytes(), None)


def _general(kind: str, value: str):
    if kind.startswith("IP"):
        return x509.IPAddress(ipaddress.ip_address(value))
    return x509.DNSName(value)
