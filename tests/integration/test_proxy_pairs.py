"""A thousand random requests and responses, which arrive through the proxy as they do without it.

The same client and the same upstream speak with each other directly and through the proxy, in the
same pieces; all that is not for one connection only has to be the same at both ends.
"""

import itertools
import random
import select
import socket
from dataclasses import dataclass

import pytest
from server_fixtures import TIMEOUT_S, Answer, Client
from upstreams import Upstream

COUNT = 1000

HOP_BY_HOP = frozenset(
    b"connection keep-alive proxy-connection te trailer transfer-encoding upgrade x-named".split()
)
OF_THE_PROXY = frozenset(
    b"x-forwarded-for x-forwarded-proto x-forwarded-host x-forwarded-port via".split()
)
FIELDS = (
    b"Cookie", b"Accept", b"accept-encoding", b"X-Custom", b"x-custom", b"Authorization", b"Origin",
    b"If-None-Match", b"Range", b"Forwarded-For", b"X.dot", b"User-Agent", b"Content-Type",
    b"Content-Encoding", b"Set-Cookie", b"ETag", b"Vary", b"Warning", b"WWW-Authenticate",
    b"Access-Control-Allow-Origin", b"Sec-WebSocket-Key", b"Priority", b"!#$%&'*+-.^`|~",
)  # fmt: skip
ENDINGS = (
    b"Keep-Alive: timeout=5", b"Proxy-Connection: keep-alive", b"TE: trailers", b"Trailer: X",
    b"Connection: X-Named, keep-alive\r\nX-Named: secret",
)  # fmt: skip
BYTES = bytes(byte for byte in range(0x20, 0x100) if byte != 0x7F) + b"\t"
PATH = bytes(byte for byte in range(0x21, 0x7F) if byte not in b'#?"<>\\^`{|} ')


@dataclass(frozen=True)
class Message:
    """Bytes to send, in pieces; and what is to be told apart of them at the other end."""

    pieces: list[bytes]
    content: bytes
    trailing: bool = False
    """Whether the end of the connection is the end of it."""


class Maker:
    """Messages by chance, the same for the same *seed*."""

    def __init__(self, seed: int) -> None:
        self._dice = random.Random(seed)

    def one_of(self, *things):
        return self._dice.choice(things)

    def often(self, chance: float) -> bool:
        return self._dice.random() < chance

    def value(self, *lengths: int) -> bytes:
        length = self.one_of(*lengths)
        return bytes(self._dice.choices(BYTES, k=length)).strip(b" \t")

    def fields(self) -> list[bytes]:
        lines = [
            b"%b: %b" % (self.one_of(*FIELDS), self.value(0, 1, 5, 30, 300))
            for _ in range(self.one_of(0, 1, 3, 10, 40))
        ]
        if self.often(0.2):
            lines.insert(0, b"X-Long: " + self.value(2000, 8000))
        if self.often(0.3):
            lines.append(self.one_of(*ENDINGS))
        return lines

    def content(self) -> bytes:
        return self._dice.randbytes(self.one_of(0, 1, 2, 100, 1000, 16_384, 16_385, 50_000))

    def framed(self, content: bytes, framing: str) -> tuple[list[bytes], bytes]:
        """Lines for the head, and the bytes behind it."""
        if framing == "length":
            return [b"Content-Length: %d" % len(content)], content
        if framing != "chunks":
            return [], content
        body, start = bytearray(), 0
        while start < len(content):
            size = min(self.one_of(1, 7, 100, 4096, 20_000), len(content) - start)
            mark = self.one_of(b"", b"", b";x=y", b";a;b=c")
            body += b"%x%b\r\n%b\r\n" % (size, mark, content[start : start + size])
            start += size
        body += self.one_of(b"0\r\n\r\n", b"00;x\r\n\r\n", b"0\r\nX-Trailer: y\r\n\r\n")
        return [b"Transfer-Encoding: chunked"], bytes(body)

    def pieces(self, data: bytes) -> list[bytes]:
        cuts = {self._dice.randrange(len(data)) for _ in range(self.one_of(0, 0, 1, 3, 8))}
        places = sorted({0, len(data), *cuts})
        return [data[start:end] for start, end in itertools.pairwise(places)]

    def request(self) -> tuple[bytes, Message]:
        """A method, and a request with it."""
        method = self.one_of(
            b"GET", b"GET", b"GET", b"HEAD", b"POST", b"PUT", b"PATCH", b"DELETE", b"OPTIONS",
            b"PROPFIND", b"REPORT", b"PURGE",
        )  # fmt: skip
        version = self.one_of(b"1.1", b"1.1", b"1.1", b"1.0")
        path = b"/" + bytes(self._dice.choices(PATH, k=self.one_of(0, 1, 20, 500)))
        query = self.one_of(b"", b"?", b"?a=b&c", b"?x=/../%00%2f")
        framing = self.one_of("none", "none", "length", "chunks")
        content = b"" if framing == "none" else self.content()
        if version == b"1.0" and framing == "chunks":
            framing = "length"
        lines, body = self.framed(content, framing)
        if version == b"1.0":
            lines.append(b"Connection: keep-alive")
        host = self.one_of(b"localhost", b"LocalHost:80", b"my.dev.local", b"[::1]:8443")
        lines = [b"Host: " + host, *self._dice.sample(lines := lines + self.fields(), len(lines))]
        head = b"%b %b HTTP/%b\r\n" % (method, path + query, version)
        data = head + b"\r\n".join([*lines, b"", b""]) + body
        return method, Message(self.pieces(data), content)

    def response(self, method: bytes) -> Message:
        status = self.one_of(200, 200, 200, 201, 206, 299, 301, 404, 418, 500, 599, 204, 304)
        reason = self.one_of(b"OK", b"", b"Not at all", b"\xe9t\xe9", b"a  b\t")
        framing = self.one_of("length", "length", "chunks", "end")
        bodiless = method == b"HEAD" or status in (204, 304)
        content = b"" if bodiless else self.content()
        lines, body = self.framed(self.content() if bodiless else content, framing)
        if status == 204:
            lines = []
        if bodiless:
            body = b""
        lines += self.fields()
        if self.often(0.1):
            lines.append(b"Connection: close")
        version = b"1.0" if framing != "chunks" and self.often(0.2) else b"1.1"
        head = b"HTTP/%b %d %b\r\n" % (version, status, reason)
        data = head + b"\r\n".join([*lines, b"", body])
        if self.often(0.1):
            data = b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" + data
        return Message(self.pieces(data), content, trailing=framing == "end" and not bodiless)


class Path:
    """A way from a client to an upstream, with or without a proxy on it."""

    def __init__(self, connect, upstream: Upstream) -> None:
        self._connect = connect
        self._upstream = upstream
        self._client: Client | None = None

    def _open(self) -> Client:
        sock = self._connect()
        # Or the second piece would wait for the first one's ACK, for 40 ms.
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return Client(sock)

    def exchange(self, method: bytes, asked: Message, answer: Message):
        """What the upstream hears, and what the client does."""
        client = self._client or self._open()
        client.interim.clear()
        self._client = None
        for piece in asked.pieces:
            client.send(piece)
        link = self._upstream.next()
        heard = link.head()
        if heard.get(b"transfer-encoding"):
            content = b"".join(read_chunks(link))
        else:
            content = link.take(int(heard.get(b"content-length") or b"0"))
        for piece in answer.pieces:
            link.send(piece)
        if answer.trailing:
            link.close()
        found = client.answer(method)
        assert client.left == b""
        if (b"connection", b"close") not in found.fields and not ended(client):
            self._client = client
        else:
            client.sock.close()
        return heard, content, found, list(client.interim)

    def close(self) -> None:
        if self._client is not None:
            self._client.sock.close()
        for link in self._upstream.accepted:
            link.close()


def read_chunks(link):
    """As Accepted.chunks, with the extensions and trailers that a direct client may send."""
    while size := int(link.line().partition(b";")[0], 16):
        yield link.take(size)
        assert link.line() == b""
    while link.line():
        pass


def ended(client: Client) -> bool:
    """Whether the other side has ended *client*'s connection; it has nothing else to say."""
    return bool(select.select([client.sock], [], [], 0)[0])


def end_to_end(fields, *, dropped=frozenset()):
    """Of *fields*, those for the other end; names as they are, framing by its length aside."""
    left = HOP_BY_HOP | dropped
    return [(name, value) for name, value in fields if name.lower() not in left]


def answered(found: Answer, *, has_length: bool):
    """An answer as it must be; a length may have been added, but not a wrong one."""
    length = found.get(b"content-length")
    if not has_length and length is not None:
        assert int(length) == len(found.body)
    dropped = {b"date"} if has_length else {b"date", b"content-length"}
    return found.status, found.reason, end_to_end(found.fields, dropped=dropped), found.body


@pytest.mark.parametrize("part", range(4))
def test_what_arrives_is_what_was_sent(proxied, upstream, part):
    running = proxied(allow_hosts=[])
    direct_upstream = Upstream()

    def direct():
        return socket.create_connection(("127.0.0.1", direct_upstream.port), TIMEOUT_S)

    ways = [Path(direct, direct_upstream), Path(running.connect, upstream)]
    try:
        for seed in range(part * COUNT // 4, (part + 1) * COUNT // 4):
            make = Maker(seed)
            method, asked = make.request()
            answer = make.response(method)
            one, other = (way.exchange(method, asked, answer) for way in ways)
            compare(seed, asked, answer, one, other)
    finally:
        for way in ways:
            way.close()
        direct_upstream.close()


def compare(seed, asked, answer, direct, proxied):
    heard, content, found, interim = proxied
    heard_directly, content_directly, found_directly, interim_directly = direct
    where = f"seed {seed}"
    assert content == content_directly == asked.content, where
    assert heard.line.rpartition(b" ")[0] == heard_directly.line.rpartition(b" ")[0], where
    assert end_to_end(heard.fields, dropped=OF_THE_PROXY) == end_to_end(
        heard_directly.fields, dropped=OF_THE_PROXY
    ), where
    assert found.body == answer.content, where
    has_length = found_directly.get(b"content-length") is not None
    same = [answered(each, has_length=has_length) for each in (found, found_directly)]
    assert same[0] == same[1], where
    if not heard_directly.line.endswith(b"1.0"):
        assert interim == interim_directly, where
