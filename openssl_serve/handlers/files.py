"""Files of a folder: GET and HEAD with validators, ranges, codings, an index, a listing.

A small response is kept, and sent again while `stat` finds the very same file: same device,
inode, size, and times of content and inode. A file that was moved since it was judged, or is
reached through another link, does not have the same of all these. Where another file could have
come before the one that was found, its folder must be the same too.
"""

import os
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple

from openssl_serve.errors import HttpError
from openssl_serve.handlers.compression import (
    GZIP,
    INLINE,
    Compressed,
    is_compressible,
    open_sibling,
    wanted_codings,
)
from openssl_serve.handlers.folder import Folder, FolderOptions, Opened
from openssl_serve.handlers.listing import Codings, list_folder
from openssl_serve.handlers.live_page import is_page
from openssl_serve.handlers.lookup import Found, Listed, Lookup
from openssl_serve.handlers.representation import (
    SMALL,
    Field,
    Fingerprint,
    Representation,
    decided,
    describe,
    fingerprint,
    holding,
    kind_of,
    represent,
    represent_live,
    respond,
)
from openssl_serve.http1.bodies import FileBody
from openssl_serve.http1.conditional import CONDITIONS
from openssl_serve.http1.request import Request
from openssl_serve.http1.response import Response
from openssl_serve.server.handling import Offload

if TYPE_CHECKING:
    from openssl_serve.server.service import Service

MAX_KEPT = 512
"""Responses kept: with representation.SMALL, 32 MiB at the most."""

SETTLED_S = 2.0
"""Age from which a file is kept: of two changes within one tick of the file system's clock (4 ms on
ext4, 2 s on FAT) the second leaves no trace in times and size."""

_ALLOW = (b"Allow", b"GET, HEAD, OPTIONS")

Key = bytes | tuple[tuple[bytes, ...], bytes]
"""A target, behind the codings that its client wants if there are any."""

Witnessed = list[tuple[bytes, os.stat_result | None]]
"""Paths, and what they were when an answer was made of them; None for what was not looked at."""


class Wish(NamedTuple):
    """A request, and what it may be answered with."""

    request: Request
    codings: tuple[bytes, ...]
    """That are better than none for this client and request, best first."""
    key: Key | None
    """Of the response, should it be kept; None for one that stands for what is not there."""


class Kept:
    """A response that is sent again while each path in *witnesses* is what it was."""

    __slots__ = ("representation", "seen", "whole", "witnesses")

    def __init__(
        self,
        witnesses: tuple[tuple[bytes, Fingerprint], ...],
        representation: Representation,
        whole: Response,
    ) -> None:
        self.witnesses = witnesses
        self.representation = representation
        self.whole = whole
        self.seen = 0.0
        """When that was last found to be so, by the server's clock."""


class Files:
    """Serves *folder*, whose top browsers find at the path *place* (without a slash at its end)."""

    def __init__(self, folder: Folder, options: FolderOptions, place: bytes = b"") -> None:
        self._folder = folder
        self._place = place
        self._lookup = Lookup(folder, options)
        self._kept: dict[Key | None, Kept] = {}
        self._compresses = options.compression
        self._compressed = Compressed()
        self._is_live = options.live_reload
        # Accept-Encoding, of every file: each may have a compressed sibling tomorrow.
        varies = (b"Accept-Encoding",) if options.compression else ()
        self._always = _always(options, varies)
        self._always_instead = _always(options, (b"Accept", *varies))
        self.server: Service | None = None
        """Whose turns tell how long what was seen holds; without one, not at all."""

    def __call__(self, request: Request) -> Response | Offload:
        """Answer *request*; raises HttpError."""
        if request.method not in (b"GET", b"HEAD"):
            if request.method == b"OPTIONS":
                return Response(204, (_ALLOW,))
            raise HttpError(405, "files here can only be read", (_ALLOW,))
        values = request.values
        key: Key = request.target
        codings: tuple[bytes, ...] = ()
        accepted = values.get(b"accept-encoding")
        # Parts are sent of the content as it is: those of two codings must never be put together.
        if accepted is not None and self._compresses and b"range" not in values:
            codings = wanted_codings(accepted)
            if codings:
                key = (codings, request.target)
        kept = self._kept.get(key)
        if kept is not None and self._is_unchanged(kept):
            if CONDITIONS.isdisjoint(values):
                return kept.whole
            return respond(request, kept.representation)
        return self._look_up(Wish(request, codings, key))

    def _is_unchanged(self, kept: Kept) -> bool:
        # Requests that one turn of the loop has found waiting came at one time, to the clock of
        # this server: one look is enough for all of them.
        now = self.server.now if self.server is not None else None
        if kept.seen == now:
            return True
        try:
            for path, known in kept.witnesses:
                if fingerprint(os.stat(path)) != known:
                    return False
        except OSError:
            return False
        if now is not None:
            kept.seen = now
        return True

    def _look_up(self, wish: Wish) -> Response | Offload:
        self._kept.pop(wish.key, None)
        found: Found | Listed | Response | None
        try:
            found = self._lookup.find(wish.request)
        except HttpError as error:
            # Raised again from here, or not at all: an error that is in a variable of a frame which
            # is in its traceback is left to the cycle collector, and its connection with it.
            found = self._lookup.instead(wish.request) if error.status == 404 else None
            if found is None:
                raise
        return self._answer_with(wish, found)

    def _answer_with(self, wish: Wish, found: Found | Listed | Response) -> Response | Offload:
        if isinstance(found, Found):
            return self._send(wish, found)
        if isinstance(found, Response):
            return found
        names = found.names
        vary = b"Accept, Accept-Encoding" if self._compresses else b"Accept"
        codings = Codings(vary, GZIP in wish.codings)

        def work() -> Response:
            try:
                return list_folder(self._folder, names, wish.request, codings)
            except HttpError:
                # It cannot be read: the same answer as for what is not there.
                found = self._lookup.instead(wish.request)
                if found is None:
                    raise
                answer = self._answer_with(wish, found)
                return answer.work() if isinstance(answer, Offload) else answer

        return Offload(work)

    def _send(self, wish: Wish, found: Found) -> Response | Offload:
        """Answer with what was *found*, or another form of it; closes it."""
        opened = found.opened
        body = FileBody(opened.fd, 0, opened.status.st_size)
        kind = kind_of(opened)
        always = self._always
        if found.stands_in:
            # Not kept: what is not there may come at any moment.
            wish, always = wish._replace(key=None), self._always_instead
        witnesses: Witnessed = [(opened.path, opened.status)]
        if wish.codings or found.is_second_choice:
            witnesses.append((os.path.dirname(opened.path), None))
        if found.folder is not None:
            witnesses.append((found.folder, None))
        try:
            if self._is_live and is_page(kind, opened.status.st_size):
                form = represent_live(opened, kind, always, self._place)
                return self._answer(wish, form, body, witnesses)
            for coding in wish.codings:
                sibling = open_sibling(self._folder, opened, coding)
                if sibling is not None:
                    body.close()
                    body = FileBody(sibling.fd, 0, sibling.status.st_size)
                    witnesses.append((sibling.path, sibling.status))
                    form = represent(sibling, kind, always, coding)
                    return self._answer(wish, form, body, witnesses)
                if coding == GZIP and is_compressible(kind, opened.status.st_size):
                    return self._compress(wish, opened, (kind, always), body, witnesses)
            form = represent(opened, kind, always)
            return self._answer(wish, form, body, witnesses)
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
        self,
        wish: Wish,
        opened: Opened,
        about: tuple[bytes, tuple[Field, ...]],
        body: FileBody,
        witnesses: Witnessed,
    ) -> Response | Offload:
        """Answer with *opened* as gzip, or as it is if that is no larger."""
        described = describe(opened.status, *about, GZIP)
        response = decided(wish.request, described)
        if response is not None:
            # Without the work: the tag is that of the file.
            body.close()
            return response
        data = self._compressed.get(opened)

        def make() -> bytes:
            return self._compressed.make(opened, keep=_is_settled(opened.status))

        def plain() -> Response:
            return respond(wish.request, represent(opened, *about), body)

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
        if wish.key is None or found.size > SMALL:
            return
        known = []
        for path, seen in witnesses:
            try:
                status = seen or os.stat(path)
            except OSError:
                return
            if not _is_settled(status):
                return
            known.append((path, fingerprint(status)))
        if len(self._kept) >= MAX_KEPT:
            # The oldest goes: a dictionary keeps the order of insertion.
            self._kept.pop(next(iter(self._kept)))
        assert found.whole is not None
        self._kept[wish.key] = Kept(tuple(known), found, found.whole)


def _always(options: FolderOptions, varies: Iterable[bytes]) -> tuple[Field, ...]:
    """Return the fields that every file has."""
    # no-cache: a developer who reloads wants the new file; with a validator this costs a 304.
    seconds = options.cache_s
    cache = b"no-cache" if seconds is None else b"max-age=%d" % seconds
    vary = b", ".join(varies)
    fields: tuple[Field, ...] = ((b"Cache-Control", cache), (b"X-Content-Type-Options", b"nosniff"))
    return (*fields, (b"Vary", vary)) if vary else fields


def _is_settled(status: os.stat_result) -> bool:
    return status.st_ctime < time.time() - SETTLED_S
