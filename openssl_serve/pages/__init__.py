"""Pages: what a person sees in a browser. HTML as data, filled in with escaped text."""

from html import escape
from http import HTTPStatus
from string import Template

from openssl_serve.errors import HttpError
from openssl_serve.http1.response import Response

CONTENT_POLICY = (
    b"Content-Security-Policy",
    (
        b"default-src 'none'; style-src 'unsafe-inline'; img-src data:; form-action 'none'; "
        b"base-uri 'none'; frame-ancestors 'none'"
    ),
)
"""Our pages need their own style and nothing else, whatever a file's name may try."""

_NOSNIFF = (b"X-Content-Type-Options", b"nosniff")
_NO_STORE = (b"Cache-Control", b"no-store")


def fill(name: str, **values: str) -> str:
    """Return the page template *name* with *values* (already escaped) in place of `${...}`."""
    # Imported here: 5 ms that a start need not spend.
    from importlib.resources import files  # noqa: PLC0415

    text = files(__name__).joinpath(name).read_text(encoding="utf-8")
    return Template(text).substitute(values)


def error_page(error: HttpError, *, html: bool, close: bool = False) -> Response:
    """Make the response for *error*: a page when the client wants *html*, else one line."""
    status, phrase = error.status, HTTPStatus(error.status).phrase
    if html:
        fields: tuple[tuple[bytes, bytes], ...] = (
            (b"Content-Type", b"text/html; charset=utf-8"),
            CONTENT_POLICY,
        )
        page = fill(
            "error.html", status=str(status), phrase=escape(phrase), message=escape(str(error))
        )
    else:
        fields = ((b"Content-Type", b"text/plain; charset=utf-8"),)
        page = f"{status} {phrase}: {error}\n"
    return Response(
        status, (*fields, _NOSNIFF, _NO_STORE, *error.fields), page.encode(), close=close
    )
