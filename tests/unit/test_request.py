"""The request parser: framing, refusals, sizes, and that pieces are the same as the whole."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openssl_serve.http1.request import (
    MAX_FIELDS,
    MAX_HEAD_LENGTH,
    MAX_TARGET_LENGTH,
    Peer,
    RequestParser,
)

PEER = Peer("127.0.0.1", "127.0.0.1", 80, secure=False)
GET = b"GET / HTTP/1.1\r\nHost: a\r\n"
CHUNKED = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"


def parse(data, size=None):
    parser = RequestParser(PEER)
    step = size or len(data) or 1
    for start in range(0, len(data), step):
        parser.feed(data[start : start + step])
    return parser


def refusal(data, size=None):
    error = parse(data, size).refusal
    return error and error.status


def summary(parser):
    """All that a connection looks at."""
    return (
        [
            (r.method, r.target, r.fields, r.version, r.keep_alive, r.upgrade, r.complete)
            for r in parser.ready
        ],
        parser.refusal and parser.refusal.status,
        parser.stopped,
    )


def test_a_request_is_values():
    parser = parse(b"GET /a?b HTTP/1.1\r\nHost: A\r\nX-Y: z\r\n\r\n")

    (request,) = parser.ready
    assert (request.method, request.target, request.version) == (b"GET", b"/a?b", "1.1")
    assert request.fields == [(b"Host", b"A"), (b"X-Y", b"z")]
    assert request.get(b"x-y") == b"z"
    assert request.get(b"absent") is None
    assert request.keep_alive
    assert request.complete
    assert not parser.in_head


def test_repeated_fields_are_joined():
    (request,) = parse(GET + b"A: 1\r\nB: x\r\na: 2\r\n\r\n").ready

    assert request.get(b"a") == b"1, 2"
    assert request.fields[1:] == [(b"A", b"1"), (b"B", b"x"), (b"a", b"2")]


@pytest.mark.parametrize("space", [b"", b" ", b"\t", b"  \t "])
def test_white_space_around_a_value_is_not_in_it(space):
    """RFC 9110 section 5.5."""
    data = b"GET / HTTP/1.1\r\nHost:" + space + b"a" + space + b"\r\nX: b c" + space + b"\r\n\r\n"
    (request,) = parse(data).ready

    assert (request.get(b"host"), request.get(b"x")) == (b"a", b"b c")


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"GET /\r\n\r\n", 400),
        (b"GET / HTTP/0.9\r\n\r\n", 400),
        (b"GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505),
        (b"GET / HTTP/1.2\r\nHost: a\r\n\r\n", 400),
        (b"GET / HTTP/3.0\r\nHost: a\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nhOST: b\r\n\r\n", 400),
        (b"GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n", 400),
        (b"GET / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        (GET + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
        (b"\x00GET / HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ],
)
@pytest.mark.parametrize("size", [None, 1, 7])
def test_what_is_refused(data, status, size):
    parser = parse(data, size)

    assert parser.refusal is not None
    assert parser.refusal.status == status
    assert not parser.ready


@pytest.mark.parametrize(
    "body",
    [b"0x5\r\nhello", b"+5\r\nhello", b"-5\r\nhello", b"5 ;x\r\nhello", b"5\nhello", b"\r\n",
     b"5\r\nhello0\r\n", b"5\r\nhello\n0\r\n", b"f" * 17 + b"\r\n", b"g\r\n", b";\r\n",
     b"0\r\nX : y\r\n\r\n", b"0\r\nX\r\n\r\n"],
)  # fmt: skip
def test_a_request_with_a_malformed_body_is_not_answered_as_if_it_were_whole(body):
    parser = parse(CHUNKED + body + b"GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n")

    assert refusal(CHUNKED + body) == 400
    assert not parser.ready
    assert parser.stopped


def test_a_malformed_body_does_not_take_back_an_earlier_request():
    parser = parse(GET + b"\r\n" + CHUNKED + b"zz\r\n")

    assert [request.method for request in parser.ready] == [b"GET"]
    assert parser.refusal is not None


def test_a_body_that_goes_wrong_after_its_answer_ends_the_connection_in_silence():
    """The connection has said `Connection: close` by then; a second answer would be nobody's."""
    parser = parse(CHUNKED)
    request = parser.ready.pop(0)
    request.keep_alive = False
    parser.feed(b"zz\r\n")

    assert parser.refusal is None
    assert parser.stopped


def test_nothing_after_a_last_request_is_a_request():
    parser = parse(GET + b"Connection: close\r\n\r\n" + GET + b"\r\n")

    assert len(parser.ready) == 1
    assert parser.refusal is None
    assert parser.stopped


def test_nothing_after_an_upgrade_is_a_request():
    parser = parse(GET + b"Upgrade: x\r\nConnection: upgrade\r\n\r\n" + GET + b"\r\n")

    (request,) = parser.ready
    assert request.upgrade
    assert parser.stopped


@pytest.mark.parametrize("size", [None, 1000])
def test_a_target_may_be_long_and_not_longer(size):
    def asking(length):
        return b"GET /%s HTTP/1.1\r\nHost: a\r\n\r\n" % (b"a" * (length - 1))

    assert refusal(asking(MAX_TARGET_LENGTH), size) is None
    assert refusal(asking(MAX_TARGET_LENGTH + 1), size) == 414


def test_a_target_without_an_end_is_refused_before_it_fills_the_memory():
    parser = parse(b"GET /" + b"a" * MAX_TARGET_LENGTH)

    assert parser.refusal is not None
    assert parser.refusal.status == 414


def test_fields_may_be_many_and_not_more():
    def asking(count):
        return GET + b"A: b\r\n" * (count - 1) + b"\r\n"

    assert refusal(asking(MAX_FIELDS)) is None
    assert refusal(asking(MAX_FIELDS + 1)) == 431
    assert refusal(asking(MAX_FIELDS + 2)[:-2]) == 431


READ = 16_384


@pytest.mark.parametrize("size", [1, 1000, READ - 1, READ])
@pytest.mark.parametrize("before", [b"", GET + b"\r\n", CHUNKED + b"0\r\n\r\n"])
def test_a_head_may_be_long_and_not_longer_however_it_is_cut(size, before):
    def asking(length):
        return GET + b"X: " + b"x" * (length - len(GET + b"X: \r\n\r\n")) + b"\r\n\r\n"

    assert refusal(before + asking(MAX_HEAD_LENGTH), size) is None
    assert refusal(before + asking(MAX_HEAD_LENGTH + 1), size) == 431


def test_content_in_the_last_read_of_a_head_is_none_of_it():
    head = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 16000\r\nX: " + b"x" * 30_000
    parser = parse(head + b"\r\n\r\n" + b"c" * 16_000, READ)

    assert parser.refusal is None
    assert parser.is_idle


def test_empty_lines_between_requests_are_no_part_of_a_head():
    parser = parse(GET + b"\r\n")
    for _ in range(10):
        parser.feed(b"\r\n" * 8000)
    parser.feed(GET + b"\r\n")

    assert len(parser.ready) == 2
    assert parser.refusal is None


@pytest.mark.parametrize("endless", [b"A: " + b"b" * 100_000, b"A" * 100_000])
@pytest.mark.parametrize("size", [1000, 16384])
def test_a_head_without_an_end_is_refused_before_it_fills_the_memory(endless, size):
    parser = RequestParser(PEER)
    parser.feed(GET)
    fed = 0
    while parser.refusal is None:
        parser.feed(endless[:size])
        fed += size
        assert fed < MAX_HEAD_LENGTH + 2 * size

    assert parser.refusal.status in (400, 431)


@pytest.mark.parametrize("begun", [b"0\r\nA: ", b"0\r\nA", b"0\r\n", b"5\r\nhello\r\n1;", b"1;a="])
@pytest.mark.parametrize("size", [1000, 16384])
@pytest.mark.parametrize("unwanted", [True, False])
def test_nor_is_what_goes_with_content_without_an_end(begun, size, unwanted):
    """One that grows by pieces is copied for each of them: 24 MB kept the loop for 9 seconds."""
    more = b"b: c\r\n" * 3000 if begun == b"0\r\n" else b"b" * size
    parser = parse(CHUNKED)
    request = parser.ready.pop()
    request.unwanted = unwanted
    parser.feed(begun)
    fed = 0
    while parser.refusal is None:
        parser.feed(more[fed % 6 :][:size])
        fed += size
        assert fed < MAX_HEAD_LENGTH + 2 * size

    assert parser.refusal.status == 431
    assert parser.stopped
    assert not request.complete


def test_a_long_head_is_not_held_against_what_follows_it():
    head = GET.replace(b"GET", b"POST") + b"Content-Length: 3\r\nA: " + b"b" * 32_000
    parser = parse(head, 16384)
    parser.feed(b"\r\n\r\n")
    assert parser.refusal is None
    parser.feed(b"abc" + GET)
    assert parser.refusal is None
    parser.feed(b"\r\n")

    assert [request.method for request in parser.ready] == [b"POST", b"GET"]


def test_empty_lines_begin_no_request():
    parser = parse(b"\r\n" * 50)

    assert not parser.in_head
    parser.feed(GET + b"\r\n")
    assert len(parser.ready) == 1


def test_content_arrives_in_its_request():
    parser = parse(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhel")
    request = parser.ready[0]

    assert request.arrived == [b"hel"]
    assert not request.complete
    parser.feed(b"lo")
    assert request.arrived == [b"hel", b"lo"]
    assert request.complete


def test_content_that_is_not_wanted_is_counted_and_dropped():
    parser = parse(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n")
    request = parser.ready[0]
    request.unwanted = True
    parser.feed(b"hel")

    assert parser.discarded == 3
    assert request.arrived is None


UPGRADE = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n"


@pytest.mark.parametrize(
    "framed",
    [
        b"Content-Length: 5\r\n\r\nhello",
        b"Transfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3;x\r\nllo\r\n0\r\nA: b\r\n\r\n",
    ],
)
@pytest.mark.parametrize("size", [None, 1, 7])
@pytest.mark.parametrize("behind", [b"", GET + b"\r\n", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"\0"])
def test_an_upgrade_with_content_is_a_last_request_like_others(framed, size, behind):
    """As Java's HttpClient sends it."""
    data = b"POST /a HTTP/1.1\r\nHost: a\r\n" + UPGRADE + framed
    parser = parse(data + behind, size)

    (request,) = parser.ready
    assert (request.method, request.target) == (b"POST", b"/a")
    assert b"".join(request.arrived or ()) == b"hello"
    assert request.complete
    assert not request.upgrade
    assert not request.keep_alive
    assert parser.refusal is None
    assert parser.is_idle


@pytest.mark.parametrize("size", [None, 1])
def test_the_content_of_a_declined_upgrade_has_to_be_well_formed(size):
    data = b"POST /a HTTP/1.1\r\nHost: a\r\n" + UPGRADE + b"Transfer-Encoding: chunked\r\n\r\n"
    parser = parse(data + b"zz\r\n", size)

    assert [request.complete for request in parser.ready] in ([], [False])
    assert parser.refusal is not None
    assert parser.refusal.status == 400


def test_a_declined_upgrade_waits_for_its_content():
    parser = parse(b"POST / HTTP/1.1\r\nHost: a\r\n" + UPGRADE + b"Content-Length: 5\r\n\r\nhel")

    assert not parser.ready[0].complete
    parser.feed(b"lo")
    assert parser.ready[0].complete
    assert parser.ready[0].arrived == [b"hel", b"lo"]


def test_what_follows_an_upgrade_is_kept_for_the_other_protocol():
    parser = parse(
        b"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n\x81\x01"
    )
    parser.feed(b"a")

    assert parser.ready[0].upgrade
    assert parser.rest == b"\x81\x01a"
    parser.feed(b"lo")
    assert parser.ready[0].complete
    parser.feed(GET + b"\r\n")
    assert parser.discarded == 0


@pytest.mark.parametrize("length", [b"0", b"00", b"000000"])
def test_no_content_is_none_however_it_is_written(length):
    head = b"POST / HTTP/1.1\r\nHost: a\r\n" + UPGRADE + b"Content-Length: %b\r\n\r\n" % length
    behind = b"POST /b HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello"
    parser = parse(head + behind)

    (request,) = parser.ready
    assert not request.has_content
    assert request.arrived is None
    assert request.upgrade
    assert parser.rest == behind


STREAMS = [
    GET + b"\r\n" + GET + b"A: b\r\n\r\n",
    b"\r\n\r\n" + GET + b"Connection: close\r\n\r\nrest",
    CHUNKED + b"5;x=y\r\nhello\r\n0\r\nT: x\r\n\r\n" + GET + b"\r\n",
    b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello" + GET + b"\r\n",
    b"POST / HTTP/1.0\r\nContent-Length: 3\r\n\r\nabc",
    GET + b"\r\nGARBAGE\r\n\r\n",
    GET + b"Upgrade: x\r\nConnection: upgrade\r\n\r\n\x16\x03",
    b"CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\n",
    CHUNKED + b"zz\r\n",
]


@pytest.mark.parametrize("size", [1, 2, 7])
@pytest.mark.parametrize("stream", STREAMS)
def test_pieces_are_the_same_as_the_whole(stream, size):
    assert summary(parse(stream, size)) == summary(parse(stream))


@given(st.lists(st.sampled_from(STREAMS), max_size=3).map(b"".join), st.data())
def test_the_stream_may_be_cut_anywhere(stream, data):
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=6)))
    parser = RequestParser(PEER)
    for start, stop in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        parser.feed(stream[start:stop])

    assert summary(parser) == summary(parse(stream))


@given(st.lists(st.binary(max_size=60) | st.sampled_from([GET, b"\r\n", b"A: b\r\n", CHUNKED])))
def test_no_bytes_can_raise(parts):
    parser = RequestParser(PEER)
    for part in parts:
        parser.feed(part)

    assert parser.refusal is None or 400 <= parser.refusal.status < 600


def test_a_closed_parser_takes_no_more():
    parser = RequestParser(PEER)
    parser.close()
    parser.feed(GET + b"\r\n")

    assert not parser.ready
