"""The installed command on a real terminal, and in a pipe: colours, widths, and what takes long."""

import re

import pytest
from terminals import ESCAPE, Seen, on_terminal

from e2e.command import INSTALLED, Command

ERASED = re.compile(r"making an RSA 2048 key \.\.\.\r\x1b\[K")


def seen(
    command: Command, *words: str, columns: int = 80, environment: dict[str, str] | None = None
) -> Seen:
    """What a user sees of it on a terminal."""
    variables = command.environment | {"TERM": "xterm-256color"} | (environment or {})
    return on_terminal([INSTALLED, *words], variables, command.site, columns)


def test_making_an_rsa_key_is_said_on_a_terminal_alone(command: Command) -> None:
    words = ("generate", "my.dev.local", "--key-type", "rsa2048")
    shown = seen(command, *words)
    piped = command.run(*words, "--force", environment={"FORCE_COLOR": "1"})

    assert shown.code == 0
    assert ERASED.search(shown.text)
    assert ERASED.sub("", shown.text).splitlines() == [
        "made: no certificate yet", str(command.cert), str(command.key),
    ]  # fmt: skip
    assert "making an" not in piped.stderr + piped.stdout
    assert seen(command, *words).lines[-2:] == [str(command.cert), str(command.key)]


def test_a_key_that_takes_no_time_is_not_spoken_of(command: Command) -> None:
    assert "making an" not in seen(command, "generate", "my.dev.local").text


def test_a_new_rsa_key_for_a_renewal(command: Command) -> None:
    command.run("generate", "my.dev.local", "--key-type", "rsa2048")

    assert not ERASED.search(seen(command, "renew", "my.dev.local").text)
    assert ERASED.search(seen(command, "renew", "my.dev.local", "--new-key").text)


def test_the_list_is_as_wide_as_the_terminal(command: Command) -> None:
    command.run("generate", "my.dev.local")
    wide = seen(command, "list", columns=120)
    narrow = seen(command, "list", columns=75)
    column = seen(command, "list", columns=40)
    piped = command.run("list", environment={"COLUMNS": "40"})

    assert wide.lines[1].startswith("my.dev.local  localhost, 127.0.0.1, ::1  364")
    assert max(map(len, narrow.lines)) <= 75
    assert "…" in narrow.lines[1]
    assert column.lines[:3] == [
        "host: my.dev.local", "other names: localhost, 127.0.0.1, ::1", "days left: 364",
    ]  # fmt: skip
    assert piped.stdout.splitlines() == wide.lines


def test_what_is_to_be_read_is_broken_between_words_and_not_cut(command: Command) -> None:
    command.run("generate", "my.dev.local")
    for words in (("show", "my.dev.local"), ("verify", "my.dev.local")):
        narrow = seen(command, *words, environment={"NO_COLOR": "1"})
        piped = command.run(*words)
        # The halves of a fingerprint are read as one.
        said = re.sub(r":\s+", ":", narrow.text).split()

        assert "…" not in narrow.text
        assert sorted(said) == sorted(re.sub(r":\s+", ":", piped.stdout + piped.stderr).split())


@pytest.mark.parametrize(
    ("environment", "coloured"),
    [
        ({}, True),
        ({"NO_COLOR": "1"}, False),
        ({"TERM": "dumb"}, False),
        ({"CLICOLOR": "0"}, False),
    ],
)
def test_colours_on_a_terminal(
    command: Command, environment: dict[str, str], coloured: bool
) -> None:
    refused = seen(command, "--port", "none", environment=environment)
    looked = seen(command, "doctor", environment=environment)

    for shown in (refused, looked):
        assert (ESCAPE in shown.text) is coloured
    assert "error:" in refused.text
    assert re.search(r"^(\x1b\[32m)?ok  (\x1b\[0m)? openssl", looked.text, re.MULTILINE)


@pytest.mark.parametrize("words", [("doctor",), ("--help",), ("verify", "x.test"), ("--porrt",)])
def test_no_escape_codes_in_a_pipe(command: Command, words: tuple[str, ...]) -> None:
    """Unless they are asked for."""
    piped = command.run(*words, environment={"TERM": "xterm"})
    forced = command.run(*words, environment={"FORCE_COLOR": "1"})

    assert ESCAPE not in piped.stdout + piped.stderr
    assert re.sub(r"\x1b\[[0-9;]*m", "", forced.stdout + forced.stderr) == (
        piped.stdout + piped.stderr
    )
    assert ESCAPE in forced.stdout + forced.stderr
