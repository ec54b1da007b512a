"""The certificate databases of browsers on Linux, and of Firefox anywhere (NSS, by `certutil`).

Where they are is browsers.py's. Proven by `certutil -V`, which is NSS's own judgement of a CA for
TLS servers.
"""

import os
import re
import shlex
from collections.abc import Sequence
from pathlib import Path

from openssl_serve.certs import pem
from openssl_serve.errors import TrustStoreError
from openssl_serve.programs import find_program, how_to_install
from openssl_serve.tools import Output
from openssl_serve.trust.browsers import DATABASE, Database, databases, is_database
from openssl_serve.trust.stores import Command, Entry, Kind, TrustStore, Verdict, ours
from openssl_serve.trust.target import Target

NICKNAME = "openssl-serve"
"""With this every nickname of ours begins."""

_CA_FOR_TLS = "C,,"
"""Trusted to issue certificates of TLS servers, and for no mail and no software."""

_ROW = re.compile(r"^(.+?)\s+([a-zA-Z]*,[a-zA-Z]*,[a-zA-Z]*)\s*$")
"""A nickname and its trust flags in the table of `certutil -L`."""

_PACKAGES = {
    "apt-get": "libnss3-tools",
    "dnf": "nss-tools",
    "pacman": "nss",
    "zypper": "mozilla-nss-tools",
    "apk": "nss-tools",
    "brew": "nss",
}
"""Which certutil is in, by the package manager's program."""

_PASSWORD_WANTED = ("SEC_ERROR_BAD_PASSWORD", "Error opening input terminal")


class NssStore(TrustStore):
    """One database, which may not be there yet."""

    kind = Kind.NSS

    def __init__(self, database: Database) -> None:
        super().__init__(database.browser, database.folder)

    @property
    def obstacle(self) -> str | None:
        """Of what is not there yet, the next parent that is has to be writable."""
        # SQLite writes its journal beside it.
        paths = [self.place / DATABASE, self.place] if self._exists else [self._next_parent]
        locked = [path for path in paths if not os.access(path, os.W_OK)]
        return f"{locked[0]} is not writable" if locked else None

    def entries(self) -> list[Entry]:
        """By their nicknames; all that share a subject are shown under each of theirs."""
        if not self._exists:
            return []
        found: dict[tuple[str, str], Entry] = {}
        for nickname in self._nicknames():
            output = self._ask(*self._certutil("-L"), "-n", nickname, "-a")
            for facts in ours(pem.blocks(output.stdout.encode())):
                found[nickname, facts.fingerprint] = Entry(facts, nickname)
        return list(found.values())

    def installing(self, target: Target) -> list[Command]:
        """The database, if there is none, and the CA in it."""
        commands: list[Command] = []
        if not self._exists:
            if obstacle := self.obstacle:
                # One that root makes is one that the browser cannot open.
                folder = shlex.quote(str(self._next_parent))
                raise TrustStoreError(
                    f"{self}: there is no database yet, and {obstacle}",
                    f'make the folder yours: sudo chown "$USER" {folder}',
                )
            if not self.place.is_dir():
                commands.append(("mkdir", "-p", "-m", "0700", str(self.place)))
            commands.append((*self._certutil("-N"), "--empty-password"))
        nickname = f"{NICKNAME} {target.tag}"
        add = (*self._certutil("-A"), "-t", _CA_FOR_TLS, "-n", nickname, "-i")
        return [*commands, (*add, str(target.cert_path))]

    def removing(self, entries: Sequence[Entry]) -> list[Command]:
        """One call for each nickname."""
        nicknames = dict.fromkeys(entry.name for entry in entries)
        return [(*self._certutil("-D"), "-n", nickname) for nickname in nicknames]

    @property
    def if_it_stays(self) -> str:
        """What it has read, a browser may write again."""
        return "a browser that runs may have put it back: end it"

    def judge(self, target: Target) -> Verdict:
        """Have it judged as a CA of TLS servers (usage L), under any of its nicknames."""
        because = "it is not there"
        for entry in self.entries():
            if target.is_same(entry.facts):
                output = self._ask(*self._certutil("-V"), "-u", "L", "-n", entry.name)
                if output.exit_code == 0 and "certificate is valid" in output.stdout:
                    return Verdict(True, "certutil -V")
                said = (output.stdout + output.stderr).strip().splitlines()
                because = said[0].removeprefix("certutil: ") if said else "certutil -V fails"
        return Verdict(False, because)

    def _failure(self, command: Command, output: Output) -> TrustStoreError:
        if any(word in output.stderr for word in _PASSWORD_WANTED):
            return TrustStoreError(
                f"{self}: it has a password, and certutil has to ask for it",
                f"run it yourself: {shlex.join(command)}",
            )
        return super()._failure(command, output)

    @property
    def _exists(self) -> bool:
        return is_database(self.place)

    @property
    def _next_parent(self) -> Path:
        """The first folder on the way up from it that is there."""
        return next(path for path in (self.place, *self.place.parents) if os.path.exists(path))

    def _certutil(self, verb: str) -> Command:
        program = find_program("certutil")
        if program is None:
            raise TrustStoreError(
                f"{self}: certutil is missing", how_to_install("NSS's tools", _PACKAGES)
            )
        return (program, verb, "-d", f"sql:{self.place}")

    def _nicknames(self) -> list[str]:
        command = self._certutil("-L")
        output = self._ask(*command)
        if output.exit_code:
            raise self._failure(command, output)
        rows = map(_ROW.match, output.stdout.splitlines())
        # Those of ours, and what somebody imported under a name of their own choice.
        return [row[1] for row in rows if row and (NICKNAME in row[1] or "C" in row[2])]


def nss_stores() -> list[TrustStore]:
    """The databases of all browsers that this user has."""
    return [NssStore(database) for database in databases()]
