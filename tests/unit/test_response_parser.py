"""What is read of an upstream, and what is a fault: two readers could frame it differently."""

import itertools

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from openssl_serve.http1.response_parser import MAX_HEAD_LENGTH, MAX_INTERIM, ResponseParser

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def parsed(*pieces, method=b"GET", end=False, broken=False):
    parser = ResponseParser()
    parser.expect(method)
    for piece in pieces:
        parser.feed(piece)
    if end or broken:
        parser.end(broken=broken)
    return parser


def response(*lines, content=b"ok", status=b"200 OK", version=b"1.1"):
    return b"\r\n".join([b"HTTP/%s %s" % (version, status), *lines, b"", content])


def test_a_response_is_taken_apart():
    parser = parsed(b"HTTP/1.1 404 Not here\r\nX: a \t\r\nx:b\r\nContent-Length: 2\r\n\r\nok")

    head = parser.head
    assert (head.status, head.reason, head.length) == (404, b"Not here", 2)
    assert head.fields == [(b"X", b"a"), (b"x", b"b"), (b"Content-Length", b"2")]
    assert head.keep_alive
    assert not head.until_close
    assert (parser.complete, parser.parts, parser.fault, parser.surplus) == (
        True, [b"ok"], None, False,
    )  # fmt: skip


@pytest.mark.parametrize("reason", [b"", b" ", b" \xe4\tb", b" a  b "])
def test_a_reason_is_whatever_was_said(reason):
    parser = parsed(response(b"Content-Length: 0", status=b"200" + reason, content=b""))

    assert parser.complete
    assert parser.head.reason == reason[1:]


@pytest.mark.parametrize(
    ("lines", "version", "kept"),
    [
        ((), b"1.1", True),
        ((b"Connection: close",), b"1.1", False),
        ((b"Connection: x, Close ,y",), b"1.1", False),
        ((b"Connection: x", b"Connection: close"), b"1.1", False),
        ((b"Connection: closed",), b"1.1", True),
        ((), b"1.0", False),
        ((b"Connection: Keep-Alive",), b"1.0", True),
        ((b"Connection: keep-alive, close",), b"1.0", False),
    ],
)
def test_whether_the_connection_can_be_used_again(lines, version, kept):
    parser = parsed(response(*lines, b"Content-Length: 2", version=version))

    assert parser.complete
    assert parser.head.keep_alive is kept


@pytest.mark.parametrize("method", [b"GET", b"POST", b"OPTIONS"])
def test_content_ends_with_its_length(method):
    parser = parsed(response(b"Content-Length: 4"), method=method)
    assert not parser.complete
    parser.feed(b"ay")

    assert parser.complete
    assert b"".join(parser.parts) == b"okay"


def test_content_ends_with_the_last_chunk_and_trailers_are_dropped():
    parser = parsed(
        response(b"Transfer-Encoding: Chunked", content=b"2;x=y\r\nok\r\n1\r\n!\r\n0\r\n"),
        b"Trailer: x\r\nX-Secret: y\r\n\r\n",
    )

    assert (parser.complete, parser.surplus) == (True, False)
    assert b"".join(parser.parts) == b"ok!"
    assert parser.head.length is None
    assert parser.head.fields == [(b"Transfer-Encoding", b"Chunked")]


@pytest.mark.parametrize("version", [b"1.1", b"1.0"])
def test_content_without_any_of_them_ends_with_the_connection(version):
    parser = parsed(response(version=version), b"ay")
    assert parser.head.until_close
    assert not parser.complete
    parser.end()

    assert parser.complete
    assert b"".join(parser.parts) == b"okay"


def test_not_with_one_that_breaks():
    parser = parsed(response(), broken=True)

    assert not parser.complete
    assert "in the middle" in parser.fault


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "without a response"),
        (b"HTTP/1.1 200 OK\r\nX: y", "without a response"),
        (b"HTTP/1.1 100 Continue\r\n\r\n", "without a response"),
        (response(b"Content-Length: 3"), "in the middle"),
        (response(b"Transfer-Encoding: chunked", content=b"2\r\nok\r\n"), "in the middle"),
        (response(b"Transfer-Encoding: chunked", content=b"2\r\nok\r\n0\r\n"), "in the middle"),
    ],
)
@pytest.mark.parametrize("broken", [False, True])
def test_an_end_too_early_is_a_fault(data, words, broken):
    parser = parsed(*([data] if data else []), end=True, broken=broken)

    assert not parser.complete
    assert words in parser.fault


@pytest.mark.parametrize(
    ("method", "status", "lines"),
    [
        (b"HEAD", b"200 OK", (b"Content-Length: 5",)),
        (b"HEAD", b"200 OK", (b"Transfer-Encoding: chunked",)),
        (b"HEAD", b"200 OK", ()),
        (b"GET", b"204 No Content", ()),
        (b"GET", b"204 No Content", (b"Content-Length: 5",)),
        (b"GET", b"304 Not Modified", (b"Content-Length: 5",)),
        (b"GET", b"304 Not Modified", (b"Transfer-Encoding: chunked",)),
    ],
)
def test_responses_without_content_end_with_their_head(method, status, lines):
    parser = parsed(response(*lines, status=status, content=b""), method=method)

    assert (parser.complete, parser.surplus, parser.fault) == (True, False, None)
    assert parser.head.keep_alive
    assert not parser.head.until_close
    parser.expect(b"GET")
    parser.feed(OK)
    assert (parser.complete, parser.parts, parser.surplus) == (True, [b"ok"], False)


@pytest.mark.parametrize(
    ("method", "first"),
    [
        (b"GET", OK),
        (b"HEAD", response(b"Content-Length: 2", content=b"")),
        (b"GET", response(b"Content-Length: 2", status=b"204 No Content", content=b"")),
        (b"GET", response(b"Connection: close", b"Content-Length: 0", content=b"")),
        (b"GET", response(b"Transfer-Encoding: chunked", content=b"0\r\n\r\n")),
    ],
)
@pytest.mark.parametrize("more", [b"ok", b"\r\n\0", OK, b"HTTP/1.1 100 Continue\r\n\r\n"])
@pytest.mark.parametrize("apart", [False, True])
def test_what_comes_behind_a_response_is_noticed(method, first, more, apart):
    """But for empty lines, of which nothing is left to be read as something else."""
    parser = parsed(*((first, more) if apart else (first + more,)), method=method)

    assert (parser.complete, parser.surplus) == (True, True)
    assert parser.head.status in (200, 204)
    assert b"".join(parser.parts) in (b"", b"ok")


def test_interim_responses_are_kept_apart():
    parser = parsed(
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
        b"HTTP/1.1 104 \r\nX: y\r\nContent-Length: 0\r\n\r\n" + OK
    )

    interim = [(head.status, head.reason, head.fields) for head in parser.interim]
    assert interim == [
        (100, b"Continue", []),
        (103, b"Early Hints", [(b"Link", b"</a>")]),
        (104, b"", [(b"X", b"y"), (b"Content-Length", b"0")]),
    ]
    assert (parser.head.status, parser.head.reason) == (200, b"OK")
    assert parser.head.fields == [(b"Content-Length", b"2")]
    assert parser.complete


def test_they_are_not_without_end():
    processing = b"HTTP/1.1 102 Processing\r\n\r\n"

    assert parsed(processing * MAX_INTERIM).fault is None
    assert parsed(processing * (MAX_INTERIM + 1)).fault == "sent interim responses and no other"


@pytest.mark.parametrize("status", [100, 102, 103, 104, 199])
@pytest.mark.parametrize("line", [b"Content-Length: 5", b"Transfer-Encoding: chunked"])
def test_an_interim_response_with_content_is_a_fault(status, line):
    """llhttp would take five bytes for content of no. 104, and hand them out with the next's."""
    parser = parsed(response(line, status=b"%d X" % status, content=b"12345") + OK)

    assert parser.fault == "sent an interim response with content"


@pytest.mark.parametrize(
    "lines",
    [
        (b"Connection: upgrade", b"Upgrade: websocket"),
        (b"Connection: Upgrade", b"Upgrade: x", b"Content-Length: 5"),
    ],
)
def test_behind_an_upgrade_is_another_protocol(lines):
    parser = parsed(response(*lines, status=b"101 Switching Protocols", content=b"\x81\x00"))

    assert (parser.head.status, parser.rest, parser.parts) == (101, b"\x81\x00", [])


def test_a_101_that_does_not_say_to_what_has_no_rest():
    assert parsed(response(status=b"101 Switching Protocols")).rest is None


MALFORMED = {
    "CL and TE": response(b"Content-Length: 2", b"Transfer-Encoding: chunked"),
    "TE and CL": response(b"Transfer-Encoding: chunked", b"Content-Length: 2"),
    "two CL": response(b"Content-Length: 2", b"Content-Length: 3"),
    "the same CL twice": response(b"Content-Length: 2", b"Content-Length: 2"),
    "CL of two": response(b"Content-Length: 2, 2"),
    "CL +2": response(b"Content-Length: +2"),
    "CL -2": response(b"Content-Length: -2"),
    "CL 0x2": response(b"Content-Length: 0x2"),
    "CL 2 2": response(b"Content-Length: 2 2"),
    "CL empty": response(b"Content-Length:"),
    "CL overflows": response(b"Content-Length: 18446744073709551618"),
    "CL on a folded line": response(b"Content-Length:\r\n 2"),
    "CL in a trailer": response(
        b"Transfer-Encoding: chunked", content=b"2\r\nok\r\n0\r\nContent-Length: 2\r\n\r\n"
    ),
    "TE gzip": response(b"Transfer-Encoding: gzip"),
    "TE gzip, chunked": response(b"Transfer-Encoding: gzip, chunked"),
    "TE chunked, gzip": response(b"Transfer-Encoding: chunked, gzip"),
    "TE twice": response(b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked"),
    "TE identity": response(b"Transfer-Encoding: identity"),
    "TE empty": response(b"Transfer-Encoding:"),
    "TE with a vertical tab": response(b"Transfer-Encoding: \x0bchunked"),
    "TE with a space before the colon": response(b"Transfer-Encoding : chunked"),
    "TE in HTTP/1.0": response(
        b"Transfer-Encoding: chunked", version=b"1.0", content=b"2\r\nok\r\n0\r\n\r\n"
    ),
    "TE for HTTP/1.0 kept": response(
        b"Transfer-Encoding: chunked", b"Connection: keep-alive", version=b"1.0"
    ),
    "chunk 0x2": response(b"Transfer-Encoding: chunked", content=b"0x2\r\nok\r\n0\r\n\r\n"),
    "chunk too long": response(b"Transfer-Encoding: chunked", content=b"2\r\noks\r\n0\r\n\r\n"),
    "chunk overflows": response(b"Transfer-Encoding: chunked", content=b"F" * 17 + b"\r\nok"),
    "chunk with LF": response(b"Transfer-Encoding: chunked", content=b"2\nok\r\n0\r\n\r\n"),
    "folded line": response(b"X: a", b" b", b"Content-Length: 2"),
    "bare LF after a field": b"HTTP/1.1 200 OK\r\nX: y\nContent-Length: 2\r\n\r\nok",
    "bare LF after the status": b"HTTP/1.1 200 OK\nContent-Length: 2\r\n\r\nok",
    "bare CR": response(b"X: a\rContent-Length: 2"),
    "NUL in a value": response(b"X: \0", b"Content-Length: 2"),
    "escape in a value": response(b"X: \x1b[31m", b"Content-Length: 2"),
    "NUL in a name": response(b"X\0: y", b"Content-Length: 2"),
    "empty name": response(b": y", b"Content-Length: 2"),
    "no colon": response(b"X", b"Content-Length: 2"),
    "NUL in the reason": response(b"Content-Length: 2", status=b"200 O\0K"),
    "escape in the reason": response(b"Content-Length: 2", status=b"200 \x1b[31mOK"),
    "two digits": response(b"Content-Length: 2", status=b"20 OK"),
    "four digits": response(b"Content-Length: 2", status=b"2000 OK"),
    "status 099": response(b"Content-Length: 2", status=b"099 OK"),
    "version 2.0": response(b"Content-Length: 2", version=b"2.0"),
    "version 2": response(b"Content-Length: 2", version=b"2"),
    "version 0.9": response(b"Content-Length: 2", version=b"0.9"),
    "version 1.2": response(b"Content-Length: 2", version=b"1.2"),
    "two spaces": b"HTTP/1.1  200 OK\r\nContent-Length: 2\r\n\r\nok",
    "an empty line before it": b"\r\n" + OK,
    "a space before it": b" " + OK,
    "RTSP": b"RTSP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
    "ICY": b"ICY 200 OK\r\n\r\n",
    "HTTP/0.9": b"<title>hello</title>",
    "a frame of HTTP/2": b"\0\0\x12\4\0\0\0\0\0",
    "SSH": b"SSH-2.0-OpenSSH_9.2\r\n",
}


@pytest.mark.parametrize("data", MALFORMED.values(), ids=MALFORMED)
def test_what_could_be_read_in_two_ways_is_a_fault(data):
    whole, bits = parsed(data), parsed(*(bytes([byte]) for byte in data))

    for parser in (whole, bits):
        assert parser.fault, parser.head
        assert not parser.surplus


def test_tls_is_recognised():
    assert "https" in parsed(b"\x15\x03\x01\0\2\2\x16").fault


def test_nothing_is_read_after_a_fault():
    parser = parsed(b"nonsense", OK, end=True)

    assert parser.fault == "does not speak HTTP"
    assert parser.head is None


@pytest.mark.parametrize("piece", [b"X: " + b"y" * 1021 + b"\r\n", b"y" * 1024])
def test_a_head_without_end_is_a_fault(piece):
    parser = parsed(b"HTTP/1.1 200 OK\r\nX: ")
    for _ in range(MAX_HEAD_LENGTH // len(piece) - 1):
        parser.feed(piece if piece[:1] == b"y" else b"\r\n" + piece[:-2])
    assert parser.fault is None
    parser.feed(b"y" * 2048)

    assert parser.fault == "sent too large fields"


def test_nor_is_a_status_line_without_end():
    assert parsed(b"HTTP/1.1 200 " + b"y" * (MAX_HEAD_LENGTH + 1)).fault == "sent too large fields"


@pytest.mark.parametrize("begun", [b"0\r\nX: ", b"0\r\nX", b"1;", b"2\r\nok\r\n1;x="])
def test_nor_is_what_goes_with_content_without_end(begun):
    parser = parsed(response(b"Transfer-Encoding: chunked", content=begun))
    for _ in range(MAX_HEAD_LENGTH // 1024):
        parser.feed(b"y" * 1024)
    assert parser.fault is None
    parser.feed(b"y" * 1024)

    assert not parser.complete
    assert parser.fault == "sent too large fields"


def test_much_content_is_no_large_field():
    parser = parsed(response(b"Transfer-Encoding: chunked", content=b""))
    for _ in range(3):
        parser.feed(b"ffff\r\n" + bytes(0xFFFF) + b"\r\n")
    parser.feed(b"0\r\nX: y\r\n\r\n")

    assert parser.complete
    assert parser.fault is None


def test_a_parser_can_be_used_again():
    parser = parsed(OK)
    for method, lines in ((b"HEAD", b""), (b"GET", b"ok"), (b"HEAD", b""), (b"GET", b"ok")):
        parser.parts.clear()
        parser.expect(method)
        assert (parser.complete, parser.head, parser.received) == (False, None, 0)
        parser.feed(response(b"Content-Length: 2", content=lines))
        assert (parser.complete, parser.parts) == (True, [lines] if lines else [])
        assert (parser.fault, parser.surplus) == (None, False)


@st.composite
def responses(draw):
    """A well-formed response: status, reason, fields, framing and content."""
    value = st.text("abc \t;,=\xe9", max_size=20).map(lambda text: text.strip(" \t"))
    fields = draw(st.lists(st.tuples(st.sampled_from(["X", "x-y", "Set-Cookie"]), value)))
    content = draw(st.binary(max_size=200))
    framing = draw(st.sampled_from(["length", "chunked", "close"]))
    lines = [f"{name}: {text}".encode("latin-1") for name, text in fields]
    if framing == "length":
        lines.append(b"Content-Length: %d" % len(content))
        body = content
    elif framing == "chunked":
        lines.append(b"Transfer-Encoding: chunked")
        cuts = sorted({0, len(content), *draw(st.lists(st.integers(0, len(content)), max_size=3))})
        pieces = [content[a:b] for a, b in itertools.pairwise(cuts)]
        body = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"
    else:
        body = content
    status = draw(st.sampled_from([b"200 OK", b"404", b"299 \xe9", b"500 a  b"]))
    return response(*lines, status=status, content=body), content, framing


@settings(max_examples=150)
@given(responses(), st.lists(st.integers(1, 400), max_size=6))
@example((response(b"Transfer-Encoding: chunked", content=b"0\r\n\r\n"), b"", "chunked"), [1, 2])
def test_where_the_pieces_end_does_not_matter(made, cuts):
    data, content, framing = made
    places = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
    pieces = [data[a:b] for a, b in itertools.pairwise(places)]
    parser = parsed(*pieces, end=framing == "close")

    assert (parser.fault, parser.complete, parser.surplus) == (None, True, False)
    assert b"".join(parser.parts) == content
    assert parser.head.until_close is (framing == "close")
    assert parser.head.length == (len(content) if framing == "length" else None)


@given(st.binary(max_size=300), st.sampled_from([b"GET", b"HEAD"]))
@example(OK + OK, b"HEAD")
def test_no_bytes_do_harm(data, method):
    parser = parsed(data, data, method=method, end=True)

    assert parser.fault or parser.complete
