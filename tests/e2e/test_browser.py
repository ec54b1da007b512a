"""One page in headless Chromium: TLS, HTTP and a secure context, in the judgement of a browser."""

import base64
import hashlib
import json
import re
import subprocess
from pathlib import Path

import pytest

from e2e.chromium import MARKS, PROGRAM
from e2e.clients import openssl
from e2e.command import Command

pytestmark = MARKS

PAGE = """<!doctype html>
<meta charset="utf-8"><title>A page</title>
<link rel="icon" href="data:,"><link rel="stylesheet" href="style.css">
<p id="found">nothing</p>
<script type="module">
import { word } from "./module.js";
const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode("abc"));
const hex = [...new Uint8Array(digest)].map(byte => byte.toString(16).padStart(2, "0")).join("");
const part = await fetch("data.bin", { headers: { Range: "bytes=1-2" } });
document.getElementById("found").textContent = JSON.stringify({
    module: word, secure: isSecureContext, subtle: hex, origin: location.origin,
    protocol: performance.getEntriesByType("navigation")[0].nextHopProtocol,
    part: [part.status, await part.text()],
    display: getComputedStyle(document.getElementById("found")).display,
});
</script>
"""


def load(url: str, profile: Path, *options: str) -> tuple[str, str]:
    """The DOM after *url* was loaded, and what Chromium complains of.

    my.dev.local leads to this machine, and no other name anywhere.
    """
    done = subprocess.run(
        [
            PROGRAM, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic",
            "--no-first-run", "--disable-background-networking", "--disable-component-update",
            "--disable-sync", "--no-proxy-server", f"--user-data-dir={profile}",
            "--host-resolver-rules=MAP my.dev.local 127.0.0.1, MAP * ~NOTFOUND",
            "--virtual-time-budget=10000", *options, "--dump-dom", url,
        ],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=50, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout, done.stderr


def spki_sha256(cert: Path) -> str:
    """The name that Chromium has for a key: base64 of the SHA-256 of its SPKI."""
    pem = openssl("x509", "-in", cert, "-noout", "-pubkey")
    der = base64.b64decode("".join(pem.splitlines()[1:-1]))
    return base64.b64encode(hashlib.sha256(der).digest()).decode()


@pytest.fixture
def site(command: Command) -> Path:
    """A page with a style sheet, a module and a file to fetch a part of."""
    (command.site / "index.html").write_text(PAGE)
    (command.site / "style.css").write_text("#found { display: inline-block }")
    (command.site / "module.js").write_text('export const word = "imported";')
    (command.site / "data.bin").write_text("abcd")
    return command.site


def test_a_page_is_a_secure_context_with_all_that_belongs_to_it(
    command: Command, site: Path
) -> None:
    """The key is excused for being unknown, and by plain http the redirect is followed."""
    with command.start("--cert-host", "my.dev.local") as running:
        port = running.port
        dom, complaints = load(
            f"http://my.dev.local:{port}/",
            command.folder / "profile",
            f"--ignore-certificate-errors-spki-list={spki_sha256(command.cert)}",
        )

    found = re.search(r'<p id="found">(.*)</p>', dom)
    assert found, dom + complaints
    assert json.loads(found[1]) == {
        "module": "imported",
        "secure": True,
        # FIPS 180-2, appendix B.1.
        "subtle": "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
        "origin": f"https://my.dev.local:{port}",
        "protocol": "http/1.1",
        "part": [206, "bc"],
        "display": "inline-block",
    }


def test_without_trust_it_is_the_authority_that_chromium_does_not_know(
    command: Command, site: Path
) -> None:
    """And not ERR_CERT_INVALID, _WEAK_KEY or _DATE_INVALID: nothing that trust would not mend."""
    with command.start("--cert-host", "my.dev.local") as running:
        url = f"https://my.dev.local:{running.port}/"
        dom, complaints = load(url, command.folder / "profile")

    assert "imported" not in dom
    assert "ERR_CERT_AUTHORITY_INVALID" in dom + complaints
