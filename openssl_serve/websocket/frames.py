"""Frames (RFC 6455 section 5): what a server says, and a reader of what clients say."""

import codecs
from collections.abc import Iterator
from enum import IntEnum
from typing import NamedTuple

MAX_CONTROL = 125
"""Bytes of content of a control frame, as section 5.5 has it: the length is in one byte."""


class Opcode(IntEnum):
    """What a frame is (section 5.2)."""

    CONTINUATION = 0x0
    TEXT = 0x1
    BINARY = 0x2
    CLOSE = 0x8
    PING = 0x9
    PONG = 0xA


class Code(IntEnum):
    """Why a WebSocket is closed (section 7.4.1)."""

    GOING_AWAY = 1001
    PROTOCOL_ERROR = 1002
    NOT_UTF8 = 1007
    TOO_BIG = 1009


_SENDABLE = frozenset({1000, 1001, 1002, 1003, *range(1007, 1015), *range(3000, 5000)})
"""Codes that may stand in a frame: those of section 7.4.1 and of IANA's registry, those that
libraries have registered, those that applications take."""

_OPCODES = frozenset(Opcode)

_Utf8 = codecs.getincrementaldecoder("utf-8")


class Message(NamedTuple):
    """A whole message, of one frame or several, or a control frame."""

    opcode: Opcode
    content: bytes


class FrameError(Exception):
    """What a client says is wrong; `code` is what its WebSocket is to be closed with."""

    def __init__(self, code: Code, message: str) -> None:
        super().__init__(message)
        self.code = code


def frame(opcode: Opcode, content: bytes = b"") -> bytes:
    """Write a whole message as one frame of a server, which masks nothing (section 5.1).

    The example is that of section 5.7.

    >>> frame(Opcode.TEXT, b"Hello").hex(" ")
    '81 05 48 65 6c 6c 6f'
    """
    length = len(content)
    first = bytes((0x80 | opcode,))
    if length < 126:
        return b"%b%c%b" % (first, length, content)
    if length < 65_536:
        return b"%b\x7e%b%b" % (first, length.to_bytes(2, "big"), content)
    return b"%b\x7f%b%b" % (first, length.to_bytes(8, "big"), content)


def closing(code: Code) -> bytes:
    """Write the frame after which nothing else is said (section 5.5.1)."""
    return frame(Opcode.CLOSE, code.to_bytes(2, "big"))


def closing_too(content: bytes) -> bytes:
    """Write the answer to a close frame with this *content*: its code, if it has one.

    Raises FrameError when that code may not be sent, or the reason beside it is no text.

    >>> closing_too((1001).to_bytes(2, "big") + b"bye").hex(" "), closing_too(b"").hex(" ")
    ('88 02 03 e9', '88 00')
    """
    if content:
        if len(content) < 2 or int.from_bytes(content[:2], "big") not in _SENDABLE:
            raise FrameError(Code.PROTOCOL_ERROR, "a code that may not be sent")
        _check_text(content[2:])
    return frame(Opcode.CLOSE, content[:2])


class FrameReader:
    """Reads the frames of one client. A message may have *max_message* bytes, in all its frames."""

    def __init__(self, max_message: int) -> None:
        self._max_message = max_message
        self._unread = bytearray()
        # Of a message whose last frame has not come: what it is, and what there is of it.
        self._opcode: Opcode | None = None
        self._parts = bytearray()
        self._decoder = _Utf8()

    def feed(self, data: bytes) -> Iterator[Message]:
        """Yield the messages that are complete with *data*; nothing is to be read after an error.

        Raises FrameError as soon as enough of a frame is there to tell: never more is kept than
        one frame that may be.
        """
        self._unread += data
        while (found := self._next_frame()) is not None:
            message = self._message(*found)
            if message is not None:
                yield message

    def _next_frame(self) -> tuple[bool, Opcode, bytes] | None:
        """Take whether it is the last of its message, opcode and content; None when incomplete."""
        unread = self._unread
        if len(unread) < 2:
            return None
        final, opcode = unread[0] >= 0x80, self._check(unread[0], unread[1])
        length, begin = unread[1] & 0x7F, 2
        if length > MAX_CONTROL:
            begin = 4 if length == 126 else 10
            if len(unread) < begin:
                return None
            length = _long_length(unread[2:begin])
        if opcode < Opcode.CLOSE and len(self._parts) + length > self._max_message:
            raise FrameError(Code.TOO_BIG, f"more than {self._max_message} bytes")
        # A key of four bytes is between them (section 5.3).
        if len(unread) < begin + 4 + length:
            return None
        key, masked = unread[begin : begin + 4], unread[begin + 4 : begin + 4 + length]
        del unread[: begin + 4 + length]
        return final, opcode, unmasked(masked, key)

    def _check(self, first: int, second: int) -> Opcode:
        """Return the opcode in the first two bytes; raises FrameError for what is not allowed."""
        opcode = first & 0x0F
        if first & 0x70:
            raise FrameError(Code.PROTOCOL_ERROR, "a reserved bit, and no extension")
        if opcode not in _OPCODES:
            raise FrameError(Code.PROTOCOL_ERROR, f"reserved opcode {opcode}")
        if second < 0x80:
            raise FrameError(Code.PROTOCOL_ERROR, "a client's frame without a mask")
        if opcode >= Opcode.CLOSE:
            if first < 0x80 or second & 0x7F > MAX_CONTROL:
                raise FrameError(Code.PROTOCOL_ERROR, "a control frame that is long or in parts")
        elif (opcode == Opcode.CONTINUATION) != (self._opcode is not None):
            raise FrameError(Code.PROTOCOL_ERROR, "parts of messages out of order")
        return Opcode(opcode)

    def _message(self, final: bool, opcode: Opcode, content: bytes) -> Message | None:
        if opcode >= Opcode.CLOSE:
            return Message(opcode, content)
        whose = self._opcode or opcode
        if whose is Opcode.TEXT:
            # Part by part: what is no text is found out before the rest has come.
            _check_text(content, self._decoder, final=final)
        self._parts += content
        if not final:
            self._opcode = whose
            return None
        content, self._opcode = bytes(self._parts), None
        self._parts.clear()
        return Message(whose, content)


def _long_length(field: bytearray) -> int:
    """Read a length of 16 or 64 bits; the shortest form is the only one (section 5.2)."""
    length = int.from_bytes(field, "big")
    shorter = 126 if len(field) == 2 else 65_536
    if not shorter <= length < 1 << 63:
        raise FrameError(Code.PROTOCOL_ERROR, "a length in another than its one form")
    return length


def _check_text(
    content: bytes, decoder: codecs.IncrementalDecoder | None = None, *, final: bool = True
) -> None:
    try:
        (decoder or _Utf8()).decode(content, final)
    except UnicodeDecodeError as error:
        raise FrameError(Code.NOT_UTF8, "a text that is not UTF-8") from error


def unmasked(masked: bytes | bytearray, key: bytes | bytearray) -> bytes:
    """Undo the masking of a client, or do it (section 5.3); the example is that of section 5.7.

    >>> unmasked(bytes.fromhex("7f9f4d5158"), bytes.fromhex("37fa213d"))
    b'Hello'
    """
    length = len(masked)
    # As one number each: a hundred times as quick as byte by byte.
    mask = int.from_bytes((key * (length // 4 + 1))[:length], "big")
    return (int.from_bytes(masked, "big") ^ mask).to_bytes(length, "big")
