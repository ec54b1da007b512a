"""Where text is broken on terminals of every width, and that it is not broken in pipes."""

import io

import pytest
from terminals import terminal

from openssl_serve.cli.layout import hanging, width_of, wrapped

FINGERPRINT = ":".join(["AB"] * 32)


def shown(columns, head, text):
    """What *head* and *text* look like on a terminal of *columns*."""
    with terminal(columns) as screen:
        return hanging(head, text, screen.stream).splitlines()


def test_a_text_stands_below_itself():
    assert shown(40, "folder", "/home/you/site is private and writable") == [
        "folder /home/you/site is private and",
        "       writable",
    ]


def test_a_text_that_fits_is_one_line():
    assert shown(40, "folder", "is private") == ["folder is private"]


def test_colours_take_no_columns():
    assert shown(40, "\x1b[1;34mfolder\x1b[0m", "a" * 20 + " " + "b" * 20) == [
        "\x1b[1;34mfolder\x1b[0m " + "a" * 20,
        "       " + "b" * 20,
    ]


def test_a_path_is_left_whole_for_who_copies_it():
    path = "/home/you/" + "a" * 60

    assert shown(40, "key file", f"it is {path} here") == [
        "key file it is", f"         {path}", "         here",
    ]  # fmt: skip


def test_a_fingerprint_is_halves_or_quarters_where_it_does_not_fit():
    assert wrapped(FINGERPRINT, 95) == [FINGERPRINT]
    first, second = wrapped(FINGERPRINT, 94)
    assert (first + second, len(first), len(second)) == (FINGERPRINT, 48, 47)
    quarters = wrapped(FINGERPRINT, 47)
    assert ("".join(quarters), [*map(len, quarters)]) == (FINGERPRINT, [24, 24, 24, 23])


@pytest.mark.parametrize("columns", range(36, 80))
def test_no_line_is_wider_than_the_terminal(columns):
    lines = shown(columns, "folder", "some words of no great length, one after another, " * 5)

    assert max(map(width_of, lines)) <= columns
    assert all(line.startswith("       ") for line in lines[1:])


def test_where_there_is_no_room_the_terminal_breaks_it():
    assert len(shown(30, "folder", "a word and another word, " * 3)) == 1


def test_a_pipe_gets_one_line():
    assert hanging("folder", "a word " * 50, io.StringIO()) == "folder " + "a word " * 50
