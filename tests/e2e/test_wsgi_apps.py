"""`openssl-serve module:app`: an app of one's own, Flask, Django, and what is no app."""

import json
import shutil
import signal
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from e2e.clients import Answer, connected, curl, trusting
from e2e.command import Command, Running, assert_refused

APPS = Path(__file__).parent / "apps"
HOST = ("--cert-host", "my.dev.local")

HELLO = """\
def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"hello from " + environ["wsgi.url_scheme"].encode()]
"""


class Site:
    """A running server and how to ask it."""

    def __init__(self, command: Command, running: Running) -> None:
        self.running = running
        self._command = command

    @property
    def log(self) -> str:
        assert self.running.stderr
        return self.running.stderr.text

    def get(self, path: str, *options: str) -> Answer:
        port = self.running.port
        url = f"https://my.dev.local:{port}{path}"
        return curl(url, *trusting(self._command.cert, port), *options)

    def json(self, path: str, *options: str) -> dict[str, object]:
        answer = self.get(path, *options)
        assert answer.status == 200, answer
        found: dict[str, object] = json.loads(answer.body)
        return found


@contextmanager
def serving(command: Command, target: str, *options: str) -> Iterator[Site]:
    with command.start(target, *HOST, *options) as running:
        yield Site(command, running)


@contextmanager
def asking(port: int) -> Iterator[ssl.SSLSocket]:
    """A connection on which a request has been sent."""
    with connected(port) as tls:
        tls.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        yield tls


@pytest.fixture
def hello(command: Command) -> Command:
    (command.site / "hello.py").write_text(HELLO)
    return command


class TestOwn:
    def test_an_app_of_this_folder(self, hello: Command) -> None:
        with serving(hello, "hello:app") as site:
            assert "serving hello:app on 127.0.0.1:" in site.running.banner
            answer = site.get("/")
            assert (answer.status, answer.body) == (200, "hello from https")
            port = site.running.port
            plain = curl(f"http://127.0.0.1:{port}/x?y")
            assert plain.status == 301
            assert plain.fields["location"] == f"https://127.0.0.1:{port}/x?y"

    def test_a_folder_of_that_name_wins(self, hello: Command) -> None:
        (hello.site / "hello:app").mkdir()
        (hello.site / "hello:app" / "a.txt").write_text("from the folder")
        with serving(hello, "hello:app") as site:
            assert site.get("/a.txt").body == "from the folder"

    def test_an_app_at_a_route(self, hello: Command) -> None:
        with serving(hello, ".", "--route", "/api=hello:app") as site:
            assert site.get("/api/x").body == "hello from https"
            assert site.get("/hello.txt").body == "hello\n"

    def test_every_process_has_the_app(self, hello: Command) -> None:
        with serving(hello, "hello:app", "--workers", "2") as site:
            assert {site.get("/").body for _ in range(4)} == {"hello from https"}

    def test_ctrl_c_does_not_wait_for_an_app_that_hangs(self, command: Command) -> None:
        code = "import time\ndef app(environ, start_response):\n  print('in', flush=True)\n"
        (command.site / "stuck.py").write_text(f"{code}  time.sleep(60)\n")
        with serving(command, "stuck:app") as site:
            port = site.running.port
            with asking(port):
                assert site.running.stdout
                site.running.stdout.wait_for("^in$")
                began = time.monotonic()
                assert site.running.end(signal.SIGINT) == 0
                assert time.monotonic() - began < 3

    def test_what_an_app_leaves_for_the_exit_is_done(self, hello: Command) -> None:
        code = "import atexit\natexit.register(print, 'tidied up', flush=True)\n"
        (hello.site / "hello.py").write_text(code + HELLO)
        with serving(hello, "hello:app") as site:
            site.get("/")
        assert site.running.stdout
        assert "tidied up" in site.running.stdout.text


class TestFlask:
    @pytest.fixture
    def site(self, command: Command) -> Iterator[Site]:
        shutil.copy(APPS / "flask_app.py", command.site)
        with serving(command, "flask_app:app") as site:
            yield site

    def test_all_that_an_app_does(self, site: Site, tmp_path: Path) -> None:
        port = site.running.port
        assert site.json("/") == {"url": f"https://my.dev.local:{port}/", "secure": True}
        greeted = site.get("/greet/Z%C3%BCrich?punctuation=%21")
        assert greeted.body == "Hello, Zürich! !"
        assert site.get("/greet/x", "--head").fields["content-length"] == "10"
        assert site.get("/absent").status == 404

        large = tmp_path / "large"
        large.write_bytes(bytes(3_000_000))
        form = ("--form", f"file=@{large}", "--form", "note=über")
        size = {"name": "large", "size": 3_000_000, "note": "über"}
        assert site.json("/upload", *form) == size
        assert site.json("/upload", *form, "--header", "Transfer-Encoding: chunked") == size

        jar = str(tmp_path / "jar")
        cookies = ("--cookie-jar", jar, "--cookie", jar)
        assert site.get("/login", "--data", "user=ada", *cookies).status == 302
        assert site.get("/whoami", *cookies).body == "ada"

        streamed = site.get("/stream")
        assert streamed.body == "data: 0 /stream\n\ndata: 1 /stream\n\ndata: 2 /stream\n\n"
        assert streamed.fields["transfer-encoding"] == "chunked"
        source = (APPS / "flask_app.py").read_text()
        assert site.get("/download").body == source
        assert site.get("/download", "--range", "10-19").body == source[10:20]
        assert site.get("/memory").body == "from memory"

    def test_a_fault_is_a_page_and_a_traceback_for_the_developer(self, site: Site) -> None:
        site.running.tracebacks_expected = True
        assert site.get("/broken").status == 500
        assert site.running.stderr
        site.running.stderr.wait_for("LookupError: a fault of the app")
        assert "in broken" in site.log

    def test_a_factory(self, command: Command) -> None:
        shutil.copy(APPS / "flask_app.py", command.site)
        with serving(command, "flask_app:create_app('as asked')") as site:
            assert site.get("/").body == "as asked"


def test_django(command: Command, tmp_path: Path) -> None:
    shutil.copy(APPS / "django_app.py", command.site)
    with serving(command, "django_app:application") as site:
        port = site.running.port
        assert site.json("/") == {"url": f"https://my.dev.local:{port}/", "secure": True}
        assert site.get("/absent").status == 404

        jar = str(tmp_path / "jar")
        cookies = ("--cookie-jar", jar, "--cookie", jar)
        token = site.get("/upload", *cookies).body
        large = tmp_path / "large"
        large.write_bytes(bytes(3_000_000))
        form = [*cookies, "--form", f"file=@{large}", "--form", "note=über",
                "--header", f"Referer: https://my.dev.local:{port}/"]  # fmt: skip
        assert site.get("/upload", *form).status == 403
        form += ["--header", f"X-CSRFToken: {token}"]
        size = {"name": "large", "size": 3_000_000, "note": "über"}
        assert site.json("/upload", *form) == size
        assert site.json("/upload", *form, "--header", "Transfer-Encoding: chunked") == size

        assert site.get("/stream").body == "line 0\nline 1\nline 2\n"
        downloaded = site.get("/download")
        assert downloaded.body == (APPS / "django_app.py").read_text()
        assert downloaded.fields["content-length"] == str(len(downloaded.body))
        site.running.tracebacks_expected = True
        assert site.get("/broken").status == 500


class TestRefused:
    """In one line, before a certificate is made."""

    def test_there_is_no_module(self, hello: Command) -> None:
        finished = hello.run("helo:app")

        assert_refused(finished, 2, 'there is no module "helo"')
        assert "modules in this folder: hello" in finished.hints
        assert not hello.data.exists()

    def test_there_is_no_app(self, hello: Command) -> None:
        assert_refused(hello.run("hello:application"), 2, 'there is no "application" in hello')
        assert not hello.data.exists()

    def test_a_file(self, hello: Command) -> None:
        finished = hello.run("hello.py:app")

        assert_refused(finished, 2, "not its file")
        assert finished.hints == ["openssl-serve hello:app"]

    def test_a_file_alone(self, hello: Command) -> None:
        finished = hello.run("hello.py")

        assert_refused(finished, 2, '"hello.py" is a file')
        assert "a WSGI app in it: openssl-serve hello:app" in finished.hints

    def test_a_port_is_no_app(self, hello: Command) -> None:
        finished = hello.run("localhost:3000")

        assert_refused(finished, 2, 'no folder "localhost:3000"')
        assert any("openssl-serve http://localhost:3000" in hint for hint in finished.hints)

    def test_reload_without_an_app(self, hello: Command) -> None:
        assert_refused(hello.run(".", "--reload"), 2, "--reload is for WSGI apps")

    def test_threads_out_of_range(self, hello: Command) -> None:
        assert_refused(hello.run("hello:app", "--threads", "0"), 2, "--threads 0", hints=0)

    def test_code_that_fails_is_shown_to_whose_it_is(self, command: Command) -> None:
        (command.site / "broken.py").write_text("import os\n\n{}['key']\n")
        finished = command.run("broken:app")

        assert finished.code == 1
        assert finished.errors == ["broken:app cannot be loaded: KeyError: 'key'"]
        lines = finished.stderr.splitlines()
        assert lines[0] == "Traceback (most recent call last):"
        assert lines[1].endswith('broken.py", line 3, in <module>')
        assert "openssl_serve" not in finished.stderr
        assert not command.data.exists()
