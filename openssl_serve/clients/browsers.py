"""Browsers, by the databases and keychains in which they look; none is started.

On Linux NSS itself shakes hands, on the browser's database, where its tools have a client for that;
without it, certutil is asked about the CA. On macOS all of them look into the keychain.
"""

import os
import sys
from collections.abc import Iterator, Sequence
from urllib.parse import urlsplit

from openssl_serve.certs.clients import client_verdicts
from openssl_serve.clients.client import Account, Client, Foregone, Trust, last_line
from openssl_serve.clients.exhibit import Exhibit
from openssl_serve.programs import find_program
from openssl_serve.tools import Output
from openssl_serve.trust.browsers import is_database
from openssl_serve.trust.stores import Command, Kind, State, TrustStore

_FIREFOXES = ("firefox", "firefox-esr")

_CHROMIUMS_VERDICT, _FIREFOXES_VERDICT = "Chrome, Edge", "Firefox"
"""The families of certs/clients.py."""

_UNSUPPORTED_TOOLS = ("/usr/lib64/nss/unsupported-tools", "/usr/lib/nss/unsupported-tools")
"""Where Fedora and its kin have those of NSS's tools that are not for everybody."""

_TRUST_OF = {
    State.TRUSTED: Trust.TRUSTS,
    State.ABSENT: Trust.REFUSES,
    State.REFUSED: Trust.REFUSES,
    State.UNKNOWN: Trust.UNKNOWN,
}


class _Browser(Client):
    can_be_blind = False

    def __init__(self, store: TrustStore, exhibit: Exhibit) -> None:
        super().__init__(str(store.place))
        self.name = store.name
        self._store, self._exhibit = store, exhibit

    def introducing(self) -> None:
        """A database has no version."""

    def _by_shape(self) -> str | None:
        """Why this browser would never accept such a certificate; None when it could."""
        # The others are profiles of Firefox and its kin.
        is_chromiums = self._store.place.name == "nssdb"
        family = _CHROMIUMS_VERDICT if is_chromiums else _FIREFOXES_VERDICT
        verdicts = client_verdicts(self._exhibit.facts, self._exhibit.issuer)
        return next(each.because for each in verdicts if each.family == family)


class NssBrowser(_Browser):
    """One database. NSS is asked as browsers ask it, and reads it without a word to write."""

    store = Kind.NSS
    proof = "a TLS handshake of NSS"
    # When its tools are missing, this says what to install.
    remedy_if_unknown = "openssl-serve trust --store nss"

    def foregone(self) -> Foregone | None:
        """What needs no handshake, or cannot have one."""
        if because := self._by_shape():
            return Foregone(Trust.REFUSES, because, "its shape")
        if not is_database(self._store.place):
            return Foregone(Trust.REFUSES, "it has no database yet", "no database")
        if _tstclnt() is not None:
            return None
        if self._exhibit.target is None:
            says = "NSS's tstclnt is missing, and certutil judges none but a local CA"
            return Foregone(Trust.UNKNOWN, says, "certutil")
        found = self._store.check(self._exhibit.target)
        is_trusted = found.state is State.TRUSTED
        return Foregone(_TRUST_OF[found.state], "" if is_trusted else found.says, "certutil -V")

    def asking(self, url: str) -> Command:
        """It ends after the handshake (-Q): what it would then send is a matter of luck."""
        parts = urlsplit(url)
        where = ("-h", str(parts.hostname), "-p", str(parts.port))
        return (_tstclnt() or "tstclnt", "-d", f"sql:{self._store.place}", *where, "-Q")

    def accepted(self, output: Output, *, was_heard: bool) -> bool:  # noqa: ARG002
        """By its exit code, which is 0 after a handshake alone."""
        return output.exit_code == 0

    def account(self, output: Output, introduction: str) -> Account:  # noqa: ARG002
        """tstclnt: authentication of server cert failed: NAME_OF_ERROR: why."""
        return Account(last_line(output.stderr).rpartition(": ")[2].rstrip("."))


class Keychains(_Browser):
    """All keychains of a user of macOS, which Safari, Chrome and Firefox (from 120 on) ask."""

    store = Kind.MACOS
    proof = "security verify-cert"
    connects = False

    def __init__(self, store: TrustStore, exhibit: Exhibit) -> None:
        super().__init__(store, exhibit)
        self.name = "browsers"

    def asking(self, url: str) -> Command:  # noqa: ARG002
        """The certificate itself, without asking the network about it (-L)."""
        cert = str(self._exhibit.cert_path)
        # As a path: a name would be looked for in relative entries of PATH too.
        program = find_program("security") or "security"
        return (program, "verify-cert", "-c", cert, "-L", "-p", "ssl")

    def accepted(self, output: Output, *, was_heard: bool) -> bool:  # noqa: ARG002
        """By its exit code: there is no handshake."""
        return output.exit_code == 0

    def account(self, output: Output, introduction: str) -> Account:  # noqa: ARG002
        """Its last words."""
        return Account(last_line(output.stderr) or last_line(output.stdout))


class ProfilelessFirefox(Client):
    """One that was never started, and so has no database to trust anything."""

    name = "Firefox"
    store = Kind.NSS

    def foregone(self) -> Foregone:
        """It makes its profile when it is first started."""
        return Foregone(Trust.UNKNOWN, "it has no profile yet: start it once", "no profile")

    def asking(self, url: str) -> Command:
        """Nothing that would not make a profile."""
        raise NotImplementedError(url)

    def account(self, output: Output, introduction: str) -> Account:
        """Nothing."""
        raise NotImplementedError


def browsers(stores: Sequence[TrustStore], exhibit: Exhibit) -> Iterator[Client]:
    """Those whose databases and keychains are among *stores*, and a Firefox without any."""
    if sys.platform == "darwin":
        yield from (Keychains(each, exhibit) for each in stores if each.kind is Kind.MACOS)
        return
    databases = [each for each in stores if each.kind is Kind.NSS]
    yield from (NssBrowser(each, exhibit) for each in databases)
    if not any(each.name.startswith("Firefox") for each in databases):
        program = next(filter(None, map(find_program, _FIREFOXES)), None)
        if program:
            yield ProfilelessFirefox(program)


def _tstclnt() -> str | None:
    """NSS's own client."""
    if program := find_program("tstclnt"):
        return program
    places = [os.path.join(folder, "tstclnt") for folder in _UNSUPPORTED_TOOLS]
    return next((path for path in places if os.access(path, os.X_OK)), None)
