"""Programs that are asked something and answer: what comes back, and what they cannot reach."""

import sys

import pytest
from processes import wait_until_ended

from openssl_serve.tools import Output, capture


def test_what_it_said_and_how_it_left():
    script = "echo $GREETING; echo oh >&2; exit 3"

    assert capture(["sh", "-c", script], {"GREETING": "hello"}, 20) == Output(3, "hello\n", "oh\n")


def test_it_can_ask_nobody():
    """Neither by its input nor by the terminal that this process may have."""
    done = capture(["sh", "-c", "cat; cat </dev/tty"], {"LC_ALL": "C"}, 20)

    assert done is not None
    assert done.stdout == ""
    assert "/dev/tty" in done.stderr


def test_bytes_that_are_no_text_are_no_error():
    done = capture([sys.executable, "-c", "import os; os.write(1, b'a\\xff')"], {}, 20)

    assert done is not None
    assert done.stdout == "a\ufffd"


def test_it_is_killed_in_time(tmp_path):
    """With what it has started, which would go on with a trust store that is given up."""
    pid = tmp_path / "pid"

    assert capture(["sh", "-c", f"sleep 60 & echo $! >{pid}; sleep 60"], {}, 0.5) is None

    wait_until_ended(int(pid.read_text()))


def test_what_cannot_be_started():
    with pytest.raises(FileNotFoundError):
        capture(["/nowhere/program"], {}, 20)
