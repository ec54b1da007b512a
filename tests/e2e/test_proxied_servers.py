"""The command before other servers: targets, routes, workers, and the words of its refusals."""

import http.server
import json
import socket
import threading
from contextlib import ExitStack

import pytest
from server_fixtures import Client, eventually, request

from e2e.clients import Answer, curl, trusting
from e2e.command import Command, Running, assert_refused

HOST = ("--cert-host", "my.dev.local")


class Echo(http.server.BaseHTTPRequestHandler):
    """Tells in JSON what it was asked; an application as anybody writes one."""

    protocol_version = "HTTP/1.1"
    name = "echo"

    def answer(self) -> None:
        length = int(self.headers.get("Content-Length", "0"))
        content = self.rfile.read(length).decode()
        asked = {"name": self.name, "method": self.command, "path": self.path,
                 "fields": dict(self.headers), "content": content}  # fmt: skip
        data = json.dumps(asked).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_POST = do_PUT = answer  # noqa: N815  as http.server looks for them

    def log_message(self, *arguments: object) -> None:
        pass


@pytest.fixture
def application():
    """`application(name)`: the URL of a server on a free port."""
    with ExitStack() as stack:

        def start(name: str = "echo") -> str:
            kind = type("Named", (Echo,), {"name": name})
            server = stack.enter_context(http.server.ThreadingHTTPServer(("127.0.0.1", 0), kind))
            thread = threading.Thread(target=server.serve_forever, args=(0.02,))
            thread.start()
            stack.callback(thread.join, 10)
            stack.callback(server.shutdown)
            return f"http://127.0.0.1:{server.server_port}"

        yield start


def get(command: Command, running: Running, path: str, *options: str) -> Answer:
    port = running.port
    return curl(f"https://my.dev.local:{port}{path}", *trusting(command.cert, port), *options)


def test_a_server_behind_https(command, application):
    url = application()
    with command.start(url, *HOST) as running:
        answer = get(command, running, "/a?b", "-d", "content", "-H", "X-Forwarded-For: 1.2.3.4")
        asked = json.loads(answer.body)
        # And plain HTTP is sent there.
        port = running.port
        redirect = curl(f"http://127.0.0.1:{port}/a?b")

    assert (asked["method"], asked["path"], asked["content"]) == ("POST", "/a?b", "content")
    assert asked["fields"]["Host"] == f"my.dev.local:{port}"
    assert asked["fields"]["X-Forwarded-For"] == "127.0.0.1"
    assert asked["fields"]["X-Forwarded-Proto"] == "https"
    assert asked["fields"]["X-Forwarded-Port"] == str(port)
    assert redirect.status == 301


def test_routes_beside_a_folder(command, application):
    api, docs = application("api"), application("docs")
    (command.folder / "files").mkdir()
    (command.folder / "files" / "note.txt").write_text("a note\n")
    with command.start(
        ".", *HOST, "--route", f"/api={api}/v1", "--route", f"docs.dev.local={docs}",
        "--route", f"/files={command.folder / 'files'}",
    ) as running:  # fmt: skip
        port = running.port
        assert get(command, running, "/hello.txt").body == "hello\n"
        assert json.loads(get(command, running, "/api/users?x=1").body)["path"] == "/v1/users?x=1"
        assert get(command, running, "/files/note.txt").body == "a note\n"
        assert get(command, running, "/files").fields["location"] == "/files/"
        # Whose certificate is for the other host too.
        found = curl(
            f"https://docs.dev.local:{port}/api", *trusting(command.cert, port, "docs.dev.local")
        )
        asked = json.loads(found.body)

    assert (asked["name"], asked["path"]) == ("docs", "/api")


@pytest.mark.parametrize("workers", [1, 2])
def test_links_are_each_workers_own(command, upstream, workers):
    """They are made when they are needed: two processes with one connection would mix answers."""
    options = ("--workers", str(workers), "--plain-http", "serve")
    with command.start(upstream.url, *HOST, *options) as running:
        port = running.port
        assert running.banner
        assert upstream.is_quiet
        clients = [Client(socket.create_connection(("127.0.0.1", port), 10)) for _ in range(16)]
        for client in clients:
            client.send(request("/"))
        links = [upstream.accept() for _ in clients]
        for number, link in enumerate(links):
            link.head()
            link.answer(b"%d" % number)
        assert {client.answer().body for client in clients} == {b"%d" % n for n in range(16)}

        # Kept links go on with whichever worker has them, one request at a time.
        for round_number in range(3):
            for number, client in enumerate(clients):
                client.send(request(f"/{round_number}/{number}"))
                link = upstream.next()
                assert link.head().target == b"/%d/%d" % (round_number, number)
                link.answer(b"%d" % number)
                assert client.answer().body == b"%d" % number
        for client in clients:
            client.sock.close()


def test_a_server_that_is_slow_and_one_that_is_not_there(command, upstream):
    with command.start(
        upstream.url, *HOST, "--upstream-timeout", "1", "--route", "/gone=http://127.0.0.1:1"
    ) as running:
        answer = get(command, running, "/")
        assert answer.status == 504
        assert upstream.place in answer.body
        answer = get(command, running, "/gone")
        assert answer.status == 502
        assert "127.0.0.1:1" in answer.body
        assert running.stderr
        eventually(lambda: running.stderr and " 502 " in running.stderr.text)


def test_an_https_server_by_its_own_certificate(command, application):
    """One of ours, which has made its certificate itself."""
    url = application()
    with command.start(url, *HOST) as inner:
        with command.start(f"https://localhost:{inner.port}", *HOST) as outer:
            answer = get(command, outer, "/x")
            assert answer.status == 502
            assert "--upstream-ca" in answer.body
        for trust in (("--upstream-ca", str(command.cert)), ("--upstream-insecure",)):
            with command.start(
                f"https://localhost:{inner.port}", *HOST, "--rewrite-host", *trust
            ) as outer:
                asked = json.loads(get(command, outer, "/x").body)
                assert asked["path"] == "/x"
                assert asked["fields"]["Host"] == f"localhost:{inner.port}"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["http://127.0.0.1:3000", "--upstream-timeout", "0"], ["--upstream-timeout 0"]),
        (["http://127.0.0.1:3000", "--upstream-timeout", "86401"], ["86401", "86400"]),
        (["https://127.0.0.1:3000", "--upstream-ca", "absent.pem"], ["absent.pem"]),
        (["https://127.0.0.1", "--upstream-ca", "x", "--upstream-insecure"], ["--upstream-ca"]),
        (["ftp://127.0.0.1:3000"], ["ftp"]),
        (["http://me:secret@127.0.0.1:3000"], ["user or a password"]),
        (["http://127.0.0.1:3000", "--route", "/api"], ["--route"]),
        (["--route", "/a=.", "--route", "/a/=http://127.0.0.1:1"], ["two targets"]),
        (["--route", "/a=http://127.0.0.1:99999"], ["99999"]),
    ],
)
def test_what_cannot_be_meant_is_refused(command, arguments, words):
    finished = command.run(*arguments, "--port", "0")

    assert_refused(finished, 2, *words, hints=0)
    assert "secret" not in finished.stderr


def test_it_does_not_stand_before_itself(command):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    finished = command.run(f"http://localhost:{port}", "--port", str(port))

    assert_refused(finished, 2, "this server itself", f"127.0.0.1:{port}")
