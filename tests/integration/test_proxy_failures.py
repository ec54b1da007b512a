"""What does not go well between a client and an upstream: slow ones, early ones, ends of all kinds.

The rule is that nobody gets a false end, nothing is kept that nobody takes, and whoever is left
learns of it at once.
"""

import contextlib
import gc
import hashlib
import socket
import ssl
import threading
from functools import partial

import pytest
from server_fixtures import QUICK, answers, eventually, request
from upstreams import Accepted, Upstream, settle

from openssl_serve.handlers.proxy.dial import Dial
from openssl_serve.handlers.proxy.fields import ProxyOptions
from openssl_serve.handlers.proxy.link import PIECE, Link
from openssl_serve.handlers.proxy.relay import MAX_BACKLOG, Relay
from openssl_serve.server.connection import Connection
from openssl_serve.server.exchange import Exchange
from openssl_serve.server.transport import READ_SIZE

CHUNKED = b"Transfer-Encoding: chunked"
BEGUN = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"
LARGE = bytes(range(256)) * 131_072  # 32 MiB: more than all socket buffers on the way hold
POST = partial(request, method=b"POST")


@pytest.fixture
def asked(proxied, upstream):
    """`asked(request)`: a client that has sent it, and the link on which its head arrived."""
    with contextlib.ExitStack() as stack:

        def ask(data=None, *, running=None, secure=False, **others):
            running = running or proxied(**others)
            client = stack.enter_context(running.tls() if secure else running.plain())
            client.send(request() if data is None else data)
            link = upstream.accept()
            link.head()
            return client, link

        yield ask


def participants(running, kind):
    found = []
    running.in_loop(lambda: found.extend(running.server.connections.values()))
    return [each for each in found if isinstance(each, kind)]


def kept(running):
    """Bytes that *running* has read from anybody and that nobody has taken."""
    (client,), links = participants(running, Connection), participants(running, Link)
    out = client._outgoing
    waiting = len(out._bytes) + len(out._body._pending) if out and out._body else 0
    return waiting + sum(link.backlog for link in links)


def push(sock, data):
    """Send of *data* what is taken before nothing moves any more; return how much that was."""
    sock.setblocking(False)
    sent = 0
    pause = threading.Event()
    stuck = 0
    while sent < len(data) and stuck < 20:
        try:
            sent += sock.send(memoryview(data)[sent : sent + 1_000_000])
            stuck = 0
        except (BlockingIOError, ssl.SSLWantWriteError):
            stuck += 1
            pause.wait(0.01)
    sock.settimeout(10)
    return sent


def in_thread(work):
    """Do *work* beside the test; a function that waits for it, and raises what it has raised."""
    failed = []

    def do():
        try:
            work()
        except BaseException as error:  # noqa: BLE001  told below
            failed.append(error)

    thread = threading.Thread(target=do, daemon=True)
    thread.start()

    def wait():
        thread.join(20)
        assert not thread.is_alive()
        if failed:
            raise failed[0]

    return wait


# Slow ones.


@pytest.mark.parametrize("secure", [False, True])
@pytest.mark.parametrize("framing", [b"Content-Length: %d" % len(LARGE), b"Connection: close"])
def test_a_client_that_does_not_read_holds_up_its_upstream(proxied, asked, secure, framing):
    running = proxied()
    client, link = asked(running=running, secure=secure)
    link.send(b"HTTP/1.1 200 OK\r\n" + framing + b"\r\n\r\n")
    sent = push(link.sock, LARGE)

    assert sent < len(LARGE)
    assert 0 < kept(running) <= 2 * PIECE + 100
    rest = in_thread(lambda: (link.send(LARGE[sent:]), link.close()))
    assert hashlib.sha256(client.answer().body).digest() == hashlib.sha256(LARGE).digest()
    rest()


@pytest.mark.parametrize("secure", [False, True])
@pytest.mark.parametrize("framing", [b"Content-Length: %d" % len(LARGE), CHUNKED])
def test_an_upstream_that_does_not_read_holds_up_its_client(proxied, asked, secure, framing):
    running = proxied()
    client, link = asked(POST("/", framing), running=running, secure=secure)
    data = LARGE
    if framing == CHUNKED:
        data = b"%x\r\n%b\r\n0\r\n\r\n" % (len(LARGE), LARGE)
    sent = push(client.sock, data)

    assert sent < len(LARGE)
    assert 0 < kept(running) <= MAX_BACKLOG + 2 * READ_SIZE
    rest = in_thread(lambda: client.send(data[sent:]))
    found = hashlib.sha256()
    if framing == CHUNKED:
        for chunk in link.chunks():
            found.update(chunk)
    else:
        found.update(link.take(len(LARGE)))
    assert found.digest() == hashlib.sha256(LARGE).digest()
    rest()
    link.answer()
    assert client.answer().body == b"ok"


@pytest.mark.parametrize("secure", [False, True])
def test_an_echo_goes_both_ways_at_once(asked, secure):
    """The response begins before the request has ended, and neither fits into any buffer."""
    client, link = asked(POST("/", CHUNKED), secure=secure)

    def echo():
        link.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        for chunk in link.chunks():
            link.send(b"%x\r\n%b\r\n" % (len(chunk), chunk))
        link.send(b"0\r\n\r\n")

    def say():
        for start in range(0, len(LARGE), 1 << 20):
            client.send(b"100000\r\n%b\r\n" % LARGE[start : start + (1 << 20)])
        client.send(b"0\r\n\r\n")

    waits = [in_thread(echo)]
    if secure:
        # One SSLSocket cannot be used by two threads; the two directions take turns instead.
        assert _take_turns(client, LARGE[: 1 << 23]) == LARGE[: 1 << 23]
    else:
        waits.append(in_thread(say))
        assert client.answer().body == LARGE
    for wait in waits:
        wait()


def _take_turns(client, data):
    """Send *data* in chunks while chunks come back; return those."""
    chunks = (data[start : start + 0x4000] for start in range(0, len(data), 0x4000))
    waiting = memoryview(b"".join(b"4000\r\n%b\r\n" % chunk for chunk in chunks) + b"0\r\n\r\n")
    received = bytearray()
    client.sock.setblocking(False)
    while waiting:
        with contextlib.suppress(ssl.SSLWantWriteError):
            waiting = waiting[client.sock.send(waiting[:0x4000]) :]
        with contextlib.suppress(ssl.SSLWantReadError):
            received += client.sock.recv(65536)
    assert received
    client.sock.settimeout(10)
    client.left = bytes(received)
    return client.answer().body


# Early ones.


@pytest.mark.parametrize("secure", [False, True])
@pytest.mark.parametrize("framing", [b"Content-Length: %d" % len(LARGE), CHUNKED])
def test_an_answer_before_the_end_of_an_upload_arrives(asked, secure, framing):
    client, link = asked(POST("/", framing), secure=secure)
    prefix = b"2000000\r\n" if framing == CHUNKED else b""
    client.send(prefix + LARGE[:100_000])
    link.answer(b"too much", b"Connection: close", status=b"413 Too Large").close()
    answer = client.answer()

    assert (answer.status, answer.body) == (413, b"too much")
    assert answer.get(b"connection") == b"close"


def test_what_is_left_of_a_short_one_is_skipped(asked, upstream):
    client, link = asked(POST("/", b"Content-Length: 1000"))
    client.send(bytes(500))
    link.answer(b"no", status=b"403 Forbidden")
    answer = client.answer()
    assert (answer.status, answer.get(b"connection")) == (403, None)
    assert link.rest() == bytes(500)
    client.send(bytes(500) + request("/next"))

    assert upstream.accept().head().target == b"/next"


def test_an_upstream_may_answer_and_go_on_reading(asked):
    client, link = asked(POST("/", CHUNKED))
    link.send(BEGUN)
    eventually(lambda: b"hello" in client.sock.recv(1000, socket.MSG_PEEK))
    for _ in range(3):
        client.send(b"3\r\nabc\r\n")
        assert link.take(8) == b"3\r\nabc\r\n"
    client.send(b"0\r\n\r\n")
    assert link.take(5) == b"0\r\n\r\n"
    link.send(b"0\r\n\r\n")

    assert client.answer().body == b"hello"


def test_one_that_has_answered_and_closed_is_sent_no_more(asked):
    """The rest of the upload is dropped, and the response is whole."""
    client, link = asked(POST("/", CHUNKED))
    link.send(BEGUN)
    eventually(lambda: b"hello" in client.sock.recv(1000, socket.MSG_PEEK))
    link.send(b"0\r\n\r\n").close()
    for _ in range(5):
        with contextlib.suppress(ConnectionError):
            client.send(b"3\r\nabc\r\n")

    assert client.answer().body == b"hello"
    assert client.is_ended()


# The client goes.


def going(data, then=b"", *, begun=b""):
    return pytest.param(data, then, begun, id=f"{len(then)}-{len(begun)}-{data[:4].decode()}")


@pytest.mark.parametrize(
    ("data", "then", "begun"),
    [
        going(request("/")),
        going(request("/", version=b"1.0")),
        going(POST("/", b"Content-Length: 500"), bytes(100)),
        going(POST("/", CHUNKED), b"3\r\nabc\r\n"),
        going(request("/"), begun=BEGUN),
        going(request("/"), begun=b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\nhello"),
        going(request("/"), begun=b"HTTP/1.1 200 OK\r\n\r\nhello"),
        going(POST("/", CHUNKED), b"3\r\nabc\r\n", begun=BEGUN),
    ],
)
@pytest.mark.parametrize("way", ["plain", "tls", "reset"])
def test_the_upstream_learns_that_the_client_has_gone(proxied, asked, data, then, begun, way):
    running = proxied()
    client, link = asked(data, running=running, secure=way == "tls")
    client.send(then)
    assert link.take(len(then)) == then
    link.send(begun)
    if begun and way != "tls":
        eventually(lambda: b"hello" in client.sock.recv(1000, socket.MSG_PEEK))
    if way == "reset":
        Accepted(client.sock).reset()
    else:
        client.sock.close()

    assert link.is_ended
    settle(running)


def test_also_when_it_goes_in_the_middle_of_what_it_does_not_read(proxied, asked):
    running = proxied()
    client, link = asked(running=running)
    link.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(LARGE))
    assert push(link.sock, LARGE) < len(LARGE)
    client.sock.close()

    assert link.is_ended
    settle(running)


def test_also_while_there_is_no_connection_yet(proxied, unreachable):
    running = proxied(url=unreachable)
    with running.plain() as client:
        client.send(request())
        eventually(lambda: participants(running, Dial))
    settle(running)


def test_a_client_that_takes_nothing_is_given_up(proxied, asked):
    running = proxied(limits=QUICK)
    _, link = asked(running=running)
    link.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(LARGE))
    with contextlib.suppress(ConnectionResetError):
        push(link.sock, LARGE)

    assert link.is_ended
    settle(running)


def test_one_that_sends_nothing_of_its_content_is_told_so(proxied, asked):
    client, link = asked(POST("/", b"Content-Length: 5"), limits=QUICK)
    answer = client.answer()

    assert (answer.status, answer.get(b"connection")) == (408, b"close")
    assert link.is_ended


def test_content_that_is_malformed_later_ends_both(proxied, asked):
    client, link = asked(POST("/", CHUNKED))
    client.send(b"3\r\nabc\r\n")
    assert link.take(8) == b"3\r\nabc\r\n"
    client.send(b"0x3\r\nabc\r\n0\r\n\r\n" + request("/smuggled"))
    answer = client.answer()

    assert (answer.status, answer.get(b"connection")) == (400, b"close")
    # Without a last chunk: what has come of it is no request.
    assert link.is_ended
    assert client.is_ended()


def test_nobody_answers_it_when_the_response_has_begun(proxied, asked):
    client, link = asked(POST("/", CHUNKED))
    link.send(BEGUN)
    eventually(lambda: b"hello" in client.sock.recv(1000, socket.MSG_PEEK))
    client.send(b"0x3\r\nabc\r\n0\r\n\r\n")

    assert client.rest().endswith(b"\r\n\r\n5\r\nhello\r\n")
    assert link.is_ended


# The upstream goes.


@pytest.mark.parametrize("way", ["close", "reset"])
@pytest.mark.parametrize(
    "begun",
    [
        BEGUN,
        b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n500\r\nhello",
    ],
)
@pytest.mark.parametrize("secure", [False, True])
def test_a_response_that_breaks_off_breaks_off_here(asked, begun, way, secure):
    client, link = asked(secure=secure)
    link.send(begun)
    if not secure:
        eventually(lambda: b"hello" in client.sock.recv(1000, socket.MSG_PEEK))
    getattr(link, way)()
    received = client.rest()

    assert received.startswith((b"HTTP/1.1 200 ", b"HTTP/1.1 502 "))
    if received.startswith(b"HTTP/1.1 200 "):
        assert received.endswith((b"hello", b"hello\r\n"))
        with pytest.raises(AssertionError, match="in the middle"):
            answers(received)


@pytest.mark.parametrize("way", ["close", "reset"])
def test_an_old_client_sees_it_too(asked, way):
    """Without chunks and TLS there is nothing but a reset to tell it from the end."""
    client, link = asked(request("/", version=b"1.0"))
    link.send(BEGUN)
    eventually(lambda: b"hello" in client.sock.recv(1000, socket.MSG_PEEK))
    getattr(link, way)()

    with pytest.raises(ConnectionResetError):
        list(iter(partial(client.sock.recv, 65536), b""))


def test_an_old_client_on_tls_sees_it_too(asked):
    client, link = asked(request("/", version=b"1.0"), secure=True)
    link.send(BEGUN)
    while not client.left.endswith(b"hello"):
        client.left += client.sock.recv(65536)
    link.close()
    client.sock.suppress_ragged_eofs = False

    with pytest.raises(ssl.SSLEOFError):
        client.sock.recv(65536)


def test_a_reset_is_no_end_of_a_response_that_ends_with_its_connection(asked):
    client, link = asked()
    link.send(b"HTTP/1.1 200 OK\r\n\r\nhello")
    eventually(lambda: b"hello" in client.sock.recv(1000, socket.MSG_PEEK))
    link.reset()

    assert not client.rest().endswith(b"0\r\n\r\n")


def test_not_even_when_it_is_the_upload_that_meets_it(asked):
    client, link = asked(POST("/", CHUNKED))
    link.send(b"HTTP/1.1 200 OK\r\n\r\nhello")
    eventually(lambda: b"hello" in client.sock.recv(1000, socket.MSG_PEEK))
    link.reset()
    for _ in range(20):
        with contextlib.suppress(ConnectionError):
            client.send(b"3\r\nabc\r\n")

    assert not client.rest().endswith(b"0\r\n\r\n")


@pytest.mark.parametrize("way", ["close", "reset"])
@pytest.mark.parametrize(
    "said", [b"", b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n"]
)
def test_an_upstream_that_ends_without_a_response_is_a_502(asked, said, way):
    client, link = asked()
    link.send(said)
    getattr(link, way)()
    answer = client.answer()

    assert answer.status == 502
    assert "ended the connection" in answer.text
    # The connection of the client has nothing to do with that.
    assert client.get("http://evil.example/").status == 421


@pytest.mark.parametrize(
    ("sent", "rest"),
    [
        (POST("/", b"Content-Length: 5") + b"he", b"llo"),
        (POST("/", CHUNKED) + b"5\r\nhe", b"llo\r\n0\r\n\r\n"),
    ],
)
def test_so_is_one_that_ends_before_it_has_everything(asked, sent, rest):
    """What it has not taken is skipped, or else the client is told that it was the last request."""
    client, link = asked(sent)
    link.reset()
    answer = client.answer()

    assert answer.status == 502
    assert answer.get(b"connection") == (b"close" if CHUNKED in sent else None)
    client.send(rest)
    assert client.is_ended() if CHUNKED in sent else client.get("http://evil/").status == 421


@pytest.mark.parametrize("count", [1, 3])
def test_one_that_is_not_there_is_a_502_that_says_where(proxied, upstream, count):
    upstream.close()
    with proxied().plain() as client:
        for _ in range(count):
            answer = client.get("/")
            assert answer.status == 502
            assert upstream.place in answer.text
            assert "refused" in answer.text


def test_so_is_one_that_no_route_leads_to(proxied):
    """What fails before anybody waits for it is answered all the same, and what follows too."""
    with proxied(url="http://255.255.255.255:1").plain() as client:
        client.send(request() * 300)
        assert {client.answer().status for _ in range(300)} == {502}
        assert client.get("/").status == 502


def test_so_is_a_name_that_nobody_knows(proxied):
    answer = proxied(url="http://no.such.host.invalid:1").get("/")

    assert answer.status == 502
    assert "looked up" in answer.text


def test_a_fault_of_ours_is_one_requests_alone(proxied, asked, monkeypatch):
    running = proxied()
    client, link = asked(running=running)
    with monkeypatch.context() as patch:
        patch.setattr(Relay, "arrived", lambda self: 1 / 0)
        link.answer()
        assert client.answer().status == 502
    eventually(lambda: "ZeroDivisionError" in running.log)
    assert link.is_ended


# Time.


@pytest.fixture
def unreachable(monkeypatch):
    """The URL of a server that takes no connection and refuses none, for a moment's patience."""
    monkeypatch.setattr("openssl_serve.handlers.proxy.dial.CONNECT_TIMEOUT_S", 0.1)
    with socket.socket() as listener, contextlib.ExitStack() as stack:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(4):
            # Until its queue is full; Linux drops what comes then.
            filler = stack.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


def test_an_upstream_that_does_not_take_the_connection_is_a_504(proxied, unreachable):
    answer = proxied(url=unreachable).get("/")

    assert answer.status == 504
    assert "in time" in answer.text


@pytest.mark.parametrize("lines", [(), (b"Content-Length: 0",), (b"Content-Length: 5",)])
def test_one_that_does_not_answer_is_a_504(asked, lines):
    data = POST("/", *lines) if lines else request("/")
    client, link = asked(data, options=ProxyOptions(timeout_s=0.05))
    if lines == (b"Content-Length: 5",):
        client.send(b"hello")
    answer = client.answer()

    assert answer.status == 504
    assert "in time" in answer.text
    assert link.rest() in (b"", b"hello")


def test_one_that_does_not_answer_on_a_kept_link_is_a_504(asked, upstream):
    """Nor is the request sent again: it has been heard."""
    client, link = asked(options=ProxyOptions(timeout_s=0.05))
    link.answer()
    client.answer()

    assert client.get("/2").status == 504
    assert upstream.is_quiet


@pytest.mark.parametrize("framing", [b"Content-Length: %d" % len(LARGE), CHUNKED])
def test_one_that_does_not_read_is_a_504(asked, framing):
    client, _ = asked(POST("/", framing), options=ProxyOptions(timeout_s=0.1))
    prefix = b"2000000\r\n" if framing == CHUNKED else b""
    with contextlib.suppress(ConnectionError):
        push(client.sock, prefix + LARGE)

    assert client.answer().status == 504


def test_one_that_does_not_read_from_the_first_byte_on_is_a_504(proxied):
    """Not even what came before there was a connection."""
    upstream = Upstream(receive_buffer=4096)
    try:
        running = proxied(ProxyOptions(timeout_s=0.1), url=upstream.url)
        with running.plain() as client:
            with contextlib.suppress(ConnectionError):
                push(client.sock, POST("/", b"Content-Length: %d" % len(LARGE)) + LARGE)
            assert client.answer().status == 504
    finally:
        upstream.close()


def test_one_that_has_begun_has_all_the_time_of_the_world(proxied, asked):
    """Whether or not the client still sends something to it."""
    running = proxied(ProxyOptions(timeout_s=0.05))
    client, link = asked(POST("/", CHUNKED), running=running)
    link.send(BEGUN)
    eventually(lambda: b"hello" in client.sock.recv(1000, socket.MSG_PEEK))
    for data in (b"3\r\nabc\r\n", b"0\r\n\r\n"):
        client.send(data)
        assert link.take(len(data)) == data
        (found,) = participants(running, Link)
        assert found.deadline == float("inf")


def test_one_that_speaks_no_http_is_a_502(asked):
    client, link = asked()
    link.send(b"SSH-2.0-OpenSSH_9.2\r\n")

    assert "does not speak HTTP" in client.answer().text
    assert link.is_ended


# The server ends.


def test_a_response_that_streams_is_waited_for(proxied, asked):
    running = proxied()
    client, link = asked(running=running)
    link.send(BEGUN)
    eventually(lambda: b"hello" in client.sock.recv(1000, socket.MSG_PEEK))
    running.in_loop(lambda: running.server.drain(60))
    link.send(b"1\r\n!\r\n0\r\n\r\n")

    assert client.answer().body == b"hello!"
    assert client.is_ended()
    assert link.is_ended
    client.sock.close()
    running.thread.join(5)
    assert not running.thread.is_alive()


def test_so_is_one_that_has_not_begun(proxied, asked):
    running = proxied()
    client, link = asked(running=running)
    running.in_loop(lambda: running.server.drain(60))
    link.answer()
    answer = client.answer()

    assert (answer.body, answer.get(b"connection")) == (b"ok", b"close")
    assert link.is_ended


def test_events_are_not(proxied, asked):
    running = proxied()
    client, link = asked(running=running)
    link.send(
        b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n9\r\ndata: 1\n\n\r\n"
    )
    eventually(lambda: b"data: 1" in client.sock.recv(1000, socket.MSG_PEEK))
    running.in_loop(lambda: running.server.drain(60))

    assert link.is_ended
    running.thread.join(5)
    assert not running.thread.is_alive()


def test_kept_links_do_not_hold_up_the_end(proxied, asked):
    running = proxied()
    client, link = asked(running=running)
    link.answer()
    client.answer()
    client.sock.close()
    settle(running, links=1)
    running.in_loop(lambda: running.server.drain(60))

    assert link.is_ended
    running.thread.join(5)
    assert not running.thread.is_alive()


# All of it.


def those_of_an_exchange():
    return [
        each for each in gc.get_objects() if isinstance(each, Link | Relay | Exchange | Connection)
    ]


def test_nothing_is_left_of_any_of_this(proxied, upstream):
    """Not for the cycle collector, either."""
    running = proxied(ProxyOptions(timeout_s=0.1))
    ends = [
        lambda client, link: link.answer(),
        lambda client, link: link.close(),
        lambda client, link: link.reset(),
        lambda client, link: client.sock.close(),
        lambda client, link: Accepted(client.sock).reset(),
        lambda client, link: link.send(BEGUN).close(),
        lambda client, link: link.send(b"nonsense"),
        lambda client, link: (link.send(BEGUN), client.sock.close()),
        lambda client, link: link.send(b"HTTP/1.1 101 OK\r\n\r\n"),
    ]
    gc.collect()
    # Other tests hold some of their own, which stay as they are.
    before = {id(each) for each in those_of_an_exchange()}
    gc.disable()
    try:
        for end in ends * 3:
            with running.plain() as client:
                client.send(POST("/", CHUNKED, b"Content-Type: a/b"))
                link = upstream.accept()
                link.head()
                end(client, link)
                with contextlib.suppress(OSError):
                    client.sock.recv(65536)
        # One of them is kept, and nothing uses it: each of the requests had content.
        eventually(lambda: not participants(running, Connection))
        eventually(lambda: all(link._carried is None for link in participants(running, Link)))
        for link in participants(running, Link):
            running.in_loop(link.close)
        del link
        left = [each for each in those_of_an_exchange() if id(each) not in before]
        assert [type(each).__name__ for each in left] == []
    finally:
        gc.enable()
