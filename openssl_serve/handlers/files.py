"""Files of a folder: GET and HEAD with validators, ranges, an index, a listing.

A small file's response is kept, and sent again while one `stat` finds the very same file: same
device, inode, size, and times of content and inode. A file that was moved since it was judged,
or is reached through another link, does not have the same of all these.
"""

import os
import time
from typing import NamedTuple
from urllib.parse import quote_from_bytes

from openssl_serve.errors import HttpError
from openssl_serve.handlers.folder import Folder, FolderOptions, Opened
from openssl_serve.handlers.listing import list_folder
from openssl_serve.handlers.media_types import media_type
from openssl_serve.handlers.representation import (
    Fingerprint,
    Representation,
    fingerprint,
    represent,
    respond,
)
from openssl_serve.http1.bodies import FileBody
from openssl_serve.http1.conditional import CONDITIONS
from openssl_serve.http1.request import Request
from openssl_serve.http1.response import Response
from openssl_serve.http1.targets import encode_target, origin_form
from openssl_serve.server.handling import Offload

MAX_KEPT = 512
"""Responses kept: with representation.SMALL, 32 MiB at the most."""

SETTLED_S = 2.0
"""Age from which a file is kept: of two changes within one tick of the file system's clock (4 ms on
ext4, 2 s on FAT) the second leaves no trace in times and size."""

_ALLOW = (b"Allow", b"GET, HEAD, OPTIONS")
_ALWAYS = ((b"Cache-Control", b"no-cache"), (b"X-Content-Type-Options", b"nosniff"))
"""no-cache: a developer who reloads wants the new file; with a validator this costs a 304."""


class Kept(NamedTuple):
    """A response that is sent again while the file at *path* is the one it was made of."""

    path: bytes
    fingerprint: Fingerprint
    representation: Representation
    whole: Response


class Files:
    """Serves *folder*."""

    def __init__(self, folder: Folder, options: FolderOptions) -> None:
        self._folder = folder
        self._options = options
        self._index = [os.fsencode(name) for name in options.index]
        self._kept: dict[bytes, Kept] = {}

    def __call__(self, request: Request) -> Response | Offload:
        """Answer *request*; raises HttpError."""
        if request.method not in (b"GET", b"HEAD"):
            if request.method == b"OPTIONS":
                return Response(204, (_ALLOW,))
            raise HttpError(405, "files here can only be read", (_ALLOW,))
        kept = self._kept.get(request.target)
        if kept is not None and _is_unchanged(kept):
            if CONDITIONS.isdisjoint(request.values):
                return kept.whole
            return respond(request, kept.representation)
        return self._look_up(request)

    def _look_up(self, request: Request) -> Response | Offload:
        self._kept.pop(request.target, None)
        target = origin_form(request.target)
        names = self._folder.segments(target)
        if names[-1]:
            path = self._folder.path_of(names)
            try:
                return self._send(request, self._folder.open(path))
            except HttpError as error:
                if error.status != 404 or not self._folder.is_folder(path):
                    raise
            return _to_folder(names, target)
        del names[-1]
        path = self._folder.path_of(names)
        if not self._folder.is_folder(path):
            raise HttpError(404, "there is nothing here")
        for index in self._index:
            try:
                return self._send(request, self._folder.open(os.path.join(path, index)))
            except HttpError as error:
                if error.status != 404:
                    raise
        if not self._options.listing:
            raise HttpError(404, "there is nothing here")
        return Offload(lambda: list_folder(self._folder, names, request))

    def _send(self, request: Request, opened: Opened) -> Response:
        body = FileBody(opened.fd, 0, opened.status.st_size)
        kind = media_type(os.fsdecode(os.path.basename(opened.path)))
        try:
            found = represent(opened, kind, _ALWAYS)
        except BaseException:
            body.close()
            raise
        if found.whole is None:
            return respond(request, found, body)
        body.close()
        if opened.status.st_ctime < time.time() - SETTLED_S:
            self._keep(
                request.target,
                Kept(opened.path, fingerprint(opened.status), found, found.whole),
            )
        return respond(request, found)

    def _keep(self, target: bytes, kept: Kept) -> None:
        if len(self._kept) >= MAX_KEPT:
            # The oldest goes: a dictionary keeps the order of insertion.
            self._kept.pop(next(iter(self._kept)))
        self._kept[target] = kept


def _is_unchanged(kept: Kept) -> bool:
    try:
        return fingerprint(os.stat(kept.path)) == kept.fingerprint
    except OSError:
        return False


def _to_folder(names: list[bytes], target: bytes) -> Response:
    """Redirect to the same path with a slash; built from names, so it begins with one slash."""
    path = b"/" + b"/".join(quote_from_bytes(name, safe="").encode() for name in names) + b"/"
    _, mark, query = target.partition(b"?")
    return Response(
        301,
        ((b"Location", path + mark + encode_target(query)), (b"Cache-Control", b"no-store")),
    )
