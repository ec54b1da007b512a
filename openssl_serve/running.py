"""A server beside the program that wants it: in a thread, for as long as a `with` block lasts."""

import contextlib
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from openssl_serve.addresses import Address
from openssl_serve.api import ServerOptions, ensure_certificate, make_server
from openssl_serve.certs.certificate import Certificate
from openssl_serve.errors import UsageError
from openssl_serve.hosts import Host, parse_host
from openssl_serve.server.polyglot import PolyglotServer
from openssl_serve.targets import Target, parse_target

__all__ = ["RunningServer", "running_server"]

ANY_PORT = Address("127.0.0.1", 0)


@dataclass(frozen=True, slots=True)
class RunningServer:
    """A server that answers, and what its clients need to know of it."""

    server: PolyglotServer
    certificate: Certificate

    @property
    def address(self) -> Address:
        """The host and port that it listens on. Raises UsageError if it has but Unix sockets."""
        for where in self.server.addresses:
            if isinstance(where, Address):
                return where
        raise UsageError(
            f"a server on a Unix socket has no port and no URL: {self.server.addresses[0]}",
            "leave out socket_path for one that has",
        )

    @property
    def url(self) -> str:
        """Its https URL, with a slash at the end, for a client on this machine.

        Raises UsageError if it has but Unix sockets.
        """
        host, port = self.address
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
        names = [parse_host(host), parse_host("localhost")]
        # A certificate that was made for other names has neither, as some tests want it.
        name = next((name for name in names if self.certificate.facts.covers(name)), names[0])
        return f"https://{name.in_url}:{port}/"

    def client_context(self) -> ssl.SSLContext:
        """Return a client's context that trusts this server's certificate, and nothing else."""
        return self.certificate.client_context()


@contextlib.contextmanager
def running_server(
    target: "str | Target",
    *hosts: "str | Host",
    certificate: Certificate | None = None,
    options: ServerOptions | None = None,
    write_log: Callable[[str], object] = lambda _text: None,
) -> Iterator[RunningServer]:
    """Serve *target* from a thread, on a free port of 127.0.0.1 unless *options* name an address.

    A folder, a WSGI app, or a text that names one or the URL of a server to be behind this one, as
    on the command line. With *certificate*, or else the kept one for *hosts*. It answers from the
    first line of the `with` block on; at its end, whatever is still being sent is cut. *write_log*
    gets whole lines. Raises what ensure_certificate and make_server raise, and UsageError for both
    a certificate and hosts.

    >>> import tempfile, urllib.request
    >>> from pathlib import Path
    >>> with tempfile.TemporaryDirectory() as name:
    ...     root = Path(name, "site")
    ...     root.mkdir()
    ...     _ = (root / "hello.txt").write_text("hello")
    ...     certificate = ensure_certificate("my.dev.local", folder=Path(name, "kept"))
    ...     with running_server(root, certificate=certificate) as server:
    ...         url, context = server.url + "hello.txt", server.client_context()
    ...         with urllib.request.urlopen(url, context=context, timeout=10) as response:
    ...             response.read()
    b'hello'
    """
    if certificate is not None and hosts:
        raise UsageError(
            f"hosts ({', '.join(map(str, hosts))}) beside a certificate, which has its own",
            "leave out one of them; LocalCA(folder).issue(*hosts) makes one for exactly these",
        )
    # Before a certificate is made, for what cannot be served.
    served = parse_target(target) if isinstance(target, str) else target
    certificate = certificate or ensure_certificate(*hosts)
    options = options or ServerOptions()
    if options.address is None:
        options = replace(options, address=ANY_PORT)
    with make_server(served, certificate, options, write_log=write_log) as server:
        thread = threading.Thread(target=server.serve_forever, name="openssl-serve", daemon=True)
        thread.start()
        try:
            yield RunningServer(server, certificate)
        finally:
            server.shutdown()
            thread.join()
