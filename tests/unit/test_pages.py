"""Error pages, and the policy that every page of ours is sent with."""

import base64
import hashlib
import re
import subprocess
import sys
from html.parser import HTMLParser

import pytest

from openssl_serve.errors import HttpError
from openssl_serve.http1.response import Response
from openssl_serve.pages import error_page, load

STATUSES = (
    400, 401, 403, 404, 405, 408, 412, 413, 414, 416, 421, 426, 429, 431,
    500, 501, 502, 503, 504, 505,
)  # fmt: skip

TEXTS = {"listing": ["title", "crumbs", "heads", "up", "rows", "whole", "cut", "empty", "count"]}
TEXTS["error"] = ["status", "phrase", "message", "advice"]
TEXTS["waiting"] = ["status", "phrase", "message", "advice"]
TEXTS["anchor"] = [
    "host", "name", "ends", "fingerprint", "what", "danger", "notices", "places", "base",
    "firefox", "firefox_linux", "ios_never", "ios_hidden", "android_never", "android_hidden",
    *(f"{device}_open" for device in ("ios", "android", "macos", "windows", "linux")),
]  # fmt: skip


def fields_of(response: Response) -> dict[str, str]:
    lines = response.head.decode().split("\r\n")[1:]
    return dict(line.split(": ", 1) for line in lines if line)


class Words(HTMLParser):
    """The text of a page without its style, and where its links lead."""

    def __init__(self, page: bytes) -> None:
        super().__init__()
        self.text = ""
        self.links: list[str | None] = []
        self.tags: list[str] = []
        self.feed(page.decode())
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.links += [value for name, value in attrs if tag == "a" and name == "href"]

    def handle_data(self, data):
        if self.tags[-1:] != ["style"]:
            self.text += data


def page(status, message="something is so"):
    response = error_page(HttpError(status, message), html=True)
    assert isinstance(response.body, bytes)
    return response, Words(response.body)


@pytest.mark.parametrize("name", TEXTS)
def test_the_policy_allows_the_very_style_and_script_of_the_page(name):
    """Hashed here as a browser does it: from what stands between the tags."""
    text = load(name).fill(**dict.fromkeys(TEXTS[name], "")).decode()
    policy = dict(load(name).fields)[b"Content-Security-Policy"].decode()
    found = dict(item.strip().split(" ", 1) for item in policy.split(";"))

    for tag in ("script", "style"):
        contents = re.findall(f"<{tag}>(.*?)</{tag}>", text, re.DOTALL)
        hashes = [hashlib.sha256(content.encode()).digest() for content in contents]
        wanted = " ".join(f"'sha256-{base64.b64encode(value).decode()}'" for value in hashes)
        assert found[f"{tag}-src"] == (wanted or "'none'")
    assert found["default-src"] == "'none'"
    assert "unsafe" not in policy


@pytest.mark.parametrize("name", TEXTS)
def test_nothing_comes_from_elsewhere_and_nothing_is_inline_but_what_is_hashed(name):
    text = load(name).fill(**dict.fromkeys(TEXTS[name], "")).decode()

    outside = re.sub(r"<(style|script)>.*?</\1>", "", text, flags=re.DOTALL)
    assert not re.search(r"\s(on\w+|style|src)=", outside)
    without_namespaces = text.replace("http://www.w3.org/2000/svg", "")
    assert not re.search(r"https?:|@import|url\((?!\"data:)", without_namespaces)


@pytest.mark.parametrize("status", STATUSES)
def test_an_error_page_is_small_and_says_what_happened(status):
    response, words = page(status)

    assert len(response.body) < 4096
    assert str(status) in words.text
    assert "omething is so." in words.text
    assert fields_of(response)["Cache-Control"] == "no-store"
    assert fields_of(response)["X-Content-Type-Options"] == "nosniff"


def test_404_leads_to_the_top():
    assert page(404)[1].links == ["/"]


def test_421_says_what_to_start_the_server_with():
    message = "evil.example is not served here; --allow-host evil.example allows it"
    words = page(421, message)[1]

    assert "evil.example is not served here." in words.text
    assert "start the server with --allow-host evil.example." in words.text


def test_a_message_is_text():
    response, words = page(400, '<script>alert(1)</script> & "x" ${status}; --<b>')

    assert b"<script" not in response.body
    assert '<script>alert(1)</script> & "x" ${status}.' in words.text
    assert "script" not in words.tags


def test_who_wants_no_page_gets_a_line():
    response = error_page(HttpError(404, "there is nothing here"), html=False)

    assert response.body == b"404 Not Found: there is nothing here\n"
    assert fields_of(response)["Content-Type"] == "text/plain; charset=utf-8"


def test_a_start_pays_for_no_page():
    """Nothing is read, hashed or imported for a page before one is wanted."""
    code = (
        "import sys, openssl_serve.handlers.files as f; from openssl_serve import pages;"
        "print(pages.load.cache_info().currsize,"
        " *({'html', 'string', 'hashlib', 'json', 'importlib.resources',"
        "    'openssl_serve.handlers.listing_page'} & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout == "0\n"
