"""The certificates that a Linux distribution keeps for all programs: curl, git, Python and more.

A file is dropped into a folder, and the distribution's own tool makes the bundle that programs
read. Proven by a TLS handshake in a new process that trusts nothing but this bundle.
"""

import datetime as dt
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from openssl_serve.certs import pem
from openssl_serve.certs.facts import CertificateFacts
from openssl_serve.errors import OpensslServeError, TrustStoreError, reason_of
from openssl_serve.programs import find_program
from openssl_serve.trust import handshake
from openssl_serve.trust.stores import Command, Entry, Kind, TrustStore, Verdict, ours
from openssl_serve.trust.target import PROOF_HOST, Target


@dataclass(frozen=True, slots=True)
class Family:
    """Distributions that do it alike."""

    name: str
    anchors: Path
    """Where an administrator's own CAs go, each in a file with this `suffix`."""
    suffix: str
    bundle: Path
    """What is made of them, and read by programs."""
    refresh: Command
    refresh_after_removal: Command
    read: str = "*"
    """Which files there count, whoever has put them there."""


FAMILIES = (
    Family(
        "Fedora, RHEL",
        Path("/etc/pki/ca-trust/source/anchors"),
        ".pem",
        Path("/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem"),
        ("update-ca-trust", "extract"),
        ("update-ca-trust", "extract"),
    ),
    Family(
        "Arch Linux",
        Path("/etc/ca-certificates/trust-source/anchors"),
        ".crt",
        Path("/etc/ca-certificates/extracted/tls-ca-bundle.pem"),
        ("trust", "extract-compat"),
        ("trust", "extract-compat"),
    ),
    Family(
        "openSUSE",
        # The administrator's; /usr/share/pki/trust/anchors is for packages.
        Path("/etc/pki/trust/anchors"),
        ".pem",
        Path("/var/lib/ca-certificates/ca-bundle.pem"),
        ("update-ca-certificates",),
        ("update-ca-certificates",),
    ),
    Family(
        "Debian, Ubuntu",
        Path("/usr/local/share/ca-certificates"),
        ".crt",
        Path("/etc/ssl/certs/ca-certificates.crt"),
        ("update-ca-certificates",),
        # Without it, a link to the removed file stays in /etc/ssl/certs.
        ("update-ca-certificates", "--fresh"),
        # Others are ignored.
        read="**/*.crt",
    ),
)
"""Told apart by the folder. Debian's comes last, as others may have it too."""


class SystemStore(TrustStore):
    """The bundle of one distribution."""

    kind = Kind.SYSTEM

    def __init__(self, family: Family) -> None:
        super().__init__(family.name, family.bundle)
        self._family = family

    @property
    def obstacle(self) -> str | None:
        """Both folders are written, by root on every distribution."""
        for folder in (self._family.anchors, self._family.bundle.parent):
            if not os.access(folder, os.W_OK):
                return f"{folder} is not writable"
        return None

    def entries(self) -> list[Entry]:
        """By their files; what is in the bundle alone has the bundle's."""
        files = sorted(self._family.anchors.glob(self._family.read))
        # What this user may not read, the bundle shows.
        readable = [path for path in files if os.access(path, os.R_OK)]
        found = [Entry(facts, str(path)) for path in readable for facts in _ours_in(path)]
        known = {entry.facts.fingerprint for entry in found}
        return found + [
            Entry(facts, str(self.place))
            for facts in _ours_in(self.place)
            if facts.fingerprint not in known
        ]

    def installing(self, target: Target) -> list[Command]:
        """A file of a name that is no other CA's, and the bundle made anew."""
        path = self._family.anchors / f"openssl-serve-{target.tag}{self._family.suffix}"
        return [
            ("install", "-m", "0644", str(target.cert_path), str(path)),
            _resolved(self._family.refresh),
        ]

    def removing(self, entries: Sequence[Entry]) -> list[Command]:
        """Their files away, and the bundle made anew."""
        files = dict.fromkeys(entry.name for entry in entries if entry.name != str(self.place))
        for file in files:
            if _counted_in(Path(file)) > 1:
                raise TrustStoreError(
                    f"{file} holds other certificates too, and is not deleted",
                    "take the one of the local CA out with an editor",
                )
        commands: list[Command] = [("rm", "-f", *files)] if files else []
        return [*commands, _resolved(self._family.refresh_after_removal)]

    @property
    def if_it_stays(self) -> str | None:
        """By p11-kit's own tool it comes into a folder beside the anchors."""
        hint = "try: trust anchor --remove FILE, with its certificate"
        return hint if find_program("trust") else None

    def judge(self, target: Target) -> Verdict:
        """Try a handshake with what the distribution made of it."""
        if not any(target.is_same(facts) for facts in _ours_in(self.place)):
            tool = self._family.refresh[0]
            return Verdict(False, f"it is in {self._family.anchors}; {tool} has not run since")
        if target.facts and target.facts.expired(dt.datetime.now(dt.UTC)):
            return Verdict(False, "it has expired")
        try:
            leaf = target.leaf()
        except OpensslServeError as error:
            # A CA that issues nothing here may still be trusted, for what it issues elsewhere.
            return Verdict(True, f"it is in the bundle; no handshake was tried: {error}")
        # The file and not the module: it needs nothing of ours, wherever that is installed.
        program = (sys.executable, "-I", handshake.__file__)
        output = self._ask(*program, str(self.place), *map(str, leaf), PROOF_HOST)
        if output.exit_code == handshake.TRUSTED:
            return Verdict(True, "a TLS handshake")
        if output.exit_code == handshake.REFUSED:
            return Verdict(False, output.stdout.strip())
        raise self._failure(program, output)


def system_stores(families: Sequence[Family] = FAMILIES) -> list[TrustStore]:
    """The store of this machine; none where the distribution is unknown."""
    for family in families:
        if family.anchors.is_dir():
            return [SystemStore(family)]
    return []


def _resolved(command: Command) -> Command:
    """*command* with the path of its program, which may be in no user's PATH."""
    return (find_program(command[0]) or command[0], *command[1:])


def _ours_in(path: Path) -> list[CertificateFacts]:
    return ours(_blocks(path))


def _counted_in(path: Path) -> int:
    return sum(block.label in pem.CERTIFICATE_LABELS for block in _blocks(path))


def _blocks(path: Path) -> list[pem.Block]:
    try:
        return pem.blocks(path.read_bytes())
    except (FileNotFoundError, IsADirectoryError):
        return []
    except OSError as error:
        raise TrustStoreError(f"{path}: {reason_of(error)}") from error
