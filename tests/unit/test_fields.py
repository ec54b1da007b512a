import datetime as dt
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openssl_serve.http1.fields import (
    Range,
    etag_listed,
    http_date,
    parse_http_date,
    parse_ranges,
)

MOMENT = 784111777


@pytest.mark.parametrize(
    "value",
    [
        b"Sun, 06 Nov 1994 08:49:37 GMT",
        b"Sunday, 06-Nov-94 08:49:37 GMT",
        b"Sun Nov  6 08:49:37 1994",
    ],
)
def test_all_three_forms_of_a_date_are_read(value):
    assert parse_http_date(value) == MOMENT


@pytest.mark.parametrize(
    "value", [b"", b" ", b"0", b"yesterday", b"1994-11-06T08:49:37Z", b"\xff", b"Sun, 06 Foo 1994"]
)
def test_what_is_no_date_is_none(value):
    assert parse_http_date(value) is None


@given(st.binary(max_size=60))
def test_no_date_field_can_raise(value):
    assert isinstance(parse_http_date(value), int | None)


@given(st.integers(0, 253402300799))
def test_dates_are_those_of_the_standard_library_and_read_back(seconds):
    written = http_date(seconds)

    moment = dt.datetime.fromtimestamp(seconds, dt.UTC)
    assert written.decode() == format_datetime(moment, usegmt=True)
    assert parse_http_date(written) == seconds


@pytest.mark.parametrize(
    ("value", "listed"),
    [
        (b'"x"', True),
        (b'W/"x"', True),
        (b'"a", "x"', True),
        (b'"a","x"', True),
        (b'"a" , W/"x"', True),
        (b"*", True),
        (b" * ", True),
        (b'"a"', False),
        (b'"x', False),
        (b"x", False),
        (b"", False),
        (b'"a,x"', False),
        (b'"X"', False),
    ],
)
def test_whether_a_tag_is_listed(value, listed):
    assert etag_listed(value, b'"x"') is listed


SATISFIABLE = [
    (b"bytes=0-0", (0, 1)),
    (b"bytes=0-4", (0, 5)),
    (b"bytes=5-", (5, 10)),
    (b"bytes=9-9", (9, 10)),
    (b"bytes=-1", (9, 10)),
    (b"bytes=-10", (0, 10)),
    (b"bytes=-11", (0, 10)),
    (b"bytes=0-10", (0, 10)),
    (b"bytes=2-999", (2, 10)),
    (b"BYTES=2-3", (2, 4)),
    (b"bytes= 2-3 ", (2, 4)),
    (b"bytes=0-18446744073709551615", (0, 10)),
    (b"bytes=0-18446744073709551616", (0, 10)),
    (b"bytes=3-99999999999999999999999999", (3, 10)),
    (b"bytes=-99999999999999999999999999", (0, 10)),
    (b"bytes=0-" + b"9" * 5000, (0, 10)),
    (b"bytes=0000000002-3", (2, 4)),
]
UNSATISFIABLE = [
    b"bytes=10-",
    b"bytes=10-20",
    b"bytes=-0",
    b"bytes=18446744073709551616-",
    b"bytes=18446744073709551616-18446744073709551617",
    b"bytes=" + b"9" * 5000 + b"-",
]
IGNORED = [
    b"bytes=9-1", b"bytes=-", b"bytes=", b"bytes", b"items=0-1", b"bytes=0-1,x", b"bytes=a-b",
    b"bytes=0x0-1", b"bytes=+0-1", b"bytes=0 -1", b"bytes=--1", b"bytes=0-1-2", b"", b"\xff",
    b"bytes=0-1 3-4", b"bytes=0-1;3-4", b"bytes=5-4,0-1", b"bytes=,", b"bytes=0-1\n",
    b"bytes=" + b"0-1," * 1000 + b"0-1", "bytes=\u0660-\u0661".encode(),
    b"bytes=" + b",".join(b"%d-%d" % (n, n) for n in range(17)),
]  # fmt: skip


@pytest.mark.parametrize(("value", "wanted"), SATISFIABLE)
def test_a_range_that_can_be_sent(value, wanted):
    assert parse_ranges(value, 10) == [Range(*wanted)]


@pytest.mark.parametrize("value", UNSATISFIABLE)
def test_a_range_beyond_the_content(value):
    with pytest.raises(ValueError, match="unsatisfiable"):
        parse_ranges(value, 10)


@pytest.mark.parametrize("value", IGNORED)
def test_a_range_that_is_to_be_ignored(value):
    assert parse_ranges(value, 10) is None


@pytest.mark.parametrize("value", [b"bytes=0-", b"bytes=0-0", b"bytes=-1", b"bytes=-0"])
def test_no_range_of_nothing_can_be_satisfied(value):
    with pytest.raises(ValueError, match="unsatisfiable"):
        parse_ranges(value, 0)


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        (b"bytes=0-1,3-4", [(0, 2), (3, 5)]),
        (b"bytes=8-9, 0-1", [(8, 10), (0, 2)]),
        (b"bytes=0-0 ,\t-1", [(0, 1), (9, 10)]),
        (b"bytes=,0-1,,5-6,", [(0, 2), (5, 7)]),
        (b"bytes=0-1,20-30", [(0, 2)]),
        (b"bytes=0-4,3-6", [(0, 7)]),
        (b"bytes=5-,0-4", [(0, 10)]),
        (b"bytes=0-,0-,0-", [(0, 10)]),
        (b"bytes=8-9,4-5,5-6,0-0", [(0, 1), (4, 7), (8, 10)]),
        (b"bytes=" + b",".join([b"0-"] * 16), [(0, 10)]),
    ],
)
def test_several_ranges(value, wanted):
    """RFC 9110 15.3.7.2: in the order of the client, unless they overlap."""
    assert parse_ranges(value, 10) == wanted


@given(
    st.lists(st.from_regex(rb"\d{0,3}-\d{0,30}", fullmatch=True), min_size=1, max_size=16),
    st.integers(0, 2**63),
)
def test_ranges_are_inside_their_content_and_apart(specs, size):
    try:
        found = parse_ranges(b"bytes=" + b",".join(specs), size)
    except ValueError:
        return

    assert sum(stop - start for start, stop in found or ()) <= size
    edges = [edge for stretch in sorted(found or ()) for edge in stretch]
    assert edges == sorted(set(edges))
    assert all(0 <= edge <= size for edge in edges)
