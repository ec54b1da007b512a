"""What is made when a certificate is needed: for which hosts, by whom, with which key. Pure.

The store does it, and `--explain` shows it.
"""

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from openssl_serve.certs.authority import Authority
from openssl_serve.certs.facts import CertificateFacts
from openssl_serve.certs.judgement import renewed, wanted_shape
from openssl_serve.certs.profile import CertificateProfile, KeyType, Shape
from openssl_serve.errors import UsageError

if TYPE_CHECKING:
    from openssl_serve.openssl.commands import Issuer


class Plan(NamedTuple):
    """A certificate for `profile`, with the kept key or a new one."""

    profile: CertificateProfile
    authority: Authority | None
    """Who issues it; None: it is self-signed."""
    keep_key: bool
    note: str
    """What is to be said of it beside the reason; may be empty."""

    @property
    def issuer(self) -> "Issuer | None":
        """What openssl needs to sign it."""
        return self.authority.issuer if self.authority else None


def plan_for(
    profile: CertificateProfile,
    before: CertificateFacts | None,
    authority: Authority | None,
    *,
    new_key: bool = False,
) -> Plan:
    """How to answer *profile*, where there was a certificate *before* and is a local CA, or none.

    Raises UsageError, CertificateError when it cannot be issued as asked.
    """
    issuer, note = _issuer(profile, authority)
    asked = profile.hosts
    keep_key = False
    if before:
        profile = renewed(profile, before)
        keep_key = not new_key and profile.key_type is KeyType.described(before.key)
    if issuer:
        hosts = tuple(host for host in profile.hosts if host in asked or issuer.permits(host))
        days = min(profile.days, issuer.days_left())
        profile = replace(profile, hosts=hosts, days=days)
    return Plan(profile, issuer, keep_key, note)


def _issuer(
    profile: CertificateProfile, authority: Authority | None
) -> tuple[Authority | None, str]:
    """The CA that is to issue for *profile*; None for a self-signed certificate.

    With a CA that cannot issue what nobody asked it to, says so in words.
    """
    refusal = authority.refusal(profile.hosts) if authority else None
    if wanted_shape(profile, authority) is Shape.SELF_SIGNED:
        return None, f"; self-signed, as {refusal}" if refusal and not profile.shape else ""
    if authority is None:
        raise UsageError(
            "there is no local CA to issue a certificate", "make one: openssl-serve generate --ca"
        )
    if refusal:
        raise refusal
    return authority, ""
