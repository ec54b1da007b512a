"""The ClientHello, looked at before it is answered: which server name a client asks for.

OpenSSL does the parsing; here is only what is needed to hold it off from answering.
"""

import contextlib
import ssl

RECORD_HEADER = 5
"""Bytes before a record's content: type, version, length (RFC 8446 section 5.1)."""

MAX_RECORD = RECORD_HEADER + 16_384
"""Bytes of the longest record with plain content (same section)."""


def record_length(start: bytes) -> int:
    """Return how many bytes the record has that begins with *start*, its header at least.

    >>> record_length(bytes.fromhex("1603010200"))
    517
    """
    if len(start) < RECORD_HEADER:
        return RECORD_HEADER
    return min(MAX_RECORD, RECORD_HEADER + int.from_bytes(start[3:5], "big"))


def asked_name(hello: bytes) -> str | None:
    """Return the server name (RFC 6066 section 3) that the record *hello* asks for, if it does."""
    names: list[str | None] = []

    def note(_tls: ssl.SSLObject, name: str | None, _context: ssl.SSLContext) -> int:
        names.append(name)
        # Ends this handshake here: it was only begun to be asked.
        return int(ssl.ALERT_DESCRIPTION_INTERNAL_ERROR)

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.sni_callback = note
    incoming = ssl.MemoryBIO()
    incoming.write(hello)
    # Fails always: by the callback's alert, or because this is no ClientHello.
    with contextlib.suppress(ssl.SSLError):
        context.wrap_bio(incoming, ssl.MemoryBIO(), server_side=True).do_handshake()
    return names[0] if names else None
