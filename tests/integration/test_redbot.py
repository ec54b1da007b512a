"""redbot, which asks each resource again and again, with conditions, ranges and codings.

Over plain HTTP and on an address: it does its own name resolution, without localhost.
"""

import gzip
import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from openssl_serve import api
from openssl_serve.handlers.decorations import Decorations, parse_header
from openssl_serve.handlers.folder import FolderOptions
from openssl_serve.hosts import parse_host
from openssl_serve.http1.response import Response

pytestmark = pytest.mark.skipif(not find_spec("redbot"), reason="no redbot")

EXAMINE = Path(__file__).parents[1] / "examine.py"
HTML = [("Accept", "text/html")]
CONDITIONAL = {"If-None-Match", "If-Modified-Since"}
FILE = CONDITIONAL | {"Range"}
# What is asked for, the status, what redbot must have found to work.
RESOURCES = {
    "text": ("/long.txt", [], 200, FILE | {"gzip"}),
    "page": ("/page.html", HTML, 200, FILE | {"gzip"}),
    "clean URL": ("/page", HTML, 200, FILE | {"gzip"}),
    "index": ("/sub/", HTML, 200, FILE | {"gzip"}),
    "with a gzip sibling": ("/app.js", [], 200, FILE | {"gzip"}),
    "too large to be compressed": ("/large.txt", [], 200, FILE),
    "bytes": ("/large.bin", [], 200, FILE),
    "unknown type": ("/unknown", [], 200, FILE),
    "empty": ("/empty.txt", [], 200, CONDITIONAL),
    "a name of many scripts": ("/%E6%97%A5%20a%25b.txt", [], 200, FILE | {"gzip"}),
    "listing": ("/", HTML, 200, {"gzip"}),
    "listing as text": ("/", [], 200, set()),
    "listing as JSON": ("/", [("Accept", "application/json")], 200, set()),
    "missing": ("/nothing.js", [], 404, set()),
    "missing, as a page": ("/nothing", HTML, 404, set()),
    "to the slash": ("/sub", [], 301, set()),
}

NO_VALIDATOR = (
    "This response cannot be served from cache without validation, and doesn't have a validator."
)
ACCEPTED = {
    # Made anew each time: to know that a listing is the same, all of it would have to be made.
    "listing": {NO_VALIDATOR},
    "listing as text": {NO_VALIDATOR},
    "listing as JSON": {NO_VALIDATOR},
}
"""All that it finds, where that is as it should be."""

WITH_A_SCRIPT = {"page", "clean URL", "index"}
"""What --live-reload changes, and then sends as it is."""


@pytest.fixture
def site(root):
    text = "All work and no play. " * 500
    (root / "sub").mkdir()
    for name in ("long.txt", "page.html", "sub/index.html", "app.js", "日 a%b.txt"):
        (root / name).write_text(f"<!doctype html><title>x</title>{text}")
    (root / "app.js.gz").write_bytes(gzip.compress((root / "app.js").read_bytes()))
    (root / "large.txt").write_text(text * 500)
    (root / "large.bin").write_bytes(os.urandom(300_000))
    (root / "unknown").write_bytes(os.urandom(20_000))
    (root / "empty.txt").touch()
    for path in root.rglob("*"):
        # What has just changed is not kept, and may change again within the same second.
        os.utime(path, (1_700_000_000, 1_700_000_000))
    return root


def examined(port, resources):
    """What redbot says of each: name → status, error, able, notes."""
    wanted = {
        name: (f"http://127.0.0.1:{port}{target}", fields)
        for name, (target, fields, *_) in resources.items()
    }
    done = subprocess.run(
        [sys.executable, EXAMINE], input=json.dumps(wanted), capture_output=True, text=True,
        timeout=50, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found.keys() == wanted.keys()
    return found


OPTIONS: dict[str, dict[str, Any]] = {
    "as it is": {},
    "cached and decorated": {
        "folder": FolderOptions(cache_s=60),
        "decorations": Decorations(
            (parse_header("X-One: 1"),), cors=True, cross_origin_isolated=True, hsts=True
        ),
    },
    "live reload": {"folder": FolderOptions(live_reload=True)},
}


@pytest.mark.parametrize("options", OPTIONS)
def test_finds_nothing_to_say_against_any_resource(serve, site, options):
    running = serve(
        plain_http=api.PlainHttp.SERVE,
        allow_hosts=[parse_host("127.0.0.1")],
        **OPTIONS[options],
    )

    found = examined(running.port, RESOURCES)

    faults = {}
    for name, (_, _, status, needed) in RESOURCES.items():
        said, able = found[name], set(needed)
        assert (said["status"], said["error"]) == (status, ""), name
        if options == "live reload" and name in WITH_A_SCRIPT:
            able.remove("gzip")
        works = {what for what, works in said["able"].items() if works}
        bad = {summary for level, summary in said["notes"] if level in {"BAD", "WARN"}}
        if bad - ACCEPTED.get(name, set()) or works != able:
            faults[name] = (bad, works ^ able)
    assert faults == {}


def test_it_does_find_what_is_wrong(serve):
    """Validators that nothing is compared with, and a range that is not the one asked for."""

    def handler(request):
        fields = [(b"ETag", b'"1"'), (b"Accept-Ranges", b"bytes"), (b"Content-Type", b"text/plain")]
        if request.get(b"range"):
            return Response(206, (*fields, (b"Content-Range", b"bytes 0-1/100")), b"xx")
        return Response(200, fields, b"content " * 100)

    said = examined(serve(plain=handler).port, {"wrong": ("/", [], 200)})["wrong"]

    assert said["able"] == dict.fromkeys(said["able"], False)
    assert "BAD" in {level for level, _ in said["notes"]}
