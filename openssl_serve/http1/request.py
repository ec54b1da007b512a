"""Requests: the bytes of a connection in, `Request` values out. Framing is llhttp's, by httptools.

llhttp refuses what smuggling is made of: bare CR or LF, a space before the colon, obs-fold,
Content-Length together with Transfer-Encoding or twice or not of digits alone, chunk sizes that
are not plain hexadecimal. What it leaves to its callers is refused here: versions, Host, other
codings, targets that no server can answer, sizes.
"""

from types import SimpleNamespace
from typing import NamedTuple

from httptools import HttpParserError, HttpParserUpgrade, HttpRequestParser

from openssl_serve.errors import HttpError
from openssl_serve.http1.response import FieldLines

_NO_FIELDS: list[tuple[bytes, bytes]] = []

MAX_TARGET_LENGTH = 8192
"""Bytes; RFC 9112 section 3 asks for at least 8000."""

MAX_HEAD_LENGTH = 32_768
"""Bytes of a head, as nginx (4 times 8 KiB) has it; and of trailers, or the extensions of a chunk.
httptools collects a field by adding to it: one without an end takes time by its square, too."""

MAX_FIELDS = 100
"""As Apache, which has the smallest count of the common servers; a browser sends about 20."""


class Peer(NamedTuple):
    """Both ends of a connection: what a handler may want to know of it."""

    client: str
    """The client's address; empty on a Unix socket."""
    local: str
    """The address that the client connected to; empty on a Unix socket."""
    port: int
    """The TCP port that the client connected to; 0 on a Unix socket."""
    secure: bool
    """Whether it speaks TLS."""
    always: FieldLines | None = None
    """What goes with all that it gets, errors that no handler answers included."""


class Request:
    """One request, in the bytes of the wire. `fields` keeps order and case."""

    __slots__ = (
        "arrived", "complete", "fields", "keep_alive", "method", "peer", "target", "unwanted",
        "upgrade", "values", "version",
    )  # fmt: skip

    def __init__(
        self,
        method: bytes,
        target: bytes,
        fields: list[tuple[bytes, bytes]],
        peer: Peer,
        version: str = "1.1",
    ) -> None:
        self.method = method
        self.target = target
        self.fields = fields
        self.peer = peer
        self.version = version
        """Of HTTP: "1.1" or "1.0"."""
        self.keep_alive = True
        self.upgrade = False
        self.complete = False
        """Whether all of the content, if any, has arrived."""
        self.arrived: list[bytes] | None = None
        """Content that has arrived and that nobody has taken yet."""
        self.unwanted = False
        """Whether content is discarded, because a response does without it."""
        self.values = {name.lower(): value for name, value in fields}
        """By lower-case name; a repeated field's values joined with commas (RFC 9110 5.3)."""
        if len(self.values) < len(fields):
            self.values.clear()
            for name, value in fields:
                key = name.lower()
                known = self.values.get(key)
                self.values[key] = value if known is None else known + b", " + value

    def get(self, name: bytes) -> bytes | None:
        """Return the value of the field with this lower-case *name*."""
        return self.values.get(name)

    @property
    def has_content(self) -> bool:
        """Whether content is announced (RFC 9112 section 6.3)."""
        # No content may be written as 00.
        length = self.values.get(b"content-length", b"").strip(b"0")
        return bool(length) or b"transfer-encoding" in self.values


class RequestParser:
    """Parses one connection's requests. Feed it; take from `ready`; look at `refusal` after those.

    `ready` gets a request as soon as its head is there. Its content goes to its `arrived`, or is
    discarded when it is `unwanted`; `discarded` counts that, in bytes, since the last head.
    """

    __slots__ = (
        "_declined", "_fields", "_is_over", "_llhttp", "_open", "_peer", "_request", "_target",
        "begun", "discarded", "in_head", "ready", "refusal", "rest",
    )  # fmt: skip

    def __init__(self, peer: Peer) -> None:
        self._peer = peer
        self._llhttp: HttpRequestParser | None = HttpRequestParser(self)
        self._target = b""
        self._fields = _NO_FIELDS
        self._request: Request | None = None
        # Bytes of the reads since a head, or something of the content, was last complete.
        self._open = 0
        self._is_over = False
        # Whether the request under way wants to upgrade and is answered as if it did not.
        self._declined = False
        self.begun = 0
        """How many requests have begun."""
        self.in_head = False
        """Whether a request has begun and its head is not complete."""
        # A list, though it is taken from at its front: it seldom holds two, and an empty deque
        # takes 600 bytes of every idle connection.
        self.ready: list[Request] = []
        self.refusal: HttpError | None = None
        self.discarded = 0
        self.rest: bytes | None = None
        """What came after a request to upgrade: another protocol, if the server agrees."""

    def feed(self, data: bytes) -> None:
        """Take the next *data* of the connection; nothing more after a refusal or an upgrade."""
        llhttp = self._llhttp
        if llhttp is None:
            if self.rest is not None:
                self.rest += data
            return
        self._open += len(data)
        try:
            llhttp.feed_data(data)
        except HttpParserUpgrade as upgrade:
            rest = data[upgrade.args[0] :]
            if self._declined:
                self._feed_content(rest)
                return
            self._llhttp, self.rest = None, rest
        except HttpParserError as error:
            self._end_malformed(HttpError(400, f"malformed request: {error}"))
        if self.in_head or self._open > MAX_HEAD_LENGTH:
            self._look_at_size()

    def _look_at_size(self) -> None:
        """Refuse what has become too long, though its end has not come."""
        if self.in_head and self.refusal is None:
            if len(self._target) > MAX_TARGET_LENGTH:
                self._refuse(HttpError(414, "the target is too long"))
            elif self._open > MAX_HEAD_LENGTH or len(self._fields) > MAX_FIELDS:
                self._refuse(HttpError(431, "the fields are too large"))
        elif self._request is not None:
            self._end_malformed(HttpError(431, "the fields are too large"))
        else:
            # Empty lines between requests cost nothing.
            self._open = 0

    def _feed_content(self, data: bytes) -> None:
        """Take the content, from *data* on, of a request whose upgrade is declined.

        llhttp leaves the content to the other protocol, so another one is told of its framing.
        """
        assert self._request is not None
        values = self._request.values
        framing = ((n, values.get(n)) for n in (b"content-length", b"transfer-encoding"))
        lines = b"".join(b"%b: %b\r\n" % (name, value) for name, value in framing if value)
        called = SimpleNamespace(on_body=self.on_body, on_message_complete=self.on_message_complete)
        self._llhttp = HttpRequestParser(called)
        self._llhttp.feed_data(b"POST / HTTP/1.1\r\n%b\r\n" % lines)
        self._declined, self._open = False, 0
        self.feed(data)

    def _end_malformed(self, error: HttpError) -> None:
        """End a stream that is no longer HTTP, with *error* if there is a request to answer."""
        self._llhttp = None
        request = self._request
        if request is not None and request in self.ready:
            # Its body is malformed, and it has not been answered yet.
            self.ready.remove(request)
        elif request is not None:
            self._is_over = not request.keep_alive
        # Bytes after a request that ends the connection are not an answerable request.
        if self.in_head or not self._is_over:
            self._refuse(error)

    @property
    def is_idle(self) -> bool:
        """Whether the last request is complete and no other has begun."""
        return not self.in_head and self._request is None

    @property
    def stopped(self) -> bool:
        """Whether what comes now is no request: after a refusal, an upgrade, a last request."""
        return self._llhttp is None

    def close(self) -> None:
        """Let go of llhttp, which holds this object and would wait for the cycle collector."""
        self._llhttp = None

    def _refuse(self, error: HttpError) -> None:
        self.refusal = self.refusal or error
        self._llhttp = None

    # What llhttp calls, by name.

    def on_message_begin(self) -> None:
        self._target = b""
        self._fields = []
        self.begun += 1
        self.in_head = True

    def on_url(self, part: bytes) -> None:
        self._target += part

    def on_header(self, name: bytes, value: bytes) -> None:
        # After the head these are trailers; nothing here wants them (RFC 9110 section 6.5.1).
        if self.in_head:
            # llhttp leaves the white space behind a value in it (RFC 9110 section 5.5).
            self._fields.append((name, value.rstrip(b" \t")))

    def on_headers_complete(self) -> None:
        self.in_head = False
        # Without what came in one read with the end of another request: half of it at the most.
        may_be_long = self._open > MAX_HEAD_LENGTH // 2
        self._open = self.discarded = 0
        llhttp = self._llhttp
        if llhttp is None or self.refusal is not None:
            return
        version = llhttp.get_http_version()
        request = Request(llhttp.get_method(), self._target, self._fields, self._peer, version)
        self.refusal = fault(request)
        if may_be_long and self.refusal is None and _length(request) > MAX_HEAD_LENGTH:
            self.refusal = HttpError(431, "the fields are too large")
        if self.refusal is None:
            request.keep_alive = llhttp.should_keep_alive()
            request.upgrade = llhttp.should_upgrade()
            if request.upgrade and request.has_content and request.method != b"CONNECT":
                # As Java's HttpClient asks for h2c. It may be ignored (RFC 9110 section 7.8); what
                # comes after the content then belongs to nobody.
                self._declined = True
                request.upgrade = request.keep_alive = False
            self._request = request
            self.ready.append(request)

    def on_body(self, part: bytes) -> None:
        self._open = 0
        request = self._request
        if request is None or request.unwanted:
            self.discarded += len(part)
        elif request.arrived is None:
            request.arrived = [part]
        else:
            request.arrived.append(part)

    def on_message_complete(self) -> None:
        if self._request is not None and not self._declined:
            self._request.complete = True
            self._is_over = not self._request.keep_alive
            # An idle connection keeps nothing of its last request.
            self._request, self._open = None, 0
            self._target, self._fields = b"", _NO_FIELDS


def fault(request: Request) -> HttpError | None:
    """What llhttp let pass and still must not be answered, or None."""
    values, version = request.values, request.version
    if version not in ("1.1", "1.0"):
        if version == "0.9":
            return HttpError(400, "HTTP/0.9 is not spoken here")
        return HttpError(505, "only HTTP/1.1 and HTTP/1.0 are spoken here")
    if len(request.fields) > MAX_FIELDS:
        return HttpError(431, "too many fields")
    if len(request.target) > MAX_TARGET_LENGTH:
        return HttpError(414, "the target is too long")
    coding = values.get(b"transfer-encoding")
    if coding is not None:
        if version == "1.0":
            # RFC 9112 section 6.1: faulty framing, as an HTTP/1.0 hop may have read it otherwise.
            return HttpError(400, "Transfer-Encoding in HTTP/1.0")
        if coding.lower() != b"chunked":
            return HttpError(501, "of transfer codings only chunked is understood")
    if b"host" not in values:
        # RFC 9112 section 3.2: a 1.1 request without Host, or with two, gets 400.
        return HttpError(400, "no Host") if version == "1.1" else None
    is_twice = len(values) < len(request.fields)
    if is_twice and sum(name.lower() == b"host" for name, _ in request.fields) > 1:
        return HttpError(400, "more than one Host")
    return None


def _length(request: Request) -> int:
    first = b"%b %b HTTP/1.1\r\n" % (request.method, request.target)
    return len(first) + sum(len(name) + len(value) + 4 for name, value in request.fields) + 2
