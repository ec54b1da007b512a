"""Frames of WebSockets: what is read of a client, what is refused, and with which code."""

from typing import Any, cast

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from websockets.frames import Frame as TheirFrame
from websockets.frames import Opcode as TheirOpcode
from websockets.streams import StreamReader
from wsproto.frame_protocol import FrameProtocol, ParseFailed

from openssl_serve.websocket.frames import (
    Code,
    FrameError,
    FrameReader,
    Message,
    Opcode,
    closing,
    closing_too,
    frame,
    unmasked,
)

KEY = bytes((0x37, 0xFA, 0x21, 0x3D))
CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = Opcode


def said(opcode, content=b"", *, final=True, reserved=0, form=0, masked=True):
    """A client's frame; *form* is how many bytes its length has, 0 for the shortest."""
    length = len(content)
    form = form or (1 if length < 126 else 2 if length < 65_536 else 8)
    short = {1: length, 2: 126, 8: 127}[form]
    head = bytes((final << 7 | reserved << 4 | opcode, masked << 7 | short))
    if form > 1:
        head += length.to_bytes(form, "big")
    return head + (KEY + unmasked(content, KEY) if masked else content)


def read(*pieces, most=1 << 20):
    """The messages in *pieces*, and the code of what is wrong with them."""
    reader = FrameReader(most)
    found: list[Message] = []
    try:
        for piece in pieces:
            found += reader.feed(piece)
    except FrameError as error:
        return found, error.code
    return found, None


def byte_by_byte(data):
    return [bytes((byte,)) for byte in data]


# What is read.


@pytest.mark.parametrize("length", [0, 1, 125, 126, 127, 65_535, 65_536])
@pytest.mark.parametrize("opcode", [TEXT, BINARY])
def test_a_message_of_one_frame(opcode, length):
    content = b"x" * length

    assert read(said(opcode, content)) == ([Message(opcode, content)], None)


@pytest.mark.parametrize("opcode", [CLOSE, PING, PONG])
@pytest.mark.parametrize("content", [b"", b"\x03\xe8" + b"x" * 123])
def test_a_control_frame(opcode, content):
    assert read(said(opcode, content)) == ([Message(opcode, content)], None)


def test_the_example_of_the_standard_is_read():
    """RFC 6455 section 5.7."""
    assert read(bytes.fromhex("8185 37fa213d 7f9f4d5158")) == ([Message(TEXT, b"Hello")], None)


def test_a_message_in_parts_with_control_frames_between():
    letter = "ü".encode()
    data = b"".join(
        (
            said(TEXT, b"a" + letter[:1], final=False), said(PING, b"!"),
            said(CONTINUATION, b"", final=False), said(PONG),
            said(CONTINUATION, letter[1:]), said(BINARY, b"\xff"),
        )
    )  # fmt: skip
    expected = [
        Message(PING, b"!"), Message(PONG, b""), Message(TEXT, b"a" + letter),
        Message(BINARY, b"\xff"),
    ]  # fmt: skip

    assert read(data) == read(*byte_by_byte(data)) == (expected, None)


def test_what_is_not_complete_is_waited_for():
    data = said(TEXT, b"x" * 300)
    for end in range(len(data)):
        assert read(data[:end]) == ([], None)


# What is refused.


WRONG = {
    "no mask": said(TEXT, b"x", masked=False),
    "no mask and nothing in it": said(TEXT, masked=False),
    **{f"reserved bits {bits}": said(TEXT, b"x", reserved=bits) for bits in range(1, 8)},
    **{f"opcode {opcode}": said(opcode) for opcode in (3, 4, 5, 6, 7, 11, 12, 13, 14, 15)},
    "a ping in parts": said(PING, b"x", final=False),
    "a close in parts": said(CLOSE, final=False),
    "a long ping": said(PING, b"x" * 126),
    "a short ping with a long length": said(PING, b"x", form=2),
    "nothing to continue": said(CONTINUATION, b"x"),
    "text in text": said(TEXT, b"x", final=False) + said(TEXT, b"x"),
    "2 bytes for a length of 125": said(TEXT, b"x" * 125, form=2),
    "8 bytes for a length of 125": said(TEXT, b"x" * 125, form=8),
    "8 bytes for a length of 65,535": said(TEXT, b"x" * 65_535, form=8),
    "a length of 2 to the power of 63": b"\x82\xff" + (1 << 63).to_bytes(8, "big") + KEY,
    "no frame at all": b"GET / HTTP/1.1\r\n\r\n",
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00",
}


@pytest.mark.parametrize("data", WRONG.values(), ids=WRONG)
def test_what_the_standard_forbids(data):
    found, code = read(said(PING), data, said(PING))

    assert (found, code) == ([Message(PING, b"")], Code.PROTOCOL_ERROR)
    assert read(*byte_by_byte(data)) == ([], Code.PROTOCOL_ERROR)


@pytest.mark.parametrize(
    "parts", [[b"\xff"], [b"\xc3"], [b"\xc3", b"x"], [b"\xed\xa0\x80"], [b"\xf4\x90"]]
)
def test_a_text_that_is_none(parts):
    *first, last = parts
    data = b"".join(said(CONTINUATION if n else TEXT, p, final=False) for n, p in enumerate(first))
    data += said(CONTINUATION if first else TEXT, last)

    assert read(data) == ([], Code.NOT_UTF8)


def test_what_is_no_text_is_refused_before_all_of_it_has_come():
    assert read(said(TEXT, b"\xff", final=False)) == ([], Code.NOT_UTF8)


def test_a_message_that_is_too_long_is_not_waited_for():
    assert read(said(TEXT, b"x" * 10), most=10) == ([Message(TEXT, b"x" * 10)], None)
    # Its length alone is enough: of the content not a byte has come.
    for length, head in ((11, 2), (200, 4), (70_000, 10)):
        assert read(said(BINARY, bytes(length))[:head], most=10) == ([], Code.TOO_BIG)


def test_nor_is_one_whose_parts_are_together():
    first, second = said(BINARY, bytes(6), final=False), said(CONTINUATION, bytes(5))

    assert read(first, second[:2], most=10) == ([], Code.TOO_BIG)
    # And what came before does not count.
    assert read(said(BINARY, bytes(6)), said(BINARY, bytes(5)), most=10)[1] is None


def test_a_control_frame_is_never_too_long_for_the_limit():
    assert read(said(PING, b"x" * 125), most=10) == ([Message(PING, b"x" * 125)], None)


def test_nothing_is_kept_but_one_frame_that_may_be():
    """Whatever a client sends, and however it ends."""
    reader = FrameReader(10)
    data = said(BINARY, bytes(10)) * 1000 + said(BINARY, b"", final=False)
    data += said(CONTINUATION, final=False) * 1000
    for piece in (data[at : at + 100] for at in range(0, len(data), 100)):
        assert all(message.opcode is BINARY for message in reader.feed(piece))
        assert len(reader._unread) < 2 + 4 + 10
        assert not reader._parts


# Closing.


@pytest.mark.parametrize("code", [1000, 1001, 1002, 1003, 1007, 1011, 1014, 3000, 3999, 4000, 4999])
def test_a_close_is_answered_with_its_code(code):
    content = code.to_bytes(2, "big")

    assert closing_too(content + "für immer".encode()) == b"\x88\x02" + content


def test_a_close_without_a_code_is_answered_without_one():
    assert closing_too(b"") == b"\x88\x00"


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"\x03", Code.PROTOCOL_ERROR),
        *(
            (number.to_bytes(2, "big"), Code.PROTOCOL_ERROR)
            for number in (0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65_535)
        ),
        (b"\x03\xe8\xff", Code.NOT_UTF8),
        (b"\x03\xe8\xc3", Code.NOT_UTF8),
    ],
)
def test_a_close_that_is_wrong(content, code):
    with pytest.raises(FrameError) as caught:
        closing_too(content)

    assert caught.value.code is code


# Witnesses.


@given(
    st.sampled_from([TEXT, BINARY, PING, PONG]), st.integers(0, 200) | st.integers(65_530, 65_540)
)
@example(TEXT, 125)
@example(TEXT, 126)
@example(TEXT, 65_535)
@example(TEXT, 65_536)
def test_what_we_write_is_read_by_websockets(opcode, length):
    content = b"x" * (min(length, 125) if opcode >= CLOSE else length)
    assert their_frame(frame(opcode, content)) == TheirFrame(TheirOpcode(opcode), content)


@pytest.mark.parametrize("code", Code)
def test_and_so_is_how_we_close(code):
    assert their_frame(closing(code)) == TheirFrame(TheirOpcode.CLOSE, code.to_bytes(2, "big"))


def their_frame(data):
    stream = StreamReader()
    stream.feed_data(data)
    parsing = TheirFrame.parse(stream.read_exact, mask=False)
    with pytest.raises(StopIteration) as ended:
        next(parsing)
    assert stream.buffer == b""
    return ended.value.value


def heard_by_wsproto(data):
    """As `read` has it; up to a close, after which there is nothing to agree on."""
    protocol = FrameProtocol(client=False, extensions=[])
    found: list[tuple[Opcode, Any]] = []
    parts = b""
    protocol.receive_bytes(data)
    try:
        for each in protocol.received_frames():
            opcode, payload = Opcode(int(each.opcode)), cast("Any", each.payload)
            if opcode is CLOSE:
                found.append((opcode, int(payload[0])))
                return found, None
            if opcode > CLOSE:
                found.append((opcode, payload))
                continue
            parts += payload.encode() if isinstance(payload, str) else payload
            if each.message_finished:
                found.append((opcode, parts))
                parts = b""
    except ParseFailed as error:
        return found, int(error.code)
    return found, None


def heard_by_us(pieces):
    found, code = read(*pieces)
    for number, (opcode, content) in enumerate(found):
        if opcode is CLOSE:
            try:
                echoed = closing_too(content)[2:]
            except FrameError as error:
                return found[:number], error.code
            theirs = int.from_bytes(echoed, "big") if echoed else 1005
            return [*found[:number], (CLOSE, theirs)], None
    return found, code


letters = st.text("aü€\U0001f600", max_size=4).map(str.encode)
contents = st.one_of(
    letters,
    st.binary(max_size=4),
    st.integers(120, 130).map(lambda length: b"x" * length),
    st.sampled_from([1000, 1005, 3000, 5000]).map(lambda code: code.to_bytes(2, "big")),
)
good = st.builds(said, st.sampled_from(Opcode), contents, final=st.booleans())
odd = st.builds(
    said,
    st.integers(0, 15),
    contents,
    final=st.booleans(),
    reserved=st.sampled_from([0, 0, 0, 1, 2, 4, 7]),
    form=st.sampled_from([0, 0, 0, 2, 8]),
    masked=st.sampled_from([True, True, True, False]),
)


@given(st.lists(good | good | odd, max_size=8), st.integers(1, 20))
def test_what_clients_say_is_to_us_what_it_is_to_wsproto(frames, size):
    """A third reader has other words for it, and the same messages and codes."""
    data = b"".join(frames)
    pieces = [data[at : at + size] for at in range(0, len(data), size)]

    assert heard_by_us(pieces) == heard_by_wsproto(data)
