"""Folders that are hard to list, and a listing page as somebody reads it."""

import os
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from openssl_serve.handlers.folder import Folder
from openssl_serve.handlers.listing import list_folder
from openssl_serve.http1.request import Peer, Request
from openssl_serve.http1.response import Response

HTML = b"text/html,application/xhtml+xml,*/*;q=0.8"
JSON = b"application/json"

HOSTILE = [
    b"<script>alert(1)<!--.html",
    b'"><img src=x onerror=alert(1)>',
    b"' onmouseover='alert(1)",
    b"<svg onload=alert(1)><table><h1>x",
    b"<!-- --><![CDATA[",
    b"javascript:alert(1)",
    b"data:text,html",
    b"line\nbreak\r\ttab",
    b"\x1b[31mred\x7f",
    b"100%",
    b"%2e%2e%2f",
    b"a#b?c=d&amp;e",
    b"${rows} $$ $x",
    b"back\\slash",
    b" two  spaces ",
    b"not utf-8 \xff\xfe",
    "photo\u202egpj.exe".encode(),
    "c1 \u009b ls \u2028".encode(),
    "grün 日本 😀".encode(),
    b"n" * 255,
    b"-rf",
    b"~",
]


def at(root: Path, name: bytes) -> Path:
    return Path(os.fsdecode(os.fsencode(root) + b"/" + name))


def make(root: Path, **sizes: int) -> None:
    """Files of these sizes, each a day older than the one before; size -1 is a folder."""
    for number, (name, size) in enumerate(sizes.items()):
        path = root / name.replace("_", ".")
        if size < 0:
            path.mkdir()
        else:
            path.write_bytes(b"x" * size)
        os.utime(path, (0, 1_700_000_000 - 86_400 * number))


def ask(
    root: Path, accept: bytes | None = HTML, query: bytes = b"", names: tuple[bytes, ...] = ()
) -> Response:
    fields = [(b"Host", b"my.dev.local:8080")]
    if accept is not None:
        fields.append((b"Accept", accept))
    target = b"/" + b"".join(name + b"/" for name in names) + query
    request = Request(b"GET", target, fields, Peer("127.0.0.1", "127.0.0.1", 1, secure=True))
    return list_folder(Folder(root), list(names), request)


def text_of(response: Response) -> str:
    assert isinstance(response.body, bytes)
    return response.body.decode()


class Listing(HTMLParser):
    """A listing page as somebody reads it who follows the tags and nothing else."""

    def __init__(self, response: Response) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.rows: list[dict[str, Any]] = []
        self.heads: list[dict[str, Any]] = []
        self.crumbs: list[tuple[str | None, str]] = []
        self.text = ""
        self._open: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text_of(response))
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given: dict[str, Any] = dict(attrs)
        self.tags.add(tag)
        self.attributes |= given.keys()
        if tag == "tr" and given.get("class"):
            self.rows.append({"kind": given["class"], "name": "", "cells": []})
        elif tag == "th":
            self.heads.append(given)
        elif tag == "td" and "data-k" not in given:
            self.rows[-1]["cells"].append(given.get("title"))
        elif tag == "li":
            self.crumbs.append((None, ""))
        elif tag == "time":
            self.rows[-1]["time"] = given["datetime"]
        elif tag == "a":
            inside = [open_tag for open_tag, _ in self._open]
            if "li" in inside:
                self.crumbs[-1] = (given["href"], "")
            elif "th" in inside:
                self.heads[-1]["href"] = given["href"]
            else:
                self.rows[-1]["href"] = given["href"]
        if tag not in ("meta", "link", "input", "td", "tr"):
            self._open.append((tag, given))

    def handle_endtag(self, tag: str) -> None:
        while self._open and self._open.pop()[0] != tag:
            pass

    def handle_data(self, data: str) -> None:
        inside = [tag for tag, _ in self._open]
        if "style" in inside or "script" in inside:
            return
        if inside[-1:] == ["bdi"]:
            if "li" in inside:
                self.crumbs[-1] = (self.crumbs[-1][0], self.crumbs[-1][1] + data)
            else:
                self.rows[-1]["name"] += data
        self.text += data

    @property
    def names(self) -> list[str]:
        return [row["name"] for row in self.rows if row["kind"] != "u"]
