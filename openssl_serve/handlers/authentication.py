"""One name and one password for all of the folder: Basic authentication (RFC 7617)."""

import binascii
import hmac
from base64 import b64decode
from dataclasses import dataclass, field
from hashlib import sha256

from openssl_serve.errors import HttpError, UsageError
from openssl_serve.http1.request import Request
from openssl_serve.http1.response import Response
from openssl_serve.server.handling import Handler, Offload

_CHALLENGE = ((b"WWW-Authenticate", b'Basic realm="openssl-serve", charset="UTF-8"'),)


@dataclass(frozen=True, slots=True)
class Credentials:
    """Who may come in. Neither half is ever shown."""

    user: str = field(repr=False)
    password: str = field(repr=False)


def parse_credentials(text: str, source: str) -> Credentials:
    """Read `user:password`, split at the first colon; raises UsageError, which names *source* only.

    >>> parse_credentials("me:a:b", "--auth").password
    'a:b'
    """
    user, colon, password = text.partition(":")
    hint = "a name, a colon and a password: --auth me:secret, or in a file: --auth-file PATH"
    if not colon:
        raise UsageError(f"{source} has no colon between name and password", hint)
    if not user or not password:
        # As when a variable in a script was not set: everybody would know the password.
        raise UsageError(f"{source} has an empty {'password' if user else 'name'}", hint)
    if not text.isprintable():
        # RFC 7617 section 2: control characters cannot be sent.
        raise UsageError(f"{source} has a character that cannot be typed", hint)
    return Credentials(user, password)


class BasicAuth:
    """Passes on to *handler* what comes with the right name and password."""

    def __init__(self, handler: Handler, credentials: Credentials) -> None:
        self._handler = handler
        self._user = _digest(credentials.user)
        self._password = _digest(credentials.password)

    def __call__(self, request: Request) -> Response | Offload:
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
