import mimetypes

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openssl_serve.handlers.media_types import BINARY, TEXT, media_type


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("index.html", b"text/html; charset=utf-8"),
        ("INDEX.HTM", b"text/html; charset=utf-8"),
        ("app.js", b"text/javascript; charset=utf-8"),
        ("app.mjs", b"text/javascript; charset=utf-8"),
        ("style.css", b"text/css; charset=utf-8"),
        ("data.json", b"application/json"),
        ("app.wasm", b"application/wasm"),
        ("app.js.map", b"application/json"),
        ("site.webmanifest", b"application/manifest+json"),
        ("picture.svg", b"image/svg+xml"),
        ("font.woff2", b"font/woff2"),
        ("a.tar.gz", b"application/gzip"),
        ("notes.txt", b"text/plain; charset=utf-8"),
        ("README", b"application/octet-stream"),
        ("html", b"application/octet-stream"),
        ("x.", b"application/octet-stream"),
        ("x.no-such-type", b"application/octet-stream"),
        ("x.html~", b"application/octet-stream"),
        ("a.html.\udcff", b"application/octet-stream"),
        ("x.doc", b"application/msword"),
    ],
)
def test_the_type_of_a_file_is_told_by_its_name(name, kind):
    assert media_type(name) == kind


def test_the_system_is_not_asked(monkeypatch):
    """Where its table says text/plain for .js, browsers refuse module scripts (cpython 106900)."""
    monkeypatch.setattr(mimetypes, "knownfiles", ["/nowhere"])
    monkeypatch.setattr(mimetypes, "guess_type", lambda *_: ("text/wrong", None))

    assert media_type("app.js") == b"text/javascript; charset=utf-8"
    assert media_type("x.doc") == b"application/msword"


@given(st.text(alphabet=st.characters(exclude_characters="/\0")).map("x.{}".format))
def test_no_name_can_break_a_field(name):
    assert media_type(name).decode("ascii").isprintable()


def test_no_extension_has_two_types():
    assert not TEXT.keys() & BINARY.keys()
    assert all(key == key.lower() for key in (*TEXT, *BINARY))
