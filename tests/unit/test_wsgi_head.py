"""What an app may give to start_response."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openssl_serve.handlers.wsgi.head import make_head


def test_a_head_is_as_the_app_gave_it():
    head = make_head(
        "404 Not Here", [("Content-Type", "text/plain"), ("content-length", "5"), ("X-A", "\xe9 b")]
    )

    assert (head.status, head.length, head.is_dated) == (404, 5, False)
    assert head.lines == b"HTTP/1.1 404 Not Here\r\nContent-Type: text/plain\r\nX-A: \xe9 b\r\n"
    assert head.lines_for(7) == head.lines + b"Content-Length: 7\r\n"
    assert head.lines_for(None) == head.lines


@pytest.mark.parametrize("status", ["200", "200 "])
def test_a_status_needs_no_reason(status):
    assert make_head(status, []).lines == b"HTTP/1.1 200 \r\n"


def test_the_same_length_twice_is_one():
    assert make_head("200 OK", [("Content-Length", "5"), ("content-length", "5")]).length == 5


def test_a_date_is_noticed():
    assert make_head("200 OK", [("date", "now")]).is_dated


def test_no_content_has_no_length():
    assert b"Content-Length" not in make_head("204 No Content", []).lines_for(0)


@pytest.mark.parametrize(
    "status", ["", "OK", "20 OK", "1000", "100 Continue", "200OK", "200 \n", "2\u06600 OK", "200 €"]
)
def test_a_status_that_is_none_is_refused(status):
    with pytest.raises(ValueError, match="status"):
        make_head(status, [])


@given(st.text(), st.text())
def test_whatever_an_app_gives_is_one_field_or_none(name, value):
    try:
        head = make_head("200 OK", [(name, value)])
    except ValueError:
        return
    lines = head.lines.split(b"\r\n")
    assert len(lines) == (2 if head.length is not None else 3)
    assert not set(head.lines.replace(b"\r\n", b"")) & {*range(9), *range(10, 32), 127}


@pytest.mark.parametrize("value", ["", "+1", "1 ", "1_0", "0x1", "٣", "1" * 19])
def test_a_length_is_digits(value):
    with pytest.raises(ValueError, match="Content-Length"):
        make_head("200 OK", [("Content-Length", value)])


@pytest.mark.parametrize("headers", [(), {}, None, iter([])])
def test_headers_are_a_list(headers):
    with pytest.raises(TypeError, match="not a list"):
        make_head("200 OK", headers)
