"""What the server asks of a handler."""

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple, Protocol

from openssl_serve.http1.request import Request
from openssl_serve.http1.response import FieldLines, Response

if TYPE_CHECKING:
    from openssl_serve.server.exchange import Exchange


class Offload(NamedTuple):
    """Returned by a handler instead of a response: *work* blocks, so a thread must do it."""

    work: Callable[[], Response]


class Deferred(NamedTuple):
    """Returned by a handler instead of a response that comes later, or needs the content first.

    *begin* is called in the loop, at once; it must not block. *finish* has the last word on the
    response, be it an error's.
    """

    begin: "Callable[[Exchange], None]"
    finish: Callable[[Response], Response] | None = None


Answer = Response | Offload | Deferred


class Handler(Protocol):
    """Answers requests; called in the loop, so it must not block (return an Offload then)."""

    def __call__(self, request: Request, /) -> Answer:
        """Answer *request*; HttpError becomes an error page, any other error a 500."""


class Handlers(NamedTuple):
    """Who answers requests, by what they came over, and what goes with errors that nobody does."""

    secure: Handler
    plain: Handler
    always_secure: FieldLines | None = None
    always_plain: FieldLines | None = None
