"""The certificate that clients are shown: one of the kind that servers here have."""

import datetime as dt
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from openssl_serve.certs import pem
from openssl_serve.certs.facts import CertificateFacts, read_facts_file
from openssl_serve.certs.issue import work_folder
from openssl_serve.certs.pem_files import read_file
from openssl_serve.certs.store import Store
from openssl_serve.errors import OpensslServeError
from openssl_serve.hosts import parse_host
from openssl_serve.trust.target import Target

HOST = "127.0.0.1"
"""By which it is asked for: no name has to be looked up."""


class Exhibit(NamedTuple):
    """A pair in files, valid for HOST."""

    cert_path: Path
    key_path: Path
    facts: CertificateFacts
    words: str
    """What it is."""
    target: Target | None = None
    """The local CA that has issued it; None for a self-signed one."""

    @property
    def issuer(self) -> CertificateFacts | None:
        """The facts of its CA."""
        return self.target.facts if self.target else None

    @property
    def anchor(self) -> Path:
        """What has to be trusted for it."""
        return self.target.cert_path if self.target else self.cert_path


def exhibit_of(store: Store, target: Target | None) -> Exhibit | None:
    """A new leaf of the local CA, which is *target*; or else a kept certificate; None without any.

    Raises StoreError or CertificateError when the data folder cannot be read.
    """
    if target is not None:
        try:
            cert, key = target.leaf()
        except OpensslServeError:
            # Without its key, or without openssl; what it has issued may still be here.
            pass
        else:
            return Exhibit(cert, key, read_facts_file(cert), "a leaf of the local CA", target)
    now, host = dt.datetime.now(dt.UTC), parse_host(HOST)
    for kept in store.list():
        if kept.facts.covers(host) and kept.facts.not_before <= now < kept.facts.not_after:
            issuer = target if kept.authority else None
            if issuer or kept.facts.is_self_signed:
                return Exhibit(
                    kept.cert_path, kept.key_path, kept.facts, f"{kept.cert_path}", issuer
                )
    return None


@contextmanager
def damaged(exhibit: Exhibit) -> Iterator[Path]:
    """The same certificate with one bit of its signature flipped, for as long as the block lasts.

    Nobody has signed that, so that who accepts it checks nothing; and no openssl has to be asked
    for another. Raises CertificateError when it has gone meanwhile, StoreError.
    """
    blocks = pem.blocks(read_file(exhibit.cert_path))
    der = next(block.der for block in blocks if block.label in pem.CERTIFICATE_LABELS)
    # Its last byte is the signature's, whatever the algorithm (RFC 5280 section 4.1).
    der = der[:-1] + bytes([der[-1] ^ 1])
    with work_folder() as folder:
        path = folder / "damaged.crt"
        path.write_text(ssl.DER_cert_to_PEM_cert(der), "ascii")
        yield path
