import pytest

from openssl_serve.http1.conditional import CONDITIONS, Validators, precondition, wanted_ranges
from openssl_serve.http1.fields import http_date
from openssl_serve.http1.request import Peer, Request

FOUND = Validators(b'"tag"', 1_000_000)
SAME, BEFORE, AFTER = (http_date(FOUND.modified + delta) for delta in (0, -1, 1))
PEER = Peer("127.0.0.1", "127.0.0.1", 80, secure=True)


def asked(fields, method=b"GET"):
    return Request(method, b"/", [(b"Host", b"a"), *fields.items()], PEER)


@pytest.mark.parametrize(
    ("fields", "decided"),
    [
        ({}, None),
        ({b"If-None-Match": b'"tag"'}, 304),
        ({b"If-None-Match": b'W/"tag"'}, 304),
        ({b"If-None-Match": b"*"}, 304),
        ({b"If-None-Match": b'"other"'}, None),
        ({b"If-Modified-Since": SAME}, 304),
        ({b"If-Modified-Since": AFTER}, 304),
        ({b"If-Modified-Since": BEFORE}, None),
        ({b"If-Modified-Since": b"nonsense"}, None),
        ({b"If-None-Match": b'"other"', b"If-Modified-Since": AFTER}, None),
        ({b"If-None-Match": b'"tag"', b"If-Modified-Since": BEFORE}, 304),
        ({b"If-Match": b'"tag"'}, None),
        ({b"If-Match": b'"a", "tag"'}, None),
        ({b"If-Match": b"*"}, None),
        ({b"If-Match": b'W/"tag"'}, 412),
        ({b"If-Match": b'"other"'}, 412),
        ({b"If-Match": b""}, 412),
        ({b"If-Unmodified-Since": SAME}, None),
        ({b"If-Unmodified-Since": AFTER}, None),
        ({b"If-Unmodified-Since": BEFORE}, 412),
        ({b"If-Unmodified-Since": b"nonsense"}, None),
        ({b"If-Match": b'"tag"', b"If-Unmodified-Since": BEFORE}, None),
        ({b"If-Match": b'"tag"', b"If-None-Match": b'"tag"'}, 304),
        ({b"If-Match": b'"other"', b"If-None-Match": b'"tag"'}, 412),
    ],
)
@pytest.mark.parametrize("method", [b"GET", b"HEAD"])
def test_what_the_conditions_decide(fields, decided, method):
    """RFC 9110 section 13.2.2, step by step."""
    assert precondition(asked(fields, method), FOUND) == decided


@pytest.mark.parametrize(
    ("condition", "partial"),
    [
        (None, True),
        (b'"tag"', True),
        (b' "tag" ', True),
        (SAME, True),
        (b'W/"tag"', False),
        (b'"other"', False),
        (AFTER, False),
        (BEFORE, False),
        (b"nonsense", False),
    ],
)
def test_a_range_is_sent_only_of_the_state_that_the_client_knows(condition, partial):
    fields = {b"Range": b"bytes=0-1"} | ({b"If-Range": condition} if condition else {})

    assert (wanted_ranges(asked(fields), FOUND, 10) is not None) is partial


def test_a_range_of_another_state_is_never_unsatisfiable():
    fields = {b"Range": b"bytes=99-", b"If-Range": b'"other"'}

    assert wanted_ranges(asked(fields), FOUND, 10) is None


def test_a_range_means_nothing_to_head():
    assert wanted_ranges(asked({b"Range": b"bytes=99-"}, b"HEAD"), FOUND, 10) is None


def test_every_condition_is_on_the_list_that_a_quick_answer_looks_at():
    names = {b"if-match", b"if-none-match", b"if-modified-since", b"if-unmodified-since", b"range"}

    assert names == CONDITIONS
