"""Answers that are no handler's: to what is no request, to errors, to one connection too many."""

from openssl_serve.errors import HttpError
from openssl_serve.http1.negotiation import wants_html
from openssl_serve.http1.request import Request
from openssl_serve.http1.response import Response
from openssl_serve.pages import error_page
from openssl_serve.server.access_log import AccessLog

ENDING = frozenset({400, 408, 413, 414, 431, 501, 503, 505})
"""Statuses after which a connection cannot go on: its framing is in doubt, or it is too much."""

DOWN = ((b"X-Openssl-Serve", b"upstream-down"),)
"""What an error has when what should answer may be back soon: its page waits for that, and tells by
this (pages/waiting.js) our server's answer from another."""


def error_response(request: Request, error: HttpError) -> Response:
    """Make the response for *error*, a page if the client of *request* wants one."""
    response = error_page(
        error,
        html=wants_html(request.get(b"accept")),
        close=error.status in ENDING,
        # Loading again what a form has sent would be to send it again.
        waits=DOWN[0] in error.fields and request.method == b"GET",
    )
    if request.peer.always:
        response.put(request.peer.always)
    return response


def fault_response(log: AccessLog, request: Request, error: BaseException) -> Response:
    """Make the response for a fault of ours in answering *request*, and log it."""
    target = request.target.decode("latin-1")
    log.note(f"500 for {target}: {type(error).__name__}: {error}")
    return error_response(request, HttpError(500, "the server made a mistake"))


def answer_full(_request: Request, /) -> Response:
    """Refuse, because there are too many connections."""
    raise HttpError(503, "too many connections at once", ((b"Retry-After", b"1"),))
