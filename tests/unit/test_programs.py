"""Where programs are found, and how to come by one that is not."""

import os

import pytest

from openssl_serve import programs
from openssl_serve.programs import candidates, find_program, how_to_install


@pytest.fixture
def folders(tmp_path, monkeypatch):
    """Two folders in PATH, and one for administrators."""
    places = [tmp_path / name for name in ("first", "second", "sbin")]
    for place in places:
        place.mkdir()
    monkeypatch.setenv("PATH", f"{places[0]}:{places[1]}")
    monkeypatch.setattr(programs, "_ADMINISTRATORS", (str(places[2]),))
    return places


def put(folder, name="tool", mode=0o755):
    path = folder / name
    path.touch(mode)
    return path


def test_all_of_a_name_in_the_order_of_path(folders):
    second, first = put(folders[1]), put(folders[0])
    put(folders[2])

    assert candidates("tool") == [first, second]
    assert find_program("tool") == str(first)


def test_only_what_can_be_run_is_a_program(folders):
    put(folders[0], mode=0o644)
    (folders[1] / "tool").mkdir()

    assert candidates("tool") == []
    assert find_program("tool") is None


def test_where_administrators_have_theirs(folders):
    path = put(folders[2])

    assert candidates("tool") == []
    assert find_program("tool") == str(path)


@pytest.mark.parametrize("entry", ["", ".", "here"])
def test_nothing_is_looked_for_from_the_current_folder(folders, tmp_path, monkeypatch, entry):
    (tmp_path / "here").mkdir()
    put(tmp_path)
    put(tmp_path / "here")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", f"{entry}:{os.environ['PATH']}")

    assert candidates("tool") == []
    assert find_program("tool") is None


@pytest.mark.parametrize(
    ("manager", "hint"),
    [
        ("apt-get", "install a: apt install a-tools"),
        ("dnf", "install a: dnf install a"),
        ("pacman", "install a: pacman -S a"),
        ("zypper", "install a: zypper install a"),
        ("apk", "install a: apk add a"),
        ("brew", "install a: brew install a"),
    ],
)
@pytest.mark.parametrize("place", [0, 2], ids=["in PATH", "for administrators"])
def test_the_hint_is_what_this_system_would_type(folders, manager, hint, place):
    put(folders[place], manager)

    assert how_to_install("a", {"apt-get": "a-tools"}) == hint


def test_the_hint_where_no_manager_is_known(folders):
    assert how_to_install("a") == "install a with the package manager of this system"
