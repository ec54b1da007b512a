"""What an app gives to start_response, checked and written as the head of a response (PEP 3333)."""

import re
from typing import Any, NamedTuple

_STATUS = re.compile(r"[2-9]\d\d(?: [\t\x20-\x7e\x80-\xff]*)?\Z", re.ASCII)
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+\Z")
_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*\Z")
_LENGTH = re.compile(r"[0-9]{1,18}\Z")

_HOP_BY_HOP = frozenset({
    "connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "proxy-connection",
    "te", "trailer", "trailers", "transfer-encoding", "upgrade",
})  # fmt: skip
"""Between the server and its client alone (PEP 3333, "Other HTTP Features")."""

WITHOUT_CONTENT = frozenset({204, 205, 304})
"""RFC 9110 sections 15.3.5, 15.3.6 and 15.4.5."""


class Head(NamedTuple):
    """A status line and fields that an app has given, in the bytes of the wire."""

    status: int
    lines: bytes
    """All of it but Content-Length."""
    length: int | None
    """The app's Content-Length, in bytes, if it has given one."""
    is_dated: bool
    """Whether there is a Date among the fields."""

    def lines_for(self, length: int | None) -> bytes:
        """Return all lines for a response with *length* bytes of content, if that is known."""
        if length is None or self.status == 204:
            return self.lines
        return b"%bContent-Length: %d\r\n" % (self.lines, length)


def make_head(status: Any, fields: Any) -> Head:
    """Check what an app gave to start_response.

    Raises TypeError or ValueError for what PEP 3333 does not allow, or what would be another
    message than the app meant: line breaks and other control characters.
    """
    if not isinstance(status, str):
        raise TypeError(f"the status is {_kind(status)}, not str: {status!r}")
    if not _STATUS.match(status):
        raise ValueError(f'the status is not like "200 OK": {status!r}')
    if not isinstance(fields, list):
        raise TypeError(f"the headers are {_kind(fields)}, not a list")
    length: int | None = None
    is_dated = False
    lines = [f"HTTP/1.1 {status if len(status) > 3 else status + ' '}\r\n"]
    for field in fields:
        name, value = _check(field)
        lower = name.lower()
        if lower == "content-length":
            if not _LENGTH.match(value) or length not in (None, int(value)):
                raise ValueError(f"Content-Length is no one number: {value!r}")
            length = int(value)
            continue
        if lower == "date":
            is_dated = True
        lines.append(f"{name}: {value}\r\n")
    return Head(int(status[:3]), "".join(lines).encode("latin-1"), length, is_dated)


def _check(field: Any) -> tuple[str, str]:
    if not (isinstance(field, tuple) and len(field) == 2):
        raise TypeError(f"a header is no (name, value) tuple: {field!r}")
    name, value = field
    if not (isinstance(name, str) and isinstance(value, str)):
        raise TypeError(f"a header is not of str: {field!r}")
    if not _NAME.match(name):
        raise ValueError(f"a header has a name that is none: {name!r}")
    if not _VALUE.match(value):
        raise ValueError(f"the header {name} has a line break, or what is no latin-1: {value!r}")
    if name.lower() in _HOP_BY_HOP:
        raise ValueError(f"the header {name} is the server's to send, not an app's (PEP 3333)")
    return name, value


def _kind(value: object) -> str:
    return type(value).__name__
