"""TLS contexts: what the server shakes hands with, and how it follows its files."""

import ssl
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from openssl_serve.errors import reason_of


class ContextProvider(Protocol):
    """Where the server gets the context for each new connection."""

    on_demand: bool
    """Whether `missing` is to be asked before each handshake."""

    def missing(self, name: str | None) -> Callable[[], None] | None:
        """Return work to do before answering who asks for *name*; it blocks. Mostly None."""

    def current(self) -> ssl.SSLContext:
        """Return the context to use now; called for every TLS connection, so it must be quick."""

    def reload(self) -> None:
        """Load anew what the context is made from, if that can change."""

    def look(self) -> None:
        """Notice what has changed as `current` does, though nobody asks for a context."""

    def keep_quiet(self) -> None:
        """Say nothing of what changes from now on: another process does, for all."""


class ReadyContext:
    """A provider that has nothing to make for a name, and nothing to say."""

    on_demand = False

    def missing(self, name: str | None) -> Callable[[], None] | None:  # noqa: ARG002
        """Return None."""
        return None

    def look(self) -> None:
        """Do nothing: nothing changes."""

    def keep_quiet(self) -> None:
        """Do nothing: nothing is said anyway."""


class FixedContext(ReadyContext):
    """One context for as long as the server runs."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self._context = context

    def current(self) -> ssl.SSLContext:
        """Return the one context."""
        return self._context

    def reload(self) -> None:
        """Do nothing: it was made from nothing that can change."""


class ReloadingContext(ReadyContext):
    """The context that *load* makes from the files *paths*, made anew when they change.

    Connections keep the context they began with. Files that cannot be loaded leave the old
    context in use, and *tell* is told so, once for each state of the files.
    """

    LOOK_S = 1.0
    """Seconds between looks at the files: two calls of `stat`, but for every connection."""

    def __init__(
        self,
        load: Callable[[], ssl.SSLContext],
        paths: Sequence[Path],
        tell: Callable[[str], None] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._load, self._paths, self._clock = load, paths, clock
        self._tell = tell or _nothing
        self._state = self._state_of_files()
        self._failed: object = None
        self._told: object = None
        self._context = load()
        self._next_look = clock() + self.LOOK_S

    def current(self) -> ssl.SSLContext:
        """Return the newest context that could be loaded."""
        if self._clock() >= self._next_look:
            self._next_look = self._clock() + self.LOOK_S
            state = self._state_of_files()
            if state != self._state:
                self._try(state)
        return self._context

    def look(self) -> None:
        """See ContextProvider."""
        self.current()

    def keep_quiet(self) -> None:
        """See ContextProvider."""
        self._tell = _nothing

    def reload(self) -> None:
        """Load the files now, changed or not."""
        self._told = None
        self._try(self._state_of_files(), asked=True)

    def _try(self, state: object, *, asked: bool = False) -> None:
        try:
            self._context = self._load()
        except OSError as error:
            # A key and its certificate are replaced one after the other: what fails at one look
            # may be whole at the next.
            if (state == self._failed or asked) and state != self._told:
                self._told = state
                names = " and ".join(map(str, self._paths))
                self._tell(
                    f"cannot load {names}, the certificate before stays in use: {reason_of(error)}"
                )
            self._failed = state
            return
        self._state = state
        self._failed = None
        self._tell(f"new connections get the new certificate in {self._paths[0]}")

    def _state_of_files(self) -> object:
        state: list[object] = []
        for path in self._paths:
            try:
                status = path.stat()
            except OSError as error:
                state.append((error.errno,))
            else:
                state.append((status.st_ino, status.st_mtime_ns, status.st_size))
        return state


class SniContexts(ReadyContext):
    """Several providers, picked by the server name that a client asks for (RFC 6066 section 3).

    Each comes with a question: whether its certificate covers a name. The first is for clients
    that ask for none, or for one that nobody covers.
    """

    def __init__(self, choices: Sequence[tuple[Callable[[str], bool], ContextProvider]]) -> None:
        self._choices = tuple(choices)
        self._prepared: ssl.SSLContext | None = None

    def add(self, covers: Callable[[str], bool], provider: ContextProvider) -> None:
        """Add a provider; safe from any thread."""
        self._choices = (*self._choices, (covers, provider))

    def _is_covered(self, name: str) -> bool:
        return any(covers(name) for covers, _ in self._choices)

    def current(self) -> ssl.SSLContext:
        """Return the first provider's context, which hands over to the others' by name."""
        context = self._choices[0][1].current()
        if context is not self._prepared:
            context.sni_callback = self._pick
            self._prepared = context
        return context

    def reload(self) -> None:
        """Have all providers load anew."""
        for _, provider in self._choices:
            provider.reload()

    def look(self) -> None:
        """Have all providers look."""
        for _, provider in self._choices:
            provider.look()

    def keep_quiet(self) -> None:
        """Have none say anything."""
        for _, provider in self._choices:
            provider.keep_quiet()

    def _pick(self, tls: ssl.SSLObject, name: str | None, _context: ssl.SSLContext) -> None:
        if name is not None:
            for covers, provider in self._choices:
                if covers(name):
                    tls.context = provider.current()
                    return


def _nothing(_message: str) -> None:
    """What is called where nobody is to be told."""


_ALERTS = {
    "unknown ca": "it does not know the issuer",
    "bad certificate": "it finds the certificate bad",
    "certificate unknown": "it does not accept the certificate",
    "certificate expired": "it finds the certificate expired",
    "unsupported certificate": "it does not support this kind of certificate",
}


def refusal(error: OSError) -> str | None:
    """Say why a client broke off the handshake, or None where nobody could learn from it.

    Browsers send these alerts until their user has accepted the certificate; a port scanner's
    garbage and a client that hangs up are no news.
    """
    if not isinstance(error, ssl.SSLError):
        return None
    reason = reason_of(error)
    for alert, meaning in _ALERTS.items():
        if reason.endswith(f"alert {alert}"):
            return f"refused the certificate: {meaning} (TLS alert: {alert})"
    if reason == "unsupported protocol":
        return "speaks no TLS version that is served here (1.2 and 1.3)"
    if reason == "no shared cipher":
        return "shares no cipher suite with this server"
    return None
