"""What reaches a terminal, what reaches a pipe, and the line that says what takes long."""

import io
import re
import sys

import pytest
from terminals import ESCAPE, terminal

from openssl_serve.cli import render


@pytest.fixture
def screen(monkeypatch):
    """A terminal, with nothing said about colours."""
    for name in ("NO_COLOR", "FORCE_COLOR", "CLICOLOR", "CLICOLOR_FORCE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    with terminal(columns=60) as found:
        yield found


@pytest.fixture
def use_screen(screen, monkeypatch):
    """Call it to have `screen` as stdout and stderr; pytest sets its own before each test."""

    def use():
        monkeypatch.setattr(sys, "stdout", screen.stream)
        monkeypatch.setattr(sys, "stderr", screen.stream)

    return use


@pytest.mark.parametrize(
    ("environment", "on_terminal", "in_pipe"),
    [
        ({}, True, False),
        ({"NO_COLOR": "1"}, False, False),
        ({"NO_COLOR": ""}, True, False),
        ({"TERM": "dumb"}, False, False),
        ({"CLICOLOR": "0"}, False, False),
        ({"CLICOLOR": "1"}, True, False),
        ({"FORCE_COLOR": "1"}, True, True),
        ({"FORCE_COLOR": "3", "TERM": "dumb"}, True, True),
        ({"FORCE_COLOR": "0"}, True, False),
        ({"FORCE_COLOR": ""}, True, False),
        ({"CLICOLOR_FORCE": "1"}, True, True),
        ({"CLICOLOR_FORCE": "1", "CLICOLOR": "0"}, True, True),
        ({"CLICOLOR_FORCE": "0"}, True, False),
        ({"NO_COLOR": "1", "FORCE_COLOR": "1", "CLICOLOR_FORCE": "1"}, False, False),
    ],
)
def test_who_gets_colours(screen, environment, on_terminal, in_pipe):
    assert render.wants_colour(screen.stream, environment) is on_terminal
    assert render.wants_colour(io.StringIO(), environment) is in_pipe


def test_an_error_in_colours_says_what_it_says_without(screen, use_screen, monkeypatch):
    use_screen()
    render.error("it is broken", "mend it")
    coloured = screen.written()
    monkeypatch.setenv("NO_COLOR", "1")
    render.error("it is broken", "mend it")

    plain = screen.written()
    assert ESCAPE in coloured
    assert plain == re.sub(r"\x1b\[[0-9;]*m", "", coloured)
    assert plain == "openssl-serve: error: it is broken\nopenssl-serve: hint: mend it\n"


def test_stdout_and_stderr_are_asked_each_for_itself(use_screen, monkeypatch):
    """`openssl-serve list >file`: a file gets no colours because stderr is a terminal."""
    use_screen()
    monkeypatch.setattr(sys, "stdout", io.StringIO())

    assert render.paint("due", "yellow") == "due"
    assert render.style("due", "yellow") == "\x1b[1;33mdue\x1b[0m"


class TestProgress:
    def test_is_there_while_it_lasts_and_then_no_more(self, screen, use_screen):
        use_screen()
        with render.progress("making a key"):
            during = screen.written()
        after = screen.written()

        assert during == "making a key ..."
        assert after == "\r\x1b[K"

    def test_other_lines_are_written_above_it(self, screen, use_screen):
        use_screen()
        with render.progress("making a key"):
            render.note("by the way")
            render.result("a result")

        erase = "\r\x1b[K"
        assert screen.written() == (
            f"making a key ...{erase}by the way\nmaking a key ...{erase}a result\n"
            f"making a key ...{erase}"
        )

    def test_goes_away_with_an_error(self, screen, use_screen):
        use_screen()
        with pytest.raises(ValueError, match="no key"), render.progress("making a key"):
            raise ValueError("no key")
        render.error("no key")

        assert screen.written().endswith("\x1b[K\x1b[1;31mopenssl-serve: error:\x1b[0m no key\n")

    def test_one_in_another_says_nothing_more(self, screen, use_screen):
        use_screen()
        with render.progress("making a key"), render.progress("asking openssl"):
            pass

        assert screen.written() == "making a key ...\r\x1b[K"

    def test_stays_in_one_row(self, screen, use_screen):
        """A second row could not be erased."""
        use_screen()
        with render.progress("making a key for " + "a" * 100):
            during = screen.written()

        assert len(during) < 60
        assert during.startswith("making a key for a")

    def test_stays_where_nothing_can_be_erased(self, screen, use_screen, monkeypatch):
        use_screen()
        monkeypatch.setenv("TERM", "dumb")
        with render.progress("making a key"):
            render.note("by the way")

        assert screen.written() == "making a key ...\nby the way\n"

    @pytest.mark.parametrize("forced", [{}, {"FORCE_COLOR": "1"}])
    def test_is_not_for_a_pipe(self, capsys, monkeypatch, forced):
        for name, value in forced.items():
            monkeypatch.setenv(name, value)
        with render.progress("making a key"):
            render.note("by the way")

        assert capsys.readouterr() == ("", "by the way\n")
