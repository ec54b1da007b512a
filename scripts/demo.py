"""Runs the README's transcripts for real and compares what they print with what it says.

A transcript is a ```console block: `$ command`, then its output. Blocks run in their order, in
one temporary home. `openssl-serve` keeps running beside the later commands, like a terminal of
its own, until its next start. A line `...` stands for any lines. What differs from run to run
(dates, days, fingerprints, the home, the port) is made alike on both sides.
"""

import os
import queue
import re
import shlex
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
README_HOME, README_PORT = "/home/you", "8080"

TIMEOUT_S = 20
"""For a server to say its lines, or a command to end."""

VARYING = [
    (re.compile(r"\b[0-9A-F]{2}(:[0-9A-F]{2}){31}\b"), "<fingerprint>"),
    (re.compile(r"\b20\d\d-\d\d-\d\d\b"), "<date>"),
    (re.compile(r"\b\d+ days left"), "<days left>"),
    (re.compile(r"^with \S+, (OpenSSL|LibreSSL) \S+$"), "<openssl>"),
]


class Step(NamedTuple):
    """One command with the lines that it should print."""

    command: str
    expected: list[str]


def transcripts(text: str) -> Iterator[Step]:
    """Find the commands of all console blocks in the Markdown *text*."""
    for block in re.findall(r"^```console\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
        step: Step | None = None
        for line in block.splitlines():
            if line.startswith("$ "):
                if step is not None:
                    yield step
                step = Step(line[2:], [])
            elif step is not None:
                step.expected.append(line)
        if step is not None:
            yield step


def alike(line: str) -> str:
    """*line* with what varies replaced."""
    for pattern, name in VARYING:
        line = pattern.sub(name, line)
    return line.rstrip()


def matches(expected: list[str], printed: list[str]) -> bool:
    """Whether *printed* is what was *expected*, where `...` stands for any lines.

    >>> matches(["a", "...", "d"], ["a", "b", "c", "d"]), matches(["a"], ["a", "b"])
    (True, False)
    """
    if not expected:
        return not printed
    if expected[0] == "...":
        return any(matches(expected[1:], printed[i:]) for i in range(len(printed) + 1))
    return bool(printed) and expected[0] == printed[0] and matches(expected[1:], printed[1:])


class Terminal:
    """Runs steps in a temporary home, one server at a time beside them."""

    def __init__(self, home: Path, port: int) -> None:
        self.home, self.port = home, str(port)
        self.site = home / "site"
        self.site.mkdir()
        (self.site / "hello.txt").write_text("hello\n", encoding="utf-8")
        self.server: subprocess.Popen[str] | None = None
        keep = {k: v for k, v in os.environ.items() if not k.startswith(("OPENSSL", "SSL", "XDG"))}
        self.environment = keep | {
            "HOME": str(home),
            "PATH": f"{ROOT / '.venv' / 'bin'}{os.pathsep}{os.environ['PATH']}",
            "OPENSSL_SERVE_PORT": self.port,
        }

    def here(self, text: str) -> str:
        """The README's *text* with this run's home and port."""
        return text.replace(README_HOME, str(self.home)).replace(README_PORT, self.port)

    def run(self, step: Step) -> list[str]:
        """Run *step* and return what it printed, stdout and stderr as they came."""
        command = self.here(step.command)
        if re.match(r"openssl-serve( --|$| \.)", command):
            return self.serve(command, len(step.expected))
        done = subprocess.run(
            ["sh", "-c", command], cwd=self.site, env=self.environment, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=TIMEOUT_S, check=False,
        )  # fmt: skip
        return done.stdout.splitlines()

    def serve(self, command: str, lines: int) -> list[str]:
        """Start a server and return its first *lines* lines."""
        self.stop()
        self.server = subprocess.Popen(
            shlex.split(command), cwd=self.site, env=self.environment, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        printed: queue.Queue[str] = queue.Queue()
        assert self.server.stdout is not None
        reader = threading.Thread(target=self._read, args=(self.server.stdout, printed))
        reader.daemon = True
        reader.start()
        found: list[str] = []
        try:
            while len(found) < lines:
                found.append(printed.get(timeout=TIMEOUT_S).rstrip("\n"))
        except queue.Empty:
            pass
        return found

    @staticmethod
    def _read(stream: Iterator[str], into: "queue.Queue[str]") -> None:
        for line in stream:
            into.put(line)

    def stop(self) -> None:
        """End the server as Ctrl-C does."""
        if self.server is not None:
            self.server.send_signal(signal.SIGINT)
            self.server.wait(TIMEOUT_S)
            self.server = None


def main() -> int:
    """Run all; the exit code is 1 when something differed."""
    failed = 0
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with tempfile.TemporaryDirectory(prefix="openssl-serve-demo-") as folder:
        terminal = Terminal(Path(folder).resolve(), port)
        try:
            for step in transcripts((ROOT / "README.md").read_text(encoding="utf-8")):
                expected = [alike(terminal.here(line)) for line in step.expected]
                printed = [alike(line) for line in terminal.run(step)]
                good = matches(expected, printed)
                failed += not good
                print("ok  " if good else "DIFF", "$", step.command)
                if not good:
                    print("  expected:", *expected, sep="\n    ")
                    print("  printed:", *printed, sep="\n    ")
        finally:
            terminal.stop()
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
