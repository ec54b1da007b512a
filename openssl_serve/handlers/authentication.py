"""One name and one password for all of the folder: Basic authentication (RFC 7617)."""

import binascii
import hmac
from base64 import b64decode
from hashlib import sha256

from openssl_serve.errors import HttpError
from openssl_serve.handlers.credentials import Credentials
from openssl_serve.http1.request import Request
from openssl_serve.server.handling import Answer, Handler

_CHALLENGE = ((b"WWW-Authenticate", b'Basic realm="openssl-serve", charset="UTF-8"'),)


class BasicAuth:
    """Passes on to *handler* what comes with the right name and password."""

    def __init__(self, handler: Handler, credentials: Credentials) -> None:
        self._handler = handler
        self._user = _digest(credentials.user)
        self._password = _digest(credentials.password)

    def __call__(self, request: Request) -> Answer:
        """Answer *request*; raises HttpError 401."""
        if not self._is_known(request.get(b"authorization") or b""):
            raise HttpError(401, "a name and a password are needed", _CHALLENGE)
        return self._handler(request)

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


def _digest(text: str) -> bytes:
    return sha256(text.encode("utf-8", "surrogatepass")).digest()
