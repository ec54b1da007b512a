"""A WSGI app as what a server serves: behind the same checks and fields as a folder, by the API."""

import socket
import ssl
import urllib.request

import pytest
from server_fixtures import Client, request
from wsgi_apps import TEXT, echo, hello

from openssl_serve.api import Decorations, PlainHttp, ServerOptions, ensure_certificate
from openssl_serve.errors import AppError, UsageError
from openssl_serve.handlers.credentials import Credentials
from openssl_serve.hosts import parse_host
from openssl_serve.running import running_server
from openssl_serve.targets import Route, parse_target


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    return ensure_certificate("my.dev.local", folder=tmp_path_factory.mktemp("data"))


@pytest.fixture
def running(certificate):
    """Serve from a thread: `running(target, options…)` in a `with`."""

    def start(target, **options):
        return running_server(target, certificate=certificate, options=ServerOptions(**options))

    return start


def connect(server, context=None):
    raw = socket.create_connection(server.address, 5)
    return Client(
        (context or server.client_context()).wrap_socket(raw, server_hostname="localhost")
    )


def plain(server):
    return Client(socket.create_connection(server.address, 5))


def test_an_app_is_served_as_it_is(running):
    with (
        running(hello) as server,
        urllib.request.urlopen(server.url, context=server.client_context(), timeout=5) as response,
    ):
        assert response.read() == b"hello\n"


@pytest.mark.parametrize("name", ["wsgiref.simple_server:demo_app", "wsgi_apps:hello"])
def test_an_app_is_served_by_its_name(running, name):
    with running(name) as server, connect(server) as client:
        assert client.get().status == 200


def test_a_name_is_loaded_when_the_server_is_made(running):
    name = parse_target("absent_from_all:app")
    assert str(name) == "absent_from_all:app"
    with pytest.raises(UsageError, match='no module "absent_from_all"'), running(name):
        pass


def test_code_that_fails_is_an_error_with_its_traceback(running, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "fails_at_import.py").write_text("1 / 0")
    with pytest.raises(AppError) as caught, running("fails_at_import:app"):
        pass
    assert "fails_at_import.py" in caught.value.trace


def test_only_for_hosts_that_are_served(running):
    allowed = (parse_host("other.test"),)
    with running(hello, allow_hosts=allowed) as server, connect(server) as client:
        for host, status in [(b"other.test", 200), (b"my.dev.local", 200), (b"evil.test", 421)]:
            assert client.send(request(host=host)).answer().status == status


def test_only_with_the_password(running):
    with running(echo, auth=Credentials("ada", "secret")) as server, connect(server) as client:
        body = b"Content-Length: 4"
        client.send(request("/", body, method=b"POST") + b"four")
        assert client.answer(b"POST").status == 401
        known = b"Authorization: Basic YWRhOnNlY3JldA=="
        client.send(request("/", body, known, method=b"POST") + b"four")
        assert client.answer(b"POST").body == b"four"


def test_with_the_fields_of_the_user(running):
    headers = ((b"X-Mine", b"1"), (b"Content-Security-Policy", b"default-src 'self'"))
    decorations = Decorations(headers=headers, hsts=True)
    with running(hello, decorations=decorations) as server, connect(server) as client:
        answer = client.get()
        assert answer.get(b"x-mine") == b"1"
        assert answer.get(b"strict-transport-security") == b"max-age=300"
        assert answer.body == b"hello\n"


def test_a_page_of_another_origin_may_send_what_it_likes_if_that_is_allowed(running):
    asks = (b"Origin: https://a.test", b"Access-Control-Request-Method: DELETE")
    with running(hello, decorations=Decorations(cors=True)) as server, connect(server) as client:
        answer = client.get("/", *asks, method=b"OPTIONS")
        assert answer.status == 204
        assert b"DELETE" in (answer.get(b"access-control-allow-methods") or b"")
        assert client.get().get(b"access-control-allow-origin") == b"*"


def test_the_apps_own_cors_is_not_spoilt_without_the_option(running):
    def app(environ, start_response):
        start_response("200 OK", [TEXT, ("Access-Control-Allow-Origin", "https://a.test")])
        return [environ["REQUEST_METHOD"].encode()]

    asks = (b"Origin: https://a.test", b"Access-Control-Request-Method: DELETE")
    with running(app) as server, connect(server) as client:
        answer = client.get("/", *asks, method=b"OPTIONS")
        assert answer.get(b"access-control-allow-origin") == b"https://a.test"
        assert answer.body == b"OPTIONS"


@pytest.mark.parametrize(
    ("plain_http", "status"),
    [(PlainHttp.REDIRECT, 308), (PlainHttp.SERVE, 200), (PlainHttp.REFUSE, 426)],
)
def test_plain_http_gets_what_was_asked_for(running, plain_http, status):
    calls = []

    def app(environ, start_response):
        calls.append(environ["wsgi.url_scheme"])
        return hello(environ, start_response)

    with running(app, plain_http=plain_http) as server, plain(server) as client:
        client.send(request("/", b"Content-Length: 0", method=b"POST"))
        assert client.answer(b"POST").status == status
    assert calls == (["http"] if status == 200 else [])


def test_beside_a_folder_and_at_its_place(running, tmp_path):
    def app(environ, start_response):
        start_response("200 OK", [TEXT])
        return [f"{environ['SCRIPT_NAME']}|{environ['PATH_INFO']}".encode()]

    (tmp_path / "a.txt").write_text("from the folder")
    routes = (
        Route(None, "/api/v1", app),
        Route(parse_host("app.localhost"), "", app),
    )
    with running(tmp_path, routes=routes) as server, connect(server) as client:
        assert client.get("/a.txt").body == b"from the folder"
        assert client.get("/api/v1/x/y?z").body == b"/api/v1|/x/y"
        assert client.get("/api/v1").body == b"/api/v1|"
        assert client.send(request("/x", host=b"app.localhost")).answer().body == b"|/x"


def test_on_a_unix_socket(running, tmp_path):
    def app(environ, start_response):
        start_response("200 OK", [TEXT])
        return [f"{environ['REMOTE_ADDR']}|{environ['SERVER_NAME']}".encode()]

    path = tmp_path / "app.sock"
    with running(app, socket_path=path) as server, socket.socket(socket.AF_UNIX) as raw:
        raw.settimeout(5)
        raw.connect(str(path))
        context: ssl.SSLContext = server.client_context()
        with Client(context.wrap_socket(raw, server_hostname="localhost")) as client:
            assert client.get().body == b"|localhost"
