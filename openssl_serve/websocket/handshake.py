"""The opening handshake (RFC 6455 section 4.2): a request in, the head of a 101 out."""

import binascii
from base64 import b64encode
from hashlib import sha1

from openssl_serve.errors import HttpError
from openssl_serve.hosts import Host
from openssl_serve.http1.fields import parse_authority
from openssl_serve.http1.request import Request
from openssl_serve.http1.targets import authority_asked

_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
"""What shows that the answer is that of a server which knows this protocol (section 1.3)."""

_UPGRADE = ((b"Upgrade", b"websocket"), (b"Connection", b"Upgrade"))
"""What a 426 has to name (RFC 9110 section 15.5.22)."""

_PORTS = {b"https": 443, b"http": 80}


def accept(request: Request, protocol: bytes = b"") -> bytes:
    """Return the head of the 101 that *request* gets, and after which frames are spoken.

    *protocol* is the one chosen of those that the client speaks, if any (section 1.9); extensions
    are never agreed to.

    Raises HttpError: 426 for what asks for no WebSocket, or for another version; 403 for a page of
    another origin; 400 for the rest.
    """
    values = request.values
    wanted = [each.strip(b" \t").lower() for each in values.get(b"upgrade", b"").split(b",")]
    if (
        request.method != b"GET"
        or request.version != "1.1"
        or not request.upgrade
        or request.has_content
        or b"websocket" not in wanted
    ):
        raise HttpError(426, "a WebSocket is spoken here, and nothing else", _UPGRADE)
    if values.get(b"sec-websocket-version") != b"13":
        # Section 4.4: so the client may come again with one that both know.
        fields = (*_UPGRADE, (b"Sec-WebSocket-Version", b"13"))
        raise HttpError(426, "version 13 of WebSocket is spoken here", fields)
    key = values.get(b"sec-websocket-key", b"")
    if not _is_key(key):
        raise HttpError(400, "Sec-WebSocket-Key is not 16 bytes in base64")
    if not is_own_origin(request):
        raise HttpError(403, "this WebSocket is for pages of this origin")
    head = (
        b"HTTP/1.1 101 Switching Protocols\r\n"
        b"Upgrade: websocket\r\n"
        b"Connection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: %b\r\n" % accept_key(key)
    )
    if protocol:
        head += b"Sec-WebSocket-Protocol: %b\r\n" % protocol
    return head + b"\r\n"


def accept_key(key: bytes) -> bytes:
    """Return what proves that *key* was read; the example is that of section 1.3.

    >>> accept_key(b"dGhlIHNhbXBsZSBub25jZQ==")
    b's3pPLMBiTxaQ9kYGzzhZRbK+xOo='
    """
    return b64encode(sha1(key + _GUID, usedforsecurity=False).digest())


def _is_key(key: bytes) -> bool:
    try:
        # Whole and padded as section 4 of RFC 4648 has it, and nothing else in between.
        return len(binascii.a2b_base64(key, strict_mode=True)) == 16
    except binascii.Error:
        return False


def is_own_origin(request: Request) -> bool:
    """Whether *request* comes from a page of the origin that it is for (section 10.2).

    A browser always says where its page is from, and no page can have it say something else, nor
    what a proxy says of the host it was asked for. Who says nothing is no browser, and could say
    anything.
    """
    values = request.values
    origin = values.get(b"origin")
    if origin is None:
        return True
    scheme, separator, place = origin.lower().partition(b"://")
    # Without TLS here, there may be a proxy in front that has it: its pages are at https.
    if not separator or scheme not in (_PORTS if not request.peer.secure else (b"https",)):
        return False
    asked = authority_asked(request.target, values.get(b"host")) or b""
    page = _place(place, scheme)
    hosts = (asked, values.get(b"x-forwarded-host", b""))
    return page is not None and page in (_place(host, scheme) for host in hosts)


def _place(authority: bytes, scheme: bytes) -> tuple[Host, int] | None:
    """Return the host and the port, written or not, of *authority* at *scheme*, if it is one."""
    found = parse_authority(authority)
    return None if found is None else (found.host, found.port or _PORTS[scheme])
