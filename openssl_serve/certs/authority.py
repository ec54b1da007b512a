"""The local CA of a data folder: find it, make it, renew it with the same key.

Trusting it is the user's decision (trust/); what it issues is decided by the store.
"""

import datetime as dt
import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from openssl_serve.certs.constraints import is_within, with_loopback
from openssl_serve.certs.facts import CertificateFacts, read_facts_file
from openssl_serve.certs.pairs import Pairs, check_readable
from openssl_serve.certs.profile import ORGANIZATION, AuthorityProfile, KeyType, Shape
from openssl_serve.errors import CertificateError, StoreError
from openssl_serve.hosts import Host, Subtree, parse_subtree

if TYPE_CHECKING:
    from openssl_serve.openssl.binary import Openssl
    from openssl_serve.openssl.commands import Issuer

STEM = "_local_ca"
"""No host has files of this name: a slug begins with no underscore."""


class Authority(NamedTuple):
    """A local CA. Its key may be absent: it can then be trusted, but issue nothing."""

    cert_path: Path
    key_path: Path
    facts: CertificateFacts

    @property
    def issuer(self) -> "Issuer":
        """What openssl needs to sign with it."""
        from openssl_serve.openssl.commands import Issuer  # noqa: PLC0415 - to issue, not to look

        return Issuer(str(self.cert_path), str(self.key_path))

    def issued(self, facts: CertificateFacts) -> bool:
        """Whether the certificate with these *facts* names this CA as its issuer."""
        return (
            facts.issuer == self.facts.subject
            and facts.extensions.authority_key_id == self.facts.extensions.subject_key_id
        )

    def refusal(self, hosts: Iterable[Host]) -> CertificateError | None:
        """Why it cannot issue for *hosts*; None when it can."""
        if not os.access(self.key_path, os.R_OK):
            what = "may not be read" if os.path.lexists(self.key_path) else "is missing"
            return CertificateError(
                f"{self.key_path}: the key of the local CA {what}, so it issues nothing",
                "without it: openssl-serve generate --self-signed HOST",
            )
        if self.days_left() < 1:
            return CertificateError(
                f"{self.cert_path}: the local CA ends on {self.facts.not_after:%Y-%m-%d}",
                "openssl-serve renew --ca, then openssl-serve trust",
            )
        if others := [str(host) for host in hosts if not self.permits(host)]:
            permitted = ", ".join(self.facts.extensions.permitted)
            return CertificateError(
                f"the local CA may not issue for {', '.join(others)}, only below {permitted}",
                "without it: openssl-serve generate --self-signed HOST",
            )
        return None

    def permits(self, host: Host) -> bool:
        """Whether its name constraints let it issue for *host*."""
        permitted = self.facts.extensions.permitted
        return not permitted or is_within(host, permitted)

    def days_left(self) -> int:
        """For how long it can issue: a leaf must not outlive its issuer."""
        return self.facts.days_left(dt.datetime.now(dt.UTC))


def find(pairs: Pairs) -> Authority | None:
    """The local CA among *pairs*; None when there is none.

    Raises CertificateError when there is something else in its place, StoreError when nobody
    may know.
    """
    cert, key = pairs.paths(STEM)
    check_readable(cert)
    if not cert.exists():
        return None
    facts = read_facts_file(cert)
    if facts.shape is not Shape.CA:
        raise CertificateError(
            f"{cert} is not a local CA's certificate", "move it away, and a new one is made"
        )
    return Authority(cert, key, facts)


def new_profile(permitted: tuple[Subtree, ...] = ()) -> AuthorityProfile:
    """A request for a CA of a new name, which may issue for *permitted* alone, if there are any.

    And for loopback, which every server certificate names.
    """
    return AuthorityProfile(new_common_name(), permitted=with_loopback(permitted))


def same_profile(authority: Authority) -> AuthorityProfile:
    """A request for the same CA: name, type of key and constraints."""
    return AuthorityProfile(
        authority.facts.common_name,
        KeyType.described(authority.facts.key) or KeyType.P256,
        tuple(map(parse_subtree, authority.facts.extensions.permitted)),
    )


def ensure(pairs: Pairs, openssl: "Openssl", permitted: tuple[Subtree, ...] = ()) -> Authority:
    """The local CA, made now if there is none; it may then issue for *permitted* alone."""
    with pairs.folder.reading():
        authority = find(pairs)
        if authority is not None and not pairs.folder.has_leftovers():
            return authority
    # Before anything is written.
    _ = openssl.path
    with pairs.folder.writing():
        return find(pairs) or _make(pairs, openssl, new_profile(permitted))


def renew(pairs: Pairs, openssl: "Openssl") -> Authority:
    """The local CA with the same name, key and constraints, and a new lifetime.

    Raises StoreError when there is none.
    """
    if find(pairs) is None:
        raise StoreError(
            f"there is no local CA in {pairs.folder.path}", "make one: openssl-serve generate --ca"
        )
    _ = openssl.path
    with pairs.folder.writing():
        authority = find(pairs)
        if authority is None:
            raise StoreError(f"the local CA in {pairs.folder.path} was removed just now")
        return _make(pairs, openssl, same_profile(authority), keep_key=True)


def _make(
    pairs: Pairs, openssl: "Openssl", profile: AuthorityProfile, *, keep_key: bool = False
) -> Authority:
    from openssl_serve.certs.issue import issue_authority  # noqa: PLC0415 - needed once

    cert, key = pairs.paths(STEM)
    pairs.make(
        STEM,
        lambda stage: issue_authority(openssl, profile, stage, new_key=not keep_key),
        keep_key=keep_key,
        # A key without its certificate: not ours to use, and not ours to lose.
        unusable=(key,) if not keep_key and os.path.lexists(key) else (),
    )
    return Authority(cert, key, read_facts_file(cert))


def was_issued_here(facts: CertificateFacts) -> bool:
    """Whether a local CA of ours, this one or one before it, issued the certificate."""
    return f"O={ORGANIZATION}" in facts.issuer


def new_common_name() -> str:
    """A name that tells whose CA this is, and that no other CA has.

    Firefox keeps CAs apart by name, and iOS shows only those that have a common name.
    """
    # Needed once in ten years, and every start imports this file.
    import re  # noqa: PLC0415
    import secrets  # noqa: PLC0415
    import socket  # noqa: PLC0415

    who = re.sub(r"[^A-Za-z0-9.@_-]", "", f"{_user()}@{socket.gethostname().partition('.')[0]}")
    year = dt.datetime.now(dt.UTC).year
    # 64 characters are the most (RFC 5280, ub-common-name).
    return f"{ORGANIZATION} {who[:24]} {year} {secrets.token_hex(3)}"


def _user() -> str:
    import getpass  # noqa: PLC0415

    try:
        return getpass.getuser()
    except (OSError, KeyError):
        # A container may run under a number that has no name.
        return "nobody"
