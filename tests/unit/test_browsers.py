"""Homes as browsers leave them: where their databases are, each found once."""

import sys
from pathlib import Path

import pytest
from processes import NOBODY, in_child

from openssl_serve.trust import browsers
from openssl_serve.trust.browsers import databases


@pytest.fixture
def home(users_home, monkeypatch):
    """A home of a user who has no browser's program."""
    monkeypatch.setattr(browsers, "find_program", lambda _name: None)
    return users_home


def database(folder):
    folder.mkdir(parents=True)
    (folder / "cert9.db").touch()
    return folder


def found():
    return [(each.browser, each.folder) for each in databases()]


def test_nothing_in_an_empty_home(home):
    assert found() == []


@pytest.mark.parametrize("place", ["/nonexistent", None])
def test_nothing_for_who_has_no_home(home, monkeypatch, place):
    """Not even a database to be made."""
    monkeypatch.setattr(browsers, "find_program", lambda name: name == "chromium")
    if place:
        monkeypatch.setenv("HOME", place)
    else:
        monkeypatch.setattr(Path, "home", _no_home)

    assert found() == []


def _no_home():
    raise RuntimeError("Could not determine home directory.")


def test_what_may_not_be_looked_into_is_not_found(public, monkeypatch):
    monkeypatch.setenv("HOME", str(public))
    monkeypatch.setattr(browsers, "find_program", lambda _name: None)
    root = public / ".mozilla/firefox"
    root.mkdir(parents=True)
    (root / "profiles.ini").write_text(f"[Profile0]\nPath={public}/theirs/b\nIsRelative=0\n")
    database(public / "theirs/b")
    (public / "theirs").chmod(0o700)
    database(root / "a")

    assert in_child(found, user=NOBODY) == [("Firefox", root / "a")]


class TestChromium:
    def test_the_old_place_the_new_one_and_both(self, home):
        new = database(home / ".local/share/pki/nssdb")
        assert found() == [("Chromium", new)]

        old = database(home / ".pki/nssdb")
        assert found() == [("Chromium", old), ("Chromium", new)]

    def test_the_new_place_moves_with_the_xdg_variable(self, home, monkeypatch):
        monkeypatch.setenv("XDG_DATA_HOME", str(home / "share"))
        moved = database(home / "share/pki/nssdb")
        assert found() == [("Chromium", moved)]

        monkeypatch.setenv("XDG_DATA_HOME", "share")
        assert found() == []

    @pytest.mark.parametrize("program", ["chromium", "google-chrome-stable", "brave-browser"])
    def test_it_is_made_where_every_version_looks(self, home, monkeypatch, program):
        monkeypatch.setattr(browsers, "find_program", lambda name: name == program)
        assert found() == [("Chromium", home / ".pki/nssdb")]

    def test_it_is_not_made_beside_one_that_is_there(self, home, monkeypatch):
        """A new ~/.pki/nssdb would hide the other one from new versions."""
        monkeypatch.setattr(browsers, "find_program", lambda name: name == "chromium")
        new = database(home / ".local/share/pki/nssdb")

        assert found() == [("Chromium", new)]

    def test_an_empty_folder_is_no_database_yet(self, home, monkeypatch):
        (home / ".pki/nssdb").mkdir(parents=True)
        assert found() == []

    def test_snaps_have_a_home_for_each_revision(self, home):
        revision = home / "snap/chromium/2890"
        revision.mkdir(parents=True)
        (home / "snap/chromium/current").symlink_to("2890")
        current = home / "snap/chromium/current"
        assert found() == [("chromium (snap)", current / ".pki/nssdb")]

        new = database(current / ".local/share/pki/nssdb")
        assert found() == [("chromium (snap)", new)]

    def test_snaps_that_are_no_chromium(self, home):
        (home / "snap/vlc/current").mkdir(parents=True)
        brave = database(home / "snap/brave/current/.pki/nssdb")

        assert found() == [("brave (snap)", brave)]

    def test_flatpaks(self, home):
        (home / ".var/app/org.gimp.GIMP/data").mkdir(parents=True)
        old = database(home / ".var/app/com.google.Chrome/.pki/nssdb")
        new = database(home / ".var/app/com.brave.Browser/data/pki/nssdb")

        assert found() == [
            ("com.google.Chrome (flatpak)", old),
            ("com.brave.Browser (flatpak)", new),
        ]

    def test_on_macos_it_reads_the_keychain(self, home, monkeypatch):
        database(home / ".pki/nssdb")
        monkeypatch.setattr(sys, "platform", "darwin")
        assert found() == []


class TestFirefox:
    @pytest.mark.parametrize(
        ("browser", "root"),
        [
            ("Firefox", ".mozilla/firefox"),
            ("Firefox", ".config/mozilla/firefox"),
            ("Firefox (snap)", "snap/firefox/common/.mozilla/firefox"),
            ("Firefox (flatpak)", ".var/app/org.mozilla.firefox/.mozilla/firefox"),
            ("Firefox (flatpak)", ".var/app/org.mozilla.firefox/config/mozilla/firefox"),
            ("Firefox", "Library/Application Support/Firefox/Profiles"),
            ("LibreWolf", ".librewolf"),
        ],
    )
    def test_profiles_below_every_root(self, home, browser, root):
        profiles = [database(home / root / name) for name in ("a1.default", "b2.dev-edition")]
        (home / root / "c3.never-started").mkdir()

        assert found() == [(browser, profile) for profile in profiles]

    def test_new_profiles_move_with_the_xdg_variable(self, home, monkeypatch):
        monkeypatch.setenv("XDG_CONFIG_HOME", str(home / "conf"))
        profile = database(home / "conf/mozilla/firefox/a.default")

        assert found() == [("Firefox", profile)]

    def test_profiles_ini_names_some_that_are_elsewhere(self, home):
        root = home / ".mozilla/firefox"
        inside = database(root / "a.default")
        deeper = database(root / "work/b")
        elsewhere = database(home / "elsewhere/c")
        (root / "profiles.ini").write_text(
            "[Install4F96D1932A9F858E]\nDefault=a.default\n\n"
            "[Profile2]\nName=c\nIsRelative=0\n"
            f"Path={elsewhere}\n\n"
            "[Profile1]\nName=100%\nIsRelative=1\nPath=work/b\n\n"
            "[Profile0]\nName=default\nIsRelative=1\nPath=a.default\nDefault=1\n\n"
            "[Profile3]\nName=gone\nIsRelative=1\nPath=gone\n\n"
            "[General]\nStartWithLastProfile=1\nVersion=2\n"
        )

        assert found() == [("Firefox", each) for each in (elsewhere, deeper, inside)]

    @pytest.mark.parametrize("content", [b"no section\n", b"\xff\xfe", b"[Profile0]\n= x\n"])
    def test_a_broken_profiles_ini_hides_nothing(self, home, content):
        root = home / ".mozilla/firefox"
        profile = database(root / "a.default")
        (root / "profiles.ini").write_bytes(content)

        assert found() == [("Firefox", profile)]

    def test_one_database_by_two_ways_is_one(self, home):
        profile = database(home / ".mozilla/firefox/a.default")
        (home / ".config/mozilla").mkdir(parents=True)
        (home / ".config/mozilla/firefox").symlink_to(home / ".mozilla/firefox")

        assert found() == [("Firefox", profile)]
