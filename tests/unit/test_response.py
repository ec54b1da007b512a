import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openssl_serve.errors import HttpError
from openssl_serve.http1.bodies import PIECE, FileBody
from openssl_serve.http1.response import FieldLines, Response
from openssl_serve.pages import error_page


@pytest.fixture
def opened(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(bytes(range(256)) * 2000)
    return os.open(path, os.O_RDONLY)


def is_open(fd):
    try:
        os.fstat(fd)
    except OSError:
        return False
    return True


@pytest.mark.parametrize(
    ("status", "phrase"),
    [(413, "Content Too Large"), (414, "URI Too Long"), (416, "Range Not Satisfiable"),
     (422, "Unprocessable Content"), (431, "Request Header Fields Too Large")],
)  # fmt: skip
def test_a_status_is_called_what_it_is_today_on_every_python(status, phrase):
    """RFC 9110 section 15; Python learned it in 3.13."""
    page = error_page(HttpError(status, "so it is"), html=True)

    assert Response(status).head.startswith(f"HTTP/1.1 {status} {phrase}\r\n".encode())
    assert isinstance(page.body, bytes)
    assert f"</b>{phrase}</h1>".encode() in page.body


def test_a_head_has_status_fields_and_length():
    response = Response(404, ((b"A", b"b"), (b"C", b"d")), b"hello")

    assert response.head == b"HTTP/1.1 404 Not Found\r\nA: b\r\nC: d\r\nContent-Length: 5\r\n"


@pytest.mark.parametrize("status", [204, 304])
def test_what_has_no_content_has_no_length(status):
    assert b"Content-Length" not in Response(status).head


def test_an_unknown_status_still_has_a_reason():
    assert Response(299).head.startswith(b"HTTP/1.1 299 Unknown\r\n")


def test_fields_are_put_in_place_of_theirs_and_once():
    response = Response(200, ((b"x-a", b"1"), (b"B", b"2")))
    fields = FieldLines(b"X-A: 3\r\n", {b"x-a"})
    response.put(fields)
    response.put(fields)

    assert response.head == b"HTTP/1.1 200 OK\r\nB: 2\r\nContent-Length: 0\r\nX-A: 3\r\n"


def test_what_ends_alike_is_another_field():
    response = Response.relayed(200, b"HTTP/1.1 200 OK\r\nX-A: 3\r\n", b"", 0, dated=False)
    response.put(FieldLines(b"A: 3\r\n", {b"a"}))

    assert response.head == b"HTTP/1.1 200 OK\r\nX-A: 3\r\nA: 3\r\n"


@given(st.binary(), st.sampled_from([b"\r", b"\n", b"\0"]), st.binary(), st.booleans())
def test_no_field_can_begin_another(before, byte, after, in_name):
    text = before + byte + after
    field = (text, b"value") if in_name else (b"name", text)

    with pytest.raises(ValueError, match="line break or NUL"):
        Response(200, (field,))


def test_a_file_is_read_in_pieces_and_never_beyond_its_slice(opened):
    body = FileBody(opened, 0, 512_000).slice(10, 400_000)

    pieces = []
    while body.left:
        pieces.append(body.read_piece())

    assert max(map(len, pieces)) <= PIECE
    assert b"".join(pieces) == (bytes(range(256)) * 2000)[10:400_000]
    body.close()


def test_a_body_of_a_file_gives_its_descriptor_back_once(opened):
    body = FileBody(opened, 0, 1)

    body.close()
    assert not is_open(opened)
    again = os.open(os.devnull, os.O_RDONLY)
    body.close()
    assert is_open(again)
    os.close(again)


@pytest.mark.parametrize("how", ["discarded", "dropped"])
def test_a_response_that_is_not_sent_gives_its_file_back(opened, how):
    response = Response(200, (), FileBody(opened, 0, 1))

    if how == "discarded":
        response.discard()
    else:
        del response

    assert not is_open(opened)


def test_a_file_that_shrank_yields_nothing(opened, tmp_path):
    body = FileBody(opened, 0, 512_000)
    os.truncate(tmp_path / "file", 0)

    assert body.read_piece() == b""
    assert body.left == 512_000
    body.close()
