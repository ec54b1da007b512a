"""Which form of an answer a client wants."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openssl_serve.http1.negotiation import HTML, JSON, TEXT, prefers, wants_html, weights

OFFERS = (TEXT, HTML, JSON)

FIREFOX = b"text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
CHROMIUM = FIREFOX.replace(b"*/*", b"image/avif,image/webp,*/*") + b",application/x;v=b3;q=0.7"
AXIOS = b"application/json, text/plain, */*"


@pytest.mark.parametrize(
    ("accept", "wanted"),
    [
        (None, TEXT),
        (b"", TEXT),
        (b"*/*", TEXT),
        (b"text/*", TEXT),
        (b"image/avif,image/webp,*/*;q=0.8", TEXT),
        (b"image/png", TEXT),
        (FIREFOX, HTML),
        (CHROMIUM, HTML),
        (AXIOS, JSON),
        (b"application/*", JSON),
        (b"application/json;q=0.9, text/html", HTML),
        (b"text/html;q=0.1, application/json;q=0.11", JSON),
        (b"TEXT/HTML ; Q=1.000 , */*", HTML),
        (b"text/html;level=1;q=0.2, */*;q=0.1", HTML),
        # The most exact range counts, not the first nor the heaviest.
        (b"*/*, text/plain;q=0", HTML),
        (b"text/*;q=0.9, text/html;q=0.3, application/json;q=0.5", TEXT),
        (b"text/html;q=0", TEXT),
        (b"*/*;q=0", TEXT),
        # No weights: their ranges are not there.
        (b"text/html;q=2", TEXT),
        (b"text/html;q=-1, application/json;q=0.1", JSON),
        (b"text/html;q=0.1234, application/json;q=.5", TEXT),
        (b"text/html;q=nan", TEXT),
        # What is quoted asks for nothing.
        (b'text/plain;a=", text/html,", application/json;q=0.1', TEXT),
        (b"html, text, */html, *", TEXT),
    ],
)
def test_the_form_that_is_wanted_most(accept, wanted):
    assert prefers(accept, OFFERS) == wanted


@given(st.one_of(st.binary(), st.text('*/;q=01.," \ttexhmlapicnjso').map(str.encode)))
def test_any_field_gets_one_of_the_offers(accept):
    assert prefers(accept, OFFERS) in OFFERS


def test_a_field_without_an_end_is_not_read_to_its_end():
    """60,000 values kept the loop from everybody else for 78 ms."""
    assert len(weights(b"," * 60_000)) == 64
    assert prefers(b"a/b," * 63 + b"text/html", OFFERS) == HTML
    assert prefers(b"a/b," * 64 + b"text/html", OFFERS) == TEXT
    assert len(weights(b"text/html" + b";a" * 30_000)) == 1
    assert prefers(b"text/html;a;b;c;d;e;f;g;q=0.1, text/plain;q=0.2", OFFERS) == TEXT


def test_a_page_is_for_browsers():
    assert wants_html(FIREFOX)
    assert wants_html(CHROMIUM)
    assert not wants_html(b"*/*")
    assert not wants_html(None)
