"""Pages that reload when a file changes: a script in each, and a WebSocket that tells it.

Over the page's own origin: the same TLS port and certificate, so that nothing is mixed content.
Not server-sent events, though what is said goes one way: each would be one of the six connections
to an origin that a browser allows itself over HTTP/1.1, and with six windows of a site open the
seventh would wait for ever. Of WebSockets it has 255 (Chromium) or 200 (Firefox) besides.
"""

import json
from urllib.parse import quote_from_bytes

from openssl_serve.errors import HttpError
from openssl_serve.handlers.folder import Folder
from openssl_serve.handlers.live_page import CHANGES, PREFIX, SCRIPT
from openssl_serve.handlers.watching import Watcher
from openssl_serve.http1.request import Request
from openssl_serve.http1.response import Response
from openssl_serve.http1.targets import origin_form
from openssl_serve.pages import read_script
from openssl_serve.server.exchange import Exchange, Switched
from openssl_serve.server.handling import Answer, Deferred, Handler
from openssl_serve.server.service import Service
from openssl_serve.server.websocket import WebSocket
from openssl_serve.websocket.handshake import accept

MAX_TOLD = 16_384
"""Bytes of what is said of one change: the paths of more files than that, as of another branch of
a repository, are left out, and pages are loaded anew without looking for their style sheets."""

_FIELDS = (
    (b"Content-Type", b"text/javascript; charset=utf-8"),
    (b"Cache-Control", b"no-store"),
    (b"X-Content-Type-Options", b"nosniff"),
)


class Reloads:
    """Tells the pages of *folder* what has changed. All but the watcher's calls are the loop's."""

    def __init__(self, folder: Folder) -> None:
        self.server: Service | None = None
        """Through whose pool the watcher's thread reaches the loop."""
        self._pages: dict[WebSocket, bool] = {}
        self._watcher = Watcher(folder, self._looked)

    def __len__(self) -> int:
        return len(self._pages)

    def open(self, request: Request) -> Deferred:
        """Open the WebSocket that *request* asks for; raises HttpError when it gets none.

        The state of the folder is the first that it is told.
        """
        # What stands there is a ticket (authentication.py), and browsers want it named again; of
        # several protocols, one (RFC 6455 section 4.2.2).
        offered = request.get(b"sec-websocket-protocol") or b""
        head = accept(request, offered.partition(b",")[0].strip(b" \t"))

        def begin(exchange: Exchange) -> None:
            if exchange.server.draining:
                raise HttpError(503, "the server is about to end")
            exchange.switch(head, self._take)

        return Deferred(begin)

    def _take(self, client: Switched) -> None:
        page = WebSocket(client, lambda: self._forget(page))
        # False: it has not been told the state yet.
        self._pages[page] = False
        self._watcher.want()
        page.begin(client)

    def _forget(self, page: WebSocket) -> None:
        del self._pages[page]
        if not self._pages:
            self._watcher.unwant()

    def _looked(self, state: str, changed: list[bytes]) -> None:
        if self.server is not None:
            # Asked each time: a worker process has a pool of its own.
            self.server.pool.call(lambda: self._tell(state, changed))

    def _tell(self, state: str, changed: list[bytes]) -> None:
        now = json.dumps({"state": state})
        change = json.dumps(
            {"state": state, "paths": ["/" + quote_from_bytes(path) for path in changed]}
        )
        if len(change) > MAX_TOLD:
            change = now
        # A copy: a page that has gone is found out when it is told something.
        for page, knows_state in list(self._pages.items()):
            if not knows_state:
                self._pages[page] = True
                page.say(now)
            elif changed:
                page.say(change)


class LiveReload:
    """Answers for the script and its WebSocket; the rest is for *handler*."""

    def __init__(self, handler: Handler, reloads: Reloads) -> None:
        self._handler = handler
        self._reloads = reloads

    def __call__(self, request: Request) -> Answer:
        """Answer *request*; raises HttpError."""
        if PREFIX in request.target and request.method in (b"GET", b"HEAD"):
            path = origin_form(request.target).partition(b"?")[0]
            if path == CHANGES:
                return self._reloads.open(request)
            if path == SCRIPT:
                return Response(200, _FIELDS, _script(request))
        return self._handler(request)


def _script(request: Request) -> bytes:
    script = read_script("reload")
    if b"authorization" in request.values:
        # Whoever asks has been asked for a password.
        script = script.replace(b"guarded = false", b"guarded = true")
    return script
