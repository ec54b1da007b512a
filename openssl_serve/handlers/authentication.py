"""One name and one password for all of the folder: Basic authentication (RFC 7617)."""

import binascii
import hmac
import os
from base64 import b64decode
from hashlib import sha256

from openssl_serve.errors import HttpError
from openssl_serve.handlers.credentials import Credentials
from openssl_serve.handlers.live_page import CHANGES
from openssl_serve.http1.request import Request
from openssl_serve.http1.response import Response
from openssl_serve.http1.targets import origin_form
from openssl_serve.server.handling import Answer, Handler

_TICKET = (
    (b"Content-Type", b"text/plain"),
    (b"Cache-Control", b"no-store"),
    (b"X-Content-Type-Options", b"nosniff"),
)
_CHALLENGE = ((b"WWW-Authenticate", b'Basic realm="openssl-serve", charset="UTF-8"'),)


class BasicAuth:
    """Passes on to *handler* what comes with the right name and password.

    Safari sends those with every request but the one for a WebSocket (WebKit bug 80362), and would
    ask its user again. So a page that is to listen to changes fetches a ticket first, with both;
    it is good for nothing but such a WebSocket, and as long as this server.
    """

    def __init__(self, handler: Handler, credentials: Credentials) -> None:
        self._handler = handler
        self._user = _digest(credentials.user)
        self._password = _digest(credentials.password)
        self._ticket = os.urandom(16).hex().encode()

    def __call__(self, request: Request) -> Answer:
        """Answer *request*; raises HttpError 401."""
        is_known = self._is_known(request.get(b"authorization") or b"")
        if _is_for_changes(request.target):
            if is_known and not request.upgrade and request.method == b"GET":
                return Response(200, _TICKET, self._ticket)
            is_known = is_known or self._has_ticket(request)
        if not is_known:
            raise HttpError(401, "a name and a password are needed", _CHALLENGE)
        return self._handler(request)

    def _has_ticket(self, request: Request) -> bool:
        # Where a page can put it (its script has no other field to choose), and no log shows it.
        shown = request.get(b"sec-websocket-protocol") or b""
        return request.upgrade and hmac.compare_digest(shown, self._ticket)

    def _is_known(self, value: bytes) -> bool:
        scheme, _, encoded = value.partition(b" ")
        if scheme.lower() != b"basic":
            return False
        try:
            user, colon, password = (
                b64decode(encoded.strip(b" "), validate=True).decode("utf-8").partition(":")
            )
        except (binascii.Error, UnicodeDecodeError):
            return False
        # Of digests, which have one length, and both of them always: the time that this takes
        # says nothing about how much of a guess was right.
        same_user = hmac.compare_digest(_digest(user), self._user)
        same_password = hmac.compare_digest(_digest(password), self._password)
        return bool(colon) & same_user & same_password


def _is_for_changes(target: bytes) -> bool:
    # Its path, wherever the folder stands: in a query, or behind a #, it would open all else.
    return CHANGES in target and origin_form(target).partition(b"?")[0].endswith(CHANGES)


def _digest(text: str) -> bytes:
    return sha256(text.encode("utf-8", "surrogatepass")).digest()
