"""A file in one form: its fields and validators, and what conditions and ranges make of it."""

import os
import time
from collections.abc import Iterable
from typing import NamedTuple

from openssl_serve.errors import HttpError
from openssl_serve.handlers.folder import Opened
from openssl_serve.handlers.live_page import VARIANT, with_script
from openssl_serve.handlers.media_types import (
    BEGINNING,
    media_type,
    type_of_beginning,
)
from openssl_serve.handlers.ranges import partial
from openssl_serve.http1.bodies import FileBody
from openssl_serve.http1.conditional import Validators, precondition, wanted_ranges
from openssl_serve.http1.fields import http_date
from openssl_serve.http1.request import Request
from openssl_serve.http1.response import Response

SMALL = 65_536
"""Bytes of the largest content that is held whole; a larger file is read as it is sent."""

Field = tuple[bytes, bytes]
Fingerprint = tuple[int, int, int, int, int]


class Representation(NamedTuple):
    """A file as it was when it was opened and found fit to serve, perhaps encoded."""

    coding: bytes
    """Its content coding; empty for the content as it is."""
    validators: Validators
    size: int
    fields: tuple[Field, ...]
    """Of a 200."""
    lasting: tuple[Field, ...]
    """Of a 304: what a cache updates, and not what describes the content (RFC 9110 15.4.5)."""
    whole: Response | None
    """The 200 with its content, if that is held."""


def fingerprint(status: os.stat_result) -> Fingerprint:
    """Return what is another if the file is, or if anything was done to it."""
    return (
        status.st_ino, status.st_mtime_ns, status.st_ctime_ns, status.st_size, status.st_dev,
    )  # fmt: skip


def kind_of(opened: Opened) -> bytes:
    """Return the media type of *opened*: what its name says, else what its beginning does."""
    kind = media_type(os.fsdecode(os.path.basename(opened.path)))
    return kind or type_of_beginning(os.pread(opened.fd, BEGINNING, 0))


def represent(
    opened: Opened, kind: bytes, always: Iterable[Field], coding: bytes = b""
) -> Representation:
    """Describe *opened*, whose content has the media type *kind* under *coding*.

    The content is held if it is small. *always* are the fields that every file here has.
    """
    status = opened.status
    found = describe(status, kind, always, coding)
    if status.st_size > SMALL:
        return found
    # As many bytes as the tag speaks of, should the file be growing.
    return holding(found, os.pread(opened.fd, status.st_size, 0))


def represent_live(
    opened: Opened, kind: bytes, always: Iterable[Field], place: bytes
) -> Representation:
    """Describe *opened*, a page of a folder at *place*, with the script for live reload in it.

    It is held, and never encoded.
    """
    found = describe(opened.status, kind, always, variant=VARIANT)
    return holding(found, with_script(os.pread(opened.fd, opened.status.st_size, 0), place))


def describe(
    status: os.stat_result,
    kind: bytes,
    always: Iterable[Field],
    coding: bytes = b"",
    *,
    variant: bytes = b"",
) -> Representation:
    """Describe a file with this *status*; its content is not held.

    *variant* is a name for what is done to the content, if anything is.
    """
    # No hash of the content: the first byte of a large file would wait for its last. Each coding
    # has a tag of its own, for it is other bytes (RFC 9110 section 8.8.3.3).
    suffix = b"".join(b"-" + part for part in (variant, coding) if part)
    etag = b'"%x-%x%b"' % (status.st_mtime_ns, status.st_size, suffix)
    # RFC 9110 section 8.8.2.1: never later than the response's own date.
    modified = int(min(status.st_mtime, time.time()))
    lasting = ((b"ETag", etag), (b"Last-Modified", http_date(modified)), *always)
    # Ranges are served of the content as it is alone: parts of two codings never meet.
    about = (b"Content-Encoding", coding) if coding else (b"Accept-Ranges", b"bytes")
    fields = ((b"Content-Type", kind), about, *lasting)
    return Representation(coding, Validators(etag, modified), status.st_size, fields, lasting, None)


def holding(found: Representation, content: bytes) -> Representation:
    """Return *found* with its *content*."""
    return found._replace(size=len(content), whole=Response(200, found.fields, content))


def decided(request: Request, found: Representation) -> Response | None:
    """Answer with 304 if a condition of *request* says so; raises HttpError 412."""
    status = precondition(request, found.validators)
    if status == 412:
        raise HttpError(412, "the file is not in the state that was asked for")
    return None if status is None else Response(304, found.lasting)


def respond(request: Request, found: Representation, body: FileBody | None = None) -> Response:
    """Answer with *found*: all of it, ranges, or what the conditions decide.

    *body* is its content where it is not held, and is this function's to close.
    """
    try:
        response = decided(request, found) or _content(request, found, body)
    except BaseException:
        if body is not None:
            body.close()
        raise
    if body is not None and response.status == 304:
        body.close()
    return response


def _content(request: Request, found: Representation, body: FileBody | None) -> Response:
    try:
        ranges = None if found.coding else wanted_ranges(request, found.validators, found.size)
    except ValueError as error:
        raise HttpError(
            416,
            f"the file has {found.size} bytes",
            ((b"Content-Range", b"bytes */%d" % found.size),),
        ) from error
    if ranges is None:
        return found.whole or Response(200, found.fields, body or b"")
    content = body if found.whole is None else found.whole.body
    assert isinstance(content, (bytes, FileBody))
    return partial(found.fields, ranges, found.size, content)
