"""The server as connections and handlers know it: the loop, and what goes for all that is in it."""

import socket
import time
from pathlib import Path

from openssl_serve.addresses import Address
from openssl_serve.http1.fields import http_date
from openssl_serve.server.access_log import AccessLog
from openssl_serve.server.contexts import ContextProvider
from openssl_serve.server.limits import Limits
from openssl_serve.server.listeners import connected_address, only_address
from openssl_serve.server.loop import Loop


class Service(Loop):
    """What is served at *addresses*; PolyglotServer accepts for it, begins and ends it."""

    def __init__(
        self,
        addresses: tuple[Address | Path, ...],
        contexts: ContextProvider,
        log: AccessLog,
        limits: Limits,
    ) -> None:
        super().__init__(log, limits)
        self.addresses = addresses
        """Where it listens: addresses with their real ports, or paths of Unix sockets."""
        self.contexts = contexts
        self.rest_s = min(limits.rest_s, limits.idle_timeout_s)
        self.draining = False
        """Whether it accepts no more: the response that is under way is its connection's last."""
        self.date_line = b""
        """The Date field of responses that are sent in this turn (RFC 9110 section 6.6.1)."""
        self.processes = 1
        """How many processes serve on these listeners."""
        self._date_second = 0
        self._local = only_address(addresses)

    @property
    def address(self) -> Address:
        """The first TCP address it listens on."""
        return next(where for where in self.addresses if isinstance(where, Address))

    def local_address(self, sock: socket.socket) -> Address:
        """Return the address and port that the client of *sock* connected to."""
        return self._local or connected_address(sock)

    def service_actions(self) -> None:
        """Keep the Date field right; called in every turn of the loop."""
        second = int(time.time())
        if second != self._date_second:
            self._date_second = second
            self.date_line = b"Date: %s\r\n" % http_date(second)
            self.log.tick(second)
