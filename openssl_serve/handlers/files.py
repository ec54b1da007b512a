"""Files of a folder: GET and HEAD with validators, ranges, codings, an index, a listing.

A small response is kept, and sent again while `stat` finds the very same file: same device,
inode, size, and times of content and inode. A file that was moved since it was judged, or is
reached through another link, does not have the same of all these. Where another file could have
come before the one that was found, its folder must be the same too.
"""

import os
import time
from typing import NamedTuple
from urllib.parse import quote_from_bytes

from openssl_serve.errors import HttpError
from openssl_serve.handlers.compression import (
    GZIP,
    INLINE,
    Compressed,
    is_compressible,
    open_sibling,
    wanted_codings,
)
from openssl_serve.handlers.folder import Folder, FolderOptions, Opened, not_found
from openssl_serve.handlers.listing import list_folder
from openssl_serve.handlers.media_types import media_type
from openssl_serve.handlers.representation import (
    SMALL,
    Field,
    Fingerprint,
    Representation,
    decided,
    describe,
    fingerprint,
    holding,
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

Witnessed = list[tuple[bytes, os.stat_result]]
"""Paths, and what they were when an answer was made of them."""


class Wish(NamedTuple):
    """A request, and what it may be answered with."""

    request: Request
    codings: tuple[bytes, ...]
    """That are better than none for this client and request, best first."""
    key: bytes | tuple[tuple[bytes, ...], bytes]
    """Of the response, should it be kept."""


class Kept(NamedTuple):
    """A response that is sent again while each path in *witnesses* is what it was."""

    witnesses: tuple[tuple[bytes, Fingerprint], ...]
    representation: Representation
    whole: Response


class Files:
    """Serves *folder*."""

    def __init__(self, folder: Folder, options: FolderOptions) -> None:
        self._folder = folder
        self._options = options
        self._index = [os.fsencode(name) for name in options.index]
        self._kept: dict[bytes | tuple[tuple[bytes, ...], bytes], Kept] = {}
        self._compressed = Compressed()
        # no-cache: a developer who reloads wants the new file; with a validator this costs a 304.
        self._always: tuple[Field, ...] = (
            (b"Cache-Control", b"no-cache"),
            (b"X-Content-Type-Options", b"nosniff"),
        )
        if options.compression:
            # Of every file, as each may have a compressed sibling tomorrow.
            self._always += ((b"Vary", b"Accept-Encoding"),)

    def __call__(self, request: Request) -> Response | Offload:
        """Answer *request*; raises HttpError."""
        if request.method not in (b"GET", b"HEAD"):
            if request.method == b"OPTIONS":
                return Response(204, (_ALLOW,))
            raise HttpError(405, "files here can only be read", (_ALLOW,))
        values = request.values
        wish = Wish(request, (), request.target)
        accepted = values.get(b"accept-encoding")
        # Parts are sent of the content as it is: those of two codings must never be put together.
        if accepted is not None and self._options.compression and b"range" not in values:
            codings = wanted_codings(accepted)
            if codings:
                wish = Wish(request, codings, (codings, request.target))
        kept = self._kept.get(wish.key)
        if kept is not None and _is_unchanged(kept):
            if CONDITIONS.isdisjoint(values):
                return kept.whole
            return respond(request, kept.representation)
        return self._look_up(wish)

    def _look_up(self, wish: Wish) -> Response | Offload:
        self._kept.pop(wish.key, None)
        target = origin_form(wish.request.target)
        names = self._folder.segments(target)
        if names[-1]:
            path = self._folder.path_of(names)
            opened = self._open(path)
            if opened is not None:
                return self._send(wish, opened)
            if self._folder.is_folder(path):
                return _to_folder(names, target)
            raise not_found()
        del names[-1]
        path = self._folder.path_of(names)
        if not self._folder.is_folder(path):
            raise not_found()
        for index in self._index:
            opened = self._open(os.path.join(path, index))
            if opened is not None:
                return self._send(wish, opened, is_second_choice=index != self._index[0])
        if not self._options.listing:
            raise not_found()
        return Offload(lambda: list_folder(self._folder, names, wish.request))

    def _open(self, path: bytes) -> Opened | None:
        try:
            return self._folder.open(path)
        except HttpError as error:
            if error.status != 404:
                raise
            return None

    def _send(
        self, wish: Wish, opened: Opened, *, is_second_choice: bool = False
    ) -> Response | Offload:
        """Answer with *opened* or another form of it; closes it."""
        body = FileBody(opened.fd, 0, opened.status.st_size)
        kind = media_type(os.fsdecode(os.path.basename(opened.path)))
        witnesses = [(opened.path, opened.status)]
        if wish.codings or is_second_choice:
            place = os.path.dirname(opened.path)
            witnesses.append((place, os.stat(place)))
        try:
            for coding in wish.codings:
                sibling = open_sibling(self._folder, opened, coding)
                if sibling is not None:
                    body.close()
                    body = FileBody(sibling.fd, 0, sibling.status.st_size)
                    witnesses.append((sibling.path, sibling.status))
                    found = represent(sibling, kind, self._always, coding)
                    return self._answer(wish, found, body, witnesses)
                if coding == GZIP and is_compressible(kind, opened.status.st_size):
                    return self._compress(wish, opened, kind, body, witnesses)
            found = represent(opened, kind, self._always)
            return self._answer(wish, found, body, witnesses)
        except BaseException:
            body.close()
            raise

    def _answer(
        self, wish: Wish, found: Representation, body: FileBody, witnesses: Witnessed
    ) -> Response:
        if found.whole is None:
            return respond(wish.request, found, body)
        body.close()
        self._keep(wish, found, witnesses)
        return respond(wish.request, found)

    def _compress(
        self, wish: Wish, opened: Opened, kind: bytes, body: FileBody, witnesses: Witnessed
    ) -> Response | Offload:
        """Answer with *opened* as gzip, or as it is if that is no larger."""
        described = describe(opened.status, kind, self._always, GZIP)
        response = decided(wish.request, described)
        if response is not None:
            # Without the work: the tag is that of the file.
            body.close()
            return response
        data = self._compressed.get(opened)

        def make() -> bytes:
            return self._compressed.make(opened, keep=_is_settled(opened.status))

        def plain() -> Response:
            return respond(wish.request, represent(opened, kind, self._always), body)

        def work() -> Response:
            data = make()
            if not data:
                return plain()
            body.close()
            return Response(200, described.fields, data)

        if data is None:
            if opened.status.st_size > INLINE:
                return Offload(work)
            data = make()
        if not data:
            return plain()
        found = holding(described, data)
        return self._answer(wish, found, body, witnesses)

    def _keep(self, wish: Wish, found: Representation, witnesses: Witnessed) -> None:
        if found.size > SMALL or not all(_is_settled(status) for _, status in witnesses):
            return
        if len(self._kept) >= MAX_KEPT:
            # The oldest goes: a dictionary keeps the order of insertion.
            self._kept.pop(next(iter(self._kept)))
        assert found.whole is not None
        known = tuple((path, fingerprint(status)) for path, status in witnesses)
        self._kept[wish.key] = Kept(known, found, found.whole)


def _is_settled(status: os.stat_result) -> bool:
    return status.st_ctime < time.time() - SETTLED_S


def _is_unchanged(kept: Kept) -> bool:
    try:
        for path, known in kept.witnesses:
            if fingerprint(os.stat(path)) != known:
                return False
    except OSError:
        return False
    return True


def _to_folder(names: list[bytes], target: bytes) -> Response:
    """Redirect to the same path with a slash; built from names, so it begins with one slash."""
    path = b"/" + b"/".join(quote_from_bytes(name, safe="").encode() for name in names) + b"/"
    _, mark, query = target.partition(b"?")
    return Response(
        301,
        ((b"Location", path + mark + encode_target(query)), (b"Cache-Control", b"no-store")),
    )
