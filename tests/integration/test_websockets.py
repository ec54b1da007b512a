"""WebSockets through the proxy: a client and a server that we did not write, over wss.

Frames are not looked at on the way; what is tested is that nobody at the ends can tell. The client
is the one with a loop: that with threads reads and writes one SSLSocket at the same time, which
OpenSSL does not allow, and loses a request in a hundred.
"""

import asyncio
import contextlib
import functools
import json
import threading

import pytest
from server_fixtures import eventually
from upstreams import settle
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosedError, ConnectionClosedOK, InvalidStatus
from websockets.sync.server import serve as serve_websockets

from openssl_serve import api
from openssl_serve.handlers.credentials import Credentials


class Site:
    """What a WebSocket server does, by path."""

    def __init__(self):
        self.ended = threading.Event()
        self.heard = []

    def __call__(self, socket):
        try:
            getattr(self, socket.request.path.partition("?")[0].strip("/"))(socket)
        finally:
            self.ended.set()

    def echo(self, socket):
        for message in socket:
            socket.send(message)

    def fragments(self, socket):
        while True:
            self.heard = list(socket.recv_streaming())
            socket.send(self.heard)

    def request(self, socket):
        fields = list(socket.request.headers.raw_items())
        socket.send(json.dumps([socket.request.path, fields, socket.subprotocol]))

    def bye(self, socket):
        socket.close(4002, "that was all")

    def vanish(self, socket):
        socket.socket.shutdown(2)

    def listen(self, socket):
        with contextlib.suppress(ConnectionClosedError):
            for message in socket:
                self.heard.append(message)
        self.heard.append((socket.close_code, socket.close_reason))

    def ping(self, socket):
        socket.send(str(socket.ping(b"x" * 125).wait(5)))


def refuse(connection, request):
    """Answer what is no WebSocket, as an application may."""
    if request.path.startswith("/status/"):
        return connection.respond(int(request.path.removeprefix("/status/")), "not here\n")
    return None


def choose(_connection, offered):
    return "chat.v2" if "chat.v2" in offered else None


@pytest.fixture
def site():
    return Site()


@pytest.fixture
def websocket_server(site):
    """The URL of a WebSocket server on this machine."""
    with serve_websockets(
        site, "127.0.0.1", 0, process_request=refuse, select_subprotocol=choose, max_size=None
    ) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.socket.getsockname()[1]}"
        server.shutdown()
        thread.join(10)


@pytest.fixture
def through(proxied, websocket_server):
    """`async with through(path, …)`: a WebSocket to the server, through a proxy, over TLS."""

    def opened(path, *, running=None, **options):
        running = running or proxied(url=websocket_server)
        return connect(
            f"wss://localhost:{running.port}{path}",
            ssl=running.trust(), proxy=None, max_size=None, **options,
        )  # fmt: skip

    return opened


def asynchronous(test):
    """Run *test*, a coroutine, in a loop of its own."""

    @functools.wraps(test)
    def run(*arguments, **named):
        asyncio.run(asyncio.wait_for(test(*arguments, **named), 20))

    return run


MESSAGES = {
    "text": "hello",
    "other scripts": "gr\u00fc\u00df dich \u4f60\u597d \U0001f600",
    "empty": "",
    "bytes": bytes(range(256)),
    "no bytes": b"",
    "125": "x" * 125,
    "126": "x" * 126,
    "65,536": b"x" * 65_536,
    "4 MiB": bytes(range(256)) * 16_384,
}


@pytest.mark.parametrize("compression", ["deflate", None])
@asynchronous
async def test_what_is_said_is_heard(through, compression):
    async with through("/echo", compression=compression) as socket:
        assert bool(socket.protocol.extensions) is (compression is not None)
        for message in MESSAGES.values():
            await socket.send(message)
            assert await socket.recv() == message


@asynchronous
async def test_many_can_be_under_way(through):
    said = [str(number) * (number % 500) for number in range(2000)]

    async def speak(socket):
        for each in said:
            await socket.send(each)

    async with through("/echo") as socket:
        speaker = asyncio.create_task(speak(socket))
        assert [await socket.recv() for _ in said] == said
        await speaker


@asynchronous
async def test_fragments_stay_fragments(through, site):
    pieces = ["one", "", "two", "x" * 70_000]
    async with through("/fragments", compression=None) as socket:
        await socket.send(pieces)
        heard = [piece async for piece in socket.recv_streaming()]

    # The last of a message whose length was not known is empty, each time.
    assert site.heard == [*pieces, ""]
    assert heard == [*pieces, "", ""]


@asynchronous
async def test_pings_are_answered_by_the_other_end(through):
    async with through("/echo") as socket:
        assert await (await socket.ping()) > 0
    async with through("/ping") as socket:
        assert await socket.recv() == "True"


@asynchronous
async def test_the_client_ends_it_and_says_why(through, site):
    async with through("/listen") as socket:
        await socket.send("last")
        await socket.close(4001, "enough")

        eventually(site.ended.is_set)
        assert site.heard == ["last", (4001, "enough")]
        assert socket.close_code == 4001


@asynchronous
async def test_the_server_ends_it_and_says_why(through):
    async with through("/bye") as socket:
        with pytest.raises(ConnectionClosedError):
            await socket.recv()

        assert (socket.close_code, socket.close_reason) == (4002, "that was all")


@asynchronous
async def test_a_server_that_vanishes_leaves_no_word(through):
    async with through("/vanish") as socket:
        with pytest.raises(ConnectionClosedError) as caught:
            await socket.recv()

        assert caught.value.rcvd is None
        assert socket.close_code == 1006


@asynchronous
async def test_a_client_that_vanishes_leaves_none_either(proxied, websocket_server, through, site):
    running = proxied(url=websocket_server)
    async with through("/listen", running=running) as socket:
        await socket.send("last")
        await asyncio.to_thread(eventually, lambda: site.heard)
        socket.transport.abort()
        await asyncio.to_thread(eventually, site.ended.is_set)

    assert site.heard == ["last", (1006, "")]
    settle(running)


@pytest.mark.parametrize(("offered", "chosen"), [(None, None), (["chat.v1", "chat.v2"], "chat.v2")])
@asynchronous
async def test_a_subprotocol_is_agreed_on(through, offered, chosen):
    async with through("/request", subprotocols=offered) as socket:
        assert socket.subprotocol == chosen
        assert json.loads(await socket.recv())[2] == chosen


@asynchronous
async def test_the_server_sees_where_it_comes_from(through):
    """Who wants to know whether a page of another site asks, needs Origin and Host as they are."""
    async with through("/request?a=%20b", origin="https://evil.example") as socket:
        path, fields, _ = json.loads(await socket.recv())
    fields = {name.lower(): value for name, value in fields}

    assert path == "/request?a=%20b"
    assert fields["origin"] == "https://evil.example"
    assert fields["host"].startswith("localhost:")
    assert fields["x-forwarded-proto"] == "https"
    assert fields["upgrade"].lower() == "websocket"
    assert len(fields["sec-websocket-key"]) == 24


async def refused(opening):
    """The response of a server that wants no WebSocket."""
    with pytest.raises(InvalidStatus) as caught:
        async with opening:
            pass
    return caught.value.response


@pytest.mark.parametrize("status", [200, 401, 403, 404, 503])
@asynchronous
async def test_a_server_that_wants_none_says_so_itself(through, status):
    response = await refused(through(f"/status/{status}"))

    assert response.status_code == status
    assert response.body == b"not here\n"


@asynchronous
async def test_no_server_is_a_502(proxied, through, upstream):
    upstream.close()

    assert (await refused(through("/echo", running=proxied()))).status_code == 502


@asynchronous
async def test_a_password_is_asked_for_before(proxied, websocket_server, through):
    running = proxied(
        url=websocket_server,
        auth=Credentials("me", "secret"),
        plain_http=api.PlainHttp.REDIRECT,
    )
    assert (await refused(through("/echo", running=running))).status_code == 401
    known = {"Authorization": "Basic bWU6c2VjcmV0"}
    async with through("/echo", running=running, additional_headers=known) as socket:
        await socket.send("hello")
        assert await socket.recv() == "hello"


@asynchronous
async def test_plain_http_leads_no_websocket_on(proxied, websocket_server):
    running = proxied(url=websocket_server, plain_http=api.PlainHttp.REFUSE)
    response = await refused(connect(f"ws://localhost:{running.port}/echo", proxy=None))

    assert response.status_code == 426


@asynchronous
async def test_the_end_of_the_server_is_the_end_of_them(proxied, websocket_server, through):
    running = proxied(url=websocket_server)
    sockets = [await through("/listen", running=running) for _ in range(3)]
    running.in_loop(lambda: running.server.drain(60))
    running.thread.join(5)

    assert not running.thread.is_alive()
    for socket in sockets:
        with pytest.raises((ConnectionClosedError, ConnectionClosedOK)):
            await socket.recv()


@asynchronous
async def test_it_is_logged_when_it_is_over(proxied, websocket_server, through):
    running = proxied(url=websocket_server)
    async with through("/echo?x", running=running, compression=None) as socket:
        await socket.send("x" * 1000)
        await socket.recv()
        assert "/echo" not in running.log

    eventually(lambda: "GET /echo?x 101 " in running.log)
    # The head, a frame of 1,000 bytes with 4 before them, and a Close.
    assert int(running.log.partition(" 101 ")[2].split()[0].replace(",", "")) > 1000
