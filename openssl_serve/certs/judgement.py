"""Whether a kept pair answers a profile, and if not, why, and what becomes of it. Changes nothing.

The one place that knows what "good enough to use again" means.
"""

import datetime as dt
import os
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from openssl_serve.certs.authority import Authority, was_issued_here
from openssl_serve.certs.facts import CertificateFacts, read_facts_file
from openssl_serve.certs.keys import check_pair
from openssl_serve.certs.pairs import check_readable
from openssl_serve.certs.profile import CertificateProfile, KeyType, Shape
from openssl_serve.errors import CertificateError, InvalidHostError
from openssl_serve.hosts import parse_host


class Verdict(NamedTuple):
    """What is to be done about a profile. `because` None: nothing, the pair is good."""

    because: str | None
    facts: CertificateFacts | None = None
    """Of the pair, good or to be renewed: then it keeps its key and its names."""
    unusable: tuple[Path, ...] = ()
    """Files in the way that are not ours, or broken."""


def judge(
    cert: Path, key: Path, profile: CertificateProfile, authority: Authority | None
) -> Verdict:
    """Judge the pair at *cert* and *key*, where either may be anything or nothing.

    Raises StoreError for a file that may not be read: it cannot be judged, only be asked about.
    """
    present = tuple(path for path in (cert, key) if os.path.lexists(path))
    if not present:
        return Verdict("no certificate yet")
    if len(present) == 1:
        lacks = "key" if present == (cert,) else "certificate"
        return Verdict(f"{present[0]} had no {lacks} beside it", unusable=present)
    check_readable(*present)
    try:
        facts = read_facts_file(cert)
        check_pair(cert, key)
    except CertificateError as error:
        return Verdict(str(error), unusable=present)
    if not is_ours(facts):
        return Verdict(f"{cert} was not made here", unusable=present)
    reason = _wrong_shape(facts, profile, authority) or _why_renew(facts, profile)
    return Verdict(reason, facts)


def is_ours(facts: CertificateFacts) -> bool:
    """Whether we made this certificate: only then may it be replaced."""
    return facts.shape is Shape.SELF_SIGNED or (
        facts.shape is Shape.LEAF and was_issued_here(facts)
    )


def wanted_shape(profile: CertificateProfile, authority: Authority | None) -> Shape:
    """The shape to make: a leaf as soon as a CA can issue it, if nothing else is said."""
    if profile.shape:
        return profile.shape
    can_issue = authority is not None and authority.refusal(profile.hosts) is None
    return Shape.LEAF if can_issue else Shape.SELF_SIGNED


def renewed(profile: CertificateProfile, facts: CertificateFacts) -> CertificateProfile:
    """*profile* with what the certificate before had: its names and its type of key.

    The names, because another server may be running with them: two projects that share a first
    host would otherwise take it from each other at every start.
    """
    hosts = dict.fromkeys(profile.hosts)
    for name in facts.names:
        with suppress(InvalidHostError):
            hosts[parse_host(name)] = None
    key_type = profile.key_type or KeyType.described(facts.key)
    return replace(profile, hosts=tuple(hosts), key_type=key_type)


def _wrong_shape(
    facts: CertificateFacts, profile: CertificateProfile, authority: Authority | None
) -> str | None:
    wanted = wanted_shape(profile, authority)
    if profile.shape is None and authority and authority.issued(facts):
        # Good, even when the CA cannot issue another.
        return None
    if facts.shape is not wanted:
        return f"it is {_words(facts.shape)}, not {_words(wanted)}"
    if wanted is Shape.LEAF and authority and not authority.issued(facts):
        return "it was issued by another local CA"
    return None


def _words(shape: Shape | None) -> str:
    return "issued by a local CA" if shape is Shape.LEAF else "self-signed"


def _why_renew(facts: CertificateFacts, profile: CertificateProfile) -> str | None:
    now = dt.datetime.now(dt.UTC)
    missing = [str(host) for host in profile.hosts if not facts.covers(host)]
    if profile.key_type and profile.key_type.description != facts.key:
        return f"its key is {facts.key}, not {profile.key_type.description}"
    if facts.signature.endswith(("SHA-1", "MD5")):
        return f"it is signed with {facts.signature}"
    if facts.expired(now):
        return f"expired on {facts.not_after:%Y-%m-%d}"
    if facts.not_before > now:
        return f"not valid before {facts.not_before:%Y-%m-%d}"
    if missing:
        return f"names not covered: {', '.join(missing)}"
    if facts.due(now):
        return f"due for renewal: {facts.days_left(now)} days left"
    return None
