"""What openssl is asked: argument lists and the files that must come out; nothing runs here.

Each works alike on OpenSSL 1.1.1 to 3.6 and LibreSSL 3.3 to 4.x: no -addext, no -noenc, no -ext,
every extension spelled out in our own configuration, the serial ours. File names are relative
to a work folder, so that a recipe can be run, or shown as a script.
"""

import shlex
from typing import NamedTuple

CONFIG = "openssl.cnf"
KEY = "key.pem"
REQUEST = "request.pem"
CERTIFICATE = "cert.pem"
PASSWORD = "password"  # noqa: S105 - a file name

NEW_KEYS = {
    "p256": ("ec", "ec_paramgen_curve:P-256", "ec_param_enc:named_curve"),
    "p384": ("ec", "ec_paramgen_curve:P-384", "ec_param_enc:named_curve"),
    "rsa2048": ("rsa:2048",),
    "rsa3072": ("rsa:3072",),
    "rsa4096": ("rsa:4096",),
    "ed25519": ("ed25519",),
}
"""What `req -newkey` is given for each type of key, with its options after it."""


class Step(NamedTuple):
    """One call of openssl, and the files that show whether it did its work, the main one last."""

    arguments: tuple[str, ...]
    makes: tuple[str, ...]


class Recipe(NamedTuple):
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


class Issuer(NamedTuple):
    """The files of a CA."""

    certificate: str
    key: str


def self_signed(section: str, days: int, serial: str, *, new_key: str | None = None) -> Step:
    """Make a certificate signed by its own key, with the extensions of *section*.

    The key is there already, or made in the same call: one of NEW_KEYS, PKCS #8 in PEM.
    """
    return _request(
        *("-x509", "-extensions", section, "-days", str(days), "-set_serial", serial),
        new_key=new_key,
        out=CERTIFICATE,
    )


def new_request(*, new_key: str | None = None) -> Step:
    """Make a request with the subject of the configuration, no extensions, and a key as above."""
    return _request(new_key=new_key, out=REQUEST)


def _request(*words: str, new_key: str | None, out: str) -> Step:
    # A child less than with genpkey. That the key is not encrypted is said in the configuration:
    # -nodes has become -noenc, which not all have.
    key = ["-key", KEY]
    if new_key:
        algorithm, *options = NEW_KEYS[new_key]
        key = ["-newkey", algorithm]
        for option in options:
            key += ["-pkeyopt", option]
        key += ["-keyout", KEY]
    start = ("req", "-new", "-sha256", "-config", CONFIG)
    return Step((*start, *words, *key, "-out", out), (KEY, out) if new_key else (out,))


def sign(issuer: Issuer, section: str, days: int, serial: str) -> Step:
    """Make a certificate of a request: its subject and key, and *our* extensions."""
    return Step(
        (
            *("x509", "-req", "-sha256", "-in", REQUEST, "-days", str(days)),
            *("-CA", issuer.certificate, "-CAkey", issuer.key, "-set_serial", serial),
            *("-extfile", CONFIG, "-extensions", section, "-out", CERTIFICATE),
        ),
        (CERTIFICATE,),
    )


def bundle(certificates: list[str]) -> Step:
    """Make a PKCS #7 file of certificates, for Windows and Java."""
    files = [word for path in certificates for word in ("-certfile", path)]
    return Step(("crl2pkcs7", "-nocrl", *files, "-out", "bundle.p7b"), ("bundle.p7b",))


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
        ("bundle.p12",),
    )
