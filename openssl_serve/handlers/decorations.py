"""Fields that go with every response of the folder: CORS, isolation, HSTS, the user's own.

A response that is kept is decorated when it is first sent, and as it is from then on; so the
decorations cost a later request one comparison of bytes.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from openssl_serve.errors import HttpError, UsageError
from openssl_serve.hosts import shorten
from openssl_serve.http1.request import Request
from openssl_serve.http1.response import FieldLines, Response
from openssl_serve.server.faults import error_response
from openssl_serve.server.handling import Answer, Deferred, Handler, Offload

Field = tuple[bytes, bytes]

HSTS_MAX_AGE_S = 300
"""Each response renews it while you work; but it holds for every port of the host, and whoever
stops using it wants the other projects on http://localhost back soon."""

PREFLIGHT_MAX_AGE_S = 600
"""A reload need not ask twice, and a server that was started without --cors is noticed soon."""

ISOLATED: tuple[Field, ...] = (
    (b"Cross-Origin-Opener-Policy", b"same-origin"),
    (b"Cross-Origin-Embedder-Policy", b"require-corp"),
)
"""What SharedArrayBuffer, WebAssembly threads and precise clocks ask for."""

CORS: tuple[Field, ...] = (
    (b"Access-Control-Allow-Origin", b"*"),
    # Or a script of another origin sees neither ETag nor Content-Range.
    (b"Access-Control-Expose-Headers", b"*"),
)

# Compiled when they are first needed, which most servers never do.
_TOKEN = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_VALUE = rb"(?:[\x21-\x7e](?:[ \t\x21-\x7e]*[\x21-\x7e])?)?"
_NAMES = rb"[!#$%&'*+.^_`|~0-9A-Za-z, \t-]*"

_FRAMING = frozenset(
    b"connection content-length date keep-alive proxy-connection te trailer transfer-encoding "
    b"upgrade".split()
)
"""What says where a message ends and what the connection does next (RFC 9112)."""

_OF_EACH = frozenset(
    b"accept-ranges allow content-encoding content-range content-type etag last-modified location "
    b"www-authenticate".split()
)
"""What is another thing for each file or answer."""

_ADDED = frozenset({b"vary", b"content-security-policy", b"set-cookie", b"link"})
"""Of which ours stay beside the user's: of two policies both hold, and our pages need theirs."""

_OF_CONTENT = frozenset({b"cache-control", b"expires", b"set-cookie"})
"""Of the user's, what is meant for the content alone: a browser would keep a redirect of today's
port, or a fault, for as long; and a cookie has no business on plain HTTP."""


@dataclass(frozen=True, slots=True)
class Decorations:
    """What goes with every response, errors and redirects within the folder included."""

    headers: tuple[Field, ...] = ()
    """The user's own fields, as `parse_header` makes them."""
    cors: bool = False
    """Whether pages of every origin may read what is here."""
    cross_origin_isolated: bool = False
    """Whether pages are alone in their process, as SharedArrayBuffer asks for."""
    hsts: bool = False
    """Whether browsers shall come back over https only, for HSTS_MAX_AGE_S."""

    def fields(self, *, secure: bool) -> tuple[Field, ...]:
        """Return the fields for responses over TLS (*secure*) or without; the user's win."""
        own: list[Field] = []
        if self.cors:
            own += CORS
        if self.cross_origin_isolated:
            # same-origin would keep out the pages that CORS lets in.
            resource = b"cross-origin" if self.cors else b"same-origin"
            own += [*ISOLATED, (b"Cross-Origin-Resource-Policy", resource)]
        if self.hsts and secure:
            # RFC 6797 section 7.2: never over plain HTTP.
            own.append((b"Strict-Transport-Security", b"max-age=%d" % HSTS_MAX_AGE_S))
        named = {name.lower() for name, _ in self.headers}
        return (*(field for field in own if field[0].lower() not in named), *self.headers)

    def always(self, *, secure: bool) -> FieldLines | None:
        """Return what goes with answers that are not the content's: errors of ours, the redirect.

        None when that is nothing.
        """
        fields = self.fields(secure=secure)
        fields = tuple(field for field in fields if field[0].lower() not in _OF_CONTENT)
        return field_lines(fields) if fields else None


def parse_header(text: str) -> Field:
    """Read `Name: value`; raises UsageError for what is no field (RFC 9110 section 5), or not ours.

    >>> parse_header("Service-Worker-Allowed: /")
    (b'Service-Worker-Allowed', b'/')
    """
    name, colon, value = (part.encode("utf-8", "surrogateescape") for part in text.partition(":"))
    value = value.strip(b" \t")
    if not (colon and re.fullmatch(_TOKEN, name) and re.fullmatch(_VALUE, value)):
        raise UsageError(
            f'--header "{shorten(text)}" is no header field',
            "a name, a colon and a value, in ASCII and on one line: --header 'X-Name: value'",
        )
    if name.lower() in _FRAMING | _OF_EACH:
        why = "the framing depends on it" if name.lower() in _FRAMING else "each file has its own"
        raise UsageError(
            f'--header "{shorten(text)}": {name.decode()} is the server\'s to say: {why}',
            "leave it out",
        )
    return name, value


def field_lines(fields: Sequence[Field]) -> FieldLines:
    """Return *fields* as responses take them, in place of those of the same name."""
    return FieldLines(
        b"".join(b"%b: %b\r\n" % field for field in fields),
        frozenset(name.lower() for name, _ in fields) - _ADDED,
    )


_PASSING = b"\r\nCache-Control: no-store\r\n"
"""In what is of the moment: our errors, and redirects to what may be a file tomorrow."""


class Decorated:
    """Puts *fields* into every response of *handler*, or *always* into those of the moment."""

    def __init__(self, handler: Handler, fields: FieldLines, always: FieldLines | None) -> None:
        self._handler = handler
        self._fields = fields
        self._always = always

    def __call__(self, request: Request) -> Answer:
        """Answer *request*; an HttpError is answered here, since its page is decorated too."""
        try:
            answer = self._handler(request)
        except HttpError as error:
            answer = error_response(request, error)
        if isinstance(answer, Offload):
            work = answer.work
            return Offload(lambda: self._finish(request, work))
        if isinstance(answer, Deferred):
            finish = answer.finish
            return Deferred(answer.begin, lambda made: self._put(finish(made) if finish else made))
        return self._put(answer)

    def _finish(self, request: Request, work: Callable[[], Response]) -> Response:
        try:
            response = work()
        except HttpError as error:
            response = error_response(request, error)
        return self._put(response)

    def _put(self, response: Response) -> Response:
        status = response.status
        if status >= 300 and status != 304 and _PASSING in response.head:
            if self._always is not None:
                response.put(self._always)
        else:
            response.put(self._fields)
        return response


def _method(values: Mapping[bytes, bytes]) -> bytes:
    asked = values[b"access-control-request-method"]
    return asked if re.fullmatch(_TOKEN, asked) else b"GET, HEAD"


class Preflighted:
    """Answers what browsers ask before a request of another origin; the rest is for *handler*.

    Before a password is asked for: a preflight never carries one (Fetch standard).
    """

    def __init__(self, handler: Handler, methods: bytes | None) -> None:
        self._handler = handler
        # None: only the application knows, so that what is asked for is allowed.
        self._methods = methods

    def __call__(self, request: Request) -> Answer:
        """Answer *request*; Access-Control-Allow-Origin is on every response anyway."""
        values = request.values
        if (
            request.method != b"OPTIONS"
            or b"origin" not in values
            or b"access-control-request-method" not in values
        ):
            return self._handler(request)
        fields = [
            (b"Access-Control-Allow-Methods", self._methods or _method(values)),
            (b"Access-Control-Max-Age", b"%d" % PREFLIGHT_MAX_AGE_S),
            (b"Vary", b"Access-Control-Request-Headers, Access-Control-Request-Private-Network"),
        ]
        asked = values.get(b"access-control-request-headers", b"")
        if asked and re.fullmatch(_NAMES, asked):
            # As they were asked for: a star would not stand for Authorization.
            fields.append((b"Access-Control-Allow-Headers", asked))
        if values.get(b"access-control-request-private-network") == b"true":
            fields.append((b"Access-Control-Allow-Private-Network", b"true"))
        return Response(204, fields)
