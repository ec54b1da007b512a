"""Files and folders over a real socket: validators, ranges, methods, indexes, listings."""

import json
import os
import re
from email.utils import parsedate_to_datetime
from html.parser import HTMLParser
from urllib.parse import unquote_to_bytes, urljoin, urlsplit

import pytest
from server_fixtures import request

from openssl_serve.handlers.files import MAX_KEPT
from openssl_serve.handlers.folder import FolderOptions
from openssl_serve.handlers.representation import SMALL
from openssl_serve.http1.fields import http_date

PAGE = b"Accept: text/html,application/xhtml+xml,*/*;q=0.8"


@pytest.fixture(params=[10, SMALL, SMALL + 1, 300_000], ids="{} bytes".format)
def content(request, root):
    """A file kept whole, and one read as it is sent; they must not differ to a client."""
    data = os.urandom(request.param)
    (root / "file.bin").write_bytes(data)
    return data


# Whole files.


def test_a_file_comes_whole_with_what_is_known_of_it(server, root, content):
    answer = server.get("/file.bin")

    modified = (root / "file.bin").stat().st_mtime
    assert (answer.status, answer.body) == (200, content)
    assert answer.get(b"content-length") == b"%d" % len(content)
    assert answer.get(b"content-type") == b"application/octet-stream"
    assert answer.get(b"last-modified") == http_date(modified)
    assert answer.get(b"accept-ranges") == b"bytes"
    assert answer.get(b"cache-control") == b"no-cache"
    assert answer.get(b"x-content-type-options") == b"nosniff"
    assert re.fullmatch(rb'"[!-~]+"', answer.get(b"etag") or b"")
    assert answer.get(b"access-control-allow-origin") is None


def test_head_is_get_without_the_content(server, content):
    def told(answer):
        return answer.status, [f for f in answer.fields if f[0] != b"date"]

    assert told(server.get("/file.bin", method=b"HEAD")) == told(server.get("/file.bin"))
    assert server.get("/file.bin", method=b"HEAD").body == b""


def test_what_its_name_does_not_tell_its_content_does(serve, root, monkeypatch):
    """A browser shows LICENSE and go.mod, and does not save them."""
    monkeypatch.setattr("openssl_serve.handlers.files.SETTLED_S", -10.0)
    (root / "LICENSE").write_text("Grünes Gras\n" * 1000)
    (root / "segment.ts").write_bytes(b"G@\0\x10" * 50)
    server = serve()

    for _ in range(2):
        text = server.get("/LICENSE", b"Accept-Encoding: gzip")
        assert text.get(b"content-type") == b"text/plain; charset=utf-8"
        assert text.get(b"content-encoding") == b"gzip"
        assert server.get("/segment.ts").get(b"content-type") == b"application/octet-stream"
    assert server.get("/LICENSE").get(b"x-content-type-options") == b"nosniff"


def test_an_empty_file_is_a_file(server, root):
    (root / "empty").touch()

    answer = server.get("/empty")

    assert (answer.status, answer.body, answer.get(b"content-length")) == (200, b"", b"0")


def test_the_date_is_now_and_never_before_last_modified(server, root):
    os.utime(root / "a.txt", (2**32, 2**32))

    answer = server.get("/a.txt")

    date, modified = (
        parsedate_to_datetime((answer.get(name) or b"").decode())
        for name in (b"date", b"last-modified")
    )
    assert modified <= date


@pytest.mark.parametrize("seconds", [-1, 0, 1, 2**33])
def test_a_file_of_any_age_is_served_and_listed(server, root, seconds):
    os.utime(root / "a.txt", (seconds, seconds))

    assert server.get("/a.txt").status == 200
    assert "a.txt" in server.get("/", PAGE).text


def test_a_changed_file_is_served_changed(server, root):
    """Also when it keeps its size, and when it is replaced by one with the same times."""
    with server.tls() as client:
        for number in range(50):
            (root / "a.txt").write_text(f"{number:04}")
            assert client.get("/a.txt").text == f"{number:04}"
        before = (root / "a.txt").stat()
        (root / "b.txt").write_text("new!")
        os.utime(root / "b.txt", ns=(before.st_atime_ns, before.st_mtime_ns))
        (root / "b.txt").rename(root / "a.txt")
        assert client.get("/a.txt").text == "new!"


def test_a_file_that_is_kept_is_the_same_as_one_that_is_read(server, root, monkeypatch):
    """After its first two seconds a small file's answer is kept; nothing tells it from another."""
    monkeypatch.setattr("openssl_serve.handlers.files.SETTLED_S", -10.0)
    with server.tls() as client:
        first = client.get("/a.txt")
        handler = server.server.handlers.secure._handler
        assert list(handler._kept) == [b"/a.txt"]
        for method in (b"GET", b"HEAD", b"GET"):
            again = client.get("/a.txt", method=method)
            assert [f for f in again.fields if f[0] != b"date"] == [
                f for f in first.fields if f[0] != b"date"
            ]
        tag = first.get(b"etag") or b""
        assert client.get("/a.txt", b"If-None-Match: " + tag).status == 304
        assert client.get("/a.txt", b"If-Match: " + tag, b"Range: bytes=1-2").body == b"on"
        (root / "a.txt").write_text("changed")
        assert client.get("/a.txt").text == "changed"
        (root / "a.txt").unlink()
        assert client.get("/a.txt").status == 404


def test_a_file_that_has_just_changed_is_not_kept(server):
    """A second change in the same tick of the file system's clock would go unnoticed."""
    assert server.get("/a.txt").status == 200
    assert not server.server.handlers.secure._handler._kept


def test_what_is_kept_has_a_bound(server, monkeypatch):
    monkeypatch.setattr("openssl_serve.handlers.files.SETTLED_S", -10.0)
    with server.tls() as client:
        for number in range(MAX_KEPT + 20):
            assert client.get(f"/a.txt?{number}").status == 200
        assert len(server.server.handlers.secure._handler._kept) == MAX_KEPT


# Conditions and ranges.


def test_an_unchanged_file_is_not_sent_again(server, content):
    first = server.get("/file.bin")
    tag, date = first.get(b"etag") or b"", first.get(b"last-modified") or b""

    for condition in (b"If-None-Match: " + tag, b"If-None-Match: W/" + tag, b"If-None-Match: *",
                      b"If-Modified-Since: " + date):  # fmt: skip
        for method in (b"GET", b"HEAD"):
            answer = server.get("/file.bin", condition, method=method)
            assert (answer.status, answer.body) == (304, b"")
            assert answer.get(b"content-length") is None
            assert answer.get(b"content-type") is None
            assert answer.get(b"etag") == tag
            assert answer.get(b"cache-control") == first.get(b"cache-control")


def test_a_304_leaves_the_connection_in_step(server, content):
    with server.tls() as client:
        tag = client.get("/file.bin").get(b"etag") or b""
        client.send(request("/file.bin", b"If-None-Match: " + tag) * 3 + request("/a.txt"))
        assert [client.answer().status for _ in range(4)] == [304, 304, 304, 200]


def test_another_state_than_asked_for_is_412(server, content):
    tag = server.get("/file.bin").get(b"etag") or b""

    assert server.get("/file.bin", b'If-Match: "other"').status == 412
    assert server.get("/file.bin", b"If-Match: W/" + tag).status == 412
    assert server.get("/file.bin", b"If-Unmodified-Since: " + http_date(0)).status == 412
    assert server.get("/file.bin", b"If-Match: " + tag).status == 200


@pytest.mark.parametrize(
    ("value", "start", "stop"),
    [("0-0", 0, 1), ("2-5", 2, 6), ("7-", 7, None), ("-3", -3, None), ("0-", 0, None),
     ("3-18446744073709551616", 3, None), ("-18446744073709551616", 0, None)],
)  # fmt: skip
def test_a_part_of_a_file(server, content, value, start, stop):
    answer = server.get("/file.bin", b"Range: bytes=" + value.encode())

    part = content[start:stop]
    first = start % len(content)
    assert (answer.status, answer.body) == (206, part)
    assert answer.get(b"content-length") == b"%d" % len(part)
    assert answer.get(b"content-range") == b"bytes %d-%d/%d" % (
        first,
        first + len(part) - 1,
        len(content),
    )
    assert answer.get(b"etag") == server.get("/file.bin").get(b"etag")


@pytest.mark.parametrize("value", ["999999999-", "-0", "18446744073709551616-"])
def test_a_part_beyond_a_file_is_416_with_its_size(server, content, value):
    answer = server.get("/file.bin", b"Range: bytes=" + value.encode())

    assert answer.status == 416
    assert answer.get(b"content-range") == b"bytes */%d" % len(content)
    assert content[:10] not in answer.body


@pytest.mark.parametrize("value", [b"bytes=9-1", b"bytes=0-1,3-2", b"lines=1-2", b"bytes=-", b"x"])
def test_a_range_that_is_not_understood_is_the_whole(server, content, value):
    answer = server.get("/file.bin", b"Range: " + value)

    assert (answer.status, answer.body) == (200, content)
    assert answer.get(b"content-range") is None


def test_a_thousand_ranges_cost_no_more_than_one(server, content):
    """CVE-2011-3192, CVE-2025-62727."""
    value = b"Range: bytes=" + b",".join(b"%d-" % n for n in range(1000))

    assert server.get("/file.bin", value).body == content


def test_a_part_of_nothing_is_416(server, root):
    (root / "empty").touch()

    for value in (b"0-", b"0-0", b"-1"):
        answer = server.get("/empty", b"Range: bytes=" + value)
        assert (answer.status, answer.get(b"content-range")) == (416, b"bytes */0")


def test_a_part_is_only_sent_of_the_state_that_the_client_has(server, content):
    first = server.get("/file.bin")
    tag, date = first.get(b"etag") or b"", first.get(b"last-modified") or b""

    for condition, status in (
        (tag, 206), (date, 206), (b'"other"', 200), (b"W/" + tag, 200), (http_date(0), 200),
    ):  # fmt: skip
        answer = server.get("/file.bin", b"Range: bytes=1-2", b"If-Range: " + condition)
        assert answer.status == status


def test_conditions_come_before_ranges(server, content):
    tag = server.get("/file.bin").get(b"etag") or b""
    part = b"Range: bytes=999999999-"

    assert server.get("/file.bin", part, b"If-None-Match: " + tag).status == 304
    assert server.get("/file.bin", part, b'If-Match: "other"').status == 412
    assert server.get("/file.bin", part, method=b"HEAD").status == 200


# Methods.


@pytest.mark.parametrize("target", ["/a.txt", "/", "/missing"])
@pytest.mark.parametrize("method", [b"POST", b"PUT", b"DELETE", b"PATCH", b"TRACE", b"PROPFIND"])
def test_files_can_only_be_read(server, target, method):
    answer = server.get(target, b"Content-Length: 0", method=method)

    assert (answer.status, answer.get(b"allow")) == (405, b"GET, HEAD, OPTIONS")


@pytest.mark.parametrize("target", ["/a.txt", "/", "*"])
def test_options_tells_what_can_be_done(server, target):
    answer = server.get(target, method=b"OPTIONS")

    assert (answer.status, answer.body) == (204, b"")
    assert answer.get(b"allow") == b"GET, HEAD, OPTIONS"
    assert answer.get(b"content-length") is None
    assert answer.get(b"access-control-allow-origin") is None


# Folders.


def test_the_first_index_file_stands_for_its_folder(serve, root):
    (root / "index.htm").write_text("second")
    running = serve()

    assert running.get("/").text == "second"
    (root / "index.html").write_text("first")
    assert running.get("/").text == "first"
    assert running.get("/").get(b"content-type") == b"text/html; charset=utf-8"


def test_an_index_file_can_be_named(serve, root):
    (root / "index.html").write_text("usual")
    running = serve(folder=FolderOptions(index=("a.txt",)))

    assert running.get("/").body == b"content of a\n"


@pytest.mark.parametrize("name", ["../secret.txt", "/etc/passwd", ".env", "sub"])
def test_an_index_is_held_to_the_rules_of_every_file(serve, root, tmp_path, name):
    (tmp_path / "secret.txt").write_text("secret")
    (root / ".env").write_text("secret")
    (root / "sub").mkdir()
    answer = serve(folder=FolderOptions(index=(name,))).get("/", b"Accept: text/plain")

    assert answer.status == 200
    assert "secret" not in answer.text
    assert "root:" not in answer.text


@pytest.mark.parametrize(
    ("field", "status"),
    [(b"Range: bytes=999-", 416), (b'If-Match: "other"', 412), (b"If-None-Match: *", 304)],
)
def test_conditions_about_an_index_are_no_reason_to_list_its_folder(serve, root, field, status):
    (root / "index.html").write_text("index")

    assert serve().get("/", field).status == status


def test_a_folder_without_an_index_is_listed_unless_told_not_to(serve):
    assert "a.txt" in serve().get("/").text
    assert serve(folder=FolderOptions(listing=False)).get("/").status == 404


def test_a_listing_is_for_people_and_for_programs(server, root):
    (root / "sub").mkdir()

    page, text = server.get("/", PAGE), server.get("/", b"Accept: */*")

    assert page.get(b"content-type") == b"text/html; charset=utf-8"
    assert text.get(b"content-type") == b"text/plain; charset=utf-8"
    assert text.text.splitlines() == ["sub/", "a.txt"]
    assert b"Accept" in (page.get(b"vary") or b"")
    for answer in (page, text):
        assert answer.get(b"x-content-type-options") == b"nosniff"
        assert b"no-" in (answer.get(b"cache-control") or b"")


def test_an_error_is_for_people_and_for_programs(server):
    page, text = server.get("/missing", PAGE), server.get("/missing")

    assert page.get(b"content-type") == b"text/html; charset=utf-8"
    assert text.text.startswith("404 Not Found")
    assert text.text.count("\n") == 1


class Reader(HTMLParser):
    """What a browser would find in a page: tags, attributes, links, text."""

    def __init__(self, page):
        super().__init__()
        self.tags, self.links, self.texts = set(), [], []
        self.handlers, self.inside = [], None
        self.feed(page)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.inside = tag
        for name, value in attrs:
            if name.startswith("on"):
                self.handlers.append(name)
            if tag == "a" and name == "href":
                self.links.append(value)

    def handle_data(self, data):
        if self.inside not in ("script", "style"):
            self.texts.append(data)


HOSTILE = [
    b'"onmouseover="alert(1)', b"'onmouseover='alert(1)", b"<script>alert(1)</script>",
    b"</script><script>alert(1)</script>", b"</title><script>alert(1)</script>",
    b"<img src=x onerror=alert(1)>",
    b"&lt;b&gt;", b"a&amp;b", b"a&b=c", b"javascript:alert(1)", b"data:text/html,x", b"http:evil",
    b"//", b"?query", b"#fragment", b"100%", b"%2e%2e", b"a b", b" lead", b"trail ", b"new\nline",
    b"tab\tname", b"esc\x1b[31mred", b"bell\x07", b"\xff\xfe", b"\xed\xa0\x80", b"\\back\\slash",
    "\u202egnp.exe".encode(), "\u2028".encode(), "caf\u00e9".encode(), b"${version}", b"$style",
    b"{{7*7}}", b"]]>", b"--><b>", b"`x`", b"a;b", b"+plus+", b"..a", b"...", b"x" * 250, b"aux",
]  # fmt: skip


@pytest.fixture
def hostile_names(root):
    """The names that a folder really got, each of a file with the name as its content."""
    folder = os.path.join(os.fsencode(root), b"names")
    os.mkdir(folder)
    made = []
    for name in HOSTILE:
        if b"/" in name:
            continue
        with open(os.path.join(folder, name), "wb") as file:
            file.write(name)
        made.append(name)
    (root / "clean").mkdir()
    (root / "clean" / "plain.txt").touch()
    return made


def test_no_name_of_a_file_becomes_markup(server, hostile_names):
    """CVE-2024-27306, serve-index #28, dufs #21."""
    clean = Reader(server.get("/clean/", PAGE).text)
    answer = server.get("/names/", PAGE)
    page = Reader(answer.text)

    assert page.tags == clean.tags
    assert page.handlers == []
    assert b"default-src 'none'" in (answer.get(b"content-security-policy") or b"")
    assert b"unsafe" not in (answer.get(b"content-security-policy") or b"").partition(b"style")[0]


def test_every_link_of_a_listing_leads_to_its_file(server, hostile_names):
    page = Reader(server.get("/names/", PAGE).text)
    reached = []
    for href in page.links:
        url = urlsplit(urljoin("https://localhost/names/", href))
        assert (url.scheme, url.netloc) == ("https", "localhost")
        if url.path.startswith("/names/") and url.path != "/names/" and not url.query:
            answer = server.get(url.path)
            assert answer.status == 200
            assert answer.body == unquote_to_bytes(url.path.removeprefix("/names/"))
            reached.append(answer.body)

    shown = [name for name in hostile_names if not name.startswith(b".")]
    assert sorted(reached) == sorted(shown)


def test_a_listing_as_text_has_one_printable_line_for_each_file(server, hostile_names):
    lines = server.get("/names/", b"Accept: text/plain").body.decode().split("\n")

    shown = [name for name in hostile_names if not name.startswith(b".")]
    assert len(lines) == len(shown) + 1
    assert not any(re.search(r"[\x00-\x1f\x7f-\x9f]", line) for line in lines)


@pytest.mark.parametrize("accept", [PAGE, b"Accept: text/plain", b"Accept: application/json"])
def test_a_hostile_path_does_not_become_markup(server, root, accept):
    name = "<img src=x onerror=alert(1)>\x1b"
    (root / name).mkdir()

    answer = server.get("/%3Cimg%20src=x%20onerror=alert(1)%3E%1b/", accept)

    assert answer.status == 200
    if (answer.get(b"content-type") or b"").startswith(b"text/html"):
        assert "img" not in Reader(answer.text).tags
        assert "\x1b" not in answer.text
    if (answer.get(b"content-type") or b"").startswith(b"application/json"):
        json.loads(answer.text)


def test_an_error_page_repeats_nothing_as_markup(server):
    for target in ("/<script>alert(1)</script>", "/%3Cscript%3E", "/x?<script>"):
        page = Reader(server.get(target, PAGE).text)
        assert "script" not in page.tags
    with server.tls() as client:
        answer = client.send(request("/", PAGE, host=b"<script>")).answer()
        assert b"<script>" not in answer.body


def test_a_large_folder_is_listed_while_others_are_served(server, root):
    folder = root / "many"
    folder.mkdir()
    for number in range(1000):
        (folder / f"{number}.txt").touch()

    with server.tls() as slow, server.tls() as quick:
        slow.send(request("/many/", PAGE))
        assert quick.get("/a.txt").status == 200
        page = slow.answer()

    assert len([href for href in Reader(page.text).links if ".txt" in href]) == 1000


def test_a_folder_that_cannot_be_read_is_not_found(server, root, monkeypatch):
    (root / "sub").mkdir()

    def refuse(_path):
        raise PermissionError

    monkeypatch.setattr("openssl_serve.handlers.entries.os.scandir", refuse)

    assert server.get("/sub/").status == 404
