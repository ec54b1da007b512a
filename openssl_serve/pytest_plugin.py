"""pytest fixtures: a CA, certificates, a client's context and HTTPS servers for tests.

pytest imports this file wherever openssl-serve is installed, so it imports nothing that pytest has
not, and a test run that uses no fixture pays for none. They share one CA in the run's temporary
folder, also among the workers of pytest-xdist.
"""

from typing import TYPE_CHECKING, Protocol

import pytest

if TYPE_CHECKING:
    import ssl
    from contextlib import AbstractContextManager

    from openssl_serve import Certificate, Host, KeyType, LocalCA, RunningServer, ServerOptions
    from openssl_serve.targets import Target

__all__ = ["CertificateFactory", "ServerFactory"]

FOLDER = "openssl-serve"
"""In the temporary folder of the run, which pytest makes private and removes in its time."""


class CertificateFactory(Protocol):
    """The type of the fixture `openssl_serve_certificate`."""

    def __call__(
        self, *hosts: "str | Host", days: int = ..., key_type: "KeyType" = ...
    ) -> "Certificate":
        """Return a certificate for exactly *hosts*; see LocalCA.issue."""


class ServerFactory(Protocol):
    """The type of the fixture `openssl_serve_server`."""

    def __call__(
        self, target: "str | Target", *hosts: "str | Host", options: "ServerOptions | None" = None
    ) -> "AbstractContextManager[RunningServer]":
        """Return a server of *target* for a `with` block; see running_server."""


@pytest.fixture(scope="session")
def openssl_serve_ca(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> "LocalCA":
    """A CA for this test run alone: `issue(*hosts)`, `trust(context)`, `cert_path`."""
    from openssl_serve import LocalCA  # noqa: PLC0415  for those who ask

    folder = tmp_path_factory.getbasetemp()
    if hasattr(request.config, "workerinput"):
        # A worker of pytest-xdist: its own folder is in that of the run.
        folder = folder.parent
    return LocalCA(folder / FOLDER)


@pytest.fixture(scope="session")
def openssl_serve_certificate(openssl_serve_ca: "LocalCA") -> CertificateFactory:
    """Makes certificates: `openssl_serve_certificate("my.test")` is valid for exactly that.

    It has `cert_path`, `key_path`, `ca_path`, and `ssl_context()` for a server. Without a host, it
    is for localhost, 127.0.0.1 and ::1.
    """
    return openssl_serve_ca.issue


@pytest.fixture(scope="session")
def openssl_serve_client_context(openssl_serve_ca: "LocalCA") -> "ssl.SSLContext":
    """An ssl.SSLContext for clients, which trusts the CA of this run and nothing else."""
    return openssl_serve_ca.client_context()


@pytest.fixture(scope="session")
def openssl_serve_server(openssl_serve_ca: "LocalCA") -> ServerFactory:
    """Makes HTTPS servers, each for a `with` block; `server.url` is where it answers.

    `openssl_serve_server("site")` serves a folder; a WSGI app is served too, and a URL is that of
    a server behind. The certificate is for localhost, 127.0.0.1, ::1, and the hosts that are named
    after the target.
    """
    from openssl_serve import running_server  # noqa: PLC0415  for those who ask
    from openssl_serve.certs.profile import LOOPBACK  # noqa: PLC0415

    def serve(
        target: "str | Target", *hosts: "str | Host", options: "ServerOptions | None" = None
    ) -> "AbstractContextManager[RunningServer]":
        certificate = openssl_serve_ca.issue(*hosts, *LOOPBACK)
        return running_server(target, certificate=certificate, options=options)

    return serve


@pytest.fixture
def openssl_serve_trusted(
    openssl_serve_ca: "LocalCA", monkeypatch: pytest.MonkeyPatch
) -> dict[str, str]:
    """Environment variables, set for this test, by which clients trust the CA of this run.

    For code that takes no context: what uses Python's default context, requests, httpx, and the
    programs that the test starts, curl and Node.js among them.
    """
    import urllib.request  # noqa: PLC0415  for those who ask

    variables = openssl_serve_ca.trust_variables()
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    # urlopen keeps its first opener, and from Python 3.12 on that has a context already.
    monkeypatch.setattr(urllib.request, "_opener", None)
    return variables
