"""Real terminals for tests: a pseudo-terminal of a given size, and what was written to it."""

import contextlib
import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, TextIO

DEADLINE_S = 30.0

ESCAPE = "\x1b"


class Terminal:
    """A pseudo-terminal: `stream` is the end that a program writes to."""

    def __init__(self, columns: int = 80) -> None:
        self.master, self.slave = pty.openpty()
        # struct winsize: rows, columns, and pixels that nobody asks for.
        fcntl.ioctl(self.slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        self.stream: TextIO = open(self.slave, "w", encoding="utf-8", closefd=False)  # noqa: SIM115

    def written(self, wait_s: float = 0) -> str:
        """All that was written since the last call; waits for a first piece, at most *wait_s*."""
        self.stream.flush()
        select.select([self.master], [], [], wait_s)
        return self._read(wait_s=0).decode(errors="replace").replace("\r\n", "\n")

    def read_to_end(self) -> str:
        """All that is written until the last program with this terminal has ended."""
        os.close(self.slave)
        self.slave = -1
        return self._read(wait_s=DEADLINE_S).decode().replace("\r\n", "\n")

    def close(self) -> None:
        os.close(self.master)
        if self.slave >= 0:
            os.close(self.slave)

    def _read(self, wait_s: float) -> bytes:
        deadline, parts = time.monotonic() + wait_s, []
        while select.select([self.master], [], [], max(0, deadline - time.monotonic()))[0]:
            try:
                part = os.read(self.master, 65536)
            except OSError:
                # EIO: on Linux, nobody has the other end any more.
                break
            if not part:
                break
            parts.append(part)
        return b"".join(parts)


@contextlib.contextmanager
def terminal(columns: int = 80) -> Iterator[Terminal]:
    found = Terminal(columns)
    try:
        yield found
    finally:
        found.close()


class Session:
    """A program that is typed to, on a terminal of its own."""

    def __init__(
        self, command: Sequence[str], environment: Mapping[str, str], folder: Path
    ) -> None:
        self.seen = ""
        self._terminal = Terminal(columns=200)
        slave = self._terminal.slave
        self._process = subprocess.Popen(
            [sys.executable, "-c", _WITH_TERMINAL, *command], start_new_session=True,
            cwd=folder, env=dict(environment), stdin=slave, stdout=slave, stderr=slave,
        )  # fmt: skip

    def type(self, keys: str) -> None:
        os.write(self._terminal.master, keys.encode())

    def wait_for(self, pattern: str) -> re.Match[str]:
        """The first match of *pattern* in what it has written, once there is one."""
        deadline = time.monotonic() + DEADLINE_S
        while (match := re.search(pattern, self.seen, re.DOTALL)) is None:
            assert time.monotonic() < deadline, f"{pattern!r} did not come: {self.seen!r}"
            self.seen += self._terminal.written(wait_s=0.2)
        self.seen = self.seen[match.end() :]
        return match

    def close(self) -> None:
        self._process.kill()
        self._process.wait(DEADLINE_S)
        self._terminal.close()


# Without a controlling terminal a shell has no job control, and complains.
_WITH_TERMINAL = """
import fcntl, os, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execvp(sys.argv[1], sys.argv[1:])
"""


class Seen(NamedTuple):
    code: int
    text: str

    @property
    def lines(self) -> list[str]:
        return self.text.splitlines()


def on_terminal(
    command: Sequence[str], environment: Mapping[str, str], folder: Path, columns: int = 80
) -> Seen:
    """Run *command* to its end with all three streams on a terminal."""
    with terminal(columns) as screen:
        process = subprocess.Popen(
            command, cwd=folder, env=dict(environment), start_new_session=True,
            stdin=screen.slave, stdout=screen.slave, stderr=screen.slave,
        )  # fmt: skip
        try:
            text = screen.read_to_end()
            return Seen(process.wait(DEADLINE_S), text)
        finally:
            if process.poll() is None:
                process.kill()
                process.wait(DEADLINE_S)
