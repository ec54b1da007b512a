"""Trust bundles: files with the certificates kept here, beside those that programs trust anyway.

Most variables that name such a file (SSL_CERT_FILE and its kin) replace what a program trusts:
ours alone would cut it off from everybody else. So a bundle holds what the variable named
before, or what the system trusts, and then ours.
"""

import hashlib
import os
import re
import ssl
from collections.abc import Iterable, Mapping
from pathlib import Path
from urllib.parse import quote, unquote_to_bytes

from openssl_serve.certs import pem
from openssl_serve.certs.anchor import anchor_of
from openssl_serve.certs.folder import Folder
from openssl_serve.certs.store import Store
from openssl_serve.errors import OpensslError
from openssl_serve.openssl.binary import Openssl

REPLACING = (
    "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "PIP_CERT", "GIT_SSL_CAINFO",
)  # fmt: skip
"""Read by OpenSSL (Python, Ruby, PHP, …) and Go; by requests; by curl; by pip; by git."""

ADDING = "NODE_EXTRA_CA_CERTS"
"""Node.js trusts what this names beside its own."""

SYSTEM_BUNDLES = (
    "/etc/ssl/certs/ca-certificates.crt",  # Debian, Arch, Gentoo, Alpine
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",  # Fedora, RHEL
    "/etc/pki/tls/certs/ca-bundle.crt",  # their older releases
    "/etc/ssl/ca-bundle.pem",  # openSUSE
    "/opt/homebrew/etc/openssl@3/cert.pem",  # Homebrew, which adds the keychain's
    "/usr/local/etc/openssl@3/cert.pem",
    "/etc/ssl/cert.pem",  # macOS, Alpine
)
"""Where systems keep all that they trust in one file."""

_STEM = "_trusted"
"""As the local CA's files, of no host: a slug begins with no underscore."""

_HEADER = b"# What openssl-serve keeps, and: "
_OPENSSLDIR = re.compile(rb'OPENSSLDIR: "(.+)"')

MAX_FILES = 2000
"""Of a folder of certificates; a system's has four hundred."""


def trust_variables(
    folder: Path, environ: Mapping[str, str], served: Iterable[Path] = ()
) -> dict[str, str]:
    """Make a program trust what is kept in the data *folder*: variables for its environment.

    And what is *served*: files of certificates that may be kept elsewhere. *environ* is what the
    program would have without them. The files that the variables name are made or brought up to
    date. Where nothing is found that the system trusts, only Node.js is told; without anything
    kept or served, nobody. Raises CertificateError; StoreError when the folder cannot be written.
    """
    ours = _anchors(folder, served)
    if not ours:
        return {}
    system = system_bundle()
    bases = {name: _base(folder, environ, name, system) for name in (*REPLACING, ADDING)}
    bundles = {base: _bundle(base, ours) for base in bases.values()}
    paths = {base: folder / _name(base, system) for base in bundles}
    _bring_up_to_date(folder, {paths[base]: data for base, data in bundles.items()})
    return {
        name: str(paths[base]) for name, base in bases.items() if base is not None or name == ADDING
    }


def system_bundle() -> Path | None:
    """Find what this system trusts: one file, else a folder of files; None if there is neither."""
    default = ssl.get_default_verify_paths()
    for name in (*SYSTEM_BUNDLES, default.openssl_cafile, default.openssl_capath):
        if _holds_certificates(Path(name)):
            return Path(name)
    try:
        said = Openssl().run("version", "-d", folder=Path("/")).stdout
    except OpensslError:
        return None
    found = _OPENSSLDIR.search(said)
    own = Path(found[1].decode("utf-8", "replace")) if found else Path("/nonexistent")
    return next(filter(_holds_certificates, (own / "cert.pem", own / "certs")), None)


def _anchors(folder: Path, served: Iterable[Path]) -> list[bytes]:
    """All that is to be trusted, in PEM, the local CA first."""
    store = Store(folder)
    authority = store.find_authority()
    certs = [kept.cert_path for kept in store.list()] + list(served)
    if authority is not None:
        certs.insert(0, authority.cert_path)
    anchors = [anchor_of(cert, folder) for cert in certs]
    return list(dict.fromkeys(anchor.pem for anchor in anchors if anchor is not None))


def _base(folder: Path, environ: Mapping[str, str], name: str, system: Path | None) -> Path | None:
    """What the program would trust without ours, by the variable *name*."""
    named = [environ.get(name)]
    if name != ADDING:
        # Some read both, and where it is set, it is the machine's answer.
        named.append(environ.get("SSL_CERT_FILE"))
    for path in filter(None, named):
        base = _without_ours(folder, Path(path).absolute())
        if base is not None and _holds_certificates(base):
            return base
    return None if name == ADDING else system


def _without_ours(folder: Path, path: Path) -> Path | None:
    """What the bundle at *path* was made of, if it is one of ours; else *path*."""
    if path.parent != folder or not path.name.startswith(_STEM):
        return path
    try:
        with path.open("rb") as file:
            line = file.readline()
    except OSError:
        return None
    base = line.removeprefix(_HEADER).strip()
    return Path(os.fsdecode(unquote_to_bytes(base))) if base.startswith(b"/") else None


def _name(base: Path | None, system: Path | None) -> str:
    if base is None:
        return f"{_STEM}-here.pem"
    if base == system:
        return f"{_STEM}.pem"
    return f"{_STEM}-{hashlib.sha256(os.fsencode(base)).hexdigest()[:8]}.pem"


def _bundle(base: Path | None, ours: list[bytes]) -> bytes:
    # The path is quoted, so that it is one line whatever is in it.
    header = _HEADER + (quote(os.fsencode(base)).encode() if base else b"nothing") + b"\n"
    theirs = _read(base) if base else b""
    if theirs and not theirs.endswith(b"\n"):
        theirs += b"\n"
    return header + b"".join(ours) + theirs


def _read(base: Path) -> bytes:
    if base.is_file():
        return base.read_bytes()
    # In a folder each certificate has two names: its own, and the hash by which openssl finds it.
    found: dict[bytes, None] = {}
    for path in sorted(base.iterdir())[:MAX_FILES]:
        if path.is_file():
            data = path.read_bytes()
            for block in pem.blocks(data):
                if block.label in pem.CERTIFICATE_LABELS:
                    found[ssl.DER_cert_to_PEM_cert(block.der).encode()] = None
    return b"".join(found)


def _holds_certificates(path: Path) -> bool:
    try:
        return path.is_file() or (path.is_dir() and any(path.iterdir()))
    except OSError:
        return False


def _bring_up_to_date(folder: Path, wanted: Mapping[Path, bytes]) -> None:
    stale = {path: data for path, data in wanted.items() if _content(path) != data}
    if not stale:
        return
    kept = Folder(folder)
    with kept.writing(), kept.stage() as stage:
        for path, data in stale.items():
            (stage / path.name).write_bytes(data)
            # Nothing in it is a secret, and a command may run as somebody else.
            (stage / path.name).chmod(0o644)
        kept.publish(stage, [path.name for path in stale])


def _content(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except OSError:
        return None
