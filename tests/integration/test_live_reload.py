"""Live reload over a real socket: the script in pages, the stream of events, and the watching."""

import json
import os
import threading

import pytest
from httplint import HttpResponseLinter
from httplint.note import levels
from server_fixtures import eventually, request

from openssl_serve import api
from openssl_serve.handlers import watching
from openssl_serve.handlers.credentials import Credentials
from openssl_serve.handlers.folder import Folder, FolderOptions
from openssl_serve.handlers.live_page import MAX_PAGE
from openssl_serve.handlers.proxy.upstream import parse_upstream
from openssl_serve.targets import Route

LIVE = FolderOptions(live_reload=True)
TAG = b'<script src="/.openssl-serve/reload.js" async></script>\n'


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setattr(watching, "LOOK_EVERY_S", 0.02)


@pytest.fixture
def running(serve, root):
    (root / "page.html").write_text("<title>page</title>")
    return serve(folder=LIVE)


class Events:
    """A client of the stream, which reads chunks and events from the bytes of the wire."""

    def __init__(self, client, *fields, place=""):
        self.client = client
        client.send(request(place + "/.openssl-serve/reload", *fields))
        self.head = self._read_until(b"\r\n\r\n")
        self.content = b""

    def _read_until(self, end):
        while end not in self.client.left:
            data = self.client.sock.recv(65536)
            assert data, self.client.left
            self.client.left += data
        found, _, self.client.left = self.client.left.partition(end)
        return found + end

    def next(self, kind):
        """The data of the next event of this *kind*."""
        while True:
            while b"\n\n" in self.content:
                event, _, self.content = self.content.partition(b"\n\n")
                fields = dict(line.split(b": ", 1) for line in event.split(b"\n") if b": " in line)
                if fields.get(b"event") == kind:
                    return fields[b"data"].decode()
            size = int(self._read_until(b"\r\n"), 16)
            while len(self.client.left) < size + 2:
                self.client.left += self.client.sock.recv(65536)
            self.content += self.client.left[:size]
            self.client.left = self.client.left[size + 2 :]


def watchers():
    return [thread for thread in threading.enumerate() if "watcher" in thread.name]


# Pages.


def test_a_page_has_the_script_and_nothing_else_has(running, root):
    (root / "index.html").write_text("<title>index</title>")
    (root / "x.js").write_text("let html = '<html></html>'")

    for target in ("/page.html", "/page", "/"):
        answer = running.get(target)
        assert answer.body.endswith(TAG)
        assert answer.body.count(TAG) == 1
        assert answer.get(b"content-length") == b"%d" % len(answer.body)
    for target in ("/a.txt", "/x.js", "/missing"):
        assert TAG not in running.get(target, b"Accept: text/html").body
    assert running.get("/page", method=b"HEAD").get(b"content-length") == b"%d" % len(
        running.get("/page").body
    )


def test_a_page_with_the_script_is_another_than_the_one_without(running, serve):
    tag = running.get("/page.html").get(b"etag") or b""

    assert running.get("/page.html", b"If-None-Match: " + tag).status == 304
    assert serve().get("/page.html", b"If-None-Match: " + tag).status == 200
    assert TAG not in serve().get("/page.html").body


def test_a_page_that_is_kept_has_the_script_once(running, root, monkeypatch):
    monkeypatch.setattr("openssl_serve.handlers.files.SETTLED_S", -10.0)
    for _ in range(3):
        assert running.get("/page").body == b"<title>page</title>" + TAG
    (root / "page.html").write_text("new")
    assert running.get("/page").body == b"new" + TAG


def test_a_part_of_a_page_is_one_of_what_was_sent(running):
    whole = running.get("/page").body

    assert running.get("/page", b"Range: bytes=-20").body == whole[-20:]


def test_a_page_with_the_script_is_not_compressed_without_it(running, root):
    (root / "page.html").write_text("long " * 10_000)
    (root / "page.html.gz").write_bytes(b"stale")

    answer = running.get("/page", b"Accept-Encoding: gzip")

    assert answer.get(b"content-encoding") is None
    assert answer.body.endswith(TAG)


def test_a_page_that_is_huge_is_left_alone(running, root):
    (root / "page.html").write_bytes(b"x" * (MAX_PAGE + 1))

    assert running.get("/page").body == b"x" * (MAX_PAGE + 1)


def test_the_script_is_served(running):
    answer = running.get("/.openssl-serve/reload.js")

    assert answer.get(b"content-type") == b"text/javascript; charset=utf-8"
    assert b"EventSource" in answer.body
    assert b'"/.openssl-serve/reload"' in answer.body


def test_without_the_option_there_is_none_of_it(server, root):
    (root / "page.html").write_text("page")

    assert server.get("/page").body == b"page"
    for target in ("/.openssl-serve/reload", "/.openssl-serve/reload.js"):
        assert server.get(target).status == 404


def test_nothing_else_is_below_its_name(running):
    for target in (
        "/.openssl-serve/",
        "/.openssl-serve",
        "/.openssl-serve/x",
        "/a/.openssl-serve/reload",
    ):
        assert running.get(target).status == 404
    assert running.get("/.openssl-serve/reload", b"Content-Length: 0", method=b"POST").status == 405


# Events.


def test_a_change_is_told_with_its_path(running, root):
    with running.tls() as client:
        events = Events(client)
        first = events.next(b"state")
        (root / "new file.txt").write_text("new")
        change = json.loads(events.next(b"change"))
        assert change["paths"] == ["/new%20file.txt"]
        assert change["state"] != first
        (root / "new file.txt").unlink()
        change = json.loads(events.next(b"change"))
    assert change == {"state": first, "paths": ["/new%20file.txt"]}


def test_the_stream_is_one_that_a_browser_takes(running):
    with running.tls() as client:
        head = Events(client).head
    first, *lines = head.rstrip().split(b"\r\n")
    fields = [tuple(line.split(b": ", 1)) for line in lines]
    linter = HttpResponseLinter()
    linter.base_uri = "https://localhost/.openssl-serve/reload"
    linter.process_response_topline(*first.split(b" ", 2))
    linter.process_headers(fields)

    assert not [note.summary for note in linter.notes if note.level is levels.BAD]
    assert dict(fields)[b"Content-Type"] == b"text/event-stream"
    assert dict(fields)[b"Cache-Control"] == b"no-store"


def test_who_comes_back_learns_that_something_has_changed(running, root):
    """Nobody listened meanwhile, so nobody looked."""
    with running.tls() as client:
        before = Events(client).next(b"state")
    eventually(lambda: not watchers(), "the watcher rests")
    with running.tls() as client:
        assert Events(client).next(b"state") == before
    (root / "a.txt").write_text("changed")
    with running.tls() as client:
        assert Events(client).next(b"state") != before


def test_the_state_is_the_same_for_another_server(running, serve):
    """After a restart, or from another worker: no page is reloaded for nothing."""
    with running.tls() as one, serve(folder=LIVE).tls() as other:
        assert Events(one).next(b"state") == Events(other).next(b"state")


def test_all_who_listen_are_told_by_one_thread(running, root):
    clients = [running.tls() for _ in range(5)]
    try:
        listeners = [Events(client) for client in clients]
        for events in listeners:
            events.next(b"state")
        assert len(watchers()) == 1
        (root / "a.txt").write_text("changed")
        for events in listeners:
            assert json.loads(events.next(b"change"))["paths"] == ["/a.txt"]
    finally:
        for client in clients:
            client.sock.close()
    eventually(lambda: not watchers(), "the watcher rests")


def test_a_listener_takes_no_thread_of_the_pool(serve, root):
    """More listeners than threads, and listings are still made."""
    running = serve(folder=LIVE)
    clients = [running.tls() for _ in range(running.server.limits.threads + 2)]
    try:
        for client in clients:
            Events(client).next(b"state")
        assert running.get("/").status == 200
    finally:
        for client in clients:
            client.sock.close()


def test_a_listener_does_not_hold_up_the_end(running):
    with running.tls() as client:
        Events(client).next(b"state")
        running.stop()
    eventually(lambda: not watchers(), "the watcher rests")


def test_head_of_the_stream_leaves_nobody_listening(running):
    assert running.get("/.openssl-serve/reload", method=b"HEAD").status == 200
    eventually(lambda: not watchers(), "the watcher rests")


def test_strangers_hear_nothing(serve, root):
    running = serve(folder=LIVE, auth=Credentials("me", "pass"))

    for target in ("/.openssl-serve/reload", "/.openssl-serve/reload.js"):
        assert running.get(target).status == 401


def test_it_works_over_plain_http_where_that_is_served(serve, root):
    running = serve(folder=LIVE, plain_http=api.PlainHttp.SERVE)
    with running.plain() as client:
        Events(client).next(b"state")


# Looking.


def test_a_folder_beside_something_else_has_its_own(serve, tmp_path, upstream):
    """What is at the top may know nothing of it, and its files do not change."""
    docs = tmp_path / "our docs"
    docs.mkdir()
    (docs / "index.html").write_text("<title>docs</title>")
    route = Route(None, "/our docs", docs)
    running = serve(target=parse_upstream(upstream.url), routes=[route], folder=LIVE)
    tag = TAG.replace(b"/.", b"/our%20docs/.")
    assert running.get("/our%20docs/").body == b"<title>docs</title>" + tag
    assert b"EventSource" in running.get("/our%20docs/.openssl-serve/reload.js").body

    with running.tls() as client:
        events = Events(client, place="/our%20docs")
        events.next(b"state")
        (docs / "index.html").write_text("<title>new docs</title>")
        assert json.loads(events.next(b"change"))["paths"] == ["/index.html"]
    assert running.get("/our%20docs/").body == b"<title>new docs</title>" + tag
    assert upstream.is_quiet


def test_what_is_not_shown_is_not_watched(root, tmp_path):
    for name in (".git", "node_modules", "sub"):
        (root / name).mkdir()
        (root / name / "file").touch()
    (root / "id.key").touch()
    (root / "link").symlink_to("a.txt")
    (root / "dangling").symlink_to("nowhere")
    (root / "up").symlink_to("..")

    assert sorted(watching.look(Folder(root))) == [b"a.txt", b"link", b"sub/file"]


def test_the_number_of_files_has_a_bound_and_those_near_the_root_come_first(root, monkeypatch):
    (root / "deep" / "er").mkdir(parents=True)
    for number in range(10):
        (root / "deep" / f"{number}").touch()
        (root / "deep" / "er" / f"{number}").touch()
    monkeypatch.setattr(watching, "MAX_WATCHED", 8)

    found = watching.look(Folder(root))

    assert 4 < len(found) < 8
    assert b"a.txt" in found
    assert not any(path.startswith(b"deep/er/") for path in found)


def test_a_folder_that_cannot_be_read_is_as_good_as_empty(root, monkeypatch):
    folder = Folder(root)
    real = os.scandir

    def denied(path):
        if path.endswith(b"sub"):
            raise PermissionError
        return real(path)

    (root / "sub").mkdir()
    monkeypatch.setattr("openssl_serve.handlers.watching.os.scandir", denied)

    assert list(watching.look(folder)) == [b"a.txt"]


def test_every_change_of_a_file_is_another_state(root):
    folder = Folder(root)
    names = set()
    for change in (
        lambda: None,
        lambda: os.utime(root / "a.txt", (1, 1)),
        lambda: (root / "a.txt").write_text("longer than before"),
        lambda: (root / "a.txt").rename(root / "b.txt"),
        (root / "c").touch,
    ):
        change()
        names.add(watching.name_of(watching.look(folder)))
    assert len(names) == 5
