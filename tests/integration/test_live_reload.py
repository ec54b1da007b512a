"""Live reload over a real socket: the script in pages, what they are told, and the watching."""

import os
import threading

import pytest
from pages import CHANGES, Page
from server_fixtures import eventually, request
from websockets.exceptions import ConnectionClosedOK, InvalidStatus

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
    assert b"new WebSocket(" in answer.body
    assert b'"/.openssl-serve/reload"' in answer.body


def test_without_the_option_there_is_none_of_it(server, root):
    (root / "page.html").write_text("page")

    assert server.get("/page").body == b"page"
    for target in (CHANGES, "/.openssl-serve/reload.js"):
        assert server.get(target).status == 404


def test_nothing_else_is_below_its_name(running):
    for target in (
        "/.openssl-serve/",
        "/.openssl-serve",
        "/.openssl-serve/x",
        "/a/.openssl-serve/reload",
    ):
        assert running.get(target).status == 404
    assert running.get(CHANGES, b"Content-Length: 0", method=b"POST").status == 405


# What pages are told.


def test_a_change_is_told_with_its_path(running, root):
    with running.tls() as client:
        page = Page(client)
        first = page.state()
        (root / "new file.txt").write_text("new")
        change = page.next()
        assert change["paths"] == ["/new%20file.txt"]
        assert change["state"] != first
        (root / "new file.txt").unlink()
        assert page.next() == {"state": first, "paths": ["/new%20file.txt"]}


def test_of_a_change_that_is_too_much_to_be_named_the_state_is_told(running, root, tmp_path):
    (tmp_path / "new").mkdir()
    for number in range(200):
        (tmp_path / f"new/{number:0100}").touch()
    with running.tls() as client:
        page = Page(client)
        page.state()
        # All of them at one moment.
        (tmp_path / "new").rename(root / "new")
        assert page.next() == {"state": watching.name_of(watching.look(Folder(root)))}


def test_who_comes_back_learns_that_something_has_changed(running, root):
    """Nobody listened meanwhile, so nobody looked."""
    with running.tls() as client:
        before = Page(client).state()
    eventually(lambda: not watchers(), "the watcher rests")
    with running.tls() as client:
        assert Page(client).state() == before
    (root / "a.txt").write_text("changed")
    with running.tls() as client:
        assert Page(client).state() != before


def test_the_state_is_the_same_for_another_server(running, serve):
    """After a restart, or from another worker: no page is reloaded for nothing."""
    with running.tls() as one, serve(folder=LIVE).tls() as other:
        assert Page(one).state() == Page(other).state()


def test_all_who_listen_are_told_by_one_thread(running, root):
    clients = [running.tls() for _ in range(5)]
    try:
        pages = [Page(client) for client in clients]
        for page in pages:
            page.state()
        assert len(watchers()) == 1
        (root / "a.txt").write_text("changed")
        for page in pages:
            assert page.next()["paths"] == ["/a.txt"]
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
            Page(client).state()
        assert running.get("/").status == 200
    finally:
        for client in clients:
            client.sock.close()


def test_the_watcher_rests_when_the_server_has_ended(running):
    with running.tls() as client:
        page = Page(client)
        page.state()
        running.stop()
        with pytest.raises(ConnectionClosedOK) as caught:
            page.next()
    assert caught.value.rcvd is not None
    assert caught.value.rcvd.code == 1001
    eventually(lambda: not watchers(), "the watcher rests")


@pytest.mark.parametrize("method", [b"GET", b"HEAD"])
def test_who_asks_for_no_websocket_learns_what_there_is_and_nobody_listens(running, method):
    answer = running.get(CHANGES, method=method)

    assert (answer.status, answer.get(b"upgrade")) == (426, b"websocket")
    assert not watchers()


@pytest.mark.parametrize("origin", ["https://evil.example", "http://localhost", "null"])
def test_pages_of_others_hear_nothing(running, origin):
    with running.tls() as client, pytest.raises(InvalidStatus) as caught:
        Page(client, origin=origin)

    assert caught.value.response.status_code == 403
    assert not watchers()


def test_strangers_hear_nothing(serve, root):
    running = serve(folder=LIVE, auth=Credentials("me", "pass"))

    for target in (CHANGES, "/.openssl-serve/reload.js"):
        assert running.get(target).status == 401
    with running.tls() as client, pytest.raises(InvalidStatus) as caught:
        Page(client)
    assert caught.value.response.status_code == 401
    with running.tls() as client:
        assert Page(client, PASSWORD).state()


PASSWORD = ("Authorization", "Basic bWU6cGFzcw==")


def test_safari_gets_in_with_a_ticket(serve):
    """It sends no password with a WebSocket, and with everything else."""
    running = serve(folder=LIVE, auth=Credentials("me", "pass"))
    known = b": ".join(each.encode() for each in PASSWORD)
    assert b"guarded = true" in running.get("/.openssl-serve/reload.js", known).body
    answer = running.get(CHANGES, known)
    assert (answer.status, answer.get(b"cache-control")) == (200, b"no-store")
    with running.tls() as client:
        page = Page(client, protocol=answer.text)
        assert page.protocol.subprotocol == answer.text
        assert page.state()
    assert answer.text not in running.log


def test_a_ticket_is_for_a_websocket_of_its_server_alone(serve):
    running = serve(folder=LIVE, auth=Credentials("me", "pass"))
    known = b": ".join(each.encode() for each in PASSWORD)
    ticket = running.get(CHANGES, known).text
    others = serve(folder=LIVE, auth=Credentials("me", "pass")).get(CHANGES, known).text
    for wrong in (others, ticket[:-1], ticket.upper(), "x"):
        with running.tls() as client, pytest.raises(InvalidStatus) as caught:
            Page(client, protocol=wrong)
        assert caught.value.response.status_code == 401
    shown = b"Sec-WebSocket-Protocol: " + ticket.encode()
    upgrade = (b"Connection: Upgrade", b"Upgrade: websocket")
    for target in ("/a.txt", "/.openssl-serve/reload.js", CHANGES):
        assert running.get(target, shown).status == 401
    for mark in ("", "?", "#", "?x="):
        target = "/a.txt" + (mark and mark + CHANGES)
        assert running.get(target, shown, *upgrade).status == 401
        assert ticket not in running.get(target, known).text
    # Of another origin: as without a password.
    with running.tls() as client, pytest.raises(InvalidStatus) as caught:
        Page(client, protocol=ticket, origin="https://evil.example")
    assert caught.value.response.status_code == 403


def test_of_several_protocols_one_is_agreed_on(running):
    asked = (
        b"Connection: Upgrade", b"Upgrade: websocket", b"Sec-WebSocket-Version: 13",
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", b"Sec-WebSocket-Protocol: a , b",
    )  # fmt: skip
    with running.tls() as client:
        head = client.send(request(CHANGES, *asked)).sock.recv(1000)

    assert b"\r\nSec-WebSocket-Protocol: a\r\n" in head


def test_without_a_password_there_is_no_ticket(running):
    assert b"guarded = false" in running.get("/.openssl-serve/reload.js").body
    assert running.get(CHANGES).status == 426


def test_it_works_over_plain_http_where_that_is_served(serve, root):
    running = serve(folder=LIVE, plain_http=api.PlainHttp.SERVE)
    with running.plain() as client:
        assert Page(client, origin="http://localhost").state()


@pytest.mark.parametrize(
    ("plain_http", "status"), [(api.PlainHttp.REDIRECT, 301), (api.PlainHttp.REFUSE, 426)]
)
def test_and_nowhere_else(serve, plain_http, status):
    running = serve(folder=LIVE, plain_http=plain_http)
    with running.plain() as client, pytest.raises(InvalidStatus) as caught:
        Page(client, origin="http://localhost")

    assert caught.value.response.status_code == status


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
    assert b"WebSocket" in running.get("/our%20docs/.openssl-serve/reload.js").body

    with running.tls() as client:
        page = Page(client, place="/our%20docs")
        page.state()
        (docs / "index.html").write_text("<title>new docs</title>")
        assert page.next()["paths"] == ["/index.html"]
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
