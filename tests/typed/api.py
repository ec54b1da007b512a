"""The types of the Python API as its users see them: checked by mypy --strict, never run.

A line that must not pass says so: an ignore that is not needed is an error as well.
"""

import ssl
from collections.abc import Iterable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, assert_type

import pytest

import openssl_serve
from openssl_serve import (
    Address,
    Certificate,
    CertificateFacts,
    Credentials,
    FolderOptions,
    Host,
    KeyType,
    LocalCA,
    LogFormat,
    OpensslServeError,
    PlainHttp,
    ProxyOptions,
    Route,
    RunningServer,
    ServerOptions,
    ensure_certificate,
    load_certificate,
    make_server,
    parse_host,
    parse_route,
    running_server,
    serve_until_signal,
)
from openssl_serve.pytest_plugin import CertificateFactory, ServerFactory

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIEnvironment

assert_type(openssl_serve.__version__, str)


def certificates() -> None:
    certificate = ensure_certificate("my.dev.local", "10.0.0.1", folder="kept", days=30)
    assert_type(certificate, Certificate)
    assert_type(certificate.cert_path, Path)
    assert_type(certificate.key_path, Path)
    assert_type(certificate.ca_path, Path)
    assert_type(certificate.ssl_context(), ssl.SSLContext)
    assert_type(certificate.client_context(), ssl.SSLContext)
    assert_type(certificate.facts, CertificateFacts)
    assert_type(certificate.facts.names, tuple[str, ...])
    assert_type(certificate.made_because, str | None)
    ensure_certificate(folder=Path("kept"), key_type=KeyType.RSA2048)
    assert_type(load_certificate(Path("a.crt"), Path("a.key"), lambda: "word"), Certificate)

    ensure_certificate(8443)  # type: ignore[arg-type]
    ensure_certificate(["a.test"])  # type: ignore[arg-type]
    ensure_certificate(key_type="rsa")  # type: ignore[arg-type]
    certificate.cert_path = Path()  # type: ignore[misc]
    openssl_serve.ensure_certificates()  # type: ignore[attr-defined]


def authorities(context: ssl.SSLContext) -> None:
    ca = LocalCA("folder", permitted=["test", "10.0.0.0/8"])
    assert_type(ca.issue("a.test", "*.a.test", days=7, key_type=KeyType.P384), Certificate)
    assert_type(ca.cert_path, Path)
    assert_type(ca.client_context(), ssl.SSLContext)
    ca.trust(context)
    assert_type(ca.trust_variables(), dict[str, str])

    LocalCA()  # type: ignore[call-arg]
    ca.trust("ca.crt")  # type: ignore[arg-type]


def application(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
    start_response("204 No Content", [])
    return []


def servers(certificate: Certificate) -> None:
    options = ServerOptions(
        Address("127.0.0.1", 0),
        plain_http=PlainHttp.SERVE,
        folder=FolderOptions(hidden=True),
        log_format=LogFormat.JSON,
    )
    ServerOptions(
        allow_hosts=(parse_host("*.localhost", any_wildcard=True),),
        routes=(parse_route("/api=http://127.0.0.1:4000"),),
        proxy=ProxyOptions(rewrite_host=True),
        auth=Credentials("me", "secret"),
    )
    assert_type(parse_host("a.test"), Host)
    assert_type(parse_route("/docs=docs"), Route)
    ensure_certificate(parse_host("a.test"))
    with running_server("http://127.0.0.1:3000", "a.test", options=options) as server:
        assert_type(server, RunningServer)
        assert_type(server.url, str)
        assert_type(server.address, Address)
        assert_type(server.client_context(), ssl.SSLContext)
    with running_server(Path("site")), running_server(application, certificate=certificate):
        pass
    with make_server(Path("site"), [certificate], options) as polyglot:
        serve_until_signal(polyglot)
    with make_server("site", certificate):
        pass

    running_server(3000)  # type: ignore[arg-type]
    ServerOptions(plain_http="serve")  # type: ignore[arg-type]


def errors() -> tuple[str, ...]:
    try:
        ensure_certificate()
    except openssl_serve.CertificateError as error:
        assert_type(error.exit_code, int)
        raise
    except OpensslServeError as error:
        return error.hints
    return ()


@pytest.fixture
def site(
    tmp_path: Path, openssl_serve_server: ServerFactory
) -> AbstractContextManager[RunningServer]:
    return openssl_serve_server(tmp_path, "a.test", options=ServerOptions())


def test_it(openssl_serve_ca: LocalCA, openssl_serve_certificate: CertificateFactory) -> None:
    assert_type(openssl_serve_certificate("a.test", days=3), Certificate)
    openssl_serve_certificate(3)  # type: ignore[arg-type]
