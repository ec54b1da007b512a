"""Makes scripts/screenshots/*.png: listing, error page and page for phones, light, dark and narrow.

Needs a Chromium. Everything it starts uses folders of its own and a free port.
"""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from openssl_serve import LocalCA, ensure_certificate, running_server
from openssl_serve.api import LogFormat, ServerOptions

PICTURES = Path(__file__).with_name("screenshots")
HOST = "my.dev.local"
ADDRESS = "192.168.1.7"
PHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605 Safari/604"
CHROMIUM = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--hide-scrollbars", "--ignore-certificate-errors", "--virtual-time-budget=3000",
)  # fmt: skip

LONG = (
    "a very long name that somebody gave to a file because it could be done, and which has to be "
    "wrapped somewhere.txt"
)
# Name, bytes, minutes after the day began.
FILES = (
    ("assets/logo.svg", 2_311, 520),
    ("assets/fonts/inter.woff2", 102_868, 521),
    ("notes/2026-11-01.md", 1_204, 60),
    ("release candidates/rc1.tar.gz", 8_224, 90),
    ("CHANGELOG.md", 18_230, 870),
    ("app.js", 48_127, 961),
    ("app.css", 9_410, 958),
    ("background.webp", 284_919, 402),
    ("chapter 2.pdf", 1_843_200, 131),
    ("chapter 10.pdf", 2_411_724, 133),
    ("interview.flac", 31_862_400, 215),
    ("manifest.webmanifest", 612, 955),
    ("site-backup.tar.gz", 73_400_320, 12),
    ("teaser.mp4", 18_874_368, 700),
    ("Übersicht der Größen.csv", 5_512, 845),
    ("פרויקט.txt", 934, 312),
    (LONG, 77, 44),
    ("LICENSE", 1_071, 5),
)  # fmt: skip


class Shot(NamedTuple):
    """A picture: of which page, how wide and high, and whether at night."""

    name: str
    path: str
    width: int
    height: int
    dark: bool = False
    plain: bool = False
    """Over plain HTTP, at ADDRESS, by a phone."""


SHOTS = (
    Shot("listing-light", "site/", 1100, 1060),
    Shot("listing-dark", "site/?sort=size&order=desc", 1100, 1060, dark=True),
    Shot("listing-phone", "site/", 390, 844),
    Shot("error-light", "nothing", 1100, 520),
    Shot("error-dark", "nothing", 1100, 520, dark=True),
    Shot("error-phone", "nothing", 390, 844),
    Shot("trust-phone", ".well-known/openssl-serve/", 390, 1160, plain=True),
    Shot("trust-phone-dark", ".well-known/openssl-serve/", 390, 1160, dark=True, plain=True),
)


def fill(root: Path) -> None:
    """Make a folder that looks like one of somebody's."""
    day = datetime(2026, 11, 20, tzinfo=UTC).timestamp()
    for name, size, minute in FILES:
        path = root / "site" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as file:
            # Sparse: only the size is looked at.
            file.truncate(size)
        for changed in (path, *path.relative_to(root).parents):
            os.utime(root / changed, (day, day + 60 * minute))


def take(shot: Shot, port: int, chromium: str, folder: Path) -> None:
    """Have *chromium* take one picture."""
    picture = PICTURES / f"{shot.name}.png"
    subprocess.run(
        [
            chromium, *CHROMIUM, f"--user-data-dir={folder / shot.name}",
            f"--window-size={shot.width},{shot.height}", f"--screenshot={picture}",
            f"--host-resolver-rules=MAP {HOST} 127.0.0.1:{port}, MAP {ADDRESS} 127.0.0.1:{port}",
            *([f"--user-agent={PHONE}"] if shot.plain else []),
            # 0 is dark and 1 is light.
            f"--blink-settings=preferredColorScheme={int(not shot.dark)}",
            f"http://{ADDRESS}:8080/{shot.path}" if shot.plain else f"https://{HOST}/{shot.path}",
        ],
        check=True, timeout=60, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        env=os.environ | {"TZ": "UTC", "HOME": str(folder)},
    )  # fmt: skip
    print(picture, picture.stat().st_size, "bytes")


def main() -> int:
    """Take all pictures."""
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        print("no chromium in PATH", file=sys.stderr)
        return 1
    PICTURES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        folder = Path(name)
        root = folder / "root"
        fill(root)
        data = folder / "data"
        # Whose local CA it is, on the pictures.
        os.environ["LOGNAME"], socket.gethostname = "anna", lambda: "laptop"
        LocalCA(data)
        certificate = ensure_certificate(HOST, ADDRESS, "annas-laptop.local", folder=data)
        options = ServerOptions(offer_anchor=True, log_format=LogFormat.NONE)
        with running_server(root, certificate=certificate, options=options) as server:
            for shot in SHOTS:
                take(shot, server.address[1], chromium, folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
