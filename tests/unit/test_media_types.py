import mimetypes

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openssl_serve.handlers.media_types import (
    BEGINNING,
    BINARY,
    TEXT,
    media_type,
    type_of_beginning,
)


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
        ("README", None),
        ("html", None),
        ("x.", None),
        ("x.no-such-type", None),
        ("x.html~", None),
        ("a.html.\udcff", None),
        ("x.doc", b"application/msword"),
        ("x.bin", b"application/octet-stream"),
        ("LICENSE.txt", b"text/plain; charset=utf-8"),
        ("app.py", b"text/plain; charset=utf-8"),
        ("x.n3", b"text/n3; charset=utf-8"),
        ("film.m4v", b"video/mp4"),
        ("song.flac", b"audio/flac"),
        ("map.geojson", b"application/geo+json"),
        # Python says what is inside: a tar.
        ("a.tgz", b"application/gzip"),
        ("a.tbz2", b"application/x-bzip2"),
        ("a.txz", b"application/octet-stream"),
        # TypeScript or a video.
        ("x.ts", None),
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


@pytest.mark.parametrize(
    ("beginning", "is_text"),
    [
        (b"all: a.out\n\tcc a.c\r\n", True),
        ("grün".encode() * 200, True),
        (b"\xef\xbb\xbfwith a mark", True),
        (b"\x1b[31mred\x1b[0m", True),
        (b"", False),
        (b"\x89PNG\r\n\x1a\n", False),
        (b"\x7fELF", False),
        (b"G@\0\x10", False),
        ("grün".encode("latin-1"), False),
        (b"\xff\xfea\0b\0", False),
    ],
)
def test_what_its_name_does_not_tell_its_beginning_does(beginning, is_text):
    text = b"text/plain; charset=utf-8"
    cut = beginning[:BEGINNING]

    assert type_of_beginning(cut) == (text if is_text else b"application/octet-stream")


@given(
    st.text(min_size=1, alphabet=st.characters(exclude_categories=["Cc", "Cs"])), st.integers(0, 3)
)
def test_text_is_text_wherever_it_is_cut(text, cut):
    data = text.encode()

    assert type_of_beginning(data[: max(1, len(data) - cut)]).startswith(b"text/plain")


@given(st.text(alphabet=st.characters(exclude_characters="/\0")).map("x.{}".format))
def test_no_name_can_break_a_field(name):
    assert (media_type(name) or b"").decode("ascii").isprintable()


def test_no_extension_has_two_types():
    assert not TEXT.keys() & BINARY.keys()
    assert all(key == key.lower() for key in (*TEXT, *BINARY))
