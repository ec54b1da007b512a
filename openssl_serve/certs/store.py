"""The kept certificates and the local CA that issues them: make, use again, renew, remove.

What is good enough is judgement.py's, what is made instead plan.py's, how it is made issue.py's,
and how files are written folder.py's.
"""

import os
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote

from openssl_serve.certs import authority as authorities
from openssl_serve.certs.authority import Authority
from openssl_serve.certs.certificate import Certificate
from openssl_serve.certs.facts import CertificateFacts, read_facts_file
from openssl_serve.certs.folder import Folder
from openssl_serve.certs.judgement import Verdict, is_ours, judge
from openssl_serve.certs.pairs import Pairs, check_readable, keep_private
from openssl_serve.certs.plan import plan_for
from openssl_serve.certs.profile import MAX_DAYS, CertificateProfile
from openssl_serve.errors import (
    CertificateError,
    InvalidHostError,
    StoreError,
    reason_of,
    typed,
)
from openssl_serve.hosts import Host, HostKind, Subtree, parse_host

if TYPE_CHECKING:
    from openssl_serve.openssl.binary import Openssl


@dataclass(frozen=True, slots=True)
class Kept(Certificate):
    """A pair in the data folder. Its key is not encrypted: a server starts with nobody there."""

    @property
    def host(self) -> Host:
        """The host that its files are named for."""
        for name in self.facts.names:
            with suppress(InvalidHostError):
                host = parse_host(name)
                if host.slug == self.cert_path.stem:
                    return host
        return _named_by(self.cert_path.stem)

    @property
    def profile(self) -> CertificateProfile:
        """A request for one like it. Raises CertificateError if it is somebody else's."""
        if not is_ours(self.facts):
            again = typed("openssl-serve", "generate", "--force", self.host)
            raise CertificateError(
                f"{self.cert_path} was not made here, and is not renewed",
                f"make another in its place: {again}",
            )
        return CertificateProfile((self.host,), max(1, min(self.lifetime_days, MAX_DAYS)))

    @property
    def lifetime_days(self) -> int:
        """From its first second to its last."""
        return (self.facts.not_after - self.facts.not_before).days


class Store:
    """The certificates in one data folder; the local CA is there too, or in *ca_folder*."""

    def __init__(self, folder: Path, *, ca_folder: Path | None = None) -> None:
        self._folder = Folder(folder)
        self._pairs = Pairs(self._folder)
        self._ca_pairs = Pairs(Folder(ca_folder)) if ca_folder else self._pairs

    @property
    def folder(self) -> Path:
        """Where they are."""
        return self._folder.path

    def paths(self, host: Host) -> tuple[Path, Path]:
        """Where the certificate and the key of *host* are, or would be."""
        return self._pairs.paths(host.slug)

    def ensure(self, profile: CertificateProfile, *, openssl: "Openssl | None" = None) -> Kept:
        """A good pair for *profile*: the kept one, or one made now.

        Raises StoreError when the folder cannot be used, OpensslError when a new pair is needed
        and cannot be made; what was kept is then as before.
        """
        with self._folder.reading():
            kept, verdict = self._look(profile)
            if kept and not self._folder.has_leftovers():
                return kept
        if kept and not os.access(self.folder, os.W_OK):
            return kept
        openssl = openssl or _usual()
        if not kept:
            # Before anything is written.
            _ = openssl.path
        with self._folder.writing():
            # Somebody may have made it while we waited for the lock.
            kept, verdict = self._look(profile)
            return kept or self._make(profile, verdict, openssl)

    def issue_anew(
        self,
        profile: CertificateProfile,
        *,
        new_key: bool = False,
        openssl: "Openssl | None" = None,
    ) -> Kept:
        """A new certificate for *profile*, however good the kept one is; with a new key if asked.

        Raises as `ensure` does.
        """
        openssl = openssl or _usual()
        _ = openssl.path
        with self._folder.writing():
            _, verdict = self._look(profile)
            because = verdict.because or "it was asked for"
            return self._make(profile, verdict._replace(because=because), openssl, new_key=new_key)

    def renew(self, host: Host, *, new_key: bool = False, openssl: "Openssl | None" = None) -> Kept:
        """A new certificate like the kept one of *host*: same names, lifetime and key.

        Raises StoreError when there is none, and as `ensure` does.
        """
        profile = self.get(host).profile
        return self.issue_anew(profile, new_key=new_key, openssl=openssl)

    def find(self, host: Host) -> Kept | None:
        """The pair that was made for *host* first of all; None if there is no good one."""
        self._settle()
        with self._folder.reading():
            return self._read(host.slug, self.find_authority())

    def get(self, host: Host) -> Kept:
        """The pair of *host*. Raises StoreError when there is none, CertificateError if broken."""
        kept = self.find(host)
        if kept is None:
            self._say_what_is_broken(host.slug)
            hints = [f"make one: {typed('openssl-serve', 'generate', host)}"]
            if names := ", ".join(str(kept.host) for kept in self.list()):
                hints.append(f"kept are: {names}")
            raise StoreError(f"no certificate is kept for {host} in {self.folder}", *hints)
        return kept

    def _say_what_is_broken(self, slug: str) -> None:
        """Raise CertificateError if there are files of that name, and they are no pair."""
        paths = self._pairs.paths(slug)
        if not any(map(os.path.lexists, paths)):
            return
        check_readable(*paths)
        again = _how_to_mend(slug)
        for path in paths:
            if not path.exists():
                raise CertificateError(f"{path} is missing", again)
        try:
            read_facts_file(paths[0])
        except CertificateError as error:
            raise CertificateError(str(error), *error.hints, again) from error

    def list(self) -> tuple[Kept, ...]:
        """Every good pair, by file name; the local CA is not among them."""
        return self.survey()[0]

    def survey(self) -> tuple[tuple[Kept, ...], tuple[CertificateError, ...]]:
        """Every good pair as in `list`; and of each other certificate, why it is not there."""
        try:
            stems = self._pairs.stems()
        except OSError as error:
            raise StoreError(
                f"{self.folder}: {reason_of(error)}",
                f"look at it: {typed('ls', '-ld', self.folder)}",
            ) from error
        self._settle()
        good, faults = [], []
        with self._folder.reading():
            authority = self.find_authority()
            for stem in stems:
                if stem == authorities.STEM:
                    continue
                if kept := self._read(stem, authority):
                    good.append(kept)
                    continue
                try:
                    self._say_what_is_broken(stem)
                except CertificateError as error:
                    faults.append(error)
        return tuple(good), tuple(faults)

    def remove(self, *hosts: Host) -> tuple[Path, ...]:
        """Delete the files of *hosts*; which there were.

        Raises StoreError, before any is deleted, when there is none of one of them.
        """
        for host in hosts:
            if not any(map(os.path.lexists, self._pairs.paths(host.slug))):
                self.get(host)
        with self._folder.writing():
            return tuple(path for host in hosts for path in self._pairs.remove(host.slug))

    def find_authority(self) -> Authority | None:
        """The local CA; None when there is none. Raises CertificateError."""
        return authorities.find(self._ca_pairs)

    def ensure_authority(
        self, *, permitted: tuple[Subtree, ...] = (), openssl: "Openssl | None" = None
    ) -> Authority:
        """The local CA, made now if there is none; it may then issue for *permitted* alone."""
        return authorities.ensure(self._ca_pairs, openssl or _usual(), permitted)

    def renew_authority(self, openssl: "Openssl | None" = None) -> Authority:
        """The same local CA with ten more years: same name, same key, same constraints.

        Whatever it issued stays valid, also for clients that trust only the one before.
        Raises StoreError when there is none.
        """
        return authorities.renew(self._ca_pairs, openssl or _usual())

    def _settle(self) -> None:
        """Finish what a killed process has begun, if that may be done."""
        if self._folder.has_leftovers() and os.access(self.folder, os.W_OK):
            with self._folder.writing():
                pass

    def _look(self, profile: CertificateProfile) -> tuple[Kept | None, Verdict]:
        """The kept pair if it is good, and what is to be done if not."""
        cert, key = self._pairs.paths(profile.slug)
        authority = self.find_authority()
        verdict = judge(cert, key, profile, authority)
        if verdict.because is not None or verdict.facts is None:
            return None, verdict
        keep_private(key)
        return _kept(cert, key, verdict.facts, authority), verdict

    def _make(
        self,
        profile: CertificateProfile,
        verdict: Verdict,
        openssl: "Openssl",
        *,
        new_key: bool = False,
    ) -> Kept:
        from openssl_serve.certs.issue import issue  # noqa: PLC0415 - not needed to start again

        plan = plan_for(profile, verdict.facts, self.find_authority(), new_key=new_key)
        moved = self._pairs.make(
            profile.slug,
            lambda stage: issue(
                openssl, plan.profile, stage, issuer=plan.issuer, new_key=not plan.keep_key
            ),
            keep_key=plan.keep_key,
            unusable=verdict.unusable,
        )
        cert, key = self._pairs.paths(profile.slug)
        kept = _kept(cert, key, read_facts_file(cert), plan.authority)
        return replace(kept, made_because=f"{verdict.because}{moved}{plan.note}")

    def _read(self, slug: str, authority: Authority | None) -> Kept | None:
        cert, key = self._pairs.paths(slug)
        try:
            return _kept(cert, key, read_facts_file(cert), authority) if key.exists() else None
        except CertificateError:
            return None


def _named_by(stem: str) -> Host:
    """The host whose files have this stem, if any has: what Host.slug makes of it, backwards."""
    return Host(unquote(stem.replace("_", ".")), HostKind.DNS)


def _how_to_mend(stem: str) -> str:
    host = _named_by(stem)
    with suppress(InvalidHostError):
        if parse_host(host.value).slug == stem:
            return f"make it again: {typed('openssl-serve', 'generate', host)}"
    return "move it elsewhere: no host has files of that name"


def _usual() -> "Openssl":
    from openssl_serve.openssl.binary import Openssl  # noqa: PLC0415 - not needed to start again

    return Openssl()


def _kept(cert: Path, key: Path, facts: CertificateFacts, authority: Authority | None) -> Kept:
    issued = authority is not None and authority.issued(facts)
    return Kept(cert, key, facts, authority=authority if issued else None)
