"""Several ranges as one content: framed as RFC 9110 section 14.6 has it, never all in memory."""

import email
import email.policy
import os

import pytest

from openssl_serve.handlers.ranges import partial
from openssl_serve.http1.bodies import PIECE, FileBody
from openssl_serve.http1.fields import Range

FIELDS = ((b"Content-Type", b"text/plain"), (b"ETag", b'"x"'))
RANGES = [Range(5, 9), Range(0, 1), Range(300_000, 900_000)]


@pytest.fixture
def content():
    return os.urandom(1_000_000)


@pytest.fixture(params=["held", "in a file"])
def given(request, tmp_path, content):
    """The content, as bytes and as a file."""
    if request.param == "held":
        return content
    (tmp_path / "file").write_bytes(content)
    return FileBody(os.open(tmp_path / "file", os.O_RDONLY), 0, len(content))


def pieces_of(response):
    """The pieces in which the content of *response* is sent."""
    if isinstance(response.body, bytes):
        return [response.body]
    pieces = []
    while response.body.left:
        pieces.append(response.body.read_piece())
        assert pieces[-1]
    response.discard()
    return pieces


def parts(response):
    """What a reader of mail, which we did not write, finds in it."""
    head = next(
        line for line in response.head.split(b"\r\n") if line.lower().startswith(b"content-type:")
    )
    data = head + b"\r\n\r\n" + b"".join(pieces_of(response))
    message = email.message_from_bytes(data, policy=email.policy.HTTP)
    assert not message.defects
    return [
        (part["Content-Type"], part["Content-Range"], part.get_payload(decode=True))
        for part in message.iter_parts()
    ]


def test_a_reader_of_mime_finds_the_parts_in_their_order(given, content):
    assert parts(partial(FIELDS, RANGES, len(content), given)) == [
        ("text/plain", f"bytes {start}-{stop - 1}/1000000", content[start:stop])
        for start, stop in RANGES
    ]


def test_the_length_is_known_before_a_byte_is_read(given, content):
    response = partial(FIELDS, RANGES, len(content), given)

    assert response.status == 206
    assert sum(map(len, pieces_of(response))) == response.length
    assert b"\r\nContent-Length: %d\r\n" % response.length in response.head
    assert b"\r\nContent-Range" not in response.head


def test_no_piece_is_larger_than_those_of_a_whole_file(tmp_path):
    (tmp_path / "file").write_bytes(bytes(3 * PIECE))
    body = FileBody(os.open(tmp_path / "file", os.O_RDONLY), 0, 3 * PIECE)
    response = partial(FIELDS, [Range(0, 2 * PIECE), Range(2 * PIECE + 1, 3 * PIECE)], 0, body)

    assert max(map(len, pieces_of(response))) <= PIECE + 1000


def test_a_file_that_shrinks_is_told_by_a_piece_of_nothing(tmp_path):
    (tmp_path / "file").write_bytes(bytes(100))
    body = FileBody(os.open(tmp_path / "file", os.O_RDONLY), 0, 100)
    parts = partial(FIELDS, [Range(0, 5), Range(50, 100)], 100, body).body
    os.truncate(tmp_path / "file", 60)

    assert not isinstance(parts, bytes)
    assert parts.read_piece()
    assert parts.left
    assert parts.read_piece() == b""
    parts.close()


def test_no_two_responses_share_a_boundary():
    heads = {partial(FIELDS, RANGES[:2], 10, bytes(10)).head for _ in range(10)}

    assert len(heads) == 10


def test_a_response_that_is_not_sent_gives_the_file_back(tmp_path):
    (tmp_path / "file").write_bytes(bytes(10))
    fd = os.open(tmp_path / "file", os.O_RDONLY)
    partial(FIELDS, [Range(0, 1), Range(3, 4)], 10, FileBody(fd, 0, 10)).discard()

    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(fd)
