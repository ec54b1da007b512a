"""Tables in terminals of every width, and in pipes."""

import sys

import pytest
from terminals import terminal

from openssl_serve.cli import render
from openssl_serve.cli.layout import width_of
from openssl_serve.cli.tables import table

ROWS = [
    ("HOST", "OTHER NAMES", "DAYS LEFT"),
    ("my.dev.local", "localhost, 127.0.0.1, ::1", "396"),
    ("a.test", "", "7 due"),
]


@pytest.fixture
def printed(monkeypatch):
    """What a table of *rows* looks like on a terminal of *columns*."""
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.delenv("COLUMNS", raising=False)

    def show(rows, columns, **options):
        with terminal(columns) as screen:
            monkeypatch.setattr(sys, "stdout", screen.stream)
            # shutil asks the stream that Python began with, which pytest has taken.
            monkeypatch.setattr(sys, "__stdout__", screen.stream)
            table(rows, **options)
            return screen.written()

    return show


def test_columns(printed):
    assert printed(ROWS, 80).splitlines() == [
        "HOST          OTHER NAMES                DAYS LEFT",
        "my.dev.local  localhost, 127.0.0.1, ::1  396",
        "a.test                                   7 due",
    ]


def test_the_widest_column_gives_way(printed):
    assert printed(ROWS, 45).splitlines() == [
        "HOST          OTHER NAMES           DAYS LEFT",
        "my.dev.local  localhost,….0.1, ::1  396",
        "a.test                              7 due",
    ]


def test_sentences_are_broken_and_not_cut(printed):
    rows = [("yes", "Safari", "trust its CA, then flip the trust switch"), ("no", "rustls", "")]

    assert printed(rows, 40, indent="  ", header=False, wrap=True).splitlines() == [
        "  yes  Safari  trust its CA, then flip",
        "               the trust switch",
        "  no   rustls",
    ]
    assert printed([("WHY",), (f"/{'a' * 30} is not writable",)], 20, wrap=True).splitlines() == [
        "WHY", "/aaaaaaaaa…aaaaaaaaa", "is not writable",
    ]  # fmt: skip


@pytest.mark.parametrize("columns", range(37, 60))
def test_no_row_is_wider_than_the_terminal(printed, columns):
    assert max(map(len, printed(ROWS, columns).splitlines())) <= columns


@pytest.mark.parametrize("columns", [10, 30, 36])
def test_where_columns_do_not_fit_each_cell_has_a_line_and_its_name(printed, columns):
    assert printed(ROWS, columns).splitlines() == [
        "host: my.dev.local",
        "other names: localhost, 127.0.0.1, ::1",
        "days left: 396",
        "",
        "host: a.test",
        "days left: 7 due",
    ]


def test_without_a_header_there_are_no_names(printed):
    rows = [("yes", "browsers", "give it to them"), ("no", "rustls", "it never accepts this")]

    assert printed(rows, 20, indent="  ", header=False).splitlines() == [
        "  yes", "  browsers", "  give it to them", "", "  no", "  rustls",
        "  it never accepts this",
    ]  # fmt: skip


def test_a_pipe_gets_everything(capsys):
    table([("NAME",), ("a" * 500,)])

    assert capsys.readouterr().out == f"NAME\n{'a' * 500}\n"


def test_nothing_is_printed_of_nothing(capsys):
    table([])

    assert capsys.readouterr().out == ""


def test_wide_characters_take_two_columns(printed):
    rows = [("ISSUER", "KEY"), ("認証局", "P-256"), ("ca", "RSA")]

    assert printed(rows, 80).splitlines() == ["ISSUER  KEY", "認証局  P-256", "ca      RSA"]
    cut = printed([("認証局" * 20, "P-256")], 40, header=False)
    assert width_of(cut.rstrip("\n")) <= 40
    assert cut.endswith("  P-256\n")


def test_colours_take_no_columns(printed, monkeypatch):
    monkeypatch.delenv("NO_COLOR")
    monkeypatch.setenv("FORCE_COLOR", "1")
    rows = [("DAYS", "KEY"), (render.paint("-3 expired", "red"), "P-256"), ("396", "RSA")]

    assert printed(rows, 80).splitlines() == [
        "DAYS        KEY",
        "\x1b[31m-3 expired\x1b[0m  P-256",
        "396         RSA",
    ]


def test_no_cell_writes_to_the_terminal_but_text(printed):
    """The name of a foreign issuer may hold anything."""
    rows = [("ISSUED BY",), ("\x1b]0;title\x07\x1b[2Jevil\nline",)]

    assert printed(rows, 80).splitlines() == ["ISSUED BY", r"\x1b]0;title\x07\x1b[2Jevil\nline"]
