"""What of a folder a request gets: a file, an index, a clean URL, a listing, or what stands in."""

import os
from typing import NamedTuple
from urllib.parse import quote_from_bytes, unquote_to_bytes

from openssl_serve.errors import HttpError
from openssl_serve.handlers.folder import Folder, FolderOptions, Opened, not_found
from openssl_serve.http1.bodies import FileBody
from openssl_serve.http1.negotiation import wants_html
from openssl_serve.http1.request import Request
from openssl_serve.http1.response import Response
from openssl_serve.http1.targets import encode_target, origin_form

NOT_FOUND_PAGE = b"404.html"
"""In the root: what a client gets, with status 404, for what is not there."""

_NOT_FOUND_FIELDS = (
    (b"Content-Type", b"text/html; charset=utf-8"),
    # A page that is not there now may be there in a minute.
    (b"Cache-Control", b"no-store"),
    (b"X-Content-Type-Options", b"nosniff"),
)


class Found(NamedTuple):
    """A file to answer with."""

    opened: Opened
    is_second_choice: bool = False
    """Whether another file of the same folder would come first, were it there."""
    stands_in: bool = False
    """Whether it stands for something that is not there."""
    folder: bytes | None = None
    """The path of a folder that would come first, had it an index."""


class Listed(NamedTuple):
    """A folder to be listed."""

    names: list[bytes]


class Lookup:
    """Finds what the targets of requests mean in *folder*."""

    def __init__(self, folder: Folder, options: FolderOptions) -> None:
        self._folder = folder
        self._options = options
        self._index = [os.fsencode(name) for name in options.index]

    def find(self, request: Request) -> Found | Listed | Response:
        """Return what *request* asks for, or the redirect to it; raises HttpError."""
        target = origin_form(request.target)
        names = self._folder.segments(target)
        if not names[-1]:
            return self._index_of(names[:-1], request)
        path = self._folder.path_of(names)
        opened = self._open(path)
        if opened is not None:
            return Found(opened)
        is_folder = self._folder.is_folder(path)
        if is_folder and self._has_index(path):
            return _to_folder(names, target)
        # A clean URL: without a redirect, which costs a round trip and, in others, the query.
        # Beside a folder too: generators of sites write blog.html and blog/, with the pages below.
        page = self._open(path + b".html")
        if page is not None:
            return Found(page, is_second_choice=True, folder=path if is_folder else None)
        if is_folder:
            # A folder of images may well have the name of a page of the app.
            return self._app(request) or _to_folder(names, target)
        raise not_found()

    def instead(self, request: Request) -> Found | Response | None:
        """Return what stands for what is not there: the app's one page, or 404.html, or nothing."""
        app = self._app(request)
        if app is not None:
            return app
        page = self._open(self._folder.path_of([NOT_FOUND_PAGE]))
        if page is None:
            return None
        return Response(404, _NOT_FOUND_FIELDS, FileBody(page.fd, 0, page.status.st_size))

    def _app(self, request: Request) -> Found | None:
        """Return the app's one page, if there is one and *request* is of a browser for a page."""
        if self._options.spa and is_navigation(request):
            for index in self._index:
                opened = self._open(self._folder.path_of([index]))
                if opened is not None:
                    return Found(opened, stands_in=True)
        return None

    def _index_of(self, names: list[bytes], request: Request) -> Found | Listed | Response:
        target = origin_form(request.target)
        path = self._folder.path_of(names)
        if not self._folder.is_folder(path):
            raise not_found()
        last = target.partition(b"?")[0].rpartition(b"/")[2]
        if names and b"%2f" in last.lower():
            # To a browser that is no slash, and its relative links would begin above the folder.
            return _to_folder(names, target)
        index = self._open_index(path)
        if index is not None:
            return index
        app = self._app(request)
        if app is not None:
            # As above: a folder without an index is no page.
            return app
        if not self._options.listing:
            raise not_found()
        return Listed(names)

    def _has_index(self, path: bytes) -> bool:
        found = self._open_index(path)
        if found is not None:
            os.close(found.opened.fd)
        return found is not None

    def _open_index(self, path: bytes) -> Found | None:
        """Open the first index file of the folder *path*."""
        for number, index in enumerate(self._index):
            opened = self._open(os.path.join(path, index))
            if opened is not None:
                return Found(opened, is_second_choice=number > 0)
        return None

    def _open(self, path: bytes) -> Opened | None:
        try:
            return self._folder.open(path)
        except HttpError as error:
            if error.status != 404:
                raise
            return None


def is_navigation(request: Request) -> bool:
    """Whether a browser asks for a page, and not a page for its parts."""
    path = origin_form(request.target).partition(b"?")[0]
    # With an extension it is a file that was meant, and a page in its place would hide the fault.
    return b"." not in unquote_to_bytes(path.rpartition(b"/")[2]) and wants_html(
        request.get(b"accept")
    )


def _to_folder(names: list[bytes], target: bytes) -> Response:
    """Redirect to the same path with a slash; built from names, so it begins with one slash."""
    path = b"/" + b"/".join(quote_from_bytes(name, safe="").encode() for name in names) + b"/"
    _, mark, query = target.partition(b"?")
    return Response(
        301,
        ((b"Location", path + mark + encode_target(query)), (b"Cache-Control", b"no-store")),
    )
