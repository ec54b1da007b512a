"""A server on loopback that keeps account of who has asked it for something over TLS."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from openssl_serve.addresses import Address
from openssl_serve.clients.exhibit import HOST
from openssl_serve.errors import CertificateError, reason_of
from openssl_serve.http1.request import Request
from openssl_serve.http1.response import Response
from openssl_serve.server.access_log import AccessLog, LogFormat
from openssl_serve.server.contexts import FixedContext
from openssl_serve.server.handling import Handlers
from openssl_serve.server.listeners import open_tcp
from openssl_serve.server.polyglot import PolyglotServer
from openssl_serve.tls import server_context


class Witness(PolyglotServer):
    """A server with a port for each client: who breaks off a handshake has told no name."""

    def __init__(self, cert: Path, key: Path, clients: int) -> None:
        context = FixedContext(server_context(cert, key))
        listeners = [open_tcp(Address(HOST, 0))[0] for _ in range(clients)]
        handlers = Handlers(self._answer, lambda _request: Response(404, close=True))
        log = AccessLog(lambda _text: None, LogFormat.NONE)
        super().__init__(listeners, context, handlers, log=log)
        self._ports = [listener.getsockname()[1] for listener in listeners]
        self._met: set[int] = set()
        self._heard: set[bytes] = set()

    def url(self, client: int) -> str:
        """Where the client of this number is to ask."""
        return f"https://{HOST}:{self._ports[client]}/{client}"

    def has_met(self, client: int) -> bool:
        """Whether it has connected."""
        return self._ports[client] in self._met

    def has_heard(self, client: int) -> bool:
        """Whether a request has come from it: then it took the certificate."""
        path = f"/{client}".encode()
        # git asks for something below it.
        return any(target == path or target.startswith(path + b"/") for target in self._heard)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Take notice of a connection."""
        self._met.add(request.getsockname()[1])
        super().process_request(request, client_address)

    def _answer(self, request: Request, /) -> Response:
        """Take notice of a request, and end the matter: nobody tries again after a 404."""
        self._heard.add(bytes(request.target))
        return Response(404, close=True)


@contextmanager
def witness(cert: Path, key: Path, clients: int) -> Iterator[Witness]:
    """Serve with this pair, for so many clients, from a thread until the block ends.

    Raises CertificateError when it cannot be loaded, ListenError.
    """
    try:
        server = Witness(cert, key, clients)
    except OSError as error:
        raise CertificateError(f"cannot load {cert} with {key}: {reason_of(error)}") from error
    with server:
        thread = threading.Thread(target=server.serve_forever, name="witness", daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
