"""The connections to one upstream that are kept for the next request, and new ones."""

import ssl
from typing import TYPE_CHECKING

from openssl_serve.errors import UsageError, reason_of
from openssl_serve.handlers.proxy.dial import Dial, DialError
from openssl_serve.handlers.proxy.fields import ProxyOptions
from openssl_serve.handlers.proxy.link import Link
from openssl_serve.handlers.proxy.upstream import Place, Upstream
from openssl_serve.server.service import Service

if TYPE_CHECKING:
    from concurrent.futures import Future

REST_S = 4.0
"""Seconds that a link is kept unused: Node and uvicorn close after 5, and whoever sends a request
at that moment loses it."""

MAX_RESTING = 64
"""Links kept unused: more than a browser's tabs need, and few enough for a small upstream."""

NAME_S = 30.0
"""Seconds that the addresses of a name are believed."""


class Links:
    """Gives out links to *upstream*; a request is the only one on its link."""

    def __init__(self, upstream: Upstream, options: ProxyOptions) -> None:
        self.upstream = upstream
        self._options = options
        self._resting: list[Link] = []
        self._context: ssl.SSLContext | None = None
        self._places: list[Place] = []
        self._places_until = 0.0
        if upstream.secure:
            self._context = client_context(options)

    def take(self, server: Service, *, fresh: bool) -> Link:
        """Return a link: one that rests, unless a *fresh* one is asked for or needed."""
        while self._resting and not fresh:
            link = self._resting.pop()
            link.on_idle_end = _let_go
            if link.is_quiet:
                return link
            link.close()
        return Link(server)

    def open(self, link: Link, server: Service) -> None:
        """Connect a new *link*, after its upstream's name has been looked up if need be."""
        places = self.upstream.known_places()
        if places is None and server.now < self._places_until:
            places = self._places
        if places is not None:
            self._dial(link, server, places)
            return

        def looked_up(future: "Future[list[Place]]") -> None:
            if link.is_closed:
                return
            error = future.exception()
            if error is not None:
                why = reason_of(error) if isinstance(error, OSError) else error
                link.could_not_open(DialError(f"has a name that cannot be looked up ({why})"))
                return
            self._places = future.result()
            self._places_until = server.now + NAME_S
            self._dial(link, server, self._places)

        server.pool.submit(self.upstream.look_up, looked_up)

    def _dial(self, link: Link, server: Service, places: list[Place]) -> None:
        dial = Dial(
            server, places, self.upstream.host.value, self._context,
            on_open=link.opened, on_failure=link.could_not_open,
        )  # fmt: skip
        link.abandon = dial.close
        dial.begin()

    def keep(self, link: Link, server: Service) -> None:
        """Keep *link*, over which a response has arrived completely, for another request."""
        if len(self._resting) >= MAX_RESTING or server.draining:
            link.rest(0.0)
            link.close()
            return
        link.rest(server.now + REST_S)
        link.on_idle_end = self._ended
        self._resting.append(link)

    def _ended(self, link: Link) -> None:
        self._resting.remove(link)


def client_context(options: ProxyOptions) -> ssl.SSLContext:
    """Return what an upstream's https is spoken with; raises UsageError for a bad `ca_file`."""
    try:
        context = ssl.create_default_context(cafile=options.ca_file)
    except OSError as error:
        why = reason_of(error)
        raise UsageError(
            f"--upstream-ca {options.ca_file}: no certificates can be read from it ({why})",
            "it has to hold certificates in PEM",
        ) from error
    if options.ca_file is not None:
        # The certificate of the upstream itself will do as well, however it was made: Python 3.13
        # began to ask for more than openssl makes by itself, and to allow this.
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    if options.insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols(["http/1.1"])
    return context


def _let_go(_link: Link) -> None:
    """What happens when a link ends that is in use: its user is told, and nobody keeps it."""
