"""The `cacerts` of each Java, by its own `keytool`; that is also what proves it.

With JAVA_HOME that Java alone is meant, as by Java's own tools; without it, all that are found.
"""

import datetime as dt
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from openssl_serve.certs import pem
from openssl_serve.errors import TrustStoreError
from openssl_serve.paths import users_home
from openssl_serve.programs import find_program
from openssl_serve.tools import Output
from openssl_serve.trust.stores import (
    Command,
    Entry,
    Kind,
    TrustStore,
    Verdict,
    ours,
)
from openssl_serve.trust.target import Target

PASSWORD = "changeit"  # noqa: S105  no secret: every Java comes with it, and its manual says so

_PLACES = ("lib/security/cacerts", "jre/lib/security/cacerts")
"""Below the home of a Java; the second until Java 8."""

_HOMES = (
    "/usr/lib/jvm/*",
    "/usr/java/*",
    "/opt/java/*",
    "/Library/Java/JavaVirtualMachines/*/Contents/Home",
)

_USERS_HOMES = (".sdkman/candidates/java/*", ".jdks/*", ".asdf/installs/java/*")

# Starts in a third of the time, and with words that can be parsed.
_QUICK = ("-J-XX:TieredStopAtLevel=1", "-J-XX:+UseSerialGC", "-J-Duser.language=en")

_ADDED_TO = ("/etc/ssl/certs/java/cacerts",)
"""What Debian's tool puts the system's CAs into (ca-certificates-java), and takes none out of:
with --fresh it tells its hooks what is there, and not what has gone."""

_MADE_ANEW = (
    "/etc/pki/ca-trust/extracted/java/cacerts",  # Fedora, RHEL
    "/etc/ca-certificates/extracted/java-cacerts.jks",  # Arch Linux
    "/var/lib/ca-certificates/java-cacerts",  # openSUSE
)
"""What the system's tool makes of the system's store, for all Javas of the distribution."""

_ALIAS = re.compile(r"^Alias name: (.*)$", re.MULTILINE)


class JavaStore(TrustStore):
    """One cacerts, of one Java or more."""

    kind = Kind.JAVA

    def __init__(self, home: Path, keystore: Path, keytool: str) -> None:
        super().__init__(home.name, keystore)
        self.keytool = keytool
        """The program, which belongs to that Java."""
        real = os.path.realpath(keystore)
        self.follows_removing = real in _MADE_ANEW
        self.follows_installing = self.follows_removing or real in _ADDED_TO

    @property
    def obstacle(self) -> str | None:
        """Keytool writes a new file beside it, and renames that."""
        folder = Path(os.path.realpath(self.place)).parent
        writable = os.access(self.place, os.W_OK) and os.access(folder, os.W_OK)
        return None if writable else f"{self.place} is not writable"

    def entries(self) -> list[Entry]:
        """By their aliases; Debian's own tool makes one of what is in the system's store."""
        command = (*self._with("-list"), "-rfc")
        output = self._ask(*command)
        if output.exit_code:
            raise self._failure(command, output)
        _, *rest = _ALIAS.split(output.stdout)
        return [
            Entry(facts, alias.strip())
            for alias, text in zip(rest[::2], rest[1::2], strict=True)
            # Another entry is a key of its owner's.
            if "trustedCertEntry" in text
            for facts in ours(pem.blocks(text.encode()))
        ]

    def installing(self, target: Target) -> list[Command]:
        """Import it without a question."""
        alias = f"openssl-serve-{target.tag}"
        options = ("-noprompt", "-alias", alias, "-file", str(target.cert_path))
        return [(*self._with("-importcert"), *options)]

    def removing(self, entries: Sequence[Entry]) -> list[Command]:
        """One call for each alias."""
        aliases = dict.fromkeys(entry.name for entry in entries)
        return [(*self._with("-delete"), "-alias", alias) for alias in aliases]

    def judge(self, target: Target) -> Verdict:
        """Java trusts all that keytool lists as trusted, and has just listed, while it is valid."""
        now = dt.datetime.now(dt.UTC)
        expired = target.facts is not None and target.facts.expired(now)
        return Verdict(not expired, "it has expired" if expired else "keytool -list")

    def _failure(self, command: Command, output: Output) -> TrustStoreError:
        # Its errors are on stdout; on stderr Java tells which options it has picked up.
        words = output.stdout or output.stderr
        return super()._failure(command, output._replace(stderr=words))

    def _with(self, verb: str) -> Command:
        options = ("-keystore", str(self.place), "-storepass", PASSWORD)
        return (self.keytool, *_QUICK, verb, *options)


def java_stores() -> list[TrustStore]:
    """The stores of this machine's Javas, each once: distributions share one among theirs."""
    found: dict[str, TrustStore] = {}
    for home in _homes():
        for place in _PLACES:
            keystore = home / place
            keytool = _keytool(home)
            if os.path.isfile(keystore) and keytool:
                real = os.path.realpath(keystore)
                found.setdefault(real, JavaStore(home, keystore, keytool))
    return list(found.values())


def _homes() -> Iterator[Path]:
    if named := os.environ.get("JAVA_HOME"):
        yield Path(named)
        return
    for program in filter(None, map(find_program, ("java", "keytool"))):
        # /usr/bin/java is a link to a link to it.
        yield Path(os.path.realpath(program)).parent.parent
    for pattern in _HOMES:
        yield from sorted(Path("/").glob(pattern.removeprefix("/")))
    if home := users_home():
        for pattern in _USERS_HOMES:
            yield from sorted(home.glob(pattern))


def _keytool(home: Path) -> str | None:
    """Its own: another's may not know the format of its store."""
    for place in ("bin/keytool", "jre/bin/keytool"):
        if os.access(home / place, os.X_OK):
            return str(home / place)
    return find_program("keytool")
