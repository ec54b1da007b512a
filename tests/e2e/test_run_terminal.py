"""`run` on a terminal: the command has it, as if it had been started without us."""

import shlex
import shutil
import sys

import pytest
from server_fixtures import eventually

from e2e.command import INSTALLED
from e2e.session import CTRL_C, CTRL_Z, Session, alive

WAITING = "import time; print('up', flush=True); time.sleep(60)"

COUNTING = """
import os, signal, sys, time
count = 0
def note(*_):
    global count
    count += 1
    os.write(1, b"interrupted %d\\n" % count)
    if count == 2:
        sys.exit(7)
signal.signal(signal.SIGINT, note)
print("up", flush=True)
while True:
    time.sleep(0.02)
"""

BEATING = "import time\nwhile True: print('beat', flush=True); time.sleep(0.05)"


@pytest.fixture
def python(command):
    """The words that run Python *code* behind HTTPS; the code is not among them, and not shown."""

    def words(code):
        (command.site / "code.py").write_text(code)
        return [INSTALLED, "run", "--port", "0", "--", sys.executable, "code.py"]

    return words


@pytest.fixture
def session(command):
    """Start programs on terminals of their own."""
    # Certificates are made only once.
    assert command.run("generate").code == 0
    started = []

    def start(*words):
        found = Session(words, command.environment, command.site)
        started.append(found)
        return found

    yield start
    for each in started:
        each.__exit__()


def test_the_command_sees_a_terminal(session, python):
    code = "import sys; print([s.isatty() for s in (sys.stdin, sys.stdout, sys.stderr)])"

    shell = session(*python(code))

    shell.expect(r"\[True, True, True\]")
    assert shell.wait() == 0


def test_ctrl_c_ends_both_within_a_second_or_so(session, python):
    shell = session(*python(WAITING))
    shell.expect("up")
    shell.type(CTRL_C)

    status, seconds = shell.wait_s()

    assert status == 130
    assert seconds < 2


def test_ctrl_c_reaches_the_command_once_and_it_decides(session, python):
    shell = session(*python(COUNTING))
    shell.expect("up")
    shell.type(CTRL_C).expect("interrupted 1")
    shell.type(CTRL_C).expect("interrupted 2")

    assert shell.wait() == 7
    assert "interrupted" not in shell.rest


def test_what_is_typed_is_for_the_command(session, python):
    shell = session(*python("print('name?', flush=True); print('hello', input())"))
    shell.expect(r"name\?")
    shell.type(b"joe\n").expect("hello joe")

    assert shell.wait() == 0


def test_in_a_pipeline_too(session, python):
    """Where we start it behind the others: it gets the terminal when it asks for it."""
    code = "import sys; print('name?', file=sys.stderr, flush=True); print('hello', input())"
    shell = session("sh", "-c", f"{shlex.join(python(code))} | cat")
    shell.expect(r"name\?")
    shell.type(b"joe\n").expect("hello joe")

    assert shell.wait() == 0


def test_ctrl_c_in_a_pipeline_ends_all_of_it(session, python):
    shell = session("sh", "-c", f"{shlex.join(python(WAITING))} | cat")
    shell.expect("up")

    assert shell.type(CTRL_C).wait() == 130


def test_a_script_around_us_is_ended_by_ctrl_c_as_well(session, python):
    shell = session("sh", "-c", f"{shlex.join(python(WAITING))}; echo went on")
    shell.expect("up")

    assert shell.type(CTRL_C).wait() == 130
    assert "went on" not in shell.rest


def test_a_script_around_us_goes_on_after_any_other_end(session, python):
    shell = session("sh", "-c", f"{shlex.join(python('raise SystemExit(5)'))}; echo status $?")

    shell.expect("status 5")
    # The terminal is its again: a group in the background would be stopped.
    assert shell.wait() == 0


def test_the_window_can_be_resized(session, python):
    code = """
import os, signal, time
signal.signal(signal.SIGWINCH, lambda *_: os.write(1, b"%d %d" % os.get_terminal_size()))
print("up", flush=True)
while True: time.sleep(0.02)
"""
    shell = session(*python(code))
    shell.expect("up")
    shell.resize(33, 77)

    shell.expect("77 33")
    assert shell.type(CTRL_C).wait() == 130


def test_when_the_window_is_closed_both_end(session, python):
    shell = session(*python(WAITING))
    shell.expect("up")
    shell.hang_up()

    assert shell.wait() == 129


def test_a_command_that_was_killed_leaves_the_terminal_as_it_was(session, python):
    code = """
import os, signal, termios
modes = termios.tcgetattr(0)
modes[3] &= ~(termios.ECHO | termios.ICANON)
termios.tcsetattr(0, termios.TCSANOW, modes)
print("raw", flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""
    shell = session("sh", "-c", f"{shlex.join(python(code))}; echo status $?; stty -a")
    shell.expect("raw")

    shell.expect("status 137")
    shell.expect(r"(?<!-)icanon")
    shell.expect(r"(?<!-)echo ")


@pytest.mark.skipif(not shutil.which("bash"), reason="no bash here")
def test_a_shell_can_stop_it_and_bring_it_back(session, python):
    shell = session("env", "PS1=prompt> ", "bash", "--norc", "--noediting", "-i")
    shell.expect("prompt> ")
    shell.type(f"{shlex.join(python(BEATING))}\n".encode()).expect("Ctrl-C ends it")
    shell.expect("beat\n")

    shell.type(CTRL_Z).expect("Stopped")
    shell.type(b"echo still $((40 + 2)) there\n").expect("still 42 there")
    assert "beat" not in shell.rest
    shell.type(b"fg\n").expect("beat\n")
    shell.type(CTRL_Z).expect("Stopped")
    shell.type(b"bg\n").expect("beat\n")
    shell.type(b"echo front $((40 + 2))\n").expect("front 42")
    shell.type(b"fg\n").expect("code.py\n")
    shell.expect("beat\nbeat\nbeat\n")
    shell.type(CTRL_C).expect("prompt> ")
    shell.type(b"echo status $?\n").expect("status 130")

    assert shell.type(b"exit 0\n").wait() == 0


@pytest.mark.skipif(not shutil.which("bash"), reason="no bash here")
def test_in_the_background_it_stops_when_it_reads(session, python):
    code = "print('name?', flush=True); print('hello', input())"
    shell = session("env", "PS1=prompt> ", "bash", "--norc", "--noediting", "-i")
    shell.expect("prompt> ")
    shell.type(f"{shlex.join(python(code))} &\n".encode()).expect(r"name\?")

    # bash tells of it when it is asked.
    for _ in range(500):
        shell.type(b"jobs\n")
        if "Stopped" in shell.expect("Stopped|Running"):
            break
    shell.type(b"fg\n").expect("code.py\n")
    shell.type(b"joe\n").expect("hello joe")
    shell.expect("prompt> ")

    assert shell.type(b"exit 0\n").wait() == 0


@pytest.mark.skipif(not shutil.which("bash"), reason="no bash here")
def test_what_is_stopped_ends_when_the_window_is_closed(session, python, command):
    code = "import os; open('pid', 'w').write(str(os.getpid()))\n" + BEATING
    shell = session("env", "PS1=prompt> ", "bash", "--norc", "--noediting", "-i")
    shell.expect("prompt> ")
    shell.type(f"{shlex.join(python(code))}\n".encode()).expect("beat\n")
    shell.type(CTRL_Z).expect("Stopped")
    pid = int((command.site / "pid").read_text())
    assert alive(pid)

    shell.hang_up()

    eventually(lambda: not alive(pid))
