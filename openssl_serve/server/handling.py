"""What the server asks of a handler."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from openssl_serve.http1.request import Request
from openssl_serve.http1.response import Response


@dataclass(frozen=True, slots=True)
class Offload:
    """Returned by a handler instead of a response: *work* blocks, so a thread must do it."""

    work: Callable[[], Response]


class Handler(Protocol):
    """Answers requests; called in the loop, so it must not block (return an Offload then)."""

    def __call__(self, request: Request, /) -> Response | Offload:
        """Answer *request*; HttpError becomes an error page, any other error a 500."""


class Handlers(NamedTuple):
    """Who answers requests, by what they came over."""

    secure: Handler
    plain: Handler
