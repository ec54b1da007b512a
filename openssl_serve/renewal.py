"""Renewing the certificate of a server that runs: by a child process, noticed through the files.

A server must not run openssl itself: that blocks its loop, and forks a process with threads.
"""

import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from openssl_serve.certs.facts import read_facts_file
from openssl_serve.errors import CertificateError, reason_of
from openssl_serve.hosts import Host

if TYPE_CHECKING:
    from pathlib import Path

    from openssl_serve.tools import Child

LOOK_S = 3600.0
"""Seconds between looks at the certificate: a machine that slept is no more than that late."""


class Renewal:
    """A chore of the server: `openssl-serve renew` when the kept certificate of *host* is due."""

    def __init__(
        self,
        cert_path: "Path",
        host: Host,
        *,
        environment: Mapping[str, str],
        tell: Callable[[str], None],
        look_s: float = LOOK_S,
    ) -> None:
        self._cert_path = cert_path
        self._host = host
        self._environment = environment
        self._tell = tell
        self._look_s = look_s
        self._next_look = time.monotonic() + look_s
        self._child: Child | None = None

    def __call__(self) -> None:
        """Look, start a renewal, or see how it ended; never blocks for long."""
        if self._child is not None:
            code = self._child.poll()
            if code is not None:
                self._child = None
                if code:
                    self._tell(
                        f"the certificate of {self._host} is due, and its renewal failed; "
                        f"openssl-serve renew {self._host} says why"
                    )
        elif time.monotonic() >= self._next_look:
            self._next_look = time.monotonic() + self._look_s
            if self._is_due():
                self._start()

    def _is_due(self) -> bool:
        try:
            return read_facts_file(self._cert_path).due(datetime.now(UTC))
        except CertificateError:
            # Being replaced, or broken by hand: the next look sees what became of it.
            return False

    def _start(self) -> None:
        from openssl_serve import tools  # noqa: PLC0415  a start does not need it

        try:
            self._child = tools.start(
                tools.this_program("renew", self._host.value), self._environment
            )
        except OSError as error:
            self._tell(f"cannot start the renewal of {self._host}: {reason_of(error)}")
