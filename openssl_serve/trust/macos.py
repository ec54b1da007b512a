"""The keychains of macOS, by `security`: the login keychain, or with root's rights the system's.

Proven by `security verify-cert`, the judgement that Safari, Chrome and curl get there.
"""

import hashlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from openssl_serve.certs import pem
from openssl_serve.errors import OpensslServeError
from openssl_serve.paths import users_home
from openssl_serve.trust.stores import Command, Entry, Kind, TrustStore, Verdict, ours
from openssl_serve.trust.target import Target

SYSTEM_KEYCHAIN = Path("/Library/Keychains/System.keychain")

_NOT_FOUND = 44
"""errSecItemNotFound, as the program's exit code."""

# Both are asked of a TLS server; without a policy it would be trusted for mail and software too.
_POLICIES = ("-r", "trustRoot", "-p", "ssl", "-p", "basic")


class Keychain(TrustStore):
    """One keychain; macOS asks in a window whether the login keychain may be changed."""

    def __init__(self, place: Path) -> None:
        self._is_system = place == SYSTEM_KEYCHAIN
        # All users', as a distribution's bundle is.
        self.kind = Kind.SYSTEM if self._is_system else Kind.MACOS
        super().__init__("System keychain" if self._is_system else "Login keychain", place)

    @property
    def obstacle(self) -> str | None:
        """The system's is root's."""
        if self._is_system and os.geteuid() != 0:
            return f"{self.place} is root's to change"
        return None

    def entries(self) -> list[Entry]:
        """By their SHA-1, which is what they are deleted by."""
        command = ("security", "find-certificate", "-a", "-p", str(self.place))
        output = self._ask(*command)
        if output.exit_code == _NOT_FOUND:
            return []
        if output.exit_code:
            raise self._failure(command, output)
        found = []
        for block in pem.blocks(output.stdout.encode()):
            for facts in ours([block]):
                sha1 = hashlib.sha1(block.der, usedforsecurity=False).hexdigest().upper()
                found.append(Entry(facts, sha1))
        return found

    def installing(self, target: Target) -> list[Command]:
        """Add it, and trust it for TLS alone; macOS asks the user."""
        admin = ("-d",) if self._is_system else ()
        add = ("security", "add-trusted-cert", *admin, *_POLICIES, "-k", str(self.place))
        return [(*add, str(target.cert_path))]

    def removing(self, entries: Sequence[Entry]) -> list[Command]:
        """Each with its trust settings (-t), by hash and not by name.

        Not by remove-trusted-cert: that fails for one without settings, as it is left when nobody
        has allowed them, and it needs the file. As root, -t takes those of all users too.
        """
        delete = ("security", "delete-certificate", "-t", "-Z")
        return [(*delete, entry.name, str(self.place)) for entry in entries]

    def judge(self, target: Target) -> Verdict:
        """Have a certificate of it judged, or the CA itself when it can issue none."""
        try:
            path = target.leaf().cert_path
        except OpensslServeError:
            path = target.cert_path
        # -L: without asking the network about it.
        output = self._ask("security", "verify-cert", "-c", str(path), "-L", "-p", "ssl")
        if output.exit_code == 0:
            return Verdict(True, "security verify-cert")
        said = (output.stderr or output.stdout).strip().splitlines()
        return Verdict(False, said[-1] if said else "security verify-cert fails")


def login_keychains() -> list[TrustStore]:
    """The user's own, on macOS."""
    home = users_home() if sys.platform == "darwin" else None
    return [Keychain(home / "Library/Keychains/login.keychain-db")] if home else []


def system_keychains() -> list[TrustStore]:
    """The one of all users, on macOS."""
    return [Keychain(SYSTEM_KEYCHAIN)] if sys.platform == "darwin" else []
