"""The life of connections and of the server: keep-alive, deadlines, back-pressure, the end."""

import contextlib
import gc
import os
import re
import resource
import signal
import socket
import ssl
import struct
import subprocess
import sys
import threading
import time
from array import array
from dataclasses import replace
from functools import partial

import pytest
from server_fixtures import QUICK, TIMEOUT_S, Client, answers, eventually, request

from openssl_serve import api
from openssl_serve.errors import HttpError
from openssl_serve.http1.response import Response
from openssl_serve.server.connection import State
from openssl_serve.server.contexts import ReadyContext
from openssl_serve.server.handling import Offload
from openssl_serve.server.limits import Limits

LARGE = 12 * 1024 * 1024
"""Bytes: more than the kernel buffers of both ends take, so that the server has to wait."""

SMALL_BUFFER = 16_384

DESCRIPTORS = "/proc/self/fd" if sys.platform == "linux" else "/dev/fd"


CONTENT = array("Q", range(LARGE // 8)).tobytes()
"""Each piece of it different."""


@pytest.fixture
def large(root):
    (root / "large.bin").write_bytes(CONTENT)
    return CONTENT


def slow_client(running, *, tls=False):
    """A client whose receive buffer is small."""
    sock = socket.socket()
    sock.settimeout(TIMEOUT_S)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL_BUFFER)
    sock.connect(("127.0.0.1", running.port))
    return Client(running.trust().wrap_socket(sock, server_hostname="localhost") if tls else sock)


def connections(running):
    return list(running.server.connections.values())


def states(running):
    return [getattr(connection, "state", None) for connection in connections(running)]


def open_files():
    gc.collect()
    return len(os.listdir(DESCRIPTORS))


def reset(client):
    """Close with RST, as a killed browser or a dropped network does."""
    client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.sock.close()


# One port, both protocols.


def test_http_and_https_are_answered_on_one_port(serve):
    running = serve(plain_http=api.PlainHttp.SERVE)

    with running.plain() as plain, running.tls() as tls:
        assert plain.get("/a.txt").body == b"content of a\n"
        assert tls.get("/a.txt").body == b"content of a\n"


def test_alpn_settles_on_http_1_1(server):
    context = server.trust()
    context.set_alpn_protocols(["h2", "http/1.1"])

    with server.tls(context) as client:
        assert client.sock.selected_alpn_protocol() == "http/1.1"


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_current_versions_of_tls_are_spoken(server, version):
    context = server.trust()
    context.minimum_version = context.maximum_version = version

    with server.tls(context) as client:
        assert client.get("/a.txt").status == 200


def test_a_client_that_distrusts_the_certificate_is_told_apart_in_the_log_once(server):
    for _ in range(3):
        with pytest.raises(ssl.SSLCertVerificationError):
            server.tls(ssl.create_default_context())

    eventually(lambda: not server.server.connections)
    assert server.get("/a.txt").status == 200
    assert len(re.findall("refused the certificate", server.log)) == 1
    assert "Traceback" not in server.log


# Keep-alive and pipelining.


@pytest.mark.parametrize("secure", [False, True])
def test_one_connection_carries_many_requests(serve, secure):
    running = serve(plain_http=api.PlainHttp.SERVE)

    with running.tls() if secure else running.plain() as client:
        for _ in range(50):
            assert client.get("/a.txt").status == 200
        assert len(connections(running)) == 1


@pytest.mark.parametrize("secure", [False, True])
def test_pipelined_requests_are_answered_in_their_order(serve, root, secure):
    running = serve(plain_http=api.PlainHttp.SERVE)
    for number in range(20):
        (root / f"{number}.txt").write_text(f"file {number}")
    targets = [f"/{number}.txt" for number in range(20)]

    with running.tls() if secure else running.plain() as client:
        client.send(b"".join(map(request, targets)))
        bodies = [client.answer().text for _ in targets]

    assert bodies == [f"file {number}" for number in range(20)]


@pytest.mark.parametrize("secure", [False, True])
def test_a_slow_answer_keeps_its_place_among_pipelined_ones(serve, root, secure):
    """A listing comes from a thread; what follows it must wait."""
    (root / "sub").mkdir()
    running = serve(plain_http=api.PlainHttp.SERVE)
    targets = ["/sub/", "/a.txt", "/sub/", "/sub/", "/a.txt"]

    with running.tls() if secure else running.plain() as client:
        client.send(b"".join(map(request, targets)))
        kinds = [client.answer().get(b"etag") is not None for _ in targets]

    assert kinds == [False, True, False, False, True]


@pytest.mark.parametrize("secure", [False, True])
def test_pipelined_large_files_arrive_whole_and_in_order(serve, large, secure):
    running = serve(plain_http=api.PlainHttp.SERVE)

    with running.tls() if secure else running.plain() as client:
        client.send(request("/large.bin") + request("/a.txt") + request("/large.bin"))
        assert client.answer().body == large
        assert client.answer().body == b"content of a\n"
        assert client.answer().body == large


def test_a_head_request_between_two_gets_has_no_body(server):
    with server.tls() as client:
        client.send(request("/a.txt") + request("/a.txt", method=b"HEAD") + request("/a.txt"))
        first, head, last = client.answer(), client.answer(b"HEAD"), client.answer()

    assert (head.status, head.body) == (200, b"")
    assert first.body == last.body == b"content of a\n"
    assert dict(head.fields) == dict(first.fields)


@pytest.mark.parametrize(
    ("version", "fields", "stays"),
    [
        (b"1.1", [], True),
        (b"1.1", [b"Connection: close"], False),
        (b"1.1", [b"Connection: foo, Close"], False),
        (b"1.0", [], False),
        (b"1.0", [b"Connection: keep-alive"], True),
    ],
)
def test_who_may_keep_the_connection(server, version, fields, stays):
    with server.tls() as client:
        answer = client.send(request("/a.txt", *fields, version=version)).answer()

        assert answer.status == 200
        if stays:
            assert answer.get(b"connection") == (b"keep-alive" if version == b"1.0" else None)
            assert client.get("/a.txt").status == 200
        else:
            assert answer.get(b"connection") == b"close"
            assert client.is_ended()


@pytest.mark.parametrize("method", [b"POST", b"PUT"])
def test_a_short_unwanted_body_is_skipped_and_the_connection_kept(server, method):
    with server.tls() as client:
        client.send(request("/a.txt", b"Content-Length: 5", method=method) + b"hello")
        assert client.answer(method).status == 405
        assert client.get("/a.txt").status == 200


def test_a_short_body_that_comes_after_its_answer_is_skipped(server):
    with server.tls() as client:
        client.send(request("/a.txt", b"Content-Length: 100000", method=b"POST"))
        assert client.answer(b"POST").status == 405
        client.send(b"x" * 100_000)
        assert client.get("/a.txt").status == 200


def test_a_chunked_body_is_skipped_when_it_came_whole(server):
    with server.tls() as client:
        client.send(
            request("/a.txt", b"Transfer-Encoding: chunked", method=b"POST")
            + b"5\r\nhello\r\n0\r\nTrailer: x\r\n\r\n"
        )
        assert client.answer(b"POST").status == 405
        assert client.get("/a.txt").status == 200


def test_a_client_that_waits_for_100_gets_the_answer_instead_of_its_body(server):
    with server.tls() as client:
        client.send(request("/a.txt", b"Expect: 100-continue", b"Content-Length: 5", method=b"PUT"))
        answer = client.answer(b"PUT")
        client_may_reuse = answer.get(b"connection") != b"close"

        assert answer.status == 405
        assert not client_may_reuse
        assert client.is_ended()


@pytest.mark.parametrize("secure", [False, True])
def test_an_answer_survives_a_body_that_nobody_reads(serve, secure):
    """Closing over unread bytes resets the connection and destroys the answer (RFC 9112 9.6)."""
    running = serve(plain_http=api.PlainHttp.SERVE)
    body = b"x" * 3_000_000

    with running.tls() if secure else running.plain() as client:
        with contextlib.suppress(ConnectionError, ssl.SSLError):
            client.send(request("/a.txt", b"Content-Length: %d" % len(body), method=b"POST") + body)
        assert client.answer(b"POST").status == 405


@pytest.mark.parametrize("size", [1, 2, 7])
def test_bytes_may_arrive_in_any_pieces(server, size):
    data = request("/a.txt") + request("/missing", b"Connection: close")
    with server.tls() as client:
        for start in range(0, len(data), size):
            client.send(data[start : start + size])
        assert [client.answer().status, client.answer().status] == [200, 404]
        assert client.is_ended()


# Deadlines.


def only(limit, seconds):
    """The usual limits but for one."""
    return replace(Limits(), **{limit: seconds})


def waits(running, data, *, tls=False):
    """Send *data*, then nothing; return what came back, and the seconds until the end."""
    began = time.monotonic()
    with running.tls() if tls else running.plain() as client:
        return client.send(data).rest(), time.monotonic() - began


@pytest.mark.parametrize(
    ("limit", "data", "tls"),
    [
        ("first_byte_timeout_s", b"", False),
        ("handshake_timeout_s", b"\x16", False),
        ("handshake_timeout_s", b"\x16\x03\x01\x02\x00\x01", False),
        ("idle_timeout_s", b"", True),
        ("idle_timeout_s", b"\r\n", False),
    ],
)
def test_silence_ends_with_the_deadline_of_its_state(serve, limit, data, tls):
    running = serve(limits=only(limit, 0.2))

    received, seconds = waits(running, data, tls=tls)

    assert received == b""
    assert 0.19 <= seconds < 2


@pytest.mark.parametrize("tls", [False, True])
@pytest.mark.parametrize("data", [b"G", b"GET / HTTP/1.1\r\nHost: loc"])
def test_a_head_that_does_not_end_gets_408(serve, data, tls):
    running = serve(limits=replace(Limits(), head_timeout_s=0.2))

    received, seconds = waits(running, data, tls=tls)

    (answer,) = answers(received)
    assert (answer.status, answer.get(b"connection")) == (408, b"close")
    assert 0.19 <= seconds < 2


def test_a_head_that_drips_gets_408_at_the_same_deadline(serve):
    """Slowloris: a byte now and then does not renew the deadline."""
    running = serve(limits=replace(Limits(), head_timeout_s=0.3))
    began = time.monotonic()

    with running.plain() as client:
        client.send(b"GET / HTTP/1.1\r\n")
        client.sock.settimeout(0.02)
        while True:
            client.send(b"X")
            with contextlib.suppress(TimeoutError):
                client.left = client.sock.recv(1000)
                break
        client.sock.settimeout(TIMEOUT_S)

        assert client.answer().status == 408
        assert time.monotonic() - began < 3


def test_an_answered_connection_that_goes_idle_is_closed_politely(serve):
    running = serve(limits=replace(Limits(), idle_timeout_s=0.2))

    with running.tls() as client:
        assert client.get("/a.txt").status == 200
        # An end with close_notify is an empty read; without, OpenSSL would raise.
        client.sock.suppress_ragged_eofs = False
        assert client.is_ended()


def test_a_body_that_does_not_come_ends_the_connection(serve):
    running = serve(limits=replace(Limits(), body_timeout_s=0.2))

    with running.tls() as client:
        client.send(request("/a.txt", b"Content-Length: 5", method=b"POST") + b"he")
        assert client.answer(b"POST").status == 405
        assert client.is_ended()


@pytest.mark.parametrize("tls", [False, True])
def test_a_client_that_takes_nothing_is_dropped(serve, large, tls):
    running = serve(plain_http=api.PlainHttp.SERVE, limits=replace(Limits(), write_timeout_s=0.2))

    with slow_client(running, tls=tls) as client:
        client.send(request("/large.bin"))
        eventually(lambda: State.WRITING in states(running))
        eventually(lambda: not connections(running), "the stuck connection is gone")


def test_a_client_that_takes_little_at_a_time_gets_all(serve, large):
    """Each bit that it takes is progress, however long the whole takes."""
    running = serve(limits=only("write_timeout_s", 0.5))

    with slow_client(running, tls=True) as client:
        client.send(request("/large.bin"))
        received = bytearray()
        while len(received) < LARGE:
            received += client.sock.recv(5000)
        client.left = bytes(received)
        assert client.answer().body == large


def test_a_head_that_begins_with_the_end_of_another_has_the_deadline_of_a_head(serve):
    running = serve(limits=only("head_timeout_s", 0.2))
    data = request("/a.txt")

    with running.tls() as client:
        client.send(data[:10])
        eventually(lambda: any(getattr(c, "in_head", False) for c in connections(running)))
        client.send(data[10:] + data[:10])
        assert client.answer().status == 200
        client.sock.settimeout(3)
        assert client.answer().status == 408


def test_a_connection_whose_body_was_skipped_is_as_idle_as_any(serve):
    running = serve(limits=only("body_timeout_s", 0.2))

    with running.tls() as client:
        client.send(request("/a.txt", b"Content-Length: 5", method=b"POST"))
        assert client.answer(b"POST").status == 405
        (connection,) = connections(running)
        client.send(b"hello")
        eventually(lambda: connection.deadline > time.monotonic() + 1)
        assert client.get("/a.txt").status == 200


# Back-pressure, and files that change.


@pytest.mark.parametrize("tls", [False, True])
def test_a_large_file_is_not_read_ahead_of_its_client(serve, large, tls):
    running = serve(plain_http=api.PlainHttp.SERVE)

    with slow_client(running, tls=tls) as client:
        client.send(request("/large.bin"))
        eventually(lambda: State.WRITING in states(running))
        (connection,) = connections(running)
        body = connection._outgoing._body
        seen = []

        def is_still():
            seen.append(body.left)
            return len(seen) > 5 and seen[-1] == seen[-5]

        eventually(is_still)
        assert body.left > 0
        assert client.answer().body == large


def test_others_are_served_while_a_client_does_not_read(serve, large):
    running = serve()

    with slow_client(running, tls=True) as stuck:
        stuck.send(request("/large.bin"))
        eventually(lambda: State.WRITING in states(running))
        began = time.monotonic()
        assert running.get("/a.txt").status == 200
        assert time.monotonic() - began < 1


@pytest.mark.parametrize("tls", [False, True])
def test_a_file_that_shrinks_while_it_is_sent_ends_short(serve, root, large, tls):
    running = serve(plain_http=api.PlainHttp.SERVE)

    with slow_client(running, tls=tls) as client:
        client.send(request("/large.bin"))
        eventually(lambda: State.WRITING in states(running))
        os.truncate(root / "large.bin", 1000)
        with contextlib.suppress(ssl.SSLError):
            received = client.rest()
            head, _, body = received.partition(b"\r\n\r\n")
            assert b"Content-Length: %d" % LARGE in head
            # Short and never padded: what came is the beginning of what was there.
            assert len(body) < LARGE
            assert large.startswith(body)

    eventually(lambda: not connections(running))
    assert running.get("/a.txt").status == 200


@pytest.mark.parametrize("tls", [False, True])
@pytest.mark.parametrize("end", ["client", "file", "server"])
def test_a_response_that_is_cut_off_is_logged_with_what_was_sent(serve, root, large, tls, end):
    """As a browser does with a video when somebody jumps ahead: it was asked for all the same."""
    running = serve(plain_http=api.PlainHttp.SERVE)

    with slow_client(running, tls=tls) as client:
        client.send(request("/large.bin"))
        eventually(lambda: State.WRITING in states(running))
        assert "large.bin" not in running.log
        if end == "file":
            os.truncate(root / "large.bin", 1000)
            with contextlib.suppress(ssl.SSLError):
                client.rest()
        elif end == "server":
            running.stop()
    eventually(lambda: "large.bin" in running.log)

    line = re.search(r" GET /large\.bin 200 (\d+) B cut off [\d.]+ ms\n", running.log)
    assert line is not None
    assert 0 < int(line[1]) < LARGE
    assert running.log.count("large.bin") == 1


def test_a_file_that_grows_while_it_is_sent_ends_where_it_was_promised_to(serve, root, large):
    running = serve(plain_http=api.PlainHttp.SERVE)

    with slow_client(running) as client:
        client.send(request("/large.bin") + request("/a.txt"))
        eventually(lambda: State.WRITING in states(running))
        with open(root / "large.bin", "ab") as file:
            file.write(b"more" * 1000)
        assert client.answer().body == large
        assert client.answer().body == b"content of a\n"


def test_a_large_file_survives_its_deletion_while_it_is_sent(serve, root, large):
    running = serve()

    with slow_client(running, tls=True) as client:
        client.send(request("/large.bin"))
        eventually(lambda: State.WRITING in states(running))
        (root / "large.bin").unlink()
        assert client.answer().body == large


def test_a_reader_that_says_goodbye_early_still_gets_all(serve, large):
    """openssl s_client with its input at an end: request, close_notify, then reading."""
    running = serve()
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = running.trust().wrap_bio(incoming, outgoing, server_hostname="localhost")

    def pump(step):
        while True:
            try:
                return step()
            except ssl.SSLWantReadError:
                sock.sendall(outgoing.read())
                incoming.write(sock.recv(65536))

    with slow_client(running) as client:
        sock = client.sock
        pump(tls.do_handshake)
        tls.write(request("/large.bin", b"Connection: close"))
        # The record of close_notify goes right behind the request's.
        with contextlib.suppress(ssl.SSLWantReadError):
            tls.unwrap()
        sock.sendall(outgoing.read())
        received = bytearray()
        while data := sock.recv(65536):
            received += data

    # Ciphertext: every byte of content, a head, and the records around them.
    assert len(received) > LARGE


@pytest.mark.parametrize("extra", [b"x" * 20_000, request("/b")])
def test_what_follows_a_last_request_does_not_destroy_its_answer(serve, large, extra):
    """In a TLS record of its own it is not read any more; closing over it would reset."""
    running = serve()

    for _ in range(3):
        with slow_client(running, tls=True) as client:
            client.send(request("/large.bin", b"Connection: close"))
            client.send(extra)
            assert client.answer().body == large


# Faults.


@pytest.mark.parametrize("secure", [False, True])
def test_a_fault_of_a_handler_is_a_500_and_nobody_elses_problem(serve, secure):
    def faulty(asked):
        if asked.target == b"/fault":
            raise RuntimeError("secret\x1b[31m detail")
        return Response(200, (), b"fine")

    running = serve(secure=faulty, plain=faulty)
    running.faults_expected = True

    with running.tls() if secure else running.plain() as client:
        answer = client.get("/fault")
        assert answer.status == 500
        assert b"secret" not in answer.body
        assert client.get("/").body == b"fine"
    assert "500 for /fault: RuntimeError: secret" in running.log
    assert "\x1b" not in running.log


@pytest.mark.parametrize(
    ("error", "status"),
    [(RuntimeError, 500), (SystemExit, 500), (partial(HttpError, 404, "nothing"), 404)],
)
def test_a_fault_in_a_thread_is_answered_like_any_other(serve, error, status):
    def work():
        raise error()

    running = serve(secure=lambda _: Offload(work))
    running.faults_expected = True

    with running.tls() as client:
        for _ in range(3):
            assert client.get("/").status == status


def test_a_log_that_cannot_be_written_ends_nothing(serve):
    running = serve()

    def full(_text):
        raise OSError(28, "No space left on device")

    running.server.log._write = full
    for _ in range(2):
        assert running.get("/a.txt").status == 200


def test_a_fault_in_the_end_of_a_connection_ends_nothing_else(server, monkeypatch):
    def fail(_connection):
        raise RuntimeError("broken")

    with server.plain() as client:
        assert client.get("/a.txt").status == 301
        (connection,) = connections(server)
        with monkeypatch.context() as patch:
            patch.setattr(connection, "on_ready", lambda: fail(connection))
            patch.setattr(type(connection), "close", fail)
            client.send(b"G")
            eventually(lambda: "its end failed: RuntimeError: broken" in server.log)
        assert connections(server) == []
        connection._transport.close()
        assert server.get("/a.txt").status == 200


def test_a_context_that_cannot_be_had_ends_one_connection(serve):
    class Broken(ReadyContext):
        def current(self):
            raise RuntimeError("no context")

    running = serve()
    contexts = running.server.contexts
    running.in_loop(lambda: setattr(running.server, "contexts", Broken()))
    with pytest.raises((ssl.SSLError, ConnectionError)):
        running.tls()
    running.in_loop(lambda: setattr(running.server, "contexts", contexts))

    assert running.get("/a.txt").status == 200
    assert "no context" in running.log


@pytest.mark.parametrize("files", [64, 256])
def test_few_descriptors_are_for_connections_too(serve, monkeypatch, files):
    monkeypatch.setattr("openssl_serve.server.polyglot.raise_open_files", lambda: files)
    running = serve()

    with contextlib.ExitStack() as stack:
        for _ in range(files // 2):
            client = stack.enter_context(running.plain())
            client.send(request("/a.txt"))
            assert client.answer().status == 301
        refused = stack.enter_context(running.plain())
        assert refused.send(request("/a.txt")).answer().status == 503


def test_want_of_descriptors_is_not_said_to_be_want_of_the_file(serve, large):
    running = serve()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with running.tls() as client, contextlib.ExitStack() as stack:
        assert client.get("/a.txt").status == 200
        stack.callback(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        taken = max(map(int, os.listdir(DESCRIPTORS)))
        resource.setrlimit(resource.RLIMIT_NOFILE, (taken + 1, hard))
        with contextlib.suppress(OSError):
            while True:
                stack.callback(os.close, os.open(os.devnull, os.O_RDONLY))
        assert client.get("/large.bin").status == 503
    assert running.get("/large.bin").body == large


def test_the_system_notices_clients_that_vanish_without_a_word(server):
    with server.plain() as client:
        assert client.get("/a.txt").status == 301
        (connection,) = connections(server)
        sock = connection._transport.socket
        assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
        if hasattr(socket, "TCP_KEEPIDLE"):
            assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 60


def test_a_client_may_leave_while_a_thread_works_for_it(serve):
    release, entered = threading.Event(), threading.Event()

    def work():
        entered.set()
        release.wait(TIMEOUT_S)
        return Response(200, (), b"late" * 100_000)

    running = serve(secure=lambda _: Offload(work))
    client = running.tls()
    client.send(request())
    assert entered.wait(TIMEOUT_S)
    reset(client)
    release.set()

    eventually(lambda: not connections(running))


def test_a_reset_in_any_state_leaves_nothing_behind(serve, large):
    running = serve(plain_http=api.PlainHttp.SERVE)
    before = open_files()

    for data in (b"", b"G", b"\x16", b"\x16\x03\x01\x00\x05", request("/large.bin"), b"\x00"):
        for _ in range(10):
            client = slow_client(running)
            client.send(data)
            reset(client)

    eventually(lambda: not connections(running))
    assert running.get("/a.txt").status == 200
    eventually(lambda: open_files() <= before)
    assert "Traceback" not in running.log


def test_thousands_of_connections_leave_no_descriptor_behind(serve, root, large):
    (root / "sub").mkdir()
    running = serve(plain_http=api.PlainHttp.SERVE)
    running.get("/sub/")
    eventually(lambda: not connections(running))
    before = open_files()

    for number in range(2000):
        with running.plain() as client:
            if number % 4 == 0:
                client.send(request("/large.bin", b"Range: bytes=0-100000"))
            elif number % 4 == 1:
                client.get("/sub/")
            elif number % 4 == 2:
                client.get("/missing")
            if number % 8 == 5:
                reset(client)
    for _ in range(50):
        running.get("/large.bin", b"Range: bytes=5-9")

    eventually(lambda: not connections(running))
    eventually(lambda: open_files() <= before)


def test_a_connection_too_many_is_refused_and_a_place_made_free_is_used(serve):
    running = serve(limits=replace(Limits(), max_connections=3))

    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(running.tls()) for _ in range(3)]
        began = time.monotonic()
        with contextlib.suppress(OSError):
            found = answers(running.plain_exchange(request("/a.txt", b"Connection: close")))
            assert [answer.status for answer in found] in ([], [503])
        assert time.monotonic() - began < 2
        clients[0].sock.close()
        eventually(lambda: len(connections(running)) < 3)
        assert running.get("/a.txt").status == 200


def test_many_silent_connections_are_cheap(serve):
    running = serve()
    threads = threading.active_count()

    with contextlib.ExitStack() as stack:
        for _ in range(500):
            stack.enter_context(running.plain())
        eventually(lambda: len(connections(running)) == 500)
        began = time.monotonic()
        assert running.get("/a.txt").status == 200
        assert time.monotonic() - began < 1
        assert threading.active_count() == threads


# The end.


def test_the_server_ends_at_once_when_nothing_is_under_way(serve):
    running = serve()

    with running.plain(), running.tls() as idle:
        began = time.monotonic()
        running.stop()
        assert time.monotonic() - began < 1
        assert idle.is_ended()
    running.server.server_close()
    with pytest.raises(ConnectionRefusedError):
        running.connect()


def test_draining_lets_a_response_finish_and_accepts_nobody(serve, large):
    running = serve()

    with slow_client(running, tls=True) as busy, running.tls() as idle:
        busy.send(request("/large.bin", b"Connection: close"))
        eventually(lambda: State.WRITING in states(running))
        running.in_loop(lambda: running.server.drain(TIMEOUT_S))
        assert idle.is_ended()
        assert busy.answer().body == large
        assert busy.is_ended()
    running.thread.join(TIMEOUT_S)
    assert not running.thread.is_alive()


def test_draining_answers_a_request_whose_head_was_on_its_way(serve):
    running = serve()

    with running.tls() as client:
        client.send(b"GET /a.txt HTTP/1.1\r\n")
        eventually(lambda: any(getattr(c, "in_head", False) for c in connections(running)))
        running.in_loop(lambda: running.server.drain(TIMEOUT_S))
        answer = client.send(b"Host: localhost\r\n\r\n").answer()

        assert (answer.status, answer.get(b"connection")) == (200, b"close")
        assert client.is_ended()
    running.thread.join(TIMEOUT_S)
    assert not running.thread.is_alive()


def test_draining_ends_with_the_grace_period(serve, large):
    running = serve()

    with slow_client(running) as stuck, slow_client(running, tls=True) as stuck_too:
        stuck.send(b"GET")
        stuck_too.send(request("/large.bin"))
        eventually(lambda: State.WRITING in states(running))
        began = time.monotonic()
        running.in_loop(lambda: running.server.drain(0.2))
        running.thread.join(TIMEOUT_S)
        assert not running.thread.is_alive()
        assert time.monotonic() - began < 2


def test_a_kept_connection_is_closed_once_draining_has_let_it_finish(serve, large):
    """Its response began before the drain, and said nothing of an end."""
    running = serve(limits=only("linger_timeout_s", 0.1))

    with slow_client(running, tls=True) as client:
        client.send(request("/large.bin"))
        eventually(lambda: State.WRITING in states(running))
        running.in_loop(lambda: running.server.drain(60))
        assert client.answer().body == large
        running.thread.join(TIMEOUT_S)
        assert not running.thread.is_alive()


PROGRAM = """
import sys
from openssl_serve.cli.app import run
sys.exit(run(sys.argv[1:]))
"""


@pytest.fixture
def child(root, pair):
    """The command in a process of its own; stands when it has said where it listens."""
    with contextlib.ExitStack() as stack:

        def start(*options):
            process = stack.enter_context(
                subprocess.Popen(
                    [
                        sys.executable, "-c", PROGRAM, str(root), "--port", "0",
                        "--cert", str(pair.cert_path), "--cert-key", str(pair.key_path), *options,
                    ],
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT,
                    text=True,
                )
            )  # fmt: skip
            stack.callback(process.kill)
            assert process.stdout is not None
            for line in process.stdout:
                found = re.search(r"https://[^ ]*?:(\d+)", line)
                if found:
                    return process, int(found[1])
            raise AssertionError("the command ended without a URL")

        yield start


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_command_cleanly_within_a_second(child, number):
    process, port = child()
    with Client(socket.create_connection(("127.0.0.1", port), TIMEOUT_S)) as idle:
        assert idle.get("/a.txt").status == 301
        began = time.monotonic()
        process.send_signal(number)

        assert process.wait(TIMEOUT_S) in (0, 130, 143)
        assert time.monotonic() - began < 1
        assert idle.is_ended()
    assert "Traceback" not in process.stdout.read()


def test_a_second_signal_does_not_wait_for_anybody(child, large):
    process, port = child("--plain-http", "serve")
    with Client(socket.create_connection(("127.0.0.1", port), TIMEOUT_S)) as stuck:
        stuck.send(request("/large.bin"))
        assert stuck.sock.recv(10)
        process.send_signal(signal.SIGTERM)
        # The first one has been taken when nobody is let in any more.
        eventually(lambda: not accepts(port))
        began = time.monotonic()
        process.send_signal(signal.SIGTERM)

        process.wait(TIMEOUT_S)
        assert time.monotonic() - began < 1
    assert "Traceback" not in process.stdout.read()


def accepts(port):
    """Whether a new connection is answered."""
    try:
        with socket.create_connection(("127.0.0.1", port), TIMEOUT_S) as sock:
            sock.settimeout(0.2)
            sock.sendall(request())
            return bool(sock.recv(1))
    except OSError:
        return False


def test_quick_limits_are_quick():
    """The deadlines of these tests are all far below those of a user."""
    for name in ("first_byte", "handshake", "head", "body", "idle", "write"):
        assert getattr(QUICK, f"{name}_timeout_s") < getattr(Limits(), f"{name}_timeout_s") / 10
