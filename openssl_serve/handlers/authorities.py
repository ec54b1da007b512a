"""Which hosts this server answers for: the check that stops DNS rebinding and open redirects."""

from collections.abc import Iterable

from openssl_serve.errors import HttpError
from openssl_serve.hosts import Host
from openssl_serve.http1.fields import Authority, parse_authority
from openssl_serve.http1.request import Request
from openssl_serve.http1.targets import authority_asked
from openssl_serve.server.handling import Answer, Handler

_CACHE_SIZE = 256
"""Host fields remembered: a browser sends a handful; the bound is against an attacker's."""


class Authorities:
    """The names of the certificate, those that the user allowed, and the address connected to."""

    def __init__(self, hosts: Iterable[Host]) -> None:
        self.hosts = tuple(hosts)
        self._known: dict[tuple[bytes, str], Authority] = {}

    def of(self, request: Request) -> Authority | None:
        """Return whom *request* is for; None when it does not say (HTTP/1.0 without Host).

        Raises HttpError: 400 for what is no host, 421 for one that is not served here.
        """
        value = request.values.get(b"host")
        if request.target[:1] != b"/":
            value = authority_asked(request.target, value)
        if value is None:
            return None
        local = request.peer.local
        known = self._known.get((value, local))
        if known is None:
            known = parse_authority(value)
            if known is None:
                raise HttpError(400, "Host names no host")
            if known.host.value != local and not any(h.covers(known.host) for h in self.hosts):
                raise HttpError(
                    421, f"{known.host} is not served here; --allow-host {known.host} allows it"
                )
            if len(self._known) >= _CACHE_SIZE:
                self._known.clear()
            self._known[value, local] = known
        return known


class ForAuthorities:
    """Passes on to *handler* what is for a host that is served here."""

    def __init__(self, authorities: Authorities, handler: Handler) -> None:
        self._of = authorities.of
        self._handler = handler

    def __call__(self, request: Request) -> Answer:
        """Answer *request*, or raise HttpError 400 or 421."""
        self._of(request)
        return self._handler(request)
