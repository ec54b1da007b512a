"""What every trust store can do; how each one does it is in a file of its own.

All changes are commands, so that what is run, what --dry-run shows and what a user without rights
is given to paste are one and the same.
"""

import shlex
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from contextlib import suppress
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

from openssl_serve import tools
from openssl_serve.certs import pem
from openssl_serve.certs.facts import CertificateFacts, facts_of
from openssl_serve.certs.profile import ORGANIZATION
from openssl_serve.errors import (
    CertificateError,
    OpensslServeError,
    TrustStoreError,
    reason_of,
)
from openssl_serve.hosts import shorten
from openssl_serve.programs import search_path
from openssl_serve.trust.target import Target, Unwanted

TIMEOUT_S = 120
"""A Java on a slow board takes 10 s; macOS asks for a password, and people have to find it."""


class Kind(StrEnum):
    """The families of stores, as --store names them."""

    SYSTEM = "system"
    MACOS = "macos"
    NSS = "nss"
    JAVA = "java"


class State(StrEnum):
    """Where a CA stands with a store."""

    TRUSTED = "trusted"
    ABSENT = "not trusted"
    REFUSED = "refused"
    """It is there, and the proof failed: expired, without trust flags, or overruled."""
    UNKNOWN = "unknown"
    """The store could not be looked into."""


class Finding(NamedTuple):
    """What a store says of a CA; `says` has the proof, or what went wrong."""

    state: State
    says: str
    others: tuple[CertificateFacts, ...] = ()
    """Other local CAs of openssl-serve in it: another user's, or whose files are gone."""


class Verdict(NamedTuple):
    """Whether a CA is trusted, and by what that was found, or why not."""

    trusted: bool
    says: str


class Entry(NamedTuple):
    """A local CA of ours in a store: its certificate, and what the store calls it."""

    facts: CertificateFacts
    name: str


Command = tuple[str, ...]


class TrustStore(ABC):
    """One store in one place. `str()` is what people call it, and where it is."""

    kind: Kind
    timeout_s: float = TIMEOUT_S
    """For each program that is run."""
    follows_installing = False
    """Whether the system's tool puts into it what it puts into the system's store."""
    follows_removing = False
    """Whether that takes out of it what it takes out of the system's store."""

    def __init__(self, name: str, place: Path) -> None:
        self.name = name
        self.place = place

    def __str__(self) -> str:
        return f"{self.name} ({self.place})"

    @property
    @abstractmethod
    def obstacle(self) -> str | None:
        """What this user lacks to change it; None when nothing does."""

    @abstractmethod
    def entries(self) -> list[Entry]:
        """The local CAs that openssl-serve, of any user, has in it. Raises TrustStoreError."""

    @abstractmethod
    def installing(self, target: Target) -> list[Command]:
        """What has to be run for it to trust *target*."""

    @abstractmethod
    def removing(self, entries: Sequence[Entry]) -> list[Command]:
        """What has to be run to take *entries* out, of which there is at least one.

        Raises TrustStoreError when that would take others' certificates along.
        """

    @abstractmethod
    def judge(self, target: Target) -> Verdict:
        """Have somebody who is not us say whether *target*, which is in it, is trusted."""

    def uninstalling(self, target: Unwanted) -> list[Command]:
        """What has to be run to take *target* out; nothing when it is not there."""
        entries = [entry for entry in self.entries() if target.matches(entry.facts)]
        return self.removing(entries) if entries else []

    def check(self, target: Target) -> Finding:
        """Whether *target* is trusted, proven; never raises TrustStoreError."""
        others: tuple[CertificateFacts, ...] = ()
        try:
            entries = self.entries()
            found = [entry.facts for entry in entries if not target.matches(entry.facts)]
            others = tuple({facts.fingerprint: facts for facts in found}.values())
            if not any(target.is_same(entry.facts) for entry in entries):
                return Finding(State.ABSENT, "it is not there", others)
            trusted, says = self.judge(target)
        except TrustStoreError as error:
            return Finding(State.UNKNOWN, self.reason_of(error), others)
        return Finding(State.TRUSTED if trusted else State.REFUSED, says, others)

    def install(self, target: Target) -> None:
        """Make it trust *target*, and prove that.

        Raises TrustStoreError; what was added is then taken out again, as far as that goes.
        """
        before = {entry.name for entry in self.entries()}
        try:
            self._install(target)
        except TrustStoreError:
            # certutil adds the certificate, fails at its trust, and leaves it there.
            with suppress(TrustStoreError):
                added = [entry for entry in self.entries() if entry.name not in before]
                if added:
                    self._run(self.removing(added))
            raise

    def _install(self, target: Target) -> None:
        self._run(self.installing(target))
        found = self.check(target)
        if found.state is not State.TRUSTED:
            raise TrustStoreError(f"{self}: it is not trusted: {found.says}")

    def uninstall(self, target: Unwanted) -> bool:
        """Take *target* out, and look that it is; whether it was there. Raises TrustStoreError."""
        commands = self.uninstalling(target)
        if not commands:
            return False
        self._run(commands)
        if self.uninstalling(target):
            raise TrustStoreError(
                f"{self}: it is still there", *([self.if_it_stays] if self.if_it_stays else [])
            )
        return True

    @property
    def if_it_stays(self) -> str | None:
        """What to try when it is still there after it was taken out."""
        return None

    def reason_of(self, error: OpensslServeError) -> str:
        """What *error* says, for a place where this store is named already."""
        return str(error).removeprefix(f"{self}: ")

    def _run(self, commands: Iterable[Command]) -> None:
        for command in commands:
            done = self._ask(*command)
            if done.exit_code:
                raise self._failure(command, done)

    def _ask(self, *command: str) -> tools.Output:
        """Run one command to its end. Raises TrustStoreError when that is not to be had."""
        program = Path(command[0]).name
        try:
            output = tools.capture(command, _environment(), self.timeout_s)
        except OSError as error:
            why = reason_of(error)
            raise TrustStoreError(f"{self}: {program} cannot be started: {why}") from error
        if output is None:
            raise TrustStoreError(f"{self}: {program} did not end within {self.timeout_s:g} s")
        return output

    def _failure(self, command: Command, output: tools.Output) -> TrustStoreError:
        said = (output.stderr.strip() or output.stdout.strip() or "it said nothing").splitlines()
        program = Path(command[0]).name
        reason = said[-1].removeprefix(f"{program}: ").rstrip(".")
        return TrustStoreError(
            f"{self}: {program} failed (exit {output.exit_code}): {shorten(reason, 200)}",
            f"to see more, run it yourself: {shlex.join(command)}",
        )


def _environment() -> dict[str, str]:
    """What a store's programs get beside our own environment."""
    return {**tools.ENGLISH, "PATH": search_path()}


def ours(blocks: Iterable[pem.Block]) -> list[CertificateFacts]:
    """The local CAs of openssl-serve among *blocks* of PEM."""
    found = []
    for block in blocks:
        if block.label not in pem.CERTIFICATE_LABELS:
            continue
        try:
            der = block.der
            # Of the hundreds in a bundle, only ours are worth parsing.
            if ORGANIZATION.encode() in der:
                facts = facts_of(der)
                if is_ours(facts):
                    found.append(facts)
        except CertificateError:
            # Somebody else's, and not ours to complain about.
            continue
    return found


def is_ours(facts: CertificateFacts) -> bool:
    """Whether that is a local CA of openssl-serve, of whichever user."""
    return facts.is_ca and f"O={ORGANIZATION}" in facts.subject.split(", ")
