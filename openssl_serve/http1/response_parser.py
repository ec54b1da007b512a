"""Responses of an upstream: the bytes of a connection in, heads and content out, by llhttp.

Stricter than RFC 9112 wants a user agent to be: what two readers could frame differently is a
fault, because this reading is followed by another one (response smuggling).
"""

import re

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

MAX_HEAD_LENGTH = 65_536
"""Bytes of status line and fields, give or take one read: four times what Node allows. And of what
is neither head nor content: the extensions of a chunk, trailers (see request.MAX_HEAD_LENGTH)."""

MAX_INTERIM = 16
"""Interim responses to one request; a server sends one or two (100, 103)."""

Field = tuple[bytes, bytes]

# Of a reason phrase (RFC 9112 section 4); llhttp lets everything pass but CR and LF.
_CONTROL = re.compile(rb"[^\t\x20-\x7e\x80-\xff]")


class ResponseHead:
    """Status line and fields of one response, and what they say of its framing."""

    __slots__ = ("fields", "keep_alive", "length", "reason", "status", "until_close")

    def __init__(self, status: int, reason: bytes, fields: list[Field]) -> None:
        self.status = status
        self.reason = reason
        self.fields = fields
        self.keep_alive = False
        """Whether the connection can be used again afterwards (RFC 9112 section 9.3)."""
        self.length: int | None = None
        """Of the content in bytes, if it was told."""
        self.until_close = False
        """Whether the content ends where the connection does (RFC 9112 section 6.3)."""


class ResponseParser:
    """Parses one connection's responses, one at a time: `expect`, `feed` until `complete`.

    A `fault` says in words why there is no (whole) response. The connection is of no further use
    after a fault, or a `surplus`.
    """

    __slots__ = (
        "_fields", "_is_used_up", "_llhttp", "_open", "_reason",
        "bodiless", "complete", "fault", "head", "interim", "parts", "received", "rest", "surplus",
    )  # fmt: skip

    def __init__(self) -> None:
        self._llhttp = HttpResponseParser(self)
        self._is_used_up = False
        self.surplus = False
        """Whether bytes came that belong to no response that was asked for."""
        self.rest: bytes | None = None
        """What came behind a 101: the other protocol's."""
        self.interim: list[ResponseHead] = []
        """Interim responses, to be taken out."""
        self.expect(b"GET")

    def expect(self, method: bytes) -> None:
        """Make ready for the response to a request with *method*."""
        if self._is_used_up:
            # llhttp waits for content that a response to HEAD announces and does not have.
            self._llhttp = HttpResponseParser(self)
            self._is_used_up = False
        self.bodiless = method == b"HEAD"
        """Whether the response has no content, whatever its fields say (RFC 9110 6.4.1)."""
        self.received = 0
        """Bytes that have arrived since."""
        # Bytes of the reads since there was something of the content.
        self._open = 0
        self.parts: list[bytes] = []
        """Content that has arrived, to be taken out."""
        self._fields: list[Field] = []
        self._reason = b""
        self.head: ResponseHead | None = None
        self.complete = False
        self.fault: str | None = None

    def feed(self, data: bytes) -> None:
        """Take the next *data* of the connection."""
        if not self.received and data[:1] != b"H":
            # To llhttp RTSP would be as good, and so would empty lines, which are the end of a
            # longer response before this one (RFC 9112 section 2.2 allows them before a request).
            is_tls = data[:1] in (b"\x15", b"\x16")
            self.fault = "speaks TLS: its URL is https" if is_tls else "does not speak HTTP"
        self.received += len(data)
        self._open += len(data)
        if self.fault is not None:
            return
        try:
            self._llhttp.feed_data(data)
        except HttpParserUpgrade as upgrade:
            self.rest = data[upgrade.args[0] :]
        except HttpParserError as error:
            if self.complete:
                self.surplus = True
            else:
                self.fault = self.fault or f"sent a malformed response: {error}"
        if self._open > MAX_HEAD_LENGTH and not self.complete:
            self.fault = self.fault or "sent too large fields"

    def end(self, *, broken: bool = False) -> None:
        """Learn that the connection has ended: that completes a response, or is a fault.

        One that is *broken* (a reset, TLS without close_notify) completes nothing (RFC 9112
        section 9.8).
        """
        if self.complete or self.fault is not None:
            return
        if self.head is None:
            self.fault = "ended the connection without a response"
        elif self.head.until_close and not broken:
            self.complete = True
        else:
            self.fault = "ended the connection in the middle of its response"

    def close(self) -> None:
        """Let go of llhttp, which holds this object and would wait for the cycle collector."""
        del self._llhttp

    # What llhttp calls, by name.

    def on_message_begin(self) -> None:
        if self.complete:
            self.surplus = True
        else:
            self._fields, self._reason = [], b""

    def on_status(self, part: bytes) -> None:
        self._reason += part

    def on_header(self, name: bytes, value: bytes) -> None:
        # After the head these are trailers, which are dropped (RFC 9110 section 6.5.1).
        if self.head is None:
            # llhttp leaves the white space behind a value in it (RFC 9110 section 5.5).
            self._fields.append((name, value.rstrip(b" \t")))

    def on_headers_complete(self) -> None:
        if self.head is not None or self.fault:
            return
        status = self._llhttp.get_status_code()
        head = ResponseHead(status, self._reason, self._fields)
        version = self._llhttp.get_http_version()
        if version not in ("1.1", "1.0") or status < 100:
            self.fault = f"sent a response that begins with HTTP/{version} {status}"
        elif _CONTROL.search(self._reason):
            self.fault = "sent a control character in its status line"
        elif status < 200 and status != 101:
            self._interim(head)
        else:
            self._frame(head, version)
            self.head = head
            self._open = 0

    def _interim(self, head: ResponseHead) -> None:
        self.interim.append(head)
        if len(self.interim) > MAX_INTERIM:
            self.fault = "sent interim responses and no other"
        for name, value in head.fields:
            key = name.lower()
            if key == b"transfer-encoding" or (key == b"content-length" and value.strip(b"0")):
                # There is none (RFC 9110 section 15.2); but where would the next response begin?
                self.fault = "sent an interim response with content"

    def _frame(self, head: ResponseHead, version: str) -> None:
        """Find out where the content of *head* ends."""
        coded, close, keep = False, False, False
        for name, value in head.fields:
            key = name.lower()
            if key == b"content-length":
                head.length = int(value)
            elif key == b"transfer-encoding":
                if coded or value.lower() != b"chunked" or version == "1.0":
                    self.fault = "sent a transfer coding other than chunked"
                coded = True
            elif key == b"connection":
                tokens = value.lower().replace(b" ", b"").split(b",")
                close |= b"close" in tokens
                keep |= b"keep-alive" in tokens
        head.keep_alive = not close and (keep or version == "1.1")
        if self.bodiless or head.status in (204, 304):
            self.bodiless = self._is_used_up = self.complete = True
        elif head.length is None and not coded:
            head.until_close = self._is_used_up = True

    def on_body(self, part: bytes) -> None:
        self._open = 0
        if self.complete:
            self.surplus = True
        else:
            self.parts.append(part)

    def on_message_complete(self) -> None:
        if self.head is not None:
            self.complete = True
        elif self._fields:
            # An interim response was complete.
            self._fields = []
