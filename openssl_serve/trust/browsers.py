"""Where browsers of this user have their certificate databases; looks, and changes nothing.

The places move: Chromium from 146 on makes ~/.local/share/pki/nssdb unless ~/.pki/nssdb is there,
Firefox from 147 on makes new profiles below ~/.config; snap and flatpak have homes of their own.
"""

import configparser
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from openssl_serve.paths import users_home
from openssl_serve.programs import find_program

DATABASE = "cert9.db"
"""The file that makes a folder a database. (cert8.db is of Firefox before 58, which is of 2018.)"""

_CHROMIUMS = (
    "chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "brave-browser",
    "microsoft-edge", "microsoft-edge-stable", "vivaldi", "vivaldi-stable", "opera",
)  # fmt: skip
"""Programs that read the home's database."""

_FIREFOX_FOLDERS = (
    ("Firefox", ".mozilla/firefox"),
    ("Firefox (snap)", "snap/firefox/common/.mozilla/firefox"),
    ("Firefox (snap)", "snap/firefox/common/.config/mozilla/firefox"),
    ("Firefox (flatpak)", ".var/app/org.mozilla.firefox/.mozilla/firefox"),
    ("Firefox (flatpak)", ".var/app/org.mozilla.firefox/config/mozilla/firefox"),
    ("Firefox", "Library/Application Support/Firefox"),
    # The same browser under other names.
    ("LibreWolf", ".librewolf"),
    ("LibreWolf (flatpak)", ".var/app/io.gitlab.librewolf-community/.librewolf"),
    ("Waterfox", ".waterfox"),
    ("Zen", ".zen"),
)
"""Folders in the home that have profiles.ini, or profiles."""


class Database(NamedTuple):
    """The folder of one database, and whose it is. It is there, or to be made."""

    browser: str
    folder: Path


def databases() -> list[Database]:
    """The databases of this user's browsers, each once."""
    home = users_home()
    if home is None:
        return []
    found: dict[Path, Database] = {}
    for database in (*_chromiums(home), *_firefoxes(home)):
        # Profiles are found by two ways; snap's `current` is a link.
        found.setdefault(_real(database.folder), database)
    return list(found.values())


def is_database(folder: Path) -> bool:
    """Whether one is there, as far as this user can see."""
    return os.path.exists(folder / DATABASE)


def _chromiums(home: Path) -> Iterator[Database]:
    if sys.platform == "darwin":
        # There they read the keychain.
        return
    old = home / ".pki/nssdb"
    new = _folder_of("XDG_DATA_HOME", home / ".local/share") / "pki/nssdb"
    there = [folder for folder in (old, new) if is_database(folder)]
    if not there and any(map(find_program, _CHROMIUMS)):
        # The old place is read by all of them, the new one by new ones alone.
        there = [old]
    yield from (Database("Chromium", folder) for folder in there)
    for current in sorted(home.glob("snap/*/current")):
        folders = [current / ".pki/nssdb", current / ".local/share/pki/nssdb"]
        present = [folder for folder in folders if is_database(folder)]
        if not present and current.parent.name == "chromium":
            present = folders[:1]
        yield from (Database(f"{current.parent.name} (snap)", folder) for folder in present)
    for pattern in (".var/app/*/.pki/nssdb", ".var/app/*/data/pki/nssdb"):
        for file in sorted(home.glob(f"{pattern}/{DATABASE}")):
            application = file.relative_to(home).parts[2]
            yield Database(f"{application} (flatpak)", file.parent)


def _firefoxes(home: Path) -> Iterator[Database]:
    moved = _folder_of("XDG_CONFIG_HOME", home / ".config") / "mozilla/firefox"
    folders = [(name, home / folder) for name, folder in _FIREFOX_FOLDERS]
    for browser, folder in [*folders, ("Firefox", moved)]:
        for profile in (*_named_profiles(folder), *_profiles_below(folder)):
            if is_database(profile):
                yield Database(browser, profile)


def _named_profiles(folder: Path) -> Iterator[Path]:
    """The profiles in profiles.ini, which may be anywhere."""
    parser = configparser.ConfigParser(interpolation=None, strict=False)
    try:
        parser.read(folder / "profiles.ini", encoding="utf-8")
    except (configparser.Error, OSError, UnicodeError):
        # Not ours to mend; most profiles are in the folder anyhow.
        return
    for section in parser.sections():
        path = parser.get(section, "Path", fallback="")
        if section.startswith("Profile") and path:
            # An absolute path replaces the folder.
            yield folder / path


def _profiles_below(folder: Path) -> Iterator[Path]:
    for pattern in (f"*/{DATABASE}", f"Profiles/*/{DATABASE}"):
        yield from (file.parent for file in sorted(folder.glob(pattern)))


def _folder_of(variable: str, default: Path) -> Path:
    """The XDG base directory; a relative path does not count (its specification)."""
    named = Path(os.environ.get(variable, ""))
    return named if named.is_absolute() else default


def _real(path: Path) -> Path:
    return Path(os.path.realpath(path))
