"""The installed command as tests start it: a home of its own, port 0, and an end to every wait."""

import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Self

INSTALLED = str(Path(sys.executable).with_name("openssl-serve"))

DEADLINE_S = 20.0
"""For what takes a second on a free machine: only a broken test waits so long."""

LAST_OF_BANNER = "Ctrl-C ends it"


@dataclass(frozen=True)
class Finished:
    """What a command left behind."""

    code: int
    stdout: str
    stderr: str

    @property
    def errors(self) -> list[str]:
        """Its error messages, without their prefix."""
        return self._lines("error")

    @property
    def hints(self) -> list[str]:
        return self._lines("hint")

    def _lines(self, word: str) -> list[str]:
        prefix = f"openssl-serve: {word}: "
        lines = self.stderr.splitlines()
        return [line.removeprefix(prefix) for line in lines if line.startswith(prefix)]


def assert_refused(finished: Finished, code: int, *words: str, hints: int = 1) -> None:
    """Assert that it ended with *code*, one error line with all *words*, and at least *hints*."""
    assert finished.code == code, finished
    assert finished.stdout == ""
    assert len(finished.errors) == 1, finished.stderr
    for word in words:
        assert word in finished.errors[0]
    assert len(finished.hints) >= hints
    assert len(finished.stderr.splitlines()) == 1 + len(finished.hints), finished.stderr


class Stream:
    """What a child has written so far; who waits for a text is woken by every line."""

    def __init__(self, pipe: IO[str]) -> None:
        self._pipe = pipe
        self._lines: list[str] = []
        self._ended = False
        self._news = threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def text(self) -> str:
        with self._news:
            return "".join(self._lines)

    def wait_for(self, pattern: str) -> re.Match[str]:
        """Return the first match of *pattern*, once there is one."""
        with self._news:
            self._news.wait_for(
                lambda: self._ended or self._find(f"{pattern}|^Traceback"), DEADLINE_S
            )
            match = self._find(pattern)
        assert match, f"{pattern!r} did not come: {self.text!r}"
        return match

    def close(self) -> str:
        """Return everything, once the child has ended."""
        self._reader.join(DEADLINE_S)
        self._pipe.close()
        return self.text

    def _find(self, pattern: str) -> re.Match[str] | None:
        return re.search(pattern, "".join(self._lines), re.MULTILINE)

    def _read(self) -> None:
        for line in self._pipe:
            with self._news:
                self._lines.append(line)
                self._news.notify_all()
        with self._news:
            self._ended = True
            self._news.notify_all()


class Running:
    """A started server."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.tracebacks_expected = False
        """Whether code of the user's, which is served, is to fail."""
        self.stdout = Stream(process.stdout) if process.stdout else None
        self.stderr = Stream(process.stderr) if process.stderr else None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        code = self.process.poll()
        if code is None:
            code = self.end(signal.SIGTERM)
        if kind is None:
            text = self.stderr.text if self.stderr else ""
            assert code == 0, f"exit code {code}: {text}"
            assert self.tracebacks_expected or "Traceback" not in text

    @property
    def port(self) -> int:
        """The port in its first URL."""
        assert self.stdout
        try:
            return int(self.stdout.wait_for(r"^https://\S+:(\d+)/$")[1])
        except AssertionError as error:
            error.add_note(f"stderr: {self.stderr and self.stderr.text}")
            raise

    @property
    def banner(self) -> str:
        """All that it says on stderr before the first request."""
        assert self.stderr
        self.stderr.wait_for(f"^{LAST_OF_BANNER}$")
        return self.stderr.text.partition(LAST_OF_BANNER)[0]

    @property
    def urls(self) -> list[str]:
        """All URLs that it names."""
        assert self.banner
        assert self.stdout
        return self.stdout.text.splitlines()

    def end(self, number: signal.Signals = signal.SIGINT, deadline_s: float = DEADLINE_S) -> int:
        """Send the signal *number* unless it has ended; return the exit code."""
        self.process.send_signal(number)
        return self.wait(deadline_s)

    def wait(self, deadline_s: float = DEADLINE_S) -> int:
        """Return the exit code; kill it when it does not end in time."""
        try:
            return self.process.wait(deadline_s)
        except subprocess.TimeoutExpired as error:
            self.process.kill()
            self.process.wait(DEADLINE_S)
            raise AssertionError(f"still there after {deadline_s} s") from error
        finally:
            for stream in (self.stdout, self.stderr):
                if stream:
                    stream.close()


class Command:
    """`openssl-serve` for a user with nothing: an empty home and a small folder to serve."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.data = folder / "data"
        """Where certificates are kept; absent before the first start."""
        self.site = folder / "site"
        home = folder / "home"
        home.mkdir()
        self.site.mkdir()
        (self.site / "hello.txt").write_text("hello\n")
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "OPENSSL_SERVE_HOME": str(self.data),
            # A warning in the child is as much an error as one in a test.
            "PYTHONWARNINGS": "error",
            "LC_ALL": "C.UTF-8",
        }
        self._started: list[Running] = []

    @property
    def cert(self) -> Path:
        """The certificate of my.dev.local."""
        return self.data / "my_dev_local.crt"

    @property
    def key(self) -> Path:
        return self.data / "my_dev_local.key"

    def run(
        self,
        *arguments: str,
        environment: dict[str, str] | None = None,
        program: Sequence[str] = (INSTALLED,),
    ) -> Finished:
        """Run it to its end."""
        done = subprocess.run(
            [*program, *arguments],
            cwd=self.site,
            env=self.environment | (environment or {}),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=DEADLINE_S,
            check=False,
        )
        return Finished(done.returncode, done.stdout, done.stderr)

    def start(
        self,
        *arguments: str,
        environment: dict[str, str] | None = None,
        umask: int = -1,
        stdout: int = subprocess.PIPE,
        stderr: int = subprocess.PIPE,
        program: Sequence[str] = (INSTALLED,),
    ) -> Running:
        """Start a server on a free port, unless *arguments* name one."""
        named = any(
            word.startswith(("--port", "-p", "--bind-addr", "--help", "--version"))
            for word in arguments
        )
        process = subprocess.Popen(
            [*program, *arguments, *(() if named else ("--port", "0"))],
            cwd=self.site,
            env=self.environment | (environment or {}),
            umask=umask,
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
            text=True,
        )
        running = Running(process)
        self._started.append(running)
        return running

    def end_all(self) -> None:
        for running in self._started:
            running.end(signal.SIGKILL)
