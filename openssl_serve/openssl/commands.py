"""What openssl is asked: argument lists and the files that must come out; nothing runs here.

Each works alike on OpenSSL 1.1.1 to 3.6 and LibreSSL 3.3 to 4.x: no -addext, no -noenc, no -ext,
every extension spelled out in our own configuration, the serial ours. File names are relative
to a work folder, so that a recipe can be run, or shown as a script.
"""

import shlex
from dataclasses import dataclass

CONFIG = "openssl.cnf"
KEY = "key.pem"
REQUEST = "request.pem"
CERTIFICATE = "cert.pem"
PASSWORD = "password"  # noqa: S105 - a file name

KEY_ARGUMENTS = {
    "p256": ("EC", "ec_paramgen_curve:P-256", "ec_param_enc:named_curve"),
    "p384": ("EC", "ec_paramgen_curve:P-384", "ec_param_enc:named_curve"),
    "rsa2048": ("RSA", "rsa_keygen_bits:2048"),
    "rsa3072": ("RSA", "rsa_keygen_bits:3072"),
    "rsa4096": ("RSA", "rsa_keygen_bits:4096"),
    "ed25519": ("ED25519",),
}


@dataclass(frozen=True, slots=True)
class Step:
    """One call of openssl, and the file that shows whether it did its work."""

    arguments: tuple[str, ...]
    makes: str


@dataclass(frozen=True, slots=True)
class Recipe:
    """A configuration and the calls that make a certificate with it."""

    config: str
    steps: tuple[Step, ...]

    def as_script(self, program: str = "openssl") -> str:
        """A shell script that does the same in an empty folder, with *program*."""
        calls = [shlex.join([program, *step.arguments]) for step in self.steps]
        return "\n".join(
            [
                "umask 077",
                f"cat >{CONFIG} <<'END'",
                self.config.rstrip("\n"),
                "END",
                f"export LC_ALL=C OPENSSL_CONF=./{CONFIG}",
                *calls,
                "",
            ]
        )


@dataclass(frozen=True, slots=True)
class Issuer:
    """The files of a CA."""

    certificate: str
    key: str


def new_key(kind: str) -> Step:
    """Make an unencrypted private key (PKCS#8, PEM)."""
    algorithm, *options = KEY_ARGUMENTS[kind]
    arguments = ["genpkey", "-algorithm", algorithm]
    for option in options:
        arguments += ["-pkeyopt", option]
    return Step((*arguments, "-out", KEY), KEY)


def self_signed(section: str, days: int, serial: str) -> Step:
    """Make a certificate signed by its own key, with the extensions of *section*."""
    return Step(
        (
            *("req", "-new", "-x509", "-sha256", "-config", CONFIG, "-extensions", section),
            *("-key", KEY, "-days", str(days), "-set_serial", serial, "-out", CERTIFICATE),
        ),
        CERTIFICATE,
    )


def new_request() -> Step:
    """Make a request for the key, with the subject of the configuration and no extensions."""
    arguments = ("req", "-new", "-sha256", "-config", CONFIG, "-key", KEY, "-out", REQUEST)
    return Step(arguments, REQUEST)


def sign(issuer: Issuer, section: str, days: int, serial: str) -> Step:
    """Make a certificate of a request: its subject and key, and *our* extensions."""
    return Step(
        (
            *("x509", "-req", "-sha256", "-in", REQUEST, "-days", str(days)),
            *("-CA", issuer.certificate, "-CAkey", issuer.key, "-set_serial", serial),
            *("-extfile", CONFIG, "-extensions", section, "-out", CERTIFICATE),
        ),
        CERTIFICATE,
    )


def bundle(certificates: list[str]) -> Step:
    """Make a PKCS #7 file of certificates, for Windows and Java."""
    files = [word for path in certificates for word in ("-certfile", path)]
    return Step(("crl2pkcs7", "-nocrl", *files, "-out", "bundle.p7b"), "bundle.p7b")


def pkcs12(certificates: list[str], key: str, name: str, *, legacy: bool = False) -> Step:
    """Make a PKCS #12 file: key, its certificate and what comes after, with a password.

    *legacy* is for readers before OpenSSL 3, macOS's keychain and older Windows among them,
    which know neither AES nor SHA-256 there; spelled out, because LibreSSL has no -legacy.
    """
    first, *others = certificates
    old = ("-keypbe", "PBE-SHA1-3DES", "-certpbe", "PBE-SHA1-3DES", "-macalg", "sha1")
    chain = [word for path in others for word in ("-certfile", path)]
    return Step(
        (
            *("pkcs12", "-export", "-in", first, "-inkey", key, *chain, "-name", name),
            *(old if legacy else ()),
            *("-passout", f"file:{PASSWORD}", "-out", "bundle.p12"),
        ),
        "bundle.p12",
    )
