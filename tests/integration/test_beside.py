"""A real command beside a real server, in this process: how each learns of the other's end."""

import os
import re
import signal
import socket
import sys
import threading
import time
from pathlib import Path

import pytest
from server_fixtures import eventually

from openssl_serve import api
from openssl_serve.child import search, supervisor
from openssl_serve.child.beside import Job, run_beside
from openssl_serve.child.command import Command
from openssl_serve.child.sockets import free_address
from openssl_serve.errors import CommandError

DEADLINE_S = 20.0
"""For a program to start on a machine with much else to do."""

ENVIRONMENT = {"PATH": os.environ["PATH"]}

LISTENER = """
import os, socket, sys
with socket.create_server(("127.0.0.1", int(sys.argv[1]))) as listener:
    with open("port", "w") as file:
        file.write(str(listener.getsockname()[1]))
    while not os.path.exists("enough"):
        pass
"""

RECORDER = """
import signal, sys, time
def note(number, _frame):
    with open("signals", "a") as file:
        file.write(signal.Signals(number).name + " ")
    if number in ENDING:
        sys.exit(7)
for number in (1, 2, 3, 10, 12, 15, 28):
    signal.signal(number, note)
open("ready", "w").close()
while True:
    time.sleep(0.02)
"""


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """Commands and tests stand in an empty folder, and no test touches the terminal."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(supervisor, "END_GRACE_S", 5.0)
    monkeypatch.setattr("openssl_serve.child.beside.Terminal.controlling", lambda: None)
    return tmp_path


class Beside:
    """One run, and what was seen of it."""

    def __init__(self, root, pair):
        self._root = root
        self._pair = pair
        self.lines = []
        self.found = []
        self.server = None
        self.failure = None

    def __call__(self, *words, meanwhile=lambda: None, address=None):
        """Run *words*; *meanwhile* is called in a thread, when the server is ready."""
        options = api.ServerOptions(api.Address("127.0.0.1", 0))
        given = address or free_address()

        def call():
            try:
                meanwhile()
            except BaseException as error:  # noqa: BLE001
                self.failure = error
                os.kill(os.getpid(), signal.SIGTERM)

        thread = threading.Thread(target=call)
        with api.make_server(
            self._root, self._pair, options, write_log=self.lines.append
        ) as self.server:
            status = run_beside(
                self.server, Job(words, ENVIRONMENT, given),
                found=self.found.append, ready=thread.start,
            )  # fmt: skip
        thread.join(10)
        if self.failure:
            raise self.failure
        return status

    @property
    def log(self):
        return "".join(self.lines)


@pytest.fixture
def beside(root, pair):
    return Beside(root, pair)


def appeared(name):
    eventually(Path(name).exists, name, DEADLINE_S)


def me(number):
    os.kill(os.getpid(), number)


def recorder(*ending):
    code = RECORDER.replace("ENDING", repr(tuple(map(int, ending))))
    return sys.executable, "-c", code


def received():
    return Path("signals").read_text().split()


@pytest.mark.parametrize(
    ("script", "status", "words"),
    [
        ("exit 0", 0, ""), ("exit 3", 3, ""), ("exit 139", 139, ""),
        ("kill -s KILL $$", 137, "the command was ended by SIGKILL\n"),
        ("kill -s SEGV $$", 139, "the command was ended by SIGSEGV\n"),
        ("kill -s 35 $$", 163, "the command was ended by signal 35\n"),
        ("kill -s INT $$", 130, ""), ("kill -s PIPE $$", 141, ""),
    ],
)  # fmt: skip
def test_the_end_of_the_command_ends_the_server(beside, script, status, words):
    began = time.monotonic()

    assert beside("sh", "-c", script) == status

    assert time.monotonic() - began < 2
    assert beside.server.draining
    assert words in beside.log
    assert beside.log.count("\n") == bool(words)


def test_a_signal_while_the_command_starts_waits_until_it_has(beside, monkeypatch):
    class Slow(Command):
        def __init__(self, words, environment):
            me(signal.SIGTERM)
            super().__init__(words, environment)
            appeared("ready")

    monkeypatch.setattr("openssl_serve.child.beside.Command", Slow)

    assert beside(*recorder(signal.SIGTERM)) == 7
    assert received() == ["SIGTERM"]


def test_the_server_answers_while_the_command_runs(beside):
    def ask():
        with socket.create_connection(beside.server.address, 5) as client:
            client.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert client.recv(100).startswith(b"HTTP/1.1 301")
        Path("enough").touch()

    script = "while ! [ -e enough ]; do sleep 0.02; done; exit 9"
    assert beside("sh", "-c", script, meanwhile=ask) == 9
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(beside.server.address, 5)


def test_a_command_that_cannot_start_leaves_nothing(beside):
    with pytest.raises(CommandError, match="there is no such program"):
        beside("no-such-program")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_for_the_end_ends_both(beside, number):
    def end():
        appeared("ready")
        me(number)

    assert beside(*recorder(number), meanwhile=end) == 7
    assert received() == [number.name]


def test_the_command_may_take_its_time(beside):
    def end():
        appeared("ready")
        me(signal.SIGTERM)

    script = "trap 'sleep 1.3; exit 8' TERM; touch ready; while :; do sleep 0.02; done"
    assert beside("sh", "-c", script, meanwhile=end) == 8
    assert beside.log.count("waiting for the command to end, at most 7 s; another signal") == 1


def test_for_what_it_leaves_behind_nobody_is_asked_to_wait(beside, monkeypatch):
    monkeypatch.setattr("openssl_serve.child.command.TERMINATE_GRACE_S", 0.3)
    left = "trap '' TERM; touch ready; while :; do sleep 0.05; done"

    assert beside("sh", "-c", f'sh -c "{left}" & while ! [ -e ready ]; do sleep 0.02; done') == 0
    assert beside.log == ""


def test_another_signal_kills_it(beside):
    def end():
        appeared("ready")
        me(signal.SIGINT)
        appeared("signals")
        me(signal.SIGINT)

    began = time.monotonic()

    assert beside(*recorder(), meanwhile=end) == 137
    assert time.monotonic() - began < 3
    assert received() == ["SIGINT"]


def test_patience_has_an_end(beside, monkeypatch):
    monkeypatch.setattr(supervisor, "END_GRACE_S", 0.1)
    monkeypatch.setattr("openssl_serve.child.command.TERMINATE_GRACE_S", 0.2)

    def end():
        appeared("ready")
        me(signal.SIGINT)

    assert beside(*recorder(), meanwhile=end) == 137
    assert received() == ["SIGINT", "SIGTERM"]


def test_other_signals_are_passed_on_and_change_nothing_here(beside):
    others = [signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2, signal.SIGWINCH, signal.SIGQUIT]
    reloads = []

    def send():
        appeared("ready")
        beside.server.contexts.reload = lambda: reloads.append(1)
        for count, number in enumerate(others, 1):
            me(number)
            eventually(lambda: Path("signals").exists() and len(received()) == count)  # noqa: B023
        me(signal.SIGTERM)

    assert beside(*recorder(signal.SIGTERM), meanwhile=send) == 7
    assert received() == [number.name for number in [*others, signal.SIGTERM]]


def test_a_hangup_loads_the_certificate_anew(beside):
    reloads = []

    def send():
        appeared("ready")
        beside.server.contexts.reload = lambda: reloads.append(1)
        me(signal.SIGHUP)
        eventually(lambda: reloads)
        me(signal.SIGTERM)

    beside(*recorder(signal.SIGTERM), meanwhile=send)


def test_handlers_are_as_before(beside):
    numbers = [signal.SIGINT, signal.SIGCHLD, signal.SIGTSTP, signal.SIGTTOU, signal.SIGCONT]
    before = [signal.getsignal(number) for number in numbers]

    beside("true")

    assert [signal.getsignal(number) for number in numbers] == before


def test_a_fault_of_ours_ends_the_command_too(beside, monkeypatch):
    def fail(_server):
        appeared("ready")
        raise RuntimeError("a fault")

    monkeypatch.setattr("openssl_serve.server.polyglot.PolyglotServer.serve_forever", fail)

    with pytest.raises(RuntimeError, match="a fault"):
        beside(*recorder(signal.SIGTERM))
    assert received() == ["SIGTERM"]


def until_found(beside, *places):
    eventually(lambda: beside.found == list(places), "", DEADLINE_S)
    Path("enough").touch()


def test_the_given_port_is_found_and_nothing_said(beside):
    given = free_address()

    assert beside(
        sys.executable, "-c", LISTENER, str(given.port),
        address=given, meanwhile=lambda: until_found(beside, given),
    ) == 0  # fmt: skip
    assert beside.log == ""


def test_another_port_is_found_and_said(beside):
    given = free_address()

    def find():
        eventually(lambda: beside.found, "", DEADLINE_S)
        until_found(beside, api.Address("127.0.0.1", int(Path("port").read_text())))

    beside(sys.executable, "-c", LISTENER, "0", address=given, meanwhile=find)

    assert f"the command listens on {beside.found[0]}, not on port {given.port}" in beside.log


def test_that_nothing_listens_is_said(beside, monkeypatch):
    monkeypatch.setattr(search, "PATIENCE_S", 0.0)
    given = free_address()

    def wait():
        eventually(lambda: "listens nowhere after " in beside.log)
        me(signal.SIGTERM)

    assert beside("sleep", "60", address=given, meanwhile=wait) == 143
    assert f"PORT={given.port}, and {{port}} in its words" in beside.log


def test_once_that_was_said_it_is_said_when_it_listens(beside, monkeypatch):
    monkeypatch.setattr(search, "PATIENCE_S", 0.0)
    monkeypatch.setattr(search, "TIRED_PAUSE_S", 0.1)
    given = free_address()

    def wait():
        eventually(lambda: "listens nowhere" in beside.log)
        Path("go").touch()
        until_found(beside, given)

    start = f"while ! [ -e go ]; do sleep 0.02; done; exec {sys.executable} -c '{LISTENER}'"
    beside("sh", "-c", f"{start} {given.port}", address=given, meanwhile=wait)

    assert re.search(rf"the command listens on {given} after \d+ s\n", beside.log)
