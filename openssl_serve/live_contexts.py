"""The TLS contexts of a running server: from certificates, following them, made on demand."""

import os
import threading
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from openssl_serve.errors import CertificateError, InvalidHostError, reason_of
from openssl_serve.hosts import Host, parse_host
from openssl_serve.server.contexts import ContextProvider, ReloadingContext, SniContexts
from openssl_serve.tls import server_context

if TYPE_CHECKING:
    from openssl_serve.certs.facts import CertificateFacts

MAX_ON_DEMAND = 100
"""Certificates made while serving: a crowd of names is a mistake or an attack, not a project."""

GENERATE_TIMEOUT_S = 30.0
"""For a child that makes one; a P-256 pair takes about 0.3 s."""


class Loadable(Protocol):
    """What a context needs of a certificate."""

    @property
    def cert_path(self) -> Path:
        """The certificate."""

    @property
    def key_path(self) -> Path:
        """Its key."""

    @property
    def facts(self) -> "CertificateFacts":
        """What is in it."""

    @property
    def password(self) -> str | None:
        """Of the key."""


def following(certificate: Loadable, tell: Callable[[str], None]) -> ReloadingContext:
    """Return the context of *certificate*, made anew whenever its files change.

    Raises CertificateError when they cannot be loaded now.
    """
    cert_path, key_path = certificate.cert_path, certificate.key_path
    try:
        return ReloadingContext(
            lambda: server_context(cert_path, key_path, lambda: certificate.password or ""),
            (cert_path, key_path),
            tell,
        )
    except OSError as error:
        raise CertificateError(
            f"cannot load {cert_path} with {key_path}: {reason_of(error)}"
        ) from error


def choices(
    certificates: Sequence[Loadable], tell: Callable[[str], None]
) -> list[tuple[Callable[[str], bool], ContextProvider]]:
    """Return for each certificate whether it covers a name, and its context."""
    return [(partial(_covers, each.facts), following(each, tell)) for each in certificates]


def _covers(facts: "CertificateFacts", name: str) -> bool:
    try:
        return facts.covers(parse_host(name))
    except InvalidHostError:
        return False


class OnDemandContexts(SniContexts):
    """Makes, by the local CA, a leaf for an allowed name that no certificate covers yet.

    *folder* is the data folder; names that *allowed* covers are made when first asked for.
    """

    on_demand = True

    def __init__(
        self,
        certificates: Sequence[Loadable],
        allowed: Sequence[Host],
        folder: Path,
        tell: Callable[[str], None],
    ) -> None:
        super().__init__(choices(certificates, tell))
        self._allowed = tuple(allowed)
        self._folder = folder
        self._tell = tell
        self._failed: set[str] = set()
        self._made = 0
        self._lock = threading.Lock()

    def missing(self, name: str | None) -> Callable[[], None] | None:
        """Return the work, which blocks, that makes what *name* needs; None if nothing is to do."""
        if name is None or name in self._failed or self._is_covered(name):
            return None
        if self._made >= MAX_ON_DEMAND:
            return None
        try:
            host = parse_host(name)
        except InvalidHostError:
            return None
        if not any(allowed.covers(host) for allowed in self._allowed):
            return None
        return partial(self._make, host)

    def _make(self, host: Host) -> None:
        from openssl_serve import tools  # noqa: PLC0415  a start does not need these
        from openssl_serve.certs.store import Store  # noqa: PLC0415

        # One at a time: whoever asked for the same name meanwhile finds it made.
        with self._lock:
            if self._is_covered(host.value):
                return
            command = tools.this_program("generate", host.value)
            done = tools.run(command, {"OPENSSL_SERVE_HOME": str(self._folder)}, GENERATE_TIMEOUT_S)
            kept = Store(self._folder).find(host) if done else None
            if kept is None:
                self._failed.add(host.value)
                self._tell(
                    f"cannot make a certificate for {host}; openssl-serve generate {host} says why"
                )
                return
            self._made += 1
            self.add(partial(_covers, kept.facts), following(kept, self._tell))
            self._tell(f"made a certificate for {host}: {os.fspath(kept.cert_path)}")
