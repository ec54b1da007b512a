import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openssl_serve.errors import HttpError
from openssl_serve.http1.targets import encode_target, origin_form, split_absolute


@pytest.mark.parametrize(
    ("target", "authority", "path"),
    [
        (b"http://a.test/x?y", b"a.test", b"/x?y"),
        (b"HTTPS://a.test:80", b"a.test:80", b"/"),
        (b"http://a.test?x=/1", b"a.test", b"/?x=/1"),
        (b"http://a.test#/x", b"a.test", b"/#/x"),
        (b"http://[::1]:8/", b"[::1]:8", b"/"),
        (b"http://a.test//evil", b"a.test", b"//evil"),
        (b"http:///x", b"", b"/x"),
    ],
)
def test_an_absolute_target_is_taken_apart(target, authority, path):
    assert split_absolute(target) == (authority, path)


@pytest.mark.parametrize(
    ("target", "path"),
    [(b"/a?b", b"/a?b"), (b"/a#b?c", b"/a"), (b"//x", b"//x"), (b"http://a#f", b"/")],
)
def test_origin_form_has_no_fragment(target, path):
    assert origin_form(target) == path


@pytest.mark.parametrize("target", [b"*", b"a.test:443", b"ftp://a/", b"javascript:x", b"", b"x"])
def test_a_target_without_a_path_is_refused(target):
    with pytest.raises(HttpError) as caught:
        origin_form(target)

    assert caught.value.status == 400


@pytest.mark.parametrize(
    ("target", "encoded"),
    [
        (b"/a/b?x=1&y=%2F", b"/a/b?x=1&y=%2F"),
        (b"/%zz%", b"/%zz%"),
        (b"/\\evil.com", b"/%5Cevil.com"),
        (b"/%5cevil", b"/%5cevil"),
        (b'/"<>^`{|}', b"/%22%3C%3E%5E%60%7B%7C%7D"),
        (b"/caf\xc3\xa9", b"/caf%C3%A9"),
        (b"/!$%&'()*+,/:;=?@[]~", b"/!$%&'()*+,/:;=?@[]~"),
    ],
)
def test_only_what_no_uri_may_hold_is_encoded(target, encoded):
    assert encode_target(target) == encoded


@given(st.binary())
def test_an_encoded_target_can_stand_in_a_field(target):
    encoded = encode_target(target)

    assert re.fullmatch(rb"[\x21-\x7e]*", encoded)
    assert b"\\" not in encoded
    assert encode_target(encoded) == encoded
