"""Listings: what is in them, in which order, in which form, and that names stay names."""

import json
import os
import re
from urllib.parse import unquote_to_bytes

import pytest
from listings import HOSTILE, HTML, JSON, Listing, ask, at, make, text_of

from openssl_serve.errors import HttpError
from openssl_serve.handlers import listing_page
from openssl_serve.handlers.entries import Order, parse_order, shown


@pytest.fixture
def root(tmp_path):
    folder = tmp_path / "root"
    folder.mkdir()
    return folder


def test_hostile_names_stay_names(root):
    for name in HOSTILE:
        at(root, name).touch()
    (root / "plain").touch()
    listing = Listing(ask(root))
    harmless = Listing(ask(root, query=b"?sort=size"))

    found = {row["href"]: row["name"] for row in listing.rows}
    wanted = {*HOSTILE, b"plain"}
    assert {unquote_to_bytes(href.removeprefix("./")) for href in found} == wanted
    assert {unquote_to_bytes(href[2:]): name for href, name in found.items()} == {
        name: shown(name) for name in wanted
    }
    # Nothing a browser could read as a scheme, a query, a fragment or a way up.
    assert all(re.fullmatch(r"\./[\w.~%-]+", href, re.ASCII) for href in found)
    assert listing.tags == harmless.tags
    assert "img" not in listing.tags
    assert not any(name.startswith("on") or name == "style" for name in listing.attributes)


def test_hostile_names_of_folders_stay_names_in_the_path(root):
    for name in HOSTILE:
        at(root, name).mkdir()
    at(root, b"plain").mkdir()
    harmless = Listing(ask(root, names=(b"plain",)))
    for name in HOSTILE:
        listing = Listing(ask(root, names=(name,)))

        assert listing.crumbs == [("../", "my.dev.local:8080"), (None, shown(name))]
        assert listing.tags == harmless.tags


def test_a_name_is_one_line_of_text(root):
    for name in HOSTILE:
        at(root, name).touch()
    for accept in (None, b"*/*", b"text/plain", b"image/png"):
        response = ask(root, accept)

        assert b"Content-Type: text/plain; charset=utf-8\r\n" in response.head
        lines = text_of(response).split("\n")
        assert sorted(lines) == sorted([*map(shown, HOSTILE), ""])
        # Nothing here moves a terminal's cursor.
        assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]", text_of(response))


def test_json_has_the_promised_shape(root):
    make(root, docs=-1, a_txt=5)
    at(root, b"line\nbreak \xff").touch()
    os.utime(at(root, b"line\nbreak \xff"), (0, 0))
    response = ask(root, JSON)

    assert b"Content-Type: application/json\r\n" in response.head
    assert json.loads(text_of(response)) == {
        "path": "/",
        "entries": [
            {"name": "docs", "kind": "folder", "size": None, "modified": "2023-11-14T22:13:20Z"},
            {"name": "a.txt", "kind": "file", "size": 5, "modified": "2023-11-13T22:13:20Z"},
            {
                "name": "line\nbreak \ufffd",
                "kind": "file",
                "size": 0,
                "modified": "1970-01-01T00:00:00Z",
            },
        ],
    }
    inside = json.loads(text_of(ask(root, JSON, names=(b"docs",))))
    assert inside == {"path": "/docs/", "entries": []}


@pytest.mark.parametrize("accept", [None, HTML, JSON])
def test_caches_are_told_that_there_are_other_forms(root, accept):
    assert b"Vary: Accept\r\n" in ask(root, accept).head
    assert b"Cache-Control: no-cache\r\n" in ask(root, accept).head


@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        (b"", "Docs/ zoo/ A1 a2 a10 B.txt"),
        (b"?sort=name&order=asc", "Docs/ zoo/ A1 a2 a10 B.txt"),
        (b"?sort=name&order=desc", "zoo/ Docs/ B.txt a10 a2 A1"),
        (b"?sort=size&order=desc", "Docs/ zoo/ a10 B.txt A1 a2"),
        (b"?sort=size&order=asc", "Docs/ zoo/ A1 a2 B.txt a10"),
        (b"?sort=date&order=desc", "zoo/ Docs/ a10 a2 A1 B.txt"),
        (b"?order=asc&sort=date", "Docs/ zoo/ B.txt A1 a2 a10"),
        (b"?sort=<script>&order=1", "Docs/ zoo/ A1 a2 a10 B.txt"),
        (b"?&&=&sort", "Docs/ zoo/ A1 a2 a10 B.txt"),
    ],
)
def test_sorted_as_asked_in_every_form(root, query, wanted):
    make(root, zoo=-1, a10=9, a2=1, A1=1, B_txt=5, Docs=-1)

    assert Listing(ask(root, HTML, query)).names == wanted.split()
    assert text_of(ask(root, None, query)).split() == wanted.split()
    entries = json.loads(text_of(ask(root, JSON, query)))["entries"]
    assert [entry["name"] for entry in entries] == wanted.replace("/", "").split()


def test_links_sort_without_any_script(root):
    """Each head leads to its own order, and the one in use to the other way round."""
    make(root, a=1, b=2, docs=-1)
    heads = Listing(ask(root)).heads

    assert [head.get("aria-sort") for head in heads] == ["ascending", None, None]
    assert [parse_order(head["href"].encode()) for head in heads] == [
        Order("name", descending=True),
        Order("size", descending=True),
        Order("date", descending=True),
    ]
    again = Listing(ask(root, query=heads[1]["href"].encode()))
    assert again.names == ["docs/", "b", "a"]
    assert [head.get("aria-sort") for head in again.heads] == [None, "descending", None]
    assert parse_order(again.heads[1]["href"].encode()) == Order("size", descending=False)


def test_an_order_is_kept_on_the_way(root):
    make(root, sub=-1, file=1)
    (root / "sub" / "deep").mkdir()
    listing = Listing(ask(root, query=b"?sort=size&order=desc", names=(b"sub",)))

    order = "?sort=size&order=desc"
    assert [(row["kind"], row["href"]) for row in listing.rows] == [
        ("u", "../" + order),
        ("d", "./deep/" + order),
    ]
    assert listing.crumbs == [("../" + order, "my.dev.local:8080"), (None, "sub")]


def test_breadcrumbs_lead_to_every_folder_above(root):
    (root / "a b" / "ü#?" / "c").mkdir(parents=True)
    listing = Listing(ask(root, names=(b"a b", "ü#?".encode(), b"c")))

    assert listing.crumbs == [
        ("../../../", "my.dev.local:8080"),
        ("../../", "a b"),
        ("../", "ü#?"),
        (None, "c"),
    ]
    assert [row["href"] for row in listing.rows if row["kind"] == "u"] == ["../"]


def test_the_top_has_nothing_above(root):
    listing = Listing(ask(root))

    assert listing.crumbs == [(None, "my.dev.local:8080")]
    assert listing.rows == []
    assert "This folder is empty." in listing.text
    assert "Nothing here" not in listing.text


def test_sizes_for_people_and_exact_ones(root):
    make(root, a=1536, b=12)
    listing = Listing(ask(root))

    assert [row["cells"][1] for row in listing.rows] == ["1,536 bytes", "12 bytes"]
    assert "1.5 KiB" in listing.text
    assert "2 files, 1.5 KiB" in listing.text
    assert [row["time"] for row in listing.rows] == ["2023-11-14T22:13:20Z", "2023-11-13T22:13:20Z"]


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1.0 KiB"),
        (1024**2 - 1, "1.0 MiB"),
        (1024**3 - 1, "1.0 GiB"),
        (1024**4, "1.0 TiB"),
        (5000 * 1024**4, "5000.0 TiB"),
    ],
)
def test_a_size_has_at_most_four_digits_before_the_unit(size, text):
    assert listing_page.human_size(size) == text


def test_a_long_folder_is_cut_with_a_word(root, monkeypatch):
    monkeypatch.setattr(listing_page, "MAX_ENTRIES", 3)
    make(root, a=1, b=5, c=3, d=4)
    listing = Listing(ask(root, query=b"?sort=size&order=desc"))

    # Cut after it was sorted: the largest of all.
    assert listing.names == ["b", "d", "c"]
    # Where it is read before ten thousand rows are.
    assert listing.text.index("Only the first 3 of 4 are shown.") < listing.text.index("Name")
    assert "4 files" in listing.text
    # The script leaves the sorting to the server then.
    assert "data-whole" not in listing.attributes
    assert len(text_of(ask(root, None)).split()) == 4
    assert len(json.loads(text_of(ask(root, JSON)))["entries"]) == 4


def test_what_is_not_served_is_not_listed(root):
    make(root, a_txt=1)
    for name in (".env", "server.key"):
        (root / name).touch()
    (root / "out").symlink_to(root.parent)
    (root / "dangling").symlink_to("nowhere")
    os.mkfifo(root / "pipe")

    assert Listing(ask(root)).names == ["a.txt"]
    assert text_of(ask(root, None)) == "a.txt\n"


def test_a_folder_that_went_away_is_not_found(root):
    with pytest.raises(HttpError) as caught:
        ask(root, names=(b"gone",))

    assert caught.value.status == 404
