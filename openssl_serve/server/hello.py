"""The ClientHello, looked at before it is answered: the name asked for, the groups offered.

OpenSSL does the parsing of the name; here is only what holds it off from answering. Of the
groups it says nothing in time, so they are read here.
"""

import contextlib
import ssl
import struct
import sys
import threading
from collections.abc import Iterator

GROUPS = frozenset({
    0x001D, 0x0017, 0x0018,  # X25519, P-256 (secp256r1), P-384 (secp384r1)
    0x11EC, 0x11EB, 0x11ED,  # the same with ML-KEM, where OpenSSL has it (3.5 and later)
})  # fmt: skip
"""Groups for the key exchange, those of Mozilla's "intermediate" profile and their hybrids; the
numbers are of IANA's registry "TLS Supported Groups".

OpenSSL's own list has X448, P-521 and finite fields beside them. Python can choose from 3.15 on
(SSLContext.set_groups); before, set_ecdh_curve sets exactly one, and with P-256 alone each new
connection of a browser takes a round trip more, with X25519 alone some clients are shut out.
"""

NO_COMMON_GROUP = bytes.fromhex("15 0303 0002 02 28")
"""A record with the fatal alert handshake_failure, for a client that offers groups and none of
ours (RFC 8446 sections 4.1.1 and 6.2)."""

_SUPPORTED_GROUPS = 10
"""The extension's type (RFC 8446 section 4.2)."""

_RANDOM_END = 5 + 4 + 2 + 32
"""Bytes before what varies: of the record, of the handshake message, version, random (4.1.2)."""

_EXTENSION = struct.Struct(">HH")
_LENGTH = struct.Struct(">H")

RECORD_HEADER = 5
"""Bytes before a record's content: type, version, length (RFC 8446 section 5.1)."""

MAX_CONTENT = 16_384
"""Bytes of a record's plain content at the most (same section)."""


TLS_MAJOR = 3
"""Of the version that a record names, whatever is agreed on later (section 5.1)."""


def record_length(start: bytes) -> int:
    """Return how many bytes the record has that begins with *start*, its header at least.

    For what is no record of TLS, that is all there is to wait for.

    >>> record_length(bytes.fromhex("1603010200"))
    517
    """
    if len(start) < RECORD_HEADER or start[1] != TLS_MAJOR:
        return RECORD_HEADER
    content = int.from_bytes(start[3:5], "big")
    return RECORD_HEADER + (content if content <= MAX_CONTENT else 0)


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


@contextlib.contextmanager
def names_read_or_not() -> Iterator[None]:
    """Within this, a client that asks for a name which is not ASCII brings no traceback.

    Of each, Python's ssl would print one: it reads the name before it calls anybody, and nobody can
    catch what it raises then but sys.unraisablehook, the whole process's. So only for the main
    thread: a server in another is a guest. The alert is its own.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    shown = sys.unraisablehook

    def show(what: "sys.UnraisableHookArgs") -> None:
        is_name = what.exc_type is UnicodeDecodeError and isinstance(what.object, bytes)
        if not is_name:
            shown(what)

    sys.unraisablehook = show
    try:
        yield
    finally:
        sys.unraisablehook = shown


def offered_groups(hello: bytes) -> tuple[int, ...] | None:
    """Return the groups that the record *hello* offers for the key exchange, in its order.

    None when it names none, as clients without elliptic curves, and for what is not the whole of
    a ClientHello. What comes behind the record is not looked at: of a hello in several (section
    5.1) the header of the next would be taken for a part of it.
    """
    hello = hello[: record_length(hello)]
    try:
        # Session id, cipher suites, compression methods: each behind its length.
        at = _RANDOM_END + 1 + hello[_RANDOM_END]
        at += 2 + _LENGTH.unpack_from(hello, at)[0]
        at += 1 + hello[at]
        end = at + 2 + _LENGTH.unpack_from(hello, at)[0]
        at += 2
        while at < end:
            kind, length = _EXTENSION.unpack_from(hello, at)
            at += 4
            if kind == _SUPPORTED_GROUPS:
                count = _LENGTH.unpack_from(hello, at)[0] // 2
                return struct.unpack_from(f">{count}H", hello, at + 2)
            at += length
    except (IndexError, struct.error):
        pass
    return None
