"""`--reload`: what is saved is served, or a page until it is mended, and nobody is refused."""

import contextlib
import os
import signal
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from e2e.clients import connected
from e2e.command import DEADLINE_S, INSTALLED, Command, Running
from e2e.session import CTRL_C, Session

APP = """\
import helper

def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [helper.text().encode()]
"""
HELPER = "def text(): return {!r}\n"


class Site:
    """A running server with an app of two modules."""

    def __init__(self, command: Command, running: Running) -> None:
        self.folder = command.site
        self.running = running
        self.context = ssl.create_default_context(cafile=str(command.data / "localhost.crt"))

    def ask(self, accept: str = "*/*") -> bytes:
        """What the server answers on a connection of its own; b"" for nothing."""
        with (
            socket.create_connection(("127.0.0.1", self.running.port), DEADLINE_S) as sock,
            self.context.wrap_socket(sock, server_hostname="localhost") as tls,
        ):
            fields = f"Host: localhost\r\nAccept: {accept}\r\nConnection: close"
            tls.sendall(f"GET / HTTP/1.1\r\n{fields}\r\n\r\n".encode())
            return b"".join(iter(lambda: tls.recv(65536), b""))

    def wait_for(self, text: str) -> bytes:
        """The first answer with *text* in it."""
        end = time.monotonic() + DEADLINE_S
        while text.encode() not in (answer := self.ask()):
            assert time.monotonic() < end, answer
        return answer

    def save(self, name: str, text: str) -> None:
        """As editors do: a new file in place of the old."""
        new = self.folder / f"{name}.new"
        new.write_text(text)
        new.rename(self.folder / name)

    @property
    def children(self) -> list[int]:
        pid = self.running.process.pid
        return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


Start = Callable[..., contextlib.AbstractContextManager[Site]]


@pytest.fixture
def start(command: Command) -> Start:
    (command.site / "app.py").write_text(APP)
    (command.site / "helper.py").write_text(HELPER.format("one"))

    @contextlib.contextmanager
    def starting(*options: str) -> Iterator[Site]:
        with command.start("app:app", "--reload", *options) as running:
            assert running.port
            yield Site(command, running)

    return starting


@pytest.mark.parametrize("workers", ["1", "2"])
def test_an_edit_is_served_by_the_next_process(start: Start, workers: str) -> None:
    with start("--workers", workers) as site:
        site.wait_for("one")
        # Of one size, and likely in one second, of which a compiled file knows no more.
        site.save("helper.py", HELPER.format("two"))
        site.wait_for("two")
        site.save("helper.py", HELPER.format("six"))
        site.wait_for("six")
        assert "helper.py has changed" in (site.running.stderr.text if site.running.stderr else "")


def test_a_broken_edit_is_a_page_until_it_is_mended(start: Start) -> None:
    with start() as site:
        site.running.tracebacks_expected = True
        site.wait_for("one")
        site.save("helper.py", "def text(:\n")
        answer = site.wait_for("500 Internal Server Error: app:app cannot be loaded: SyntaxError")
        assert b"X-Openssl-Serve: upstream-down\r\n" in answer
        # In a browser it is a page that waits for the app to be mended.
        assert b"loaded again as soon as" in site.ask("text/html")
        assert site.running.stderr
        site.running.stderr.wait_for('helper.py., line 1|helper.py", line 1')
        site.save("helper.py", "import absent_here\ndef text(): return absent_here.TEXT\n")
        site.wait_for("No module named 'absent_here'")
        site.save("absent_here.py", "TEXT = 'mended'\n")
        site.wait_for("mended")


def test_an_app_that_is_broken_at_the_start_can_be_mended_too(
    start: Start, command: Command
) -> None:
    (command.site / "helper.py").write_text("1 / 0\n")
    with start() as site:
        site.running.tracebacks_expected = True
        site.wait_for("ZeroDivisionError: division by zero")
        site.save("helper.py", HELPER.format("mended"))
        site.wait_for("mended")


def test_nobody_is_refused_meanwhile(start: Start, command: Command) -> None:
    slow = "import time\ntime.sleep(0.3)\n"
    (command.site / "helper.py").write_text(slow + HELPER.format("one"))
    with start() as site:
        answers: list[bytes] = []
        ended = threading.Event()

        def ask() -> None:
            while not ended.is_set():
                answers.append(site.ask())

        threads = [threading.Thread(target=ask) for _ in range(3)]
        site.wait_for("one")
        for thread in threads:
            thread.start()
        for text in ("two", "six"):
            site.save("helper.py", slow + HELPER.format(text))
            site.wait_for(text)
        ended.set()
        for thread in threads:
            thread.join(DEADLINE_S)
    assert len(answers) > 10
    assert [answer for answer in answers if b"HTTP/1.1 200 " not in answer] == []


def test_a_response_that_began_is_finished_by_the_old_process(start: Start) -> None:
    with start() as site:
        gate = site.folder / "gate"
        site.save(
            "app.py",
            "import os, time\n"
            "def app(environ, start_response):\n"
            "  start_response('200 OK', [('Content-Type', 'text/plain')])\n"
            "  if environ['PATH_INFO'] == '/': return [b'new']\n"
            "  def pieces():\n"
            "    yield b'began'\n"
            "    while not os.path.exists('gate'): time.sleep(0.01)\n"
            "    yield b' ended'\n"
            "  return pieces()\n",
        )
        site.wait_for("new")
        with (
            socket.create_connection(("127.0.0.1", site.running.port), DEADLINE_S) as sock,
            site.context.wrap_socket(sock, server_hostname="localhost") as tls,
        ):
            tls.sendall(b"GET /slow HTTP/1.0\r\nHost: localhost\r\n\r\n")
            data = b""
            while b"began" not in data:
                data += tls.recv(65536)
            site.save("app.py", APP)
            site.wait_for("one")
            gate.touch()
            data += b"".join(iter(lambda: tls.recv(65536), b""))
        assert data.endswith(b"began ended")


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="children are listed in /proc")
class TestEnd:
    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
    def test_no_process_is_left(self, start: Start, number: signal.Signals) -> None:
        with start() as site:
            site.wait_for("one")
            [child] = site.children
            assert site.running.end(number) == 0
            assert not Path(f"/proc/{child}").exists()

    def test_nor_when_the_parent_is_killed(self, start: Start) -> None:
        with start() as site:
            site.wait_for("one")
            [child] = site.children
            # Which closes its streams, too; the exit code is the signal's.
            site.running.end(signal.SIGKILL)
            site.running.process.returncode = 0
            end = time.monotonic() + DEADLINE_S
            while Path(f"/proc/{child}").exists():
                assert time.monotonic() < end

    def test_ctrl_c_is_for_the_whole_group_and_cuts_an_app_that_hangs(
        self, start: Start, command: Command
    ) -> None:
        code = "import time\ndef text():\n  print('in', flush=True)\n  time.sleep(60)\n"
        (command.site / "helper.py").write_text(code)
        with start() as site:
            asking = threading.Thread(target=site.ask)
            asking.start()
            assert site.running.stdout
            site.running.stdout.wait_for("^in$")
            [child] = site.children
            began = time.monotonic()
            # As the terminal does: to both.
            os.kill(child, signal.SIGINT)
            assert site.running.end(signal.SIGINT) == 0
            assert time.monotonic() - began < 3
            asking.join(DEADLINE_S)

    def test_while_an_app_is_being_loaded(self, start: Start, command: Command) -> None:
        code = "import time\nprint('loading', flush=True)\ntime.sleep(60)\n"
        (command.site / "helper.py").write_text(code)
        with start() as site:
            assert site.running.stdout
            site.running.stdout.wait_for("^loading$")
            began = time.monotonic()
            assert site.running.end(signal.SIGINT) == 0
            assert time.monotonic() - began < 3


@pytest.mark.parametrize("options", [[], ["--reload"]])
def test_a_debugger_can_be_talked_to(command: Command, options: list[str]) -> None:
    (command.site / "app.py").write_text(
        "def app(environ, start_response):\n"
        "  answer = 6 * 7\n"
        "  breakpoint()\n"
        "  start_response('200 OK', [])\n"
        "  return [str(answer).encode()]\n"
    )
    words = [INSTALLED, "app:app", "--port", "0", *options]
    environment = command.environment | {"TERM": "dumb"}
    with Session(words, environment, command.site) as terminal:
        port = int(terminal.expect(r"https://localhost:\d+").rpartition(":")[2])
        terminal.expect("Ctrl-C ends it")
        answers: list[bytes] = []
        client = threading.Thread(target=lambda: answers.append(ask(port)))
        client.start()
        terminal.expect(r"\(Pdb\) ")
        terminal.type(b"answer = answer + 1000\n").expect(r"\(Pdb\) ")
        terminal.type(b"continue\n")
        client.join(DEADLINE_S)
        assert answers[0].endswith(b"1042")
        assert terminal.type(CTRL_C).wait() == 0


def ask(port: int) -> bytes:
    """What the server answers to one who trusts anybody."""
    with connected(port) as tls:
        tls.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        return b"".join(iter(lambda: tls.recv(65536), b""))
