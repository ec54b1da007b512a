"""The kept certificates: which one answers a profile, and why a new one has to be made.

How files are written is folder.py's, how certificates are made issue.py's.
"""

import datetime as dt
import os
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from openssl_serve.certs.facts import CertificateFacts, read_facts_file
from openssl_serve.certs.folder import Folder
from openssl_serve.certs.keys import check_pair
from openssl_serve.certs.profile import CertificateProfile, KeyType, Shape
from openssl_serve.errors import CertificateError, InvalidHostError, StoreError
from openssl_serve.hosts import Host, parse_host
from openssl_serve.openssl.binary import Openssl

CERTIFICATE_SUFFIX, KEY_SUFFIX = ".crt", ".key"


@dataclass(frozen=True, slots=True)
class Kept:
    """A pair in the data folder. `made_because` None: it was there and good."""

    cert_path: Path
    key_path: Path
    facts: CertificateFacts
    made_because: str | None = None
    password: None = None
    """Keys of ours are not encrypted; a custom pair's may be."""


class _Verdict(NamedTuple):
    """What is to be done about a profile: nothing, when `kept` is there."""

    kept: Kept | None
    because: str
    renews: CertificateFacts | None = None
    """A pair of ours that has to be made again: it keeps its key and its names."""
    unusable: tuple[Path, ...] = ()
    """Files in the way that are not ours, or broken."""


class Store:
    """The certificates in one data folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = Folder(folder)

    @property
    def folder(self) -> Path:
        """Where they are."""
        return self._folder.path

    def ensure(self, profile: CertificateProfile, *, openssl: Openssl | None = None) -> Kept:
        """A good pair for *profile*: the kept one, or one made now.

        Raises StoreError when the folder cannot be used, OpensslError when a new pair is needed
        and cannot be made; what was kept is then as before.
        """
        with self._folder.reading():
            verdict = self._judge(profile)
            if verdict.kept and not self._folder.has_leftovers():
                return verdict.kept
        if verdict.kept and not os.access(self.folder, os.W_OK):
            return verdict.kept
        openssl = openssl or Openssl()
        if not verdict.kept:
            # Before anything is written.
            _ = openssl.version
        with self._folder.writing():
            # Somebody may have made it while we waited for the lock.
            verdict = self._judge(profile)
            return verdict.kept or self._make(profile, verdict, openssl)

    def paths(self, slug: str) -> tuple[Path, Path]:
        """Where the certificate and the key of *slug* are, or would be."""
        return self.folder / (slug + CERTIFICATE_SUFFIX), self.folder / (slug + KEY_SUFFIX)

    def _judge(self, profile: CertificateProfile) -> _Verdict:
        cert, key = self.paths(profile.slug)
        present = tuple(path for path in (cert, key) if os.path.lexists(path))
        if not present:
            return _Verdict(None, "no certificate yet")
        if len(present) == 1:
            lacks = "key" if present == (cert,) else "certificate"
            return _Verdict(None, f"{present[0]} had no {lacks} beside it", unusable=present)
        for path in present:
            if path.exists() and not os.access(path, os.R_OK):
                raise StoreError(f"{path}: permission denied", f"look at it: ls -l {path}")
        try:
            facts = _read_pair(cert, key)
        except CertificateError as error:
            return _Verdict(None, str(error), unusable=present)
        reason = _why_renew(facts, profile, dt.datetime.now(dt.UTC))
        if reason:
            return _Verdict(None, reason, renews=facts)
        _keep_private(key)
        return _Verdict(Kept(cert, key, facts), "")

    def _make(self, profile: CertificateProfile, verdict: _Verdict, openssl: Openssl) -> Kept:
        from openssl_serve.certs.issue import issue  # noqa: PLC0415 - not needed to start again
        from openssl_serve.openssl.commands import CERTIFICATE, KEY  # noqa: PLC0415

        cert, key = self.paths(profile.slug)
        because = verdict.because
        with self._folder.stage() as stage:
            new_key = True
            if verdict.renews:
                profile = _renewed(profile, verdict.renews)
                new_key = profile.key_type != KeyType.described(verdict.renews.key)
            if not new_key:
                _copy_private(key, stage / KEY)
            facts = issue(openssl, profile, stage, new_key=new_key)
            (stage / CERTIFICATE).chmod(0o644)
            (stage / CERTIFICATE).rename(stage / cert.name)
            (stage / KEY).rename(stage / key.name)
            for path in verdict.unusable:
                aside = self._folder.set_aside(path)
                because += f"; {path.name} is now {aside.name}"
            # A key that stays is not touched: the certificate alone is replaced.
            self._folder.publish(stage, [cert.name, key.name] if new_key else [cert.name])
        return Kept(cert, key, facts, because)

    def find(self, host: Host) -> Kept | None:
        """The pair that was made for *host* first of all; None if there is no good one."""
        with self._folder.reading():
            return self._read(host.slug)

    def list(self) -> tuple[Kept, ...]:
        """Every good pair, by file name."""
        try:
            names = sorted(os.listdir(self.folder))
        except FileNotFoundError:
            return ()
        except OSError as error:
            raise StoreError(f"{self.folder}: {(error.strerror or '').lower()}") from error
        slugs = [
            name.removesuffix(CERTIFICATE_SUFFIX)
            for name in names
            if name.endswith(CERTIFICATE_SUFFIX)
        ]
        with self._folder.reading():
            return tuple(kept for slug in slugs if (kept := self._read(slug)))

    def remove(self, host: Host) -> tuple[Path, ...]:
        """Delete the files of *host*; which there were. Raises StoreError when there is none."""
        paths = self.paths(host.slug)
        if not any(map(os.path.lexists, paths)):
            raise StoreError(f"no certificate is kept for {host}", f"looked for {paths[0]}")
        with self._folder.writing():
            # The key first: a certificate alone is no secret.
            there = [path for path in reversed(paths) if os.path.lexists(path)]
            for path in there:
                path.unlink()
        return tuple(there)

    def _read(self, slug: str) -> Kept | None:
        cert, key = self.paths(slug)
        try:
            return Kept(cert, key, read_facts_file(cert)) if key.exists() else None
        except CertificateError:
            return None


def _read_pair(cert: Path, key: Path) -> CertificateFacts:
    """The facts of a pair that we made and that is whole. Raises CertificateError."""
    facts = read_facts_file(cert)
    check_pair(cert, key)
    if facts.shape is not Shape.SELF_SIGNED:
        raise CertificateError(f"{cert} was not made here")
    return facts


def _why_renew(
    facts: CertificateFacts, profile: CertificateProfile, now: dt.datetime
) -> str | None:
    """Why a pair of ours does not answer *profile* now; None when it does."""
    missing = [str(host) for host in profile.hosts if not facts.covers(host)]
    if profile.key_type and profile.key_type.description != facts.key:
        return f"its key is {facts.key}, not {profile.key_type.description}"
    if facts.expired(now):
        return f"expired on {facts.not_after:%Y-%m-%d}"
    if facts.not_before > now:
        return f"not valid before {facts.not_before:%Y-%m-%d}"
    if missing:
        return f"names not covered: {', '.join(missing)}"
    if facts.due(now):
        return f"due for renewal: {facts.days_left(now)} days left"
    return None


def _renewed(profile: CertificateProfile, facts: CertificateFacts) -> CertificateProfile:
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


def _keep_private(key: Path) -> None:
    """Take the right to read *key* from others, if they have it and it is ours to take."""
    status = key.stat()
    if status.st_mode & 0o077 and status.st_uid == os.geteuid():
        with suppress(OSError):
            key.chmod(0o600)


def _copy_private(source: Path, target: Path) -> None:
    descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(source.read_bytes())
