"""Conditional and range requests (RFC 9110 sections 13 and 14), decided from validators alone."""

from typing import NamedTuple

from openssl_serve.http1.fields import Range, etag_listed, http_date, parse_http_date, parse_ranges
from openssl_serve.http1.request import Request

CONDITIONS = frozenset(
    {b"if-match", b"if-none-match", b"if-modified-since", b"if-unmodified-since", b"range"}
)
"""A request with none of these fields gets the whole, and need not be asked further."""


class Validators(NamedTuple):
    """What tells one state of a representation from another; the tag is a strong one."""

    etag: bytes
    modified: int
    """POSIX time in whole seconds, as a date field can carry it."""


def precondition(request: Request, validators: Validators) -> int | None:
    """Return 304 or 412 where a condition decides, else None; in the order of section 13.2.2."""
    values = request.values
    etag, modified = validators
    match = values.get(b"if-match")
    if match is not None:
        # Strong comparison (section 8.8.3.2): a weak tag never matches.
        strong = [tag.strip() for tag in match.split(b",")]
        if match.strip() != b"*" and etag not in strong:
            return 412
    elif (since := values.get(b"if-unmodified-since")) is not None:
        moment = parse_http_date(since)
        if moment is not None and modified > moment:
            return 412
    none_match = values.get(b"if-none-match")
    if none_match is not None:
        return 304 if etag_listed(none_match, etag) else None
    if (since := values.get(b"if-modified-since")) is not None:
        moment = parse_http_date(since)
        if moment is not None and modified <= moment:
            return 304
    return None


def wanted_ranges(request: Request, validators: Validators, size: int) -> list[Range] | None:
    """Return the ranges to send of a content of *size* bytes, or None for all of it.

    Raises ValueError when none can be satisfied (416).
    """
    value = request.get(b"range")
    # Section 14.2: Range means something for GET only.
    if value is None or request.method != b"GET":
        return None
    condition = request.get(b"if-range")
    if condition is not None and condition.strip() not in (
        validators.etag,
        http_date(validators.modified),
    ):
        return None
    return parse_ranges(value, size)
