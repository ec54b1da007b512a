"""Files of a folder: GET and HEAD with validators, a range, an index, a listing.

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
from openssl_serve.http1.bodies import FileBody
from openssl_serve.http1.conditional import CONDITIONS, Validators, precondition, wanted_range
from openssl_serve.http1.fields import http_date
from openssl_serve.http1.request import Request
from openssl_serve.http1.response import Response
from openssl_serve.http1.targets import encode_target, origin_form
from openssl_serve.server.handling import Offload

SMALL = 65_536
"""Bytes of the largest file whose response is kept whole; larger ones are read as they are sent."""

MAX_KEPT = 512
"""Responses kept: with SMALL, 32 MiB at the most."""

SETTLED_S = 2.0
"""Age from which a file is kept: of two changes within one tick of the file system's clock (4 ms on
ext4, 2 s on FAT) the second leaves no trace in times and size."""

_ALLOW = (b"Allow", b"GET, HEAD, OPTIONS")
_ALWAYS = ((b"Cache-Control", b"no-cache"), (b"X-Content-Type-Options", b"nosniff"))
"""no-cache: a developer who reloads wants the new file; with a validator this costs a 304."""

Fingerprint = tuple[int, int, int, int, int]


class Representation(NamedTuple):
    """A file as it was when it was opened and found fit to serve."""

    path: bytes
    fingerprint: Fingerprint
    validators: Validators
    size: int
    fields: tuple[tuple[bytes, bytes], ...]
    whole: Response | None
    """The 200 response of a small file; its body is the content."""


class Files:
    """Serves *folder*."""

    def __init__(self, folder: Folder, options: FolderOptions) -> None:
        self._folder = folder
        self._options = options
        self._index = [os.fsencode(name) for name in options.index]
        self._kept: dict[bytes, Representation] = {}

    def __call__(self, request: Request) -> Response | Offload:
        """Answer *request*; raises HttpError."""
        if request.method not in (b"GET", b"HEAD"):
            if request.method == b"OPTIONS":
                return Response(204, (_ALLOW,))
            raise HttpError(405, "files here can only be read", (_ALLOW,))
        kept = self._kept.get(request.target)
        if kept is not None and _is_unchanged(kept):
            assert kept.whole is not None
            if CONDITIONS.isdisjoint(request.values):
                return kept.whole
            return _respond(request, kept, None)
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
        try:
            representation = _represent(opened)
        except BaseException:
            os.close(opened.fd)
            raise
        if representation.whole is None:
            return _respond(request, representation, opened.fd)
        os.close(opened.fd)
        if opened.status.st_ctime < time.time() - SETTLED_S:
            self._keep(request.target, representation)
        return _respond(request, representation, None)

    def _keep(self, target: bytes, representation: Representation) -> None:
        if len(self._kept) >= MAX_KEPT:
            # The oldest goes: a dictionary keeps the order of insertion.
            self._kept.pop(next(iter(self._kept)))
        self._kept[target] = representation


def _fingerprint(status: os.stat_result) -> Fingerprint:
    return (
        status.st_ino, status.st_mtime_ns, status.st_ctime_ns, status.st_size, status.st_dev,
    )  # fmt: skip


def _is_unchanged(kept: Representation) -> bool:
    try:
        return _fingerprint(os.stat(kept.path)) == kept.fingerprint
    except OSError:
        return False


def _represent(opened: Opened) -> Representation:
    status = opened.status
    # No hash of the content: the first byte of a large file would wait for its last.
    etag = b'"%x-%x"' % (status.st_mtime_ns, status.st_size)
    # RFC 9110 section 8.8.2.1: never later than the response's own date.
    modified = int(min(status.st_mtime, time.time()))
    fields = (
        (b"Content-Type", media_type(os.fsdecode(os.path.basename(opened.path)))),
        (b"ETag", etag),
        (b"Last-Modified", http_date(modified)),
        (b"Accept-Ranges", b"bytes"),
        *_ALWAYS,
    )
    whole = None
    if status.st_size <= SMALL:
        # As many bytes as the tag speaks of, should the file be growing.
        whole = Response(200, fields, os.pread(opened.fd, status.st_size, 0))
    size = status.st_size if whole is None else whole.length or 0
    return Representation(
        opened.path, _fingerprint(status), Validators(etag, modified), size, fields, whole
    )


def _respond(request: Request, found: Representation, fd: int | None) -> Response:
    """Answer with *found*: all of it, a range, or what the conditions decide. Takes *fd* over."""
    body = None if fd is None else FileBody(fd, 0, found.size)
    decided = precondition(request, found.validators)
    if decided is not None:
        if body is not None:
            body.close()
        if decided == 412:
            raise HttpError(412, "the file is not in the state that was asked for")
        # RFC 9110 section 15.4.5: the fields that a cache updates, not those of the content.
        return Response(304, (*found.fields[1:3], *_ALWAYS))
    try:
        part = wanted_range(request, found.validators, found.size)
    except ValueError as error:
        if body is not None:
            body.close()
        raise HttpError(
            416,
            f"the file has {found.size} bytes",
            ((b"Content-Range", b"bytes */%d" % found.size),),
        ) from error
    if part is None:
        return found.whole or Response(200, found.fields, body or b"")
    start, stop = part
    fields = (
        *found.fields,
        (b"Content-Range", b"bytes %d-%d/%d" % (start, stop - 1, found.size)),
    )
    if body is not None:
        return Response(206, fields, body.slice(start, stop))
    assert found.whole is not None
    assert isinstance(found.whole.body, bytes)
    return Response(206, fields, found.whole.body[start:stop])


def _to_folder(names: list[bytes], target: bytes) -> Response:
    """Redirect to the same path with a slash; built from names, so it begins with one slash."""
    path = b"/" + b"/".join(quote_from_bytes(name, safe="").encode() for name in names) + b"/"
    _, mark, query = target.partition(b"?")
    return Response(
        301,
        ((b"Location", path + mark + encode_target(query)), (b"Cache-Control", b"no-store")),
    )
