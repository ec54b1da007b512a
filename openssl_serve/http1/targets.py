"""Request targets (RFC 9112 section 3.2): taking them apart, and writing them into a Location."""

import re

from openssl_serve.errors import HttpError

# All that may stand in a URI (RFC 3986 section 2); llhttp has let through only what is printable.
_NOT_URI = re.compile(rb"[^!$%&'()*+,/:;=?@\[\]\w.~-]", re.ASCII)


def split_absolute(target: bytes) -> tuple[bytes, bytes]:
    """Split an absolute-form target into authority and origin form (RFC 9112 section 3.2.2).

    Raises HttpError 400 for a scheme other than http and https.

    >>> split_absolute(b"http://a.test:80?x=1")
    (b'a.test:80', b'/?x=1')
    """
    scheme, separator, rest = target.partition(b"://")
    if not separator or scheme.lower() not in (b"http", b"https"):
        raise HttpError(400, "the target is neither a path nor an http URL")
    end = min((i for i in map(rest.find, (b"/", b"?", b"#")) if i >= 0), default=len(rest))
    authority, path = rest[:end], rest[end:]
    return authority, path if path.startswith(b"/") else b"/" + path


def authority_asked(target: bytes, host: bytes | None) -> bytes | None:
    """Return whom a request with *target* is for; *host* is what it has in Host, if anything.

    The authority of an absolute-form target counts, and Host does not (RFC 9112 section 3.2.2).
    Raises HttpError 400 for a scheme other than http and https.

    >>> authority_asked(b"http://a.test/", b"b.test"), authority_asked(b"/", b"b.test")
    (b'a.test', b'b.test')
    """
    return split_absolute(target)[0] if target[:1] != b"/" and b"://" in target else host


def origin_form(target: bytes) -> bytes:
    """Return path and query of *target*, without the fragment that some clients leave in.

    Raises HttpError 400 for a target that has none: `*`, or the authority of a CONNECT.
    """
    if not target.startswith(b"/"):
        target = split_absolute(target)[1]
    return target.partition(b"#")[0]


def encode_target(target: bytes) -> bytes:
    r"""Percent-encode what no URI may hold, and leave every other byte as it is.

    A backslash is among it: browsers take one for a slash, and `/\host` for another host.
    """
    return _NOT_URI.sub(lambda match: b"%%%02X" % match[0][0], target)
