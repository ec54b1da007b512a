"""What is to be trusted, or no longer: the local CA, and a certificate of it to try that with."""

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from openssl_serve.certs.authority import Authority
from openssl_serve.certs.facts import CertificateFacts
from openssl_serve.certs.issue import issue, work_folder
from openssl_serve.certs.profile import LOOPBACK, CertificateProfile
from openssl_serve.errors import TrustStoreError
from openssl_serve.openssl.binary import Openssl
from openssl_serve.openssl.commands import CERTIFICATE, KEY

PROOF_HOST = LOOPBACK[0]
"""Every local CA may issue for it, whatever it is confined to."""


class Leaf(NamedTuple):
    """The files of a certificate for PROOF_HOST, issued for one proof."""

    cert_path: Path
    key_path: Path


def _no_leaf() -> Leaf:
    raise TrustStoreError("there is no local CA yet")


@dataclass(frozen=True, slots=True)
class Target:
    """The local CA of a data folder. `facts` None: it is made when it is first trusted."""

    cert_path: Path
    facts: CertificateFacts | None = None
    leaf: Callable[[], Leaf] = _no_leaf
    """Make a certificate of the CA, once. Raises OpensslServeError when it can issue none."""

    @property
    def tag(self) -> str:
        """What tells it from every other CA, in names of files and entries.

        The fingerprint's first half: what has to be told apart is a handful of CAs, not enemies.
        """
        digits = self.facts.fingerprint.replace(":", "") if self.facts else "X" * 32
        return digits[:32].lower()

    def is_same(self, facts: CertificateFacts) -> bool:
        """Whether that is its certificate, to the byte."""
        return self.facts is not None and facts.fingerprint == self.facts.fingerprint

    def matches(self, facts: CertificateFacts) -> bool:
        """Whether that is its certificate, or one that it had before it was renewed."""
        mine = self.facts
        return mine is not None and (facts.subject, facts.public_key_sha256) == (
            mine.subject,
            mine.public_key_sha256,
        )


@dataclass(frozen=True, slots=True)
class Lost:
    """A CA whose files are gone, by the SHA-256 fingerprint of its certificate."""

    fingerprint: str

    def matches(self, facts: CertificateFacts) -> bool:
        """Whether that is its certificate."""
        return facts.fingerprint == self.fingerprint


Unwanted = Target | Lost
"""What can be taken out of a store."""


@contextmanager
def target_of(authority: Authority, openssl: Openssl) -> Iterator[Target]:
    """The CA as a target, for as long as its leaf may be needed. Raises StoreError."""
    with work_folder() as folder:

        @functools.cache
        def leaf() -> Leaf:
            profile = CertificateProfile.for_server((), days=1)
            if refusal := authority.refusal(profile.hosts):
                raise refusal
            issue(openssl, profile, folder, issuer=authority.issuer)
            return Leaf(folder / CERTIFICATE, folder / KEY)

        yield Target(authority.cert_path, authority.facts, leaf)
