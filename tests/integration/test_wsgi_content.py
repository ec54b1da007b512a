"""Content that clients send to a WSGI app, and files that it gives back."""

import gzip
import hashlib
import io
import random
import socket
import tempfile
import threading
from dataclasses import replace

import h11
import pytest
from server_fixtures import QUICK, eventually, request
from wsgi_apps import TEXT, echo, hello

from openssl_serve.handlers.wsgi.content import IN_MEMORY
from openssl_serve.server.limits import Limits

LARGE = random.Random(1).randbytes(3 * IN_MEMORY + 12_345)
"""More than once what is held in memory."""

CHUNKED = b"Transfer-Encoding: chunked"


def post(content, *fields, target="/"):
    length = b"Content-Length: %d" % len(content)
    return request(target, length, *fields, method=b"POST") + content


def chunks(content, size):
    """*content* as h11 writes it in chunks of *size*."""
    sender = h11.Connection(h11.CLIENT)
    data = sender.send(
        h11.Request(
            method="POST",
            target="/",
            headers=[("Host", "localhost"), ("Transfer-Encoding", "chunked")],
        )
    )
    assert data
    for at in range(0, len(content), size):
        data += sender.send(h11.Data(data=content[at : at + size])) or b""
    return data + (sender.send(h11.EndOfMessage()) or b"")


@pytest.mark.parametrize("size", [1, 5000, IN_MEMORY, IN_MEMORY + 1, len(LARGE)])
def test_content_arrives_byte_for_byte(serve_app, size):
    with serve_app(echo).tls() as client:
        for _ in range(2):
            answer = client.send(post(LARGE[:size])).answer(b"POST")
            assert answer.status == 200
            assert answer.body == LARGE[:size]


@pytest.mark.parametrize(("size", "chunk"), [(0, 1), (40, 3), (70_000, 999), (len(LARGE), 65_536)])
def test_chunks_arrive_as_the_content_that_they_are(serve_app, size, chunk):
    seen = {}

    def app(environ, start_response):
        seen.update(environ)
        return echo(environ, start_response)

    with serve_app(app).tls() as client:
        answer = client.send(chunks(LARGE[:size], chunk)).answer(b"POST")
        assert answer.body == LARGE[:size]
        assert client.get().status == 200
    assert "HTTP_TRANSFER_ENCODING" not in seen


def test_the_length_of_chunks_is_known_by_then(serve_app):
    def app(environ, start_response):
        start_response("200 OK", [TEXT])
        return [environ["CONTENT_LENGTH"].encode()]

    with serve_app(app).tls() as client:
        assert client.send(chunks(b"x" * 777, 100)).answer(b"POST").body == b"777"


@pytest.mark.parametrize("extra", [0, IN_MEMORY])
def test_content_can_be_read_in_every_way_and_ends(serve_app, extra):
    content = b"one\ntwo\n" + b"three" * 10 + b"\n" + b"four\n" + b"-" * extra + b"\nlast"
    seen = []

    def app(environ, start_response):
        stream = environ["wsgi.input"]
        seen.extend([stream.readline(), stream.read(2), stream.readline(), stream.readline(8)])
        seen.append(stream.readlines(1)[0])
        seen.extend(line for line in stream if len(line) < 50)
        seen.append(stream.read(10))
        return hello(environ, start_response)

    with serve_app(app).tls() as client:
        assert client.send(post(content)).answer(b"POST").status == 200
    rest = b"three" * 10 + b"\n"
    middle = [] if extra else [b"\n"]
    assert seen == [b"one\n", b"tw", b"o\n", rest[:8], rest[8:], b"four\n", *middle, b"last", b""]


@pytest.mark.parametrize("size", [100, len(LARGE)])
def test_content_that_the_app_does_not_read_is_no_next_request(serve_app, size):
    with serve_app(hello).tls() as client:
        for _ in range(2):
            assert client.send(post(LARGE[:size])).answer(b"POST").status == 200
        assert client.get().status == 200


def test_without_content_there_is_nothing_to_read(serve_app):
    with serve_app(echo).tls() as client:
        assert client.get().body == b""
        assert client.get("/", b"Content-Length: 0", method=b"POST").body == b""


def test_large_content_leaves_nothing_behind(serve_app, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    names = []

    def app(environ, start_response):
        names.append(environ["wsgi.input"].name)
        return echo(environ, start_response)

    running = serve_app(app, validated=False)
    with running.tls() as client:
        assert client.send(post(LARGE)).answer(b"POST").body == LARGE
    # A descriptor, and no name.
    assert isinstance(names[0], int)
    assert [path for path in tmp_path.iterdir() if path.name != "root"] == []


def test_no_room_for_content_is_told(serve_app, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "absent"))
    running = serve_app(echo)
    with running.tls() as client:
        answer = client.send(post(LARGE[: IN_MEMORY + 20_000])).answer(b"POST")
        assert answer.status == 503
    eventually(lambda: "no content for the app: [Errno 2] No such file" in running.log)


# 100 Continue (RFC 9110 section 10.1.1).

EXPECT = b"Expect: 100-continue"


def test_content_that_is_waited_for_is_asked_for(serve_app):
    with serve_app(echo).tls() as client:
        client.send(request("/", EXPECT, b"Content-Length: 4", method=b"POST"))
        assert client.sock.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        assert client.send(b"four").answer(b"POST").body == b"four"


def test_what_comes_at_once_is_not_asked_for(serve_app):
    with serve_app(echo).tls() as client:
        client.send(post(b"four", EXPECT))
        assert client.sock.recv(12) == b"HTTP/1.1 200"


def test_an_old_client_gets_no_100(serve_app):
    with serve_app(echo).tls() as client:
        head = request("/", EXPECT, b"Content-Length: 4", method=b"POST", version=b"1.0")
        client.send(head)
        client.send(b"four")
        assert client.sock.recv(12) == b"HTTP/1.1 200"


# Limits.

SMALL = replace(Limits(), max_app_content=1000)


def test_too_much_content_is_refused_before_it_is_sent(serve_app):
    calls: list = []
    with serve_app(calls.append, validated=False, limits=SMALL).tls() as client:
        head = request("/", EXPECT, b"Content-Length: 1001", method=b"POST")
        answer = client.send(head).answer(b"POST")
        assert answer.status == 413
        assert client.is_ended()
    assert calls == []


def test_too_much_in_chunks_is_refused_when_it_is_too_much(serve_app):
    calls: list = []
    with serve_app(calls.append, validated=False, limits=SMALL).tls() as client:
        client.send(chunks(bytes(1001), 100))
        assert client.answer(b"POST").status == 413
        assert client.is_ended()
    assert calls == []


@pytest.mark.parametrize("protocol", [b"h2c", b"websocket"])
def test_a_request_to_upgrade_with_content_is_one_like_others_and_the_last(serve_app, protocol):
    """Java's HttpClient asks for h2c with every first request in clear."""
    upgrade = (b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: " + protocol)
    with serve_app(echo).plain() as client:
        answer = client.send(post(b"four", *upgrade) + post(b"five")).answer(b"POST")
        assert (answer.status, answer.body) == (200, b"four")
        assert client.is_ended()


def test_a_request_to_upgrade_without_is_one_like_others(serve_app):
    with serve_app(hello).tls() as client:
        answer = client.get("/", b"Connection: Upgrade", b"Upgrade: websocket")
        assert answer.body == b"hello\n"


def test_requests_ahead_of_their_turn_are_answered_in_order(serve_app):
    with serve_app(echo).tls() as client:
        client.send(post(b"one") + chunks(b"two", 2) + request() + post(b"four"))
        answers = [client.answer(method) for method in (b"POST", b"POST", b"GET", b"POST")]
        assert [answer.body for answer in answers] == [b"one", b"two", b"", b"four"]


def test_the_limit_itself_is_taken(serve_app):
    with serve_app(echo, limits=SMALL).tls() as client:
        assert client.send(post(bytes(1000))).answer(b"POST").body == bytes(1000)
        assert client.send(chunks(bytes(1000), 100)).answer(b"POST").body == bytes(1000)


@pytest.mark.parametrize("sent", [b"", b"some", LARGE[: IN_MEMORY + 20_000]])
def test_content_that_does_not_come_is_given_up(serve_app, sent):
    calls: list = []
    running = serve_app(calls.append, validated=False, limits=QUICK)
    with running.tls() as client:
        length = b"Content-Length: %d" % (len(sent) + 1)
        client.send(request("/", length, method=b"POST") + sent)
        assert client.answer(b"POST").status == 408
        assert client.is_ended()
    assert calls == []


def test_malformed_chunks_never_reach_the_app(serve_app):
    calls: list = []
    with serve_app(calls.append, validated=False).tls() as client:
        client.send(
            request("/", CHUNKED, method=b"POST") + b"4\r\nfour\r\n0x5\r\nhello\r\n0\r\n\r\n"
        )
        assert client.answer(b"POST").status == 400
        assert client.is_ended()
    assert calls == []


@pytest.mark.parametrize("content", [b"four", LARGE])
def test_the_time_for_content_is_not_the_time_for_the_app(serve_app, content):
    go = threading.Event()

    def app(environ, start_response):
        go.wait(5)
        return hello(environ, start_response)

    running = serve_app(app, limits=QUICK)
    with running.tls() as client, running.plain() as clock:
        client.send(post(content))
        # Whose time is over as well, and began later.
        clock.send(b"GET / HT")
        assert b" 408 " in clock.rest()
        go.set()
        assert client.answer(b"POST").status == 200


def test_clients_that_are_slow_take_no_thread(serve_app):
    running = serve_app(echo, limits=Limits(app_threads=1))
    with running.tls() as slow, running.tls() as other:
        slow.send(request("/", b"Content-Length: 4", method=b"POST") + b"fo")
        assert other.send(post(b"quick")).answer(b"POST").body == b"quick"
        assert slow.send(b"ur").answer(b"POST").body == b"four"


@pytest.mark.parametrize("sent", [b"some", LARGE[: IN_MEMORY + 20_000], LARGE])
def test_a_client_that_goes_in_mid_content_leaves_nothing(serve_app, sent):
    calls: list = []
    running = serve_app(calls.append, validated=False)
    with running.tls() as client:
        length = b"Content-Length: %d" % (len(sent) + 1)
        client.send(request("/", length, method=b"POST") + sent)
    eventually(lambda: not running.server.connections)
    assert calls == []
    assert "Traceback" not in running.log


def test_many_uploads_at_once_do_not_mix(serve_app):
    def app(environ, start_response):
        content = environ["wsgi.input"].read()
        start_response("200 OK", [TEXT])
        return [hashlib.sha256(content).hexdigest().encode()]

    running = serve_app(app, validated=False, limits=Limits(app_threads=2))
    contents = [bytes([number]) * (IN_MEMORY // 2 * number) for number in range(8)]
    clients = [running.tls() for _ in contents]
    threads = [
        threading.Thread(target=client.send, args=(post(content),))
        for client, content in zip(clients, contents, strict=True)
    ]
    for thread in threads:
        thread.start()
    for client, content in zip(clients, contents, strict=True):
        assert client.answer(b"POST").text == hashlib.sha256(content).hexdigest()
        client.sock.close()
    for thread in threads:
        thread.join(5)


# wsgi.file_wrapper.


class Wrapping:
    """An app that returns what *opened* makes, wrapped."""

    def __init__(self, opened, *headers, block_size=None):
        self.opened = opened
        self.headers = headers
        self.block_size = block_size
        self.files = []

    def __call__(self, environ, start_response):
        file = self.opened()
        self.files.append(file)
        start_response("200 OK", [TEXT, *self.headers])
        wrapper = environ["wsgi.file_wrapper"]
        return wrapper(file, self.block_size) if self.block_size else wrapper(file)


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "large"
    path.write_bytes(LARGE)
    return path


def skipping(path, count):
    file = path.open("rb")
    file.seek(count)
    return file


def temporary(content):
    file = tempfile.NamedTemporaryFile()  # noqa: SIM115
    file.write(content)
    file.seek(0)
    return file


@pytest.mark.parametrize(
    ("make", "length"),
    [
        (lambda path: path.open("rb"), len(LARGE)),
        (lambda path: path.open("rb", buffering=0), len(LARGE)),
        (lambda path: path.open("r+b"), len(LARGE)),
        (lambda path: skipping(path, 1000), len(LARGE) - 1000),
        (lambda path: temporary(LARGE), len(LARGE)),
        # What only looks like a file is read by the thread.
        (lambda path: io.BytesIO(LARGE), None),
        (lambda path: gzip.GzipFile(fileobj=io.BytesIO(gzip.compress(LARGE))), None),
        (lambda path: gzip.GzipFile(_packed(path)), None),
    ],
    ids=["buffered", "raw", "updated", "skipping", "temporary", "bytes", "gzip", "gzip-file"],
)
def test_a_file_is_sent_and_closed(serve_app, path, make, length):
    app = Wrapping(lambda: make(path))
    with serve_app(app, validated=False).tls() as client:
        for _ in range(2):
            answer = client.get()
            assert answer.body == LARGE[-(length or 0) :]
            assert answer.get(b"content-length") == (b"%d" % length if length else None)
    eventually(lambda: all(file.closed for file in app.files))


def _packed(path):
    packed = path.with_suffix(".gz")
    packed.write_bytes(gzip.compress(path.read_bytes()))
    return packed


def test_an_empty_file(serve_app, path):
    path.write_bytes(b"")
    with serve_app(Wrapping(lambda: path.open("rb")), validated=False).tls() as client:
        assert client.get().get(b"content-length") == b"0"
        assert client.get().status == 200


@pytest.mark.parametrize("make", [lambda path: path.open("rb"), lambda _path: io.BytesIO(LARGE)])
@pytest.mark.parametrize("method", [b"GET", b"HEAD"])
def test_a_file_as_long_as_was_said(serve_app, path, make, method):
    app = Wrapping(lambda: make(path), ("Content-Length", "1000"))
    running = serve_app(app, validated=False)
    with running.tls() as client:
        for _ in range(2):
            answer = client.get(method=method)
            assert answer.body == (LARGE[:1000] if method == b"GET" else b"")
            assert answer.get(b"content-length") == b"1000"


def test_a_file_that_is_too_short_is_a_fault(serve_app, path):
    app = Wrapping(lambda: path.open("rb"), ("Content-Length", str(len(LARGE) + 1)))
    running = serve_app(app, validated=False)
    running.faults_expected = True

    assert running.get().status == 500
    eventually(lambda: f"the app gave {len(LARGE)} bytes" in running.log)


def test_a_file_keeps_no_thread_for_a_slow_client(serve_app, path):
    with path.open("wb") as file:
        file.truncate(40_000_000)
    app = Wrapping(lambda: path.open("rb"))
    running = serve_app(app, validated=False, limits=Limits(app_threads=1))
    with running.tls() as slow, running.tls() as other:
        slow.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        slow.send(request())
        assert slow.sock.recv(10)
        assert other.get(method=b"HEAD").status == 200
        assert len(app.files) == 2


def test_a_wrapper_in_middleware_is_an_iterable_like_others(serve_app, path):
    with serve_app(Wrapping(lambda: path.open("rb"), block_size=1000)).tls() as client:
        answer = client.get()
        assert answer.body == LARGE
        assert answer.get(b"content-length") is None


def test_without_content_a_file_is_not_sent(serve_app, path):
    def app(environ, start_response):
        start_response("304 Not Modified", [("ETag", '"x"')])
        return environ["wsgi.file_wrapper"](path.open("rb"))

    with serve_app(app, validated=False).tls() as client:
        assert client.get().status == 304
        assert client.get().get(b"content-length") is None
