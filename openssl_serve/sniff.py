"""What a client speaks, judged by its first byte; nothing here touches a socket.

The byte is peeked, not read, so that whoever speaks the protocol finds the stream whole.
"""

from enum import Enum

TLS_HANDSHAKE = 0x16
"""ContentType "handshake" (RFC 8446 section 5.1): how every ClientHello record begins."""


class Protocol(Enum):
    """What the first byte announces."""

    TLS = "tls"
    HTTP = "http"
    UNKNOWN = "unknown"
    CLOSED = "closed"


def sniff(first: bytes) -> Protocol:
    r"""Name the protocol of a stream that begins with *first*; empty means that it ended.

    An SSLv2 hello (0x80), a TLS alert (0x15), SOCKS (0x04, 0x05) and NUL are UNKNOWN: nothing
    that speaks them can be answered here.

    >>> sniff(b"\x16\x03\x01")
    <Protocol.TLS: 'tls'>
    >>> sniff(b"GET / HTTP/1.1")
    <Protocol.HTTP: 'http'>
    >>> sniff(b"\x80\x2e")
    <Protocol.UNKNOWN: 'unknown'>
    """
    if not first:
        return Protocol.CLOSED
    byte = first[0]
    if byte == TLS_HANDSHAKE:
        return Protocol.TLS
    # A registered method begins with a letter (RFC 9110 section 9), and empty lines may come
    # before the request line (RFC 9112 section 2.2).
    if byte in b"\r\n" or first[:1].isalpha():
        return Protocol.HTTP
    return Protocol.UNKNOWN
