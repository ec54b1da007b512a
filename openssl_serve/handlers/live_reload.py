"""Pages that reload when a file changes: a script in each, and a stream of events for it.

Server-sent events (HTML standard section 9.2) over the page's own origin: they pass the same TLS
port and certificate, so nothing is mixed content; and they are a plain response, where a
WebSocket would need a parser of frames. What is said goes one way anyway.
"""

import json
from typing import TYPE_CHECKING
from urllib.parse import quote_from_bytes

from openssl_serve.handlers.folder import Folder
from openssl_serve.handlers.live_page import EVENTS, PREFIX, SCRIPT
from openssl_serve.handlers.watching import Watcher
from openssl_serve.http1.bodies import StreamBody
from openssl_serve.http1.request import Request
from openssl_serve.http1.response import Response
from openssl_serve.http1.targets import origin_form
from openssl_serve.pages import read_script
from openssl_serve.server.handling import Answer, Handler

if TYPE_CHECKING:
    from openssl_serve.server.polyglot import PolyglotServer

RETRY_MS = 1000
"""After which a browser comes again when the server has ended: about the time of a restart."""

BEATS = 30
"""Looks without a change after which a comment is sent, so that a client that has vanished without
a word is noticed: every 15 seconds, as the HTML standard advises."""

MAX_WAITING = 16_384
"""Bytes that a client may leave untaken; a page that is asleep learns the rest when it returns."""

_FIELDS = ((b"Cache-Control", b"no-store"), (b"X-Content-Type-Options", b"nosniff"))


class Reloads:
    """Tells the pages of *folder* what has changed. All but the watcher's calls are the loop's."""

    def __init__(self, folder: Folder) -> None:
        self.server: PolyglotServer | None = None
        """Through whose pool the watcher's thread reaches the loop."""
        self._streams: dict[StreamBody, bool] = {}
        self._watcher = Watcher(folder, self._looked)
        self._quiet_looks = 0

    def __len__(self) -> int:
        return len(self._streams)

    def open(self) -> Response:
        """Return a new stream of events; its first is the state of the folder."""
        stream = StreamBody(lambda: self._close(stream), endless=True)
        # False: it has not been told the state yet.
        self._streams[stream] = False
        stream.send(b"retry: %d\n\n" % RETRY_MS)
        self._watcher.want()
        return Response(200, ((b"Content-Type", b"text/event-stream"), *_FIELDS), stream)

    def _close(self, stream: StreamBody) -> None:
        self._streams.pop(stream, None)
        if not self._streams:
            self._watcher.unwant()

    def _looked(self, state: str, changed: list[bytes]) -> None:
        if self.server is not None:
            # Asked each time: a worker process has a pool of its own.
            self.server.pool.call(lambda: self._tell(state, changed))

    def _tell(self, state: str, changed: list[bytes]) -> None:
        self._quiet_looks = 0 if changed else self._quiet_looks + 1
        beat = self._quiet_looks % BEATS == BEATS - 1
        paths = ["/" + quote_from_bytes(path) for path in changed]
        change = json.dumps({"state": state, "paths": paths}).encode()
        # A copy: a client that has gone is found out when it is sent something.
        for stream, knows_state in list(self._streams.items()):
            if stream.left > MAX_WAITING:
                stream.end()
            elif not knows_state:
                self._streams[stream] = True
                stream.send(b"event: state\ndata: %b\n\n" % state.encode())
            elif changed:
                stream.send(b"event: change\ndata: %b\n\n" % change)
            elif beat:
                stream.send(b":\n\n")


class LiveReload:
    """Answers for the script and its events; the rest is for *handler*."""

    def __init__(self, handler: Handler, reloads: Reloads) -> None:
        self._handler = handler
        self._reloads = reloads

    def __call__(self, request: Request) -> Answer:
        """Answer *request*; raises HttpError."""
        if PREFIX in request.target and request.method in (b"GET", b"HEAD"):
            path = origin_form(request.target).partition(b"?")[0]
            if path == EVENTS:
                return self._reloads.open()
            if path == SCRIPT:
                kind = (b"Content-Type", b"text/javascript; charset=utf-8")
                return Response(200, (kind, *_FIELDS), read_script("reload"))
        return self._handler(request)
