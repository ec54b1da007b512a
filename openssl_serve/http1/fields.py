"""Values of fields: dates, entity tags, ranges, authorities; each rule with its section."""

import re
import time
from calendar import timegm
from typing import NamedTuple

from openssl_serve.errors import InvalidHostError
from openssl_serve.hosts import Host, parse_host

_DAYS = (b"Mon", b"Tue", b"Wed", b"Thu", b"Fri", b"Sat", b"Sun")
_MONTHS = (
    b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec",
)  # fmt: skip
_ETAG = re.compile(rb'(?:W/)?("[\x21\x23-\x7e\x80-\xff]*")')
_RANGE = re.compile(rb"(\d*)-(\d*)\Z")
MAX_RANGES = 16
"""Of one request: a reader of PDF files asks for a handful. More are ignored, so that nobody has a
file sent in a thousand overlapping pieces (CVE-2011-3192)."""

_MAX_DIGITS = 19
"""Of a byte position: all of a 64-bit offset; more is beyond any file, and work for int()."""


class Range(NamedTuple):
    """A satisfiable byte range: from `start` up to, not with, `stop`."""

    start: int
    stop: int


def http_date(seconds: float) -> bytes:
    """Write a POSIX time as IMF-fixdate (RFC 9110 section 5.6.7).

    >>> http_date(784111777)
    b'Sun, 06 Nov 1994 08:49:37 GMT'
    """
    # strftime's names follow the locale, and email.utils takes 10 ms to import.
    year, month, day, hour, minute, second, weekday, *_ = time.gmtime(seconds)
    return b"%s, %02d %s %04d %02d:%02d:%02d GMT" % (
        _DAYS[weekday], day, _MONTHS[month - 1], year, hour, minute, second,
    )  # fmt: skip


def parse_http_date(value: bytes) -> int | None:
    """Read an HTTP-date in any of the three forms of RFC 9110 section 5.6.7 as POSIX time.

    >>> parse_http_date(b"Sunday, 06-Nov-94 08:49:37 GMT")
    784111777
    """
    from email.utils import parsedate  # noqa: PLC0415  slow to import, and seldom asked for

    try:
        parts = parsedate(value.decode("ascii"))
        return None if parts is None else timegm(parts)
    except (ValueError, OverflowError):
        return None


def etag_listed(value: bytes, etag: bytes) -> bool:
    """Whether If-None-Match's *value* names *etag*: `*`, or weak comparison (RFC 9110 13.1.2).

    >>> etag_listed(b'W/"a", "b"', b'"a"'), etag_listed(b'"c"', b'"a"')
    (True, False)
    """
    if value.strip() == b"*":
        return True
    return etag.removeprefix(b"W/") in _ETAG.findall(value)


def parse_ranges(value: bytes, size: int) -> list[Range] | None:
    """The byte ranges of *value* in a content of *size* bytes; None when it is to be ignored.

    In the order of the client, without those that are beyond the content; ranges that overlap or
    touch are sent as one, and then all in ascending order (RFC 9110 section 15.3.7.2). Ignored, as
    section 14.2 allows: other units, invalid ranges, more than MAX_RANGES.

    Raises ValueError when none can be satisfied (416).

    >>> parse_ranges(b"bytes=2-", 10), parse_ranges(b"bytes=-3", 10), parse_ranges(b"lines=1", 10)
    ([Range(start=2, stop=10)], [Range(start=7, stop=10)], None)
    >>> parse_ranges(b"bytes=8-9, 0-1", 10), parse_ranges(b"bytes=3-5, 0-4", 10)
    ([Range(start=8, stop=10), Range(start=0, stop=2)], [Range(start=0, stop=6)])
    """
    unit, equals, listed = value.partition(b"=")
    if not equals or unit.lower() != b"bytes" or listed.count(b",") >= MAX_RANGES:
        return None
    # Section 5.6.1.2: empty elements of a list do not count.
    specs = [spec for item in listed.split(b",") if (spec := item.strip(b" \t"))]
    ranges = [_parse_range(spec, size) for spec in specs]
    if not specs or None in ranges:
        return None
    found = [each for each in ranges if each is not None and each.start < each.stop]
    if not found:
        raise ValueError("unsatisfiable")
    return _apart(found)


def _parse_range(spec: bytes, size: int) -> Range | None:
    """Read one range, which may be beyond the content; None for an invalid one."""
    match = _RANGE.match(spec)
    if match is None or not (match[1] or match[2]):
        return None
    if not match[1]:
        return Range(max(0, size - _position(match[2])), size)
    start = _position(match[1])
    if not match[2]:
        return Range(start, size)
    last = _position(match[2])
    # Section 14.1.1 calls a last position before the first invalid.
    return Range(start, min(size, last + 1)) if last >= start else None


def _apart(ranges: list[Range]) -> list[Range]:
    """Return *ranges* as they are, or merged if any two overlap or touch."""
    merged: list[Range] = []
    for start, stop in sorted(ranges):
        if merged and start <= merged[-1].stop:
            merged[-1] = Range(merged[-1].start, max(stop, merged[-1].stop))
        else:
            merged.append(Range(start, stop))
    return merged if len(merged) < len(ranges) else ranges


def _position(digits: bytes) -> int:
    """Read a byte position; of absurd ones it matters only that they are beyond every file."""
    return int(digits) if len(digits) <= _MAX_DIGITS else 10**_MAX_DIGITS


class Authority(NamedTuple):
    """A host with the port that was written beside it, if any (RFC 3986 section 3.2)."""

    host: Host
    port: int | None

    def __str__(self) -> str:
        return self.host.in_url if self.port is None else f"{self.host.in_url}:{self.port}"


def parse_authority(value: bytes) -> Authority | None:
    """Read a Host field or the authority of a target; None if it is not a valid one.

    A port that is empty is as good as none (RFC 3986 section 3.2.3).

    >>> str(parse_authority(b"[::1]:8443")), str(parse_authority(b"Dev.local"))
    ('[::1]:8443', 'dev.local')
    >>> parse_authority(b"user@dev.local") is None
    True
    """
    if not value.isascii():
        return None
    text = value.decode("ascii")
    host, colon, port = text.rpartition(":")
    if not colon or port.endswith("]"):
        host, port = text, ""
    if ":" in host and not host.startswith("["):
        return None
    if port and not (port.isascii() and port.isdecimal() and len(port) <= 5 and int(port) <= 65535):
        return None
    try:
        parsed = parse_host(host)
    except InvalidHostError:
        return None
    if parsed.is_wildcard:
        return None
    return Authority(parsed, int(port) if port else None)
