"""A command as a process group, with real processes: its status, its end, what it leaves."""

import os
import signal
import subprocess
import sys
import time

import pytest
from server_fixtures import eventually

from openssl_serve.child import command as module
from openssl_serve.child.command import Command
from openssl_serve.errors import CommandError

IGNORANT = "trap '' TERM; touch ready; while :; do sleep 0.05; done"
"""A shell that SIGTERM does not end; nor what it starts."""


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """Commands and tests stand in an empty folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def start():
    """Start commands, which are ended with the test."""
    started = []

    def start(*words, **environment):
        command = Command(words, {"PATH": os.environ["PATH"], **environment})
        started.append(command)
        return command

    yield start
    for command in started:
        end(command)


def sleep(seconds):
    time.sleep(seconds)
    return True


def end(command, grace_s=0.0, pause=sleep):
    return command.end(grace_s, pause)


def ended(command):
    """The status, once there is one."""

    def look():
        command.look()
        return command.status is not None

    eventually(look, "an end")
    return command.status


def appeared(path):
    eventually(path.exists, f"{path}")


@pytest.mark.parametrize(
    ("script", "status"),
    [("exit 0", 0), ("exit 3", 3), ("kill -s TERM $$", 143), ("kill -s KILL $$", 137),
     ("kill -s INT $$", 130)],
)  # fmt: skip
def test_its_status_is_what_a_shell_would_say(start, script, status):
    command = start("sh", "-c", script)

    assert ended(command) == status
    assert end(command) == status


def test_while_it_runs_it_has_none(start):
    command = start("sleep", "60")

    assert command.look() is None
    assert command.status is None


def test_it_writes_where_we_do(start, capfd):
    ended(start("sh", "-c", "echo out; echo err >&2"))

    assert capfd.readouterr() == ("out\n", "err\n")


def test_its_environment_is_the_one_it_is_given(start, capfd, monkeypatch):
    monkeypatch.setenv("OURS", "1")
    ended(start("env", THEIRS="2"))

    assert set(capfd.readouterr().out.splitlines()) >= {"THEIRS=2"}
    assert "OURS" not in capfd.readouterr().out


def test_it_leads_a_group_of_its_own(start):
    command = start("sleep", "60")

    assert os.getpgid(command.group) == command.group != os.getpgrp()


def test_a_signal_reaches_all_of_the_group(start, folder):
    inner = "trap 'touch inner; exit' USR1; touch ready; while :; do sleep 0.05; done"
    command = start("sh", "-c", f"trap 'touch outer' USR1; ({inner}) & wait; wait")
    appeared(folder / "ready")

    assert command.send(signal.SIGUSR1)
    appeared(folder / "inner")
    appeared(folder / "outer")


def test_nobody_is_left_to_get_a_signal(start):
    command = start("true")
    ended(command)

    assert not command.send(signal.SIGTERM)


def test_it_is_seen_that_it_was_stopped_and_goes_on(start):
    command = start("sleep", "60")
    command.send(signal.SIGSTOP)
    eventually(lambda: command.look() is signal.SIGSTOP)
    assert command.look() is None
    assert command.status is None

    command.send(signal.SIGCONT)
    command.send(signal.SIGKILL)

    assert ended(command) == 137


def refused(*words):
    with pytest.raises(CommandError) as caught:
        Command(words, {"PATH": os.environ["PATH"]})
    return caught.value


def test_a_program_that_is_nowhere():
    error = refused("no-such-program", "x")

    assert str(error) == "no-such-program: there is no such program in PATH"
    assert error.exit_code == 127


def test_a_path_that_is_nowhere():
    error = refused("./nothing")

    assert str(error) == "./nothing: no such file or directory"
    assert error.exit_code == 127


def test_a_file_that_is_no_program(folder):
    (folder / "text").write_text("no program")
    (folder / "text").chmod(0o644)

    error = refused("./text")
    assert str(error) == "./text: permission denied"
    assert error.hints == ("if it is a program: chmod +x ./text",)
    assert error.exit_code == 126

    (folder / "text").chmod(0o755)
    error = refused("./text", "a b")
    assert str(error) == "./text: exec format error"
    assert error.hints == ("if it is a script for the shell: openssl-serve run -- sh ./text 'a b'",)
    assert error.exit_code == 126


def test_a_folder_is_not_looked_for_in_the_project():
    """An absolute path has no place below node_modules."""
    error = refused("/usr")

    assert (str(error), error.hints) == ("/usr: is a folder", ())
    assert error.exit_code == 126


@pytest.mark.parametrize("place", ["./its-script", "its-script"], ids=["by path", "in PATH"])
@pytest.mark.parametrize(
    ("first_line", "named", "hint"),
    [
        (b"#!/nowhere/bin/python3\n", "/nowhere/bin/python3", "it may have been moved"),
        (b"#! /nowhere/env\tpython3 -u\n", "/nowhere/env", "it may have been moved"),
        (b"#!/bin/sh\r\n", r"/bin/sh\r", "its lines end as on Windows"),
    ],
)
def test_a_script_whose_interpreter_is_not_there(folder, place, first_line, named, hint):
    """As those of a virtual environment that was moved: the system only says ENOENT."""
    (folder / "its-script").write_bytes(first_line + b"exit\n")
    (folder / "its-script").chmod(0o755)
    path = f"{folder}:{os.environ['PATH']}"

    with pytest.raises(CommandError) as caught:
        Command([place], {"PATH": path})

    assert f'its-script: its first line names "{named}", which is not there' in str(caught.value)
    assert hint in caught.value.hints[0]
    assert caught.value.exit_code == 127


def test_what_only_shells_know():
    for words in (["cd", "a b"], [".", "venv/bin/activate"]):
        error = refused(*words)
        assert str(error) == f"{words[0]}: not a program, only shells know it"
        assert error.exit_code == 127
    assert refused("cd", "a b").hints == (
        """in a shell: openssl-serve run -- sh -c 'cd '"'"'a b'"'"''""",
    )


def test_a_variable_before_the_program():
    error = refused("PORT=3000", "npm", "start")

    assert error.hints == (
        "a variable is set by env: openssl-serve run -- env PORT=3000 npm start",
    )


def test_an_empty_word_is_said_to_be_empty():
    assert str(refused("")) == "the command is empty"


def test_nothing_runs_when_it_cannot_be_guarded(folder, fifo, monkeypatch):
    def fail(_group):
        eventually(lambda: os.path.exists("ready"))
        raise BlockingIOError(11, "Resource temporarily unavailable")

    monkeypatch.setattr("openssl_serve.tools.Guard", fail)

    error = refused("sh", "-c", HOLD + "touch ready; sleep 60")

    assert str(error) == "/bin/sh: resource temporarily unavailable"
    eventually(lambda: all_have_ended(fifo))


def test_one_word_that_was_meant_to_be_several():
    assert refused("npm run dev").hints == (
        "openssl-serve run -- npm run dev",
        "or in a shell: openssl-serve run -- sh -c 'npm run dev'",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("place", "hint"),
    [("node_modules/.bin", "npx vite-x dev"), (".venv/bin", ".venv/bin/vite-x dev")],
)
def test_a_program_of_the_project_is_named(folder, place, hint):
    (folder / place).mkdir(parents=True)
    (folder / place / "vite-x").write_text("#!/bin/sh\n")
    (folder / place / "vite-x").chmod(0o755)

    assert refused("vite-x", "dev").hints == (
        f"it is in this project: openssl-serve run -- {hint}",
    )


@pytest.fixture
def fifo(folder):
    """A FIFO that is at its end when all have ended that hold it; the shell's words to do that."""
    path = folder / "fifo"
    os.mkfifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    yield reader
    os.close(reader)


HOLD = "exec 9>fifo; "


def all_have_ended(reader):
    try:
        return os.read(reader, 1) == b""
    except BlockingIOError:
        return False


def test_what_it_leaves_behind_is_ended(start, folder, fifo):
    command = start("sh", "-c", HOLD + "(sleep 60; true) & touch ready; exit 4")
    appeared(folder / "ready")
    assert ended(command) == 4
    assert not all_have_ended(fifo)

    began = time.monotonic()
    assert end(command) == 4

    eventually(lambda: all_have_ended(fifo))
    assert time.monotonic() - began < 1


def test_what_does_not_want_to_end_is_killed(start, folder, fifo, monkeypatch):
    monkeypatch.setattr(module, "TERMINATE_GRACE_S", 0.2)
    command = start("sh", "-c", HOLD + f'sh -c "{IGNORANT}" & exit 5')
    appeared(folder / "ready")
    ended(command)

    assert end(command) == 5
    eventually(lambda: all_have_ended(fifo))


def test_a_leader_that_does_not_want_to_end_is_killed_too(start, folder, monkeypatch):
    monkeypatch.setattr(module, "TERMINATE_GRACE_S", 0.2)
    command = start("sh", "-c", IGNORANT)
    appeared(folder / "ready")

    assert end(command) == 137


STOPPABLE = """
import signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: sys.exit(6))
open("ready", "w").close()
while True:
    time.sleep(0.02)
"""


def test_what_is_stopped_is_ended(start, folder):
    # Not a shell: one that waits for its vfork to end does not stop (vfork(2)).
    command = start(sys.executable, "-c", STOPPABLE)
    appeared(folder / "ready")
    command.send(signal.SIGSTOP)
    eventually(lambda: command.look() is signal.SIGSTOP)

    assert end(command) == 6


def test_it_is_waited_for_as_long_as_is_said(start, folder):
    command = start("sh", "-c", "touch ready; sleep 0.2; exit 7")
    appeared(folder / "ready")

    assert end(command, grace_s=10) == 7


def test_a_patience_that_ends_cuts_every_wait_short(start, folder):
    command = start("sh", "-c", IGNORANT)
    appeared(folder / "ready")
    began = time.monotonic()

    assert end(command, grace_s=60, pause=lambda _seconds: False) == 137
    assert time.monotonic() - began < 1


GUARDED = """
import os, sys
from openssl_serve.child.command import Command
Command(["sh", "-c", "exec 9>fifo; touch ready; sleep 60"], {"PATH": os.environ["PATH"]})
while not os.path.exists("ready"):
    pass
os.kill(os.getpid(), 9)
"""


def test_it_does_not_outlive_us_whatever_ends_us(fifo):
    done = subprocess.run([sys.executable, "-c", GUARDED], timeout=20, check=False)

    assert done.returncode == -signal.SIGKILL
    eventually(lambda: all_have_ended(fifo))
