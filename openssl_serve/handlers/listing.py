"""The listing of a folder: a page for browsers, JSON for programs, plain names for all else.

The page is made in listing_page.py, which is imported with the first one: this module is there
at every start.
"""

from typing import NamedTuple

from openssl_serve.errors import HttpError
from openssl_serve.handlers.compression import GZIP, MIN_SIZE, gzip
from openssl_serve.handlers.entries import Entry, parse_order, read_entries, utc
from openssl_serve.handlers.folder import Folder
from openssl_serve.http1.negotiation import HTML, JSON, TEXT, prefers
from openssl_serve.http1.request import Request
from openssl_serve.http1.response import Response

_COMMON = ((b"Cache-Control", b"no-cache"), (b"X-Content-Type-Options", b"nosniff"))


class Codings(NamedTuple):
    """How listings may be encoded."""

    vary: bytes = b"Accept"
    """What a listing depends on of a request (RFC 9110 section 12.5.5)."""
    gzip: bool = False
    """Whether the client of this one takes gzip."""


AS_IT_IS = Codings()


def list_folder(
    folder: Folder, names: list[bytes], request: Request, codings: Codings = AS_IT_IS
) -> Response:
    """List the folder that *names* lead to; raises HttpError 404 when it cannot be read."""
    try:
        entries = read_entries(folder, folder.path_of(names))
    except OSError as error:
        raise HttpError(404, "there is nothing here") from error
    order = parse_order(request.target)
    kind = prefers(request.get(b"accept"), (TEXT, HTML, JSON))
    if kind == HTML:
        from openssl_serve.handlers.listing_page import listing_page  # noqa: PLC0415  see above

        host = (request.get(b"host") or b"").decode("latin-1")
        fields, body = listing_page(entries, names, order, host)
    elif kind == JSON:
        fields, body = ((b"Content-Type", JSON),), _json(names, order.sort(entries))
    else:
        fields = ((b"Content-Type", b"text/plain; charset=utf-8"),)
        body = "".join(f"{entry.text}\n" for entry in order.sort(entries)).encode()
    fields = (*fields, *_COMMON, (b"Vary", codings.vary))
    if codings.gzip and len(body) >= MIN_SIZE:
        return Response(200, (*fields, (b"Content-Encoding", GZIP)), gzip(body))
    return Response(200, fields, body)


def _json(names: list[bytes], entries: list[Entry]) -> bytes:
    """`{"path", "entries": [{"name", "kind", "size", "modified"}]}`, as the README promises."""
    import json  # noqa: PLC0415  not at every start

    path = "/" + "".join(name.decode("utf-8", "replace") + "/" for name in names)
    listed = [
        {
            "name": entry.name.decode("utf-8", "replace"),
            "kind": "folder" if entry.is_folder else "file",
            "size": None if entry.is_folder else entry.size,
            "modified": utc(entry.modified),
        }
        for entry in entries
    ]
    return json.dumps({"path": path, "entries": listed}, ensure_ascii=False).encode() + b"\n"
