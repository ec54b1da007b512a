"""Plain HTTP is sent to https at the same host and port, or refused."""

from openssl_serve.errors import HttpError
from openssl_serve.handlers.authorities import Authorities
from openssl_serve.http1.request import Peer, Request
from openssl_serve.http1.response import Response
from openssl_serve.http1.targets import encode_target, origin_form

_NO_STORE = (b"Cache-Control", b"no-store")
"""A browser keeps a bare 301 for ever, and tomorrow another project has this port."""

_PROXY = b" openssl-serve-"
"""What Via has from a proxy of ours (handlers/proxy/fields.py)."""


class RedirectToHttps:
    """301 for GET and HEAD; 308 for the rest, which keeps method and body (RFC 9110 15.4.9)."""

    def __init__(self, authorities: Authorities) -> None:
        self._authorities = authorities

    def __call__(self, request: Request) -> Response:
        """Redirect *request*; raises HttpError 400, 421 or 508 when there is nowhere to."""
        values = request.values
        if _PROXY in values.get(b"via", b"") and values.get(b"x-forwarded-proto") == b"https":
            # Its client is on https, and would come back the same way for ever.
            raise HttpError(508, "the proxy in front of this has to name it with https://")
        authority = self._authorities.of(request)
        place = str(authority) if authority else self._usual_place(request.peer)
        target = encode_target(origin_form(request.target))
        location = b"https://" + place.encode("ascii") + target
        return Response(
            301 if request.method in (b"GET", b"HEAD") else 308,
            ((b"Location", location), _NO_STORE, (b"Content-Type", b"text/plain; charset=utf-8")),
            b"https: " + location + b"\n",
        )

    def _usual_place(self, peer: Peer) -> str:
        """Where a client means that does not say (HTTP/1.0 without Host): the first name here."""
        for host in self._authorities.hosts:
            if not host.is_wildcard:
                return f"{host.in_url}:{peer.port}" if peer.port else host.in_url
        raise HttpError(400, "no Host")


class RefusePlain:
    """Answers every plain request with 426, for those who want no redirect (`--plain-http`)."""

    def __call__(self, _request: Request, /) -> Response:
        """Refuse; RFC 9110 section 15.5.22 asks for Upgrade to name what is wanted."""
        return Response(
            426,
            (
                (b"Upgrade", b"TLS/1.2, HTTP/1.1"),
                (b"Connection", b"Upgrade"),
                _NO_STORE,
                (b"Content-Type", b"text/plain; charset=utf-8"),
            ),
            b"only https is served here\n",
            close=True,
        )
