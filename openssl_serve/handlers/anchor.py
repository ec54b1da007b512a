"""The trust anchor over plain HTTP, for devices that do not trust this server yet; never a key.

A page of steps and the certificate in three forms, at four paths that stand here. Whatever is not
exactly one of them goes on to the handler behind.
"""

from collections.abc import Callable
from functools import partial

from openssl_serve.errors import HttpError
from openssl_serve.handlers.anchor_offer import CERTIFICATE, PEM, PREFIX, PROFILE, Offer
from openssl_serve.handlers.authorities import Authorities
from openssl_serve.hosts import parse_host
from openssl_serve.http1.fields import Authority
from openssl_serve.http1.negotiation import wants_html
from openssl_serve.http1.request import Request
from openssl_serve.http1.response import Response
from openssl_serve.http1.targets import origin_form
from openssl_serve.server.handling import Answer, Handler, Offload

_TYPES = {
    CERTIFICATE: b"application/x-x509-ca-cert",
    PEM: b"application/x-pem-file",
    PROFILE: b"application/x-apple-aspen-config",
}
_FILES = {(PREFIX + name).encode(): name for name in _TYPES}
_PAGE, _WITHOUT_SLASH = PREFIX.encode(), PREFIX.rstrip("/").encode()

_VARY = (b"Vary", b"Accept, User-Agent")
_ALLOW = (b"Allow", b"GET, HEAD, OPTIONS")
_ALWAYS = (
    # Tomorrow another project has this port, and another certificate.
    (b"Cache-Control", b"no-store"),
    (b"X-Content-Type-Options", b"nosniff"),
)


class OffersAnchor:
    """Offers what *load*, which may block, returns; the rest is *handler*'s.

    *load* returns None when there is nothing that a client could be told to trust.
    """

    def __init__(
        self, handler: Handler, authorities: Authorities, load: Callable[[], Offer | None]
    ) -> None:
        self._handler = handler
        self._authorities = authorities
        self._load = load

    def __call__(self, request: Request) -> Answer:
        """Answer *request*; raises HttpError: 400 and 421 for its host, 405."""
        try:
            path = origin_form(request.target).partition(b"?")[0]
        except HttpError:
            # No path at all: whoever is behind says so.
            return self._handler(request)
        if path not in _FILES and path not in (_PAGE, _WITHOUT_SLASH):
            return self._handler(request)
        place = self._place(request)
        if request.method == b"OPTIONS":
            return Response(204, (_ALLOW,))
        if request.method not in (b"GET", b"HEAD"):
            raise HttpError(405, "what is here can only be read", (_ALLOW,))
        if path == _WITHOUT_SLASH:
            return Response(301, ((b"Location", _PAGE), *_ALWAYS))
        return Offload(partial(self._answer, request, path, place))

    def _place(self, request: Request) -> Authority:
        """Where the client has come to: what it asks for, or the address that it found."""
        authority = self._authorities.of(request)
        if authority is not None:
            return authority
        peer = request.peer
        if not peer.local:
            raise HttpError(400, "no Host")
        return Authority(parse_host(peer.local), peer.port)

    def _answer(self, request: Request, path: bytes, place: Authority) -> Response:
        offer = self._load()
        if offer is None:
            raise HttpError(404, "who issued the certificate of this server is not known here")
        name = _FILES.get(path)
        if name is not None:
            return Response(200, ((b"Content-Type", _TYPES[name]), *_ALWAYS), offer.forms[name])
        # Not with this module: most requests for it are for none of these.
        from openssl_serve.handlers.anchor_page import anchor_page, anchor_text  # noqa: PLC0415

        if not wants_html(request.get(b"accept")):
            plain = (b"Content-Type", b"text/plain; charset=utf-8")
            return Response(200, (plain, _VARY, *_ALWAYS), anchor_text(offer, place))
        agent = (request.get(b"user-agent") or b"").decode("latin-1")
        fields, body = anchor_page(offer, place, agent)
        return Response(200, (*fields, _VARY, *_ALWAYS), body)
