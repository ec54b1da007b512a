"""Programs side by side: what comes back, and that none is left."""

import os
import sys
import threading
from typing import Any

import pytest
from processes import ended, wait_until_ended

from openssl_serve.tools import Crew, Output


def test_what_is_typed_and_what_it_says():
    with Crew(20) as crew:
        done = crew.capture(["sh", "-c", "cat; echo $A >&2; exit 3"], {"A": "oh"}, b"hello")

    assert done == Output(3, "hello", "oh\n")


def test_what_nobody_reads_is_no_error():
    with Crew(20) as crew:
        assert crew.capture(["true"], {}, b"x" * 1_000_000) == Output(0, "", "")


def test_it_can_ask_nobody():
    with Crew(20) as crew:
        done = crew.capture(["sh", "-c", "cat </dev/tty"], {"LC_ALL": "C"})

    assert done is not None
    assert "/dev/tty" in done.stderr


def test_the_time_is_that_of_all_together(tmp_path):
    """And what a program has started ends with it."""
    pids = tmp_path / "pids"
    with Crew(0.5) as crew:
        assert crew.capture(["sh", "-c", f"sleep 60 & echo $! >{pids}; sleep 60"], {}) is None
        assert crew.capture(["sleep", "60"], {}) is None

    wait_until_ended(int(pids.read_text()))


def test_none_outlives_the_block(tmp_path):
    """As after Ctrl-C: whoever waits for a program gets it back."""
    pids = tmp_path / "pids"
    os.mkfifo(pids)
    got: list[Any] = []
    with Crew(60) as crew:
        thread = threading.Thread(
            target=lambda: got.append(crew.capture(["sh", "-c", f"echo $$ >{pids}; sleep 60"], {}))
        )
        thread.start()
        pid = int(pids.read_text())
    thread.join(20)

    assert not thread.is_alive()
    assert got[0].exit_code < 0
    assert ended(pid)
    # And none is started after it.
    assert crew.capture(["true"], {}) is None


def test_what_cannot_be_started():
    with Crew(20) as crew, pytest.raises(FileNotFoundError):
        crew.capture(["/nowhere/program"], {})


def test_bytes_that_are_no_text_are_no_error():
    with Crew(20) as crew:
        done = crew.capture([sys.executable, "-c", "import os; os.write(1, b'a\\xff')"], {})

    assert done is not None
    assert done.stdout == "a\ufffd"
