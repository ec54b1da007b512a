"""What /proc says, and starting a command through the door to all programs."""

import errno
import os
import subprocess
import sys

import pytest

from openssl_serve import tools
from openssl_serve.child import processes as module
from openssl_serve.child.processes import Process, family, is_alive, parse_stat, processes

linux = pytest.mark.skipif(sys.platform != "linux", reason="/proc")


def test_a_command_has_our_streams_its_own_group_and_only_the_given_environment(fp):
    recorder = fp.register(["npm", "run", "dev"])

    tools.start_in_group(["npm", "run", "dev"], {"PORT": "1"})

    assert recorder.first_call.kwargs == {"env": {"PORT": "1"}, "process_group": 0}


def test_a_guard_has_a_session_of_its_own_and_holds_no_terminal(fp):
    recorder = fp.register(["/bin/sh", "-c", tools._GUARD, "openssl-serve", "4242"])

    tools.Guard(4242).release()

    kwargs = recorder.first_call.kwargs
    assert kwargs["start_new_session"]
    assert kwargs["stdin"] == subprocess.PIPE
    assert kwargs["stdout"] == kwargs["stderr"] == subprocess.DEVNULL


@pytest.mark.parametrize("name", ["a", "a b", "a) S 9 9 (", "", ")", "ü"])
def test_the_name_of_a_process_may_hold_anything(name):
    assert parse_stat(f"42 ({name}) R 7 40 40 0 -1") == Process(42, "R", 7, 40)


@linux
def test_this_process_is_among_them():
    mine = next(process for process in processes() if process.pid == os.getpid())

    assert (mine.parent, mine.group, mine.is_over) == (os.getppid(), os.getpgrp(), False)


def tree(monkeypatch, *found):
    monkeypatch.setattr(module, "processes", lambda: [Process(*each) for each in found])


def test_a_family_is_the_group_and_all_that_descends_from_it(monkeypatch):
    tree(
        monkeypatch,
        (1, "S", 0, 1), (10, "S", 1, 10), (11, "S", 10, 10), (12, "S", 11, 12), (13, "Z", 12, 13),
        (14, "S", 1, 10), (20, "S", 1, 20),
    )  # fmt: skip

    assert family(10) == {10, 11, 12, 13, 14}
    assert family(99) == set()


@pytest.mark.parametrize(
    ("found", "alive"),
    [
        ([(10, "S", 1, 10)], True),
        ([(10, "Z", 1, 10), (11, "T", 1, 10)], True),
        ([(10, "Z", 1, 10), (11, "S", 1, 11)], False),
        # Hidden from us, or not Linux: nobody can say that it is over.
        ([], True),
    ],
)
def test_who_has_ended_and_was_not_waited_for_is_not_alive(monkeypatch, found, alive):
    tree(monkeypatch, *found)

    assert is_alive(10) is alive


def test_without_proc_nothing_is_known(monkeypatch, tmp_path):
    monkeypatch.setattr(module, "Path", lambda _name: tmp_path / "proc")

    assert processes() == []


def test_without_a_descriptor_nothing_is_known_for_the_moment(monkeypatch):
    class Full:
        def iterdir(self):
            raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(module, "Path", lambda _name: Full())

    assert processes() == []
