"""Content codings: siblings on disk, gzip made here, and that no two of them are ever confused."""

import gzip
import os
import threading
import zlib

import brotli
import pytest

from openssl_serve.handlers import compression, representation
from openssl_serve.handlers.folder import Folder, FolderOptions
from openssl_serve.http1.request import Peer, Request

BR, GZ = b"Accept-Encoding: gzip, deflate, br", b"Accept-Encoding: gzip"
CODE = b"".join(b"export const value_%d = %d;\n" % (n, n * n) for n in range(40))
LARGE = CODE * 200
"""240 KB: compressed by a thread, and the result is small enough to be held."""


@pytest.fixture
def tree(root):
    (root / "app.js").write_bytes(CODE)
    (root / "large.js").write_bytes(LARGE)
    return root


def sibling(path, data, later_s=0):
    """Write *data* beside *path*, so much later than it."""
    path.write_bytes(data)
    moment = os.stat(path.with_suffix("")).st_mtime + later_s
    os.utime(path, (moment, moment))


def spied_on(monkeypatch):
    """The threads in which something is compressed, from now on."""
    threads = []
    real = compression.gzip

    def spy(data):
        threads.append(threading.current_thread())
        return real(data)

    monkeypatch.setattr(compression, "gzip", spy)
    return threads


def decode(answer):
    coding = answer.get(b"content-encoding")
    if coding == b"br":
        return brotli.decompress(answer.body)
    return gzip.decompress(answer.body) if coding == b"gzip" else answer.body


@pytest.mark.parametrize("name", ["app.js", "large.js"])
def test_text_comes_compressed_to_those_who_take_it(server, tree, name):
    with server.tls() as client:
        plain, first, again = (client.get(f"/{name}", *f) for f in ((), (GZ,), (GZ,)))
        head = client.get(f"/{name}", GZ, method=b"HEAD")

    for answer in (first, again):
        assert answer.get(b"content-encoding") == b"gzip"
        assert decode(answer) == (tree / name).read_bytes() == plain.body
        assert len(answer.body) < len(plain.body) / 3
        assert answer.get(b"content-type") == plain.get(b"content-type")
        assert answer.get(b"accept-ranges") is None
        assert answer.get(b"etag") != plain.get(b"etag")
    assert first.get(b"etag") == again.get(b"etag")
    assert head.get(b"content-length") == first.get(b"content-length")
    assert plain.get(b"content-encoding") is None
    for answer in (plain, first):
        assert answer.get(b"vary") == b"Accept-Encoding"


@pytest.mark.parametrize("name", ["app.js", "large.js"])
def test_what_was_compressed_once_is_not_compressed_again(server, tree, monkeypatch, name):
    monkeypatch.setattr("openssl_serve.handlers.files.SETTLED_S", -10.0)
    done = spied_on(monkeypatch)
    for query in ("", "?1", "", "?2"):
        assert decode(server.get(f"/{name}{query}", GZ)) == (tree / name).read_bytes()
    assert len(done) == 1

    (tree / name).write_bytes(CODE * 3)

    assert decode(server.get(f"/{name}", GZ)) == CODE * 3
    assert len(done) == 2


def test_what_is_large_is_compressed_by_a_thread(server, tree, monkeypatch):
    threads = spied_on(monkeypatch)
    server.get("/app.js", GZ)
    server.get("/large.js", GZ)

    assert threads[0] is server.thread
    assert threads[1] is not server.thread


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("tiny.js", b"x" * (compression.MIN_SIZE - 1)),
        ("huge.js", b"x" * (compression.MAX_SIZE + 1)),
        ("noise.js", os.urandom(5000)),
        ("noise2.js", os.urandom(50_000)),
        ("noise3.js", os.urandom(500_000)),
        ("photo.jpg", b"x" * 5000),
        ("data.bin", b"x" * 5000),
        ("app.js.gz", b"x" * 5000),
    ],
)
def test_what_gains_nothing_is_sent_as_it_is(server, root, name, content):
    (root / name).write_bytes(content)

    for _ in range(2):
        answer = server.get(f"/{name}", GZ)
        assert (answer.status, answer.body) == (200, content)
        assert answer.get(b"content-encoding") is None
        assert server.get(f"/{name}").get(b"etag") == answer.get(b"etag")


# Siblings.


@pytest.mark.parametrize("size", [1, 100])
def test_a_compressed_sibling_stands_for_its_file(server, tree, size):
    content = CODE * size
    (tree / "app.js").write_bytes(content)
    packed = brotli.compress(content)
    sibling(tree / "app.js.br", packed)
    sibling(tree / "app.js.gz", gzip.compress(content, 1))
    sibling(tree / "app.js.zst", b"pretends to be zstd")

    for accept, coding in ((BR, b"br"), (GZ, b"gzip"), (b"Accept-Encoding: zstd", b"zstd")):
        answer = server.get("/app.js", accept)
        assert answer.get(b"content-encoding") == coding
        assert answer.get(b"content-type") == b"text/javascript; charset=utf-8"
        assert answer.get(b"vary") == b"Accept-Encoding"
        if coding != b"zstd":
            assert decode(answer) == content
    assert server.get("/app.js.br").body == packed
    assert server.get("/app.js.br").get(b"content-encoding") is None


def test_each_form_has_a_tag_of_its_own(server, tree):
    sibling(tree / "app.js.br", brotli.compress(CODE))
    tags = {server.get("/app.js", *fields).get(b"etag") for fields in ((), (GZ,), (BR,))}
    assert len(tags) == 3

    for fields in ((), (GZ,), (BR,)):
        tag = server.get("/app.js", *fields).get(b"etag") or b""
        answers = [
            server.get("/app.js", b"If-None-Match: " + tag, *others)
            for others in ((), (GZ,), (BR,))
        ]
        assert sorted(answer.status for answer in answers) == [200, 200, 304]
        for answer in answers:
            assert answer.get(b"vary") == b"Accept-Encoding"


def test_an_unchanged_file_costs_no_compression(server, tree, monkeypatch):
    tag = server.get("/large.js", GZ).get(b"etag") or b""
    monkeypatch.setattr(compression, "gzip", None)

    assert server.get("/large.js", GZ, b"If-None-Match: " + tag).status == 304
    assert server.get("/large.js", GZ, b'If-Match: "other"').status == 412


def test_a_part_is_always_one_of_the_content_as_it_is(server, tree):
    sibling(tree / "app.js.br", brotli.compress(CODE))
    packed = server.get("/app.js", BR).get(b"etag") or b""
    plain = server.get("/app.js").get(b"etag") or b""

    for accept in (BR, GZ, b"Accept-Encoding: identity;q=0, br"):
        answer = server.get("/app.js", accept, b"Range: bytes=1-20")
        assert (answer.status, answer.body) == (206, CODE[1:21])
        assert answer.get(b"content-encoding") is None
        assert answer.get(b"etag") == plain
        # Who has the beginning of the other form starts again.
        again = server.get("/app.js", accept, b"Range: bytes=1-", b"If-Range: " + packed)
        assert (again.status, again.body) == (200, CODE)


def test_no_part_is_ever_cut_from_a_coding(tree):
    """Whoever asks for one of it, and however."""
    opened = Folder(tree).open(os.fsencode(tree / "app.js"))
    form = representation.represent(opened, b"text/javascript", (), b"br")
    peer = Peer("127.0.0.1", "127.0.0.1", 80, secure=True)
    asked = Request(b"GET", b"/app.js", [(b"Range", b"bytes=1-2")], peer)

    assert representation.respond(asked, form).status == 200
    os.close(opened.fd)


def test_a_sibling_that_is_older_than_its_file_is_not_sent(server, tree):
    sibling(tree / "app.js.br", brotli.compress(b"stale"), later_s=-2)

    assert decode(server.get("/app.js", BR)) == CODE
    assert decode(server.get("/app.js", b"Accept-Encoding: br")) == CODE


def test_a_sibling_whose_time_lost_its_fraction_is_not_older(server, tree):
    """Brotli and tar copy the time of a file in whole seconds."""
    os.utime(tree / "app.js", ns=(10**18 + 999_999_999, 10**18 + 999_999_999))
    (tree / "app.js.br").write_bytes(brotli.compress(CODE))
    os.utime(tree / "app.js.br", ns=(10**18, 10**18))

    assert server.get("/app.js", BR).get(b"content-encoding") == b"br"


def test_a_sibling_is_held_to_the_rules_of_every_file(server, tree, tmp_path, pair):
    (tmp_path / "secret").write_bytes(b"secret" * 300)
    (tree / ".env").write_bytes(b"secret" * 300)
    for target in (tmp_path / "secret", tree / ".env", pair.key_path, "/dev/zero", tree):
        link = tree / "app.js.br"
        link.unlink(missing_ok=True)
        link.symlink_to(target)
        os.utime(tree / "app.js", (0, 0))
        answer = server.get("/app.js", b"Accept-Encoding: br")
        assert (answer.body, answer.get(b"content-encoding")) == (CODE, None)


def test_a_sibling_alone_stands_for_nothing(server, root):
    (root / "gone.js.gz").write_bytes(gzip.compress(CODE))

    assert server.get("/gone.js", GZ).status == 404


def test_siblings_that_come_change_and_go_are_noticed(server, tree, monkeypatch):
    """Also when the answer before was kept."""
    monkeypatch.setattr("openssl_serve.handlers.files.SETTLED_S", -10.0)

    def coding():
        answer = server.get("/app.js", BR)
        assert decode(answer) == CODE
        return answer.get(b"content-encoding"), answer.get(b"etag")

    assert coding()[0] == coding()[0] == b"gzip"
    sibling(tree / "app.js.br", brotli.compress(CODE))
    first = coding()
    assert first[0] == coding()[0] == b"br"
    sibling(tree / "app.js.br", brotli.compress(CODE, quality=1), later_s=3)
    assert coding()[0] == b"br"
    assert coding() != first
    (tree / "app.js.br").unlink()
    assert coding()[0] == b"gzip"


# What clients say.


@pytest.mark.parametrize(
    ("accept", "coding"),
    [
        (b"gzip", b"gzip"), (b"br", b"br"), (b"br, gzip", b"br"), (b"gzip, br", b"br"),
        (b"GZIP", b"gzip"), (b"x-gzip", b"gzip"), (b"*", b"br"), (b"br;q=0, *", b"gzip"),
        (b"gzip;q=0.9, br;q=0.8", b"gzip"), (b"gzip;q=0.1", b"gzip"), (b"*;q=0.1", b"br"),
        (b"identity", None), (b"gzip;q=0", None), (b"gzip;q=0.5, identity", None), (b"", None),
        (b"gzip;q=0.5, identity;q=0.5", b"gzip"), (b"deflate", None), (b"*;q=0", None),
        (b"gzip;q=2", None), (b"gzip;q=x, br", b"br"), (b"identity;q=0", None),
        (b"br;q=1.0, gzip;q=0.8, *;q=0.1", b"br"), (b",,gzip,,", b"gzip"), (b"\xff", None),
    ],
)  # fmt: skip
def test_the_coding_is_the_clients_choice(server, tree, accept, coding):
    """RFC 9110 section 12.5.3."""
    sibling(tree / "app.js.br", brotli.compress(CODE))

    answer = server.get("/app.js", b"Accept-Encoding: " + accept)

    assert (answer.get(b"content-encoding"), decode(answer)) == (coding, CODE)


@pytest.mark.parametrize("accept", ["text/html", "application/json", "*/*"])
def test_a_long_listing_is_compressed_too(server, root, accept):
    """2.3 MB of page for ten thousand files, which a phone has to fetch."""
    (root / "sub").mkdir()
    for number in range(400):
        (root / "sub" / f"file {number}").touch()
    fields = (b"Accept: " + accept.encode(),)
    with server.tls() as client:
        plain, small, head = (
            client.get("/sub/", *fields, *more, method=method)
            for more, method in (((), b"GET"), ((GZ,), b"GET"), ((GZ,), b"HEAD"))
        )
        refused = client.get("/sub/", *fields, b"Accept-Encoding: gzip;q=0")

    assert decode(small) == plain.body == refused.body
    assert len(small.body) < len(plain.body) / 3
    assert head.get(b"content-length") == small.get(b"content-length")
    for answer in (plain, small, head, refused):
        assert answer.get(b"vary") == b"Accept, Accept-Encoding"
    assert refused.get(b"content-encoding") is None


def test_compression_can_be_switched_off(serve, tree):
    sibling(tree / "app.js.br", brotli.compress(CODE))
    running = serve(folder=FolderOptions(compression=False))

    answer = running.get("/app.js", BR)

    assert answer.body == CODE
    assert answer.get(b"content-encoding") is None
    assert answer.get(b"vary") is None
    listing = running.get("/", GZ, b"Accept: text/html")
    assert (listing.get(b"content-encoding"), listing.get(b"vary")) == (None, b"Accept")


# What it costs.


def test_what_is_held_has_a_bound(tree, monkeypatch):
    monkeypatch.setattr(compression, "MAX_HELD", 2000)
    monkeypatch.setattr(compression, "MAX_HELD_FILES", 8)
    held = compression.Compressed()
    folder = Folder(tree)
    for number in range(30):
        path = tree / f"{number}.js"
        path.write_bytes(CODE if number % 2 else os.urandom(1500))
        opened = folder.open(os.fsencode(path))
        data = held.make(opened, keep=True)
        assert held.get(opened) == data
        os.close(opened.fd)
    assert held._size == sum(len(data) for _, data in held._held.values()) <= 2000
    assert len(held._held) <= 8


def test_a_file_that_shrinks_meanwhile_is_not_held(tree):
    opened = Folder(tree).open(os.fsencode(tree / "app.js"))
    os.truncate(tree / "app.js", 200)
    held = compression.Compressed()

    assert zlib.decompress(held.make(opened, keep=True), 31) == CODE[:200]
    assert held.get(opened) is None
    os.close(opened.fd)


def test_no_descriptor_is_left_behind(server, tree):
    sibling(tree / "app.js.br", brotli.compress(CODE))
    with server.tls() as client:
        client.get("/app.js")
        before = len(os.listdir("/proc/self/fd" if os.path.isdir("/proc/self") else "/dev/fd"))
        for accept in (BR, GZ, b"Accept-Encoding: zstd"):
            for name in ("app.js", "large.js"):
                client.get(f"/{name}", accept)
                client.get(f"/{name}", accept, b"If-None-Match: *")
                client.get(f"/{name}", accept, b'If-Match: "x"')
                client.get(f"/{name}", accept, b"Range: bytes=0-1,5-6")
                client.get(f"/{name}", accept, method=b"HEAD")
        after = len(os.listdir("/proc/self/fd" if os.path.isdir("/proc/self") else "/dev/fd"))
    assert after == before
