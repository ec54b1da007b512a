"""Options about the folder and its responses, as typed, set in the environment, and mistyped."""

import contextlib
import os
import signal
import socket
from pathlib import Path

import pytest
from pages import Page
from server_fixtures import TIMEOUT_S, Client
from websockets.exceptions import ConnectionClosedOK

from e2e.clients import Answer, curl
from e2e.command import Command, Running, assert_refused

PAGE = ("-H", "Accept: text/html")


@pytest.fixture
def site(command: Command) -> Path:
    (command.site / "index.html").write_text("<title>app</title>")
    (command.site / "about.html").write_text("<title>about</title>")
    (command.site / "long.js").write_text("let a = 1;\n" * 1000)
    os.utime(command.site / "long.js", (10**9, 10**9))
    return command.site


def get(running: Running, path: str, *options: str) -> Answer:
    return curl(f"https://localhost:{running.port}{path}", "--insecure", *options)


def test_what_curl_unpacks_is_what_is_on_the_disk(command: Command, site: Path) -> None:
    with command.start() as running:
        packed = get(running, "/long.js", "--compressed")
        plain = get(running, "/long.js")

    assert packed.body == plain.body == (site / "long.js").read_text()
    assert packed.fields["content-encoding"] == "gzip"
    assert "content-encoding" not in plain.fields


def test_options_of_the_folder(command: Command, site: Path) -> None:
    (command.folder / "outside.txt").write_text("outside")
    (site / "link.txt").symlink_to("../outside.txt")
    options = ("--spa", "--no-compression", "--cache", "60", "--follow-symlinks")
    with command.start(*options) as running:
        assert get(running, "/users/7", *PAGE).body == "<title>app</title>"
        assert get(running, "/about?x").body == "<title>about</title>"
        answer = get(running, "/long.js", "--compressed")
        assert "content-encoding" not in answer.fields
        assert answer.fields["cache-control"] == "max-age=60"
        assert get(running, "/link.txt").body == "outside"


def test_options_of_responses(command: Command, site: Path) -> None:
    options = ("--cors", "--cross-origin-isolated", "--hsts", "--header", "X-A: 1", "--header=X-B:")
    with command.start(*options) as running:
        for path in ("/about", "/missing"):
            fields = get(running, path).fields
            assert fields["access-control-allow-origin"] == "*"
            assert fields["cross-origin-opener-policy"] == "same-origin"
            assert fields["strict-transport-security"] == "max-age=300"
            assert fields["x-a"] == "1"
            assert fields["x-b"] == ""


def test_all_of_it_from_the_environment(command: Command, site: Path) -> None:
    environment = {
        "OPENSSL_SERVE_SPA": "1",
        "OPENSSL_SERVE_CORS": "true",
        "OPENSSL_SERVE_HEADER": "X-A: one two\nX-B: three\n",
        "OPENSSL_SERVE_AUTH": "me:pass word",
        "OPENSSL_SERVE_CACHE": "5",
    }
    with command.start(environment=environment) as running:
        assert get(running, "/users/7", *PAGE).status == 401
        answer = get(running, "/users/7", *PAGE, "--user", "me:pass word")
    assert answer.body == "<title>app</title>"
    assert answer.fields["access-control-allow-origin"] == "*"
    assert (answer.fields["x-a"], answer.fields["x-b"]) == ("one two", "three")
    assert answer.fields["cache-control"] == "max-age=5"


def test_a_password_from_a_file_that_is_never_served(command: Command, site: Path) -> None:
    (site / "users").write_text("me:from file\n")
    with command.start("--auth-file", "users") as running:
        assert get(running, "/about").status == 401
        assert get(running, "/about", "--user", "me:from file").status == 200
        assert get(running, "/users", "--user", "me:from file").status == 404


def test_the_command_line_has_the_last_word_on_the_password(command: Command, site: Path) -> None:
    (command.folder / "users").write_text("me:file")
    variables = {"OPENSSL_SERVE_AUTH": "me:variable"}
    with command.start("--auth-file", "../users", environment=variables) as running:
        assert get(running, "/about", "--user", "me:file").status == 200
    variables = {"OPENSSL_SERVE_AUTH_FILE": "../users"}
    with command.start("--auth", "me:typed", environment=variables) as running:
        assert get(running, "/about", "--user", "me:typed").status == 200


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--header", "X Y: z"), ("--header", "X Y: z")),
        (("--header", "Content-Length: 5"), ("Content-Length", "framing")),
        (("--header", "X: a\nY: b"), ("--header",)),
        (("--auth", "hush"), ("--auth", "no colon")),
        (("--auth", "hush:"), ("--auth", "empty password")),
        (("--auth", "me:hush", "--plain-http", "serve"), ("--auth with --plain-http serve",)),
        (("--auth", "me:hush", "--auth-file", "x"), ("--auth and --auth-file",)),
        (("--auth-file", "missing"), ("--auth-file missing", "no such file")),
        (("--auth-file", "."), ("--auth-file .", "is a directory")),
        (("--cache", "-1"), ("--cache -1",)),
        (("--cache", "99999999999"), ("--cache 99999999999",)),
    ],
)
def test_what_cannot_be_meant_is_refused_before_anything_is_made(
    command: Command, options: tuple[str, ...], words: tuple[str, ...]
) -> None:
    finished = command.run(*options, "--port", "0")

    assert_refused(finished, 2, *words, hints=0)
    assert "hush" not in finished.stderr
    assert not command.data.exists()


@pytest.mark.parametrize("workers", [1, 2])
def test_pages_that_reload(command: Command, site: Path, workers: int) -> None:
    options = ("--live-reload", "--plain-http", "serve", "--workers", str(workers))
    with command.start(*options) as running, contextlib.ExitStack() as stack:
        page = get(running, "/about").body
        script = page.partition('src="')[2].partition('"')[0]
        assert page.startswith("<title>about</title>")
        assert "WebSocket" in get(running, script).body

        # Enough of them for every worker to have one.
        address = ("127.0.0.1", running.port)
        sockets = [socket.create_connection(address, TIMEOUT_S) for _ in range(8)]
        pages = [Page(stack.enter_context(Client(each)), origin=None) for each in sockets]
        (before,) = {each.state() for each in pages}
        (site / "about.html").write_text("<title>new</title>")
        changes = [each.next() for each in pages]
        assert all(change["paths"] == ["/about.html"] for change in changes)
        assert before not in {change["state"] for change in changes}

        # And all of them learn that it ends, before it does.
        running.process.send_signal(signal.SIGINT)
        for each in pages:
            with pytest.raises(ConnectionClosedOK):
                each.next()
        assert running.wait() == 0
