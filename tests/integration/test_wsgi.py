"""WSGI apps: what they are called with, what they give back, and what they do wrong."""

import json
import re
import socket
import ssl
import struct
import sys
import threading
import time
from dataclasses import replace

import pytest
from server_fixtures import eventually, request
from wsgi_apps import TEXT, answering, hello, listing

from openssl_serve import api
from openssl_serve.http1.response import Response
from openssl_serve.server.limits import Limits

ONE_THREAD = Limits(app_threads=1)


class Watched:
    """An iterable that the test watches: which pieces were asked for, and its close()."""

    def __init__(self, *pieces):
        self.pieces = iter(pieces)
        self.asked = 0
        self.closed = threading.Semaphore(0)
        self.closed_in = None

    def __call__(self, environ, start_response):
        start_response("200 OK", [TEXT])
        return self

    def __iter__(self):
        return self

    def __next__(self):
        self.asked += 1
        piece = next(self.pieces)
        return piece() if callable(piece) else piece

    def close(self):
        self.closed_in = threading.current_thread().name
        self.closed.release()


def assert_closed(watched):
    assert watched.closed.acquire(timeout=5)
    assert watched.closed_in.startswith("openssl-serve app ")
    # And once only.
    assert not watched.closed.acquire(blocking=False)


# What an app is told.


def test_an_app_is_told_of_the_request_and_of_the_server(serve_app):
    seen = {}

    def app(environ, start_response):
        seen.update(environ)
        return hello(environ, start_response)

    running = serve_app(app)
    running.get("/caf%C3%A9/%2f?x=%20y", b"X-Thing: 1", b"Cookie: a=1", b"Cookie: b=2")

    assert seen["PATH_INFO"] == "/caf\xc3\xa9//"
    assert (seen["SCRIPT_NAME"], seen["QUERY_STRING"]) == ("", "x=%20y")
    assert (seen["wsgi.url_scheme"], seen["HTTPS"]) == ("https", "on")
    assert (seen["SERVER_NAME"], seen["SERVER_PORT"]) == ("127.0.0.1", str(running.port))
    assert (seen["REMOTE_ADDR"], seen["HTTP_HOST"]) == ("127.0.0.1", "localhost")
    assert (seen["HTTP_X_THING"], seen["HTTP_COOKIE"]) == ("1", "a=1; b=2")
    assert (seen["wsgi.multithread"], seen["wsgi.multiprocess"]) == (True, False)
    assert seen["wsgi.input_terminated"] is True


def test_over_plain_http_nothing_says_https(serve_app):
    seen = {}

    def app(environ, start_response):
        seen.update(environ)
        return hello(environ, start_response)

    with serve_app(app).plain() as client:
        client.get()

    assert seen["wsgi.url_scheme"] == "http"
    assert "HTTPS" not in seen


@pytest.mark.parametrize("target", ["*", "a.test:443"])
def test_a_target_without_a_path_is_refused(serve_app, target):
    method = b"OPTIONS" if target == "*" else b"CONNECT"
    with serve_app(hello).tls() as client:
        assert client.get(target, method=method).status == 400


# What it gives.


def test_what_is_all_there_has_its_length(serve_app):
    with serve_app(listing(b"one ", b"", b"two"), validated=False).tls() as client:
        for _ in range(3):
            answer = client.get()
            assert (answer.status, answer.body) == (200, b"one two")
            assert answer.get(b"content-length") == b"7"
            assert answer.get(b"date")


def test_a_status_keeps_its_words_and_a_date_is_the_apps(serve_app):
    date = ("Date", "Sun, 06 Nov 1994 08:49:37 GMT")
    answer = serve_app(listing(b"x", status="299 Nearly", headers=[TEXT, date])).get()

    assert (answer.status, answer.reason) == (299, b"Nearly")
    assert answer.get(b"date") == date[1].encode()


def test_pieces_are_sent_when_they_are_made(serve_app):
    go = threading.Event()
    watched = Watched(b"first ", b"", lambda: go.wait(5) and b"second")
    with serve_app(watched, validated=False).tls() as client:
        client.send(request())
        data = b""
        while b"first " not in data:
            data += client.sock.recv(65536)
        assert b"Transfer-Encoding: chunked\r\n" in data
        go.set()
        client.left = data
        assert client.answer().body == b"first second"
        assert_closed(watched)
        assert client.get().status == 200


def test_pieces_with_a_length_are_no_chunks(serve_app):
    app = answering(b"one ", b"two", headers=[TEXT, ("Content-Length", "7")])
    with serve_app(app).tls() as client:
        answer = client.get()
        assert answer.body == b"one two"
        assert answer.get(b"transfer-encoding") is None
        assert client.get().body == b"one two"


def test_a_whole_response_is_not_held_up_by_what_the_app_does_afterwards(serve_app):
    go = threading.Event()

    def app(environ, start_response):
        start_response("200 OK", [TEXT, ("Content-Length", "4")])
        yield b"done"
        go.wait(5)

    with serve_app(app).tls() as client:
        assert client.get().body == b"done"
        assert not go.is_set()
        go.set()


def test_what_is_written_comes_before_what_is_returned(serve_app):
    def app(environ, start_response):
        write = start_response("200 OK", [TEXT])
        write(b"written ")
        write(b"")
        write(b"twice ")
        return [b"returned"]

    assert serve_app(app).get().body == b"written twice returned"


def test_an_old_client_gets_pieces_until_the_end(serve_app):
    with serve_app(answering(b"one ", b"two")).plain() as client:
        data = client.send(request(version=b"1.0")).rest()

    assert data.endswith(b"\r\n\r\none two")
    assert b"chunked" not in data


@pytest.mark.parametrize(
    ("app", "length"),
    [
        (hello, b"6"),
        (listing(headers=[TEXT, ("Content-Length", "9")]), b"9"),
        (answering(b"one", b"two", headers=[TEXT, ("Content-Length", "6")]), b"6"),
        (answering(b"one", b"two"), None),
    ],
)
def test_head_has_the_fields_and_no_content(serve_app, app, length):
    with serve_app(app, validated=False).tls() as client:
        answer = client.get(method=b"HEAD")
        assert (answer.status, answer.body) == (200, b"")
        assert answer.get(b"content-length") == length
        assert client.get(method=b"HEAD").status == 200


def test_head_of_an_endless_stream_ends(serve_app):
    watched = Watched(b"first", lambda: pytest.fail("asked for more"))
    answer = serve_app(watched, validated=False).get(method=b"HEAD")

    assert answer.status == 200
    assert_closed(watched)
    assert watched.asked == 1


@pytest.mark.parametrize(
    ("status", "headers", "length"),
    [
        ("204 No Content", [("X-A", "b")], None),
        ("205 Reset Content", [TEXT], b"0"),
        ("304 Not Modified", [("ETag", '"x"')], None),
        ("304 Not Modified", [("ETag", '"x"'), ("Content-Length", "5")], b"5"),
    ],
)
@pytest.mark.parametrize("content", [[], [b"never"]])
def test_what_has_no_content_gets_none(serve_app, status, headers, length, content):
    with serve_app(listing(*content, status=status, headers=headers)).tls() as client:
        for _ in range(2):
            answer = client.get()
            assert (answer.status, answer.body) == (int(status[:3]), b"")
            assert answer.get(b"content-length") == length


# Back-pressure, and clients that go.


def split(app, other):
    """An app that answers /other with *other* and the rest with *app*."""

    def both(environ, start_response):
        return (other if environ["PATH_INFO"] == "/other" else app)(environ, start_response)

    return both


def stands_still(count, client):
    """Whether *count* stays the same while *client* gets twenty responses."""
    before = count()
    for _ in range(20):
        client.get("/other")
    return count() == before > 0


def test_an_app_waits_for_its_client_and_others_do_not(serve_app):
    watched = Watched(*[bytes(65536)] * 400)
    running = serve_app(split(watched, hello), validated=False)
    with running.tls() as client, running.tls() as other:
        client.send(request())
        eventually(lambda: stands_still(lambda: watched.asked, other))
        assert watched.asked < 400
        assert len(client.answer().body) == 400 * 65536
        assert_closed(watched)


@pytest.mark.parametrize("how", ["close", "reset"])
def test_a_client_that_goes_ends_the_iteration(serve_app, how):
    watched = Watched(*[bytes(65536)] * 400)
    running = serve_app(split(watched, hello), validated=False)
    with running.tls() as client, running.tls() as other:
        client.send(request())
        eventually(lambda: stands_still(lambda: watched.asked, other))
        if how == "reset":
            client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.sock.close()
        assert_closed(watched)
    assert watched.asked < 400
    assert "Traceback" not in running.log


def test_a_client_that_does_not_read_is_given_up_and_the_iteration_ended(serve_app):
    watched = Watched(*[bytes(65536)] * 400)
    running = serve_app(watched, validated=False, limits=replace(Limits(), write_timeout_s=0.2))
    with running.tls() as client:
        client.send(request())
        assert_closed(watched)
    assert watched.asked < 400


def test_a_client_that_went_before_the_first_piece(serve_app):
    gone = threading.Event()
    watched = Watched(lambda: gone.wait(5) and b"first", *[b"more"] * 1000)
    running = serve_app(watched, validated=False)
    with running.tls() as client:
        client.send(request())
        eventually(lambda: watched.asked)
    eventually(lambda: not running.server.connections)
    gone.set()
    assert_closed(watched)
    assert watched.asked == 1
    assert "Traceback" not in running.log


def test_write_learns_that_the_client_has_gone(serve_app):
    errors = []
    done = threading.Event()

    def app(environ, start_response):
        write = start_response("200 OK", [TEXT])
        try:
            while True:
                write(bytes(65536))
        except ConnectionError as error:
            errors.append(error)
            raise
        finally:
            done.set()

    running = serve_app(app, validated=False)
    with running.tls() as client:
        client.send(request())
        client.sock.recv(10)
    assert done.wait(5)
    assert len(errors) == 1
    running.in_loop(lambda: None)
    # That the client has gone is no fault.
    assert re.fullmatch(r"\S+ \S+ https GET / 200 \d+ B [\d.]+ ms\n", running.log)


def test_a_client_that_went_while_it_waited_for_a_thread_is_not_worked_for(serve_app):
    go, calls = threading.Event(), []

    def app(environ, start_response):
        calls.append(environ["REQUEST_METHOD"] + environ["PATH_INFO"])
        go.wait(5)
        return hello(environ, start_response)

    running = serve_app(app, limits=ONE_THREAD)
    with running.tls() as first:
        first.send(request("/1"))
        eventually(lambda: calls)
        waiting = running.server.pool._apps._work
        with running.tls() as second, running.tls() as third:
            second.send(request("/2"))
            eventually(lambda: waiting.qsize() == 1)
            third.send(request("/3", b"Content-Length: 0", method=b"POST"))
            eventually(lambda: waiting.qsize() == 2)
        eventually(lambda: len(running.server.connections) == 1)
        go.set()
        first.answer()
        eventually(lambda: len(calls) > 1)
        with running.tls() as last:
            last.get("/4")
    # What has an effect is done all the same.
    assert calls == ["GET/1", "POST/3", "GET/4"]


# The threads.


def test_threads_that_are_all_busy_do_not_hold_up_the_loop(serve_app):
    go, busy = threading.Event(), threading.Event()

    def app(environ, start_response):
        busy.set()
        go.wait(5)
        return hello(environ, start_response)

    def plain(_request):
        return Response(200, (), b"from the loop")

    running = serve_app(app, limits=ONE_THREAD, plain=plain)
    with running.tls() as first, running.tls() as second, running.plain() as other:
        first.send(request())
        assert busy.wait(5)
        second.send(request())
        assert other.get().body == b"from the loop"
        go.set()
        assert first.answer().status == second.answer().status == 200


def test_as_many_requests_as_there_are_threads_are_answered_at_once(serve_app):
    together = threading.Barrier(3)

    def app(environ, start_response):
        together.wait(5)
        return hello(environ, start_response)

    running = serve_app(app, limits=Limits(app_threads=3))
    clients = [running.tls() for _ in range(3)]
    for client in clients:
        client.send(request())
    for client in clients:
        with client:
            assert client.answer().status == 200


def test_the_end_lets_a_stream_tidy_up_and_does_not_wait_for_an_app_that_hangs(serve_app):
    never, began = threading.Event(), threading.Event()
    watched = Watched(*[bytes(65536)] * 400)

    def hanging(environ, start_response):
        began.set()
        never.wait(20)
        return hello(environ, start_response)

    running = serve_app(split(watched, hanging), validated=False)
    with running.tls() as streaming, running.tls() as client:
        streaming.send(request())
        eventually(lambda: watched.asked)
        client.send(request("/other"))
        assert began.wait(5)
        start = time.monotonic()
        running.stop()
        running.server.server_close()
        assert time.monotonic() - start < 2
    assert_closed(watched)
    never.set()


# What it does wrong, before the head is sent.


def missing(what):
    raise LookupError(what)


def raising(environ, start_response):
    raise LookupError("for the \x1b[31mdeveloper\nto read")


def raising_first(environ, start_response):
    start_response("200 OK", [TEXT])
    yield from missing("for the developer")


def leaving(environ, start_response):
    sys.exit("from a view")


@pytest.mark.parametrize(
    ("app", "what"),
    [
        (raising, "LookupError: for the \\x1b[31mdeveloper"),
        (raising_first, "LookupError: for the developer"),
        (leaving, "SystemExit: from a view"),
        (lambda environ, start_response: [b"x"], "without calling start_response"),
        (lambda environ, start_response: iter([b"x"]), "without calling start_response"),
        (lambda environ, start_response: None, "the app returned NoneType"),
        (lambda environ, start_response: b"bytes", "the app returned bytes"),
        (lambda environ: [b"x"], "takes 1 positional argument but 2 were given"),
        (listing("text"), "the app gave str, not bytes"),
        (answering("text"), "the app gave str, not bytes"),
        (listing(b"x", status="OK"), "the status is not like"),
        (listing(b"x", status="101 Switching Protocols"), "the status is not like"),
        (listing(b"x", status="200 OK\r\nX-A: b"), "the status is not like"),
        (listing(b"x", status=200), "the status is int"),
        (listing(b"x", headers=[("X-A", "b\r\nSet-Cookie: c=d")]), "the header X-A has a line"),
        (listing(b"x", headers=[("X-A\r\nB", "c")]), "a header has a name that is none"),
        (listing(b"x", headers=[("X-A", "\u20ac")]), "no latin-1"),
        (listing(b"x", headers=[("X-A", b"b")]), "a header is not of str"),
        (listing(b"x", headers=[["X-A", "b"]]), "no (name, value) tuple"),
        (listing(b"x", headers=[("Connection", "close")]), "the header Connection is the server's"),
        (listing(b"x", headers=[("Transfer-Encoding", "chunked")]), "Transfer-Encoding is the"),
        (listing(b"x", headers=[("Content-Length", "-1")]), "Content-Length is no one number"),
        (listing(headers=[("Content-Length", "1"), ("Content-Length", "2")]), "no one number"),
        (listing(b"x", headers=[TEXT, ("Content-Length", "2")]), "the app gave 1 bytes"),
        (listing(headers=[TEXT, ("Content-Length", "2")]), "the app gave 0 bytes"),
    ],
)  # fmt: skip
def test_a_fault_before_the_head_is_a_page_for_the_client_and_a_traceback_for_the_developer(
    serve_app, app, what
):
    running = serve_app(app, validated=False)
    running.faults_expected = True
    with running.tls() as client:
        for _ in range(2):
            answer = client.get("/path")
            assert answer.status == 500
            assert b"developer" not in answer.body
            assert answer.get(b"x-a") is answer.get(b"set-cookie") is None
    running.in_loop(lambda: None)
    assert "500 for /path: the app failed with" in running.log
    assert what in running.log
    assert "\x1b" not in running.log


def test_a_traceback_begins_in_the_app(serve_app):
    running = serve_app(raising, validated=False)
    running.faults_expected = True
    running.get()
    running.in_loop(lambda: None)

    lines = running.log.splitlines()
    at = lines.index("Traceback (most recent call last):")
    assert "test_wsgi.py" in lines[at + 1]
    assert "in raising" in lines[at + 1]
    assert "call.py" not in running.log


def test_in_json_a_traceback_is_one_record(serve_app):
    running = serve_app(raising, validated=False, log_format=api.LogFormat.JSON)
    running.faults_expected = True
    running.get()
    running.in_loop(lambda: None)

    messages = [json.loads(line).get("message", "") for line in running.log.splitlines()]
    [trace] = [message for message in messages if message.startswith("Traceback")]
    assert "in raising" in trace


def test_a_page_for_an_error_replaces_what_was_not_sent(serve_app):
    def app(environ, start_response):
        start_response("200 OK", [TEXT])
        try:
            missing("it")
        except LookupError:
            start_response("503 Later", [TEXT], sys.exc_info())
        return [b"later"]

    answer = serve_app(app).get()

    assert (answer.status, answer.body) == (503, b"later")


def test_start_response_twice_is_a_fault(serve_app):
    def app(environ, start_response):
        start_response("200 OK", [TEXT])
        start_response("200 OK", [TEXT])
        return [b"x"]

    running = serve_app(app, validated=False)
    running.faults_expected = True

    assert running.get().status == 500


# And after it.


def raising_later(environ, start_response):
    start_response("200 OK", [TEXT])
    yield b"first"
    raise LookupError("for the developer")


def replacing_later(environ, start_response):
    write = start_response("200 OK", [TEXT])
    write(b"first")
    try:
        missing("for the developer")
    except LookupError:
        start_response("500 Oh", [TEXT], sys.exc_info())
    return [b"never"]


too_little = answering(b"first", headers=[TEXT, ("Content-Length", "10")])


@pytest.mark.parametrize("app", [raising_later, replacing_later, too_little])
@pytest.mark.parametrize("version", [b"1.1", b"1.0"])
def test_what_is_not_complete_never_seems_to_be(serve_app, app, version):
    running = serve_app(app, validated=False)
    data = b""
    with running.trust().wrap_socket(
        running.connect(), server_hostname="localhost", suppress_ragged_eofs=False
    ) as client:
        client.sendall(request(version=version))
        # Over TLS, an end without close_notify is what tells even a client of HTTP/1.0.
        with pytest.raises((ssl.SSLEOFError, ConnectionResetError)):  # noqa: PT012
            while True:
                piece = client.recv(65536)
                assert piece, "the stream ended as if it were complete"
                data += piece
    assert b"first" in data
    assert b"0\r\n\r\n" not in data
    running.in_loop(lambda: None)
    assert "/ is cut off: the app failed with" in running.log


def test_over_plain_http_an_old_client_sees_a_reset(serve_app):
    with serve_app(raising_later, validated=False).plain() as client:
        client.send(request(version=b"1.0"))
        with pytest.raises(ConnectionResetError):
            b"".join(iter(lambda: client.sock.recv(65536), b""))


@pytest.mark.parametrize("pieces", [(b"four", b"more"), (b"fo", b"urmore"), (b"fourmore",)])
@pytest.mark.parametrize("kind", [answering, listing])
def test_more_than_was_promised_is_dropped(serve_app, pieces, kind):
    running = serve_app(kind(*pieces, headers=[TEXT, ("Content-Length", "4")]), validated=False)
    with running.tls() as client:
        for _ in range(2):
            assert client.get("/long").body == b"four"
    running.in_loop(lambda: None)
    if pieces != (b"four", b"more") or kind is listing:
        assert "/long: the app gave more than its Content-Length, 4" in running.log


class Closing(Watched):
    """Fails in its close()."""

    def close(self):
        super().close()
        raise LookupError("while it tidied up")


def test_a_fault_in_close_spoils_nothing_that_was_sent(serve_app):
    running = serve_app(Closing(b"all"), validated=False)
    with running.tls() as client:
        for _ in range(2):
            assert client.get().status == 200
    eventually(lambda: "was answered, and then the app failed with LookupError" in running.log)


@pytest.mark.parametrize("pieces", [(), (b"one",), (lambda: 1 // 0,), (b"one", lambda: 1 // 0)])
@pytest.mark.parametrize("method", [b"GET", b"HEAD"])
def test_close_is_always_called(serve_app, pieces, method):
    watched = Watched(*pieces)
    running = serve_app(watched, validated=False)
    running.faults_expected = True
    with running.tls() as client:
        client.send(request(method=method))
        assert_closed(watched)


# wsgi.errors.


def test_what_an_app_writes_to_its_errors_is_in_the_log(serve_app):
    def app(environ, start_response):
        errors = environ["wsgi.errors"]
        print("one", "line", file=errors)
        errors.write("half ")
        errors.writelines(["a line\n", "\tindented\x1b[31m\n", "without an end"])
        return hello(environ, start_response)

    running = serve_app(app)
    running.get()
    eventually(lambda: "without an end\n" in running.log)

    lines = [line for line in running.log.splitlines() if "https GET" not in line]
    assert lines == ["one line", "half a line", "\tindented\\x1b[31m", "without an end"]


def test_flush_shows_a_line_at_once(serve_app):
    go = threading.Event()

    def app(environ, start_response):
        environ["wsgi.errors"].write("working ...")
        environ["wsgi.errors"].flush()
        go.wait(5)
        return hello(environ, start_response)

    running = serve_app(app)
    with running.tls() as client:
        client.send(request())
        eventually(lambda: "working ...\n" in running.log)
        go.set()
        client.answer()
