"""Responses: values in, bytes out. A response may be sent many times; only its date changes."""

from collections.abc import Container, Iterable
from http import HTTPStatus
from typing import NamedTuple

from openssl_serve.http1.bodies import Body

Fields = Iterable[tuple[bytes, bytes]]

PHRASES = {status.value: status.phrase for status in HTTPStatus} | {
    413: "Content Too Large",
    414: "URI Too Long",
    416: "Range Not Satisfiable",
    422: "Unprocessable Content",
}
"""By status, in the words of RFC 9110; Python before 3.13 has those of 1999 for some."""

_FIRST_LINES = {
    status: b"HTTP/1.1 %d %b\r\n" % (status, phrase.encode()) for status, phrase in PHRASES.items()
}

# RFC 9110 sections 8.6, 15.3.5 and 15.4.5: no content, and a Content-Length would speak of another.
_WITHOUT_CONTENT = {204, 304}


class FieldLines(NamedTuple):
    """Fields to put into responses, ready to be sent."""

    lines: bytes
    """Whole lines, each with its end."""
    replaced: Container[bytes]
    """The names, in lower case, of the fields that they replace."""


class Response:
    """Status, fields and content. Content-Length is added here, Date when it is sent.

    Raises ValueError for a field that would break the message: a CR, LF or NUL in it.
    """

    __slots__ = ("body", "close", "head", "is_dated", "length", "status")

    def __init__(
        self,
        status: int,
        fields: Fields = (),
        body: bytes | Body = b"",
        *,
        close: bool = False,
    ) -> None:
        self.status = status
        self.body = body
        self.length = len(body) if isinstance(body, bytes) else body.length
        """Bytes of content; None while a stream of unknown length."""
        self.close = close
        """Whether the connection ends with this response."""
        self.is_dated = False
        """Whether the fields hold a Date already."""
        lines = [b"%b: %b\r\n" % field for field in fields]
        count = len(lines)
        head = b"".join(lines)
        if head.count(b"\n") != count or head.count(b"\r") != count or b"\0" in head:
            # Of all fields at once: that costs a tenth of asking for each.
            raise ValueError(f"a line break or NUL in field {_broken(lines)!r}")
        first = _FIRST_LINES.get(status) or b"HTTP/1.1 %d Unknown\r\n" % status
        if status not in _WITHOUT_CONTENT and self.length is not None:
            head += b"Content-Length: %d\r\n" % self.length
        self.head = first + head
        """All of the head but Date, Connection, what frames a stream, and the empty line."""

    @classmethod
    def relayed(
        cls, status: int, head: bytes, body: bytes | Body, length: int | None, *, dated: bool
    ) -> "Response":
        """Make a response of what another server has sent and a parser has taken apart.

        *head* is whole lines: the status line and the fields, Content-Length among them if it is
        to be sent, and a Date if it is *dated*. *length* is that of the content, if known.
        """
        self = cls.__new__(cls)
        self.status, self.head, self.body, self.length = status, head, body, length
        self.close, self.is_dated = False, dated
        return self

    def put(self, fields: "FieldLines") -> None:
        """Put *fields* at the end, in place of those of their names.

        Once: a response that was sent before has them, and an error some of them.
        """
        lines, names = fields
        if self.head.endswith(b"\r\n" + lines):
            return
        first, *others = self.head.split(b"\r\n")[:-1]
        put = lines.split(b"\r\n")
        kept = [
            line
            for line in others
            if line.partition(b":")[0].lower() not in names and line not in put
        ]
        self.head = b"\r\n".join((first, *kept, lines))

    def discard(self) -> None:
        """Give back what the body holds; for a response that is not sent."""
        if not isinstance(self.body, bytes):
            self.body.close()


def _broken(lines: Iterable[bytes]) -> bytes:
    """Return the first of *lines* that is not one line, without what it says."""
    return next(line.partition(b":")[0] for line in lines if not {*line[:-2]}.isdisjoint(b"\r\n\0"))
