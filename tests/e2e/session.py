"""A terminal with a program on it, as at a desk: what is typed, what is shown, and the window."""

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
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

DEADLINE_S = 20.0

CTRL_C, CTRL_Z = b"\x03", b"\x1a"
"""What these keys send, in a terminal's usual modes."""

# A session's leader gets a controlling terminal by asking for one (tty_ioctl(4)).
_LEADER = """
import fcntl, os, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execvp(sys.argv[1], sys.argv[1:])
"""


class Session:
    """Runs *words* as the leader of a session on a terminal of its own."""

    def __init__(self, words: Sequence[str], environment: Mapping[str, str], folder: Path) -> None:
        self._master, slave = pty.openpty()
        self._text = ""
        self._seen = 0
        try:
            self.process = subprocess.Popen(
                [sys.executable, "-c", _LEADER, *words],
                cwd=folder, env=dict(environment), start_new_session=True,
                stdin=slave, stdout=slave, stderr=slave,
            )  # fmt: skip
        finally:
            os.close(slave)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            # The whole session loses its terminal, and is told so.
            self.hang_up()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(5)
            self.process.kill()
            self.process.wait(DEADLINE_S)
        self.hang_up()

    def expect(self, pattern: str) -> str:
        """Wait until *pattern* is shown, after what was expected before; what matched."""
        end = time.monotonic() + DEADLINE_S
        while (match := re.compile(pattern).search(self._text, self._seen)) is None:
            goes_on = time.monotonic() < end and self._read()
            assert goes_on, f"no {pattern!r} in {self._text!r}"
        self._seen = match.end()
        return match[0]

    def type(self, keys: bytes) -> Self:
        """Type *keys*."""
        os.write(self._master, keys)
        return self

    def resize(self, rows: int, columns: int) -> None:
        """Resize the window."""
        # struct winsize: rows, columns, and pixels that nobody asks for.
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def hang_up(self) -> None:
        """Close the window."""
        if self._master >= 0:
            os.close(self._master)
            self._master = -1

    def wait(self) -> int:
        """Return the exit status, as a shell has it."""
        end = time.monotonic() + DEADLINE_S
        has_ended, shown = False, self._master >= 0
        while shown or not has_ended:
            assert time.monotonic() < end, f"still there: {self._text!r}"
            has_ended = self.process.poll() is not None
            # What is shown has to be read, or the writers wait; and what was shown last as well.
            shown = self._read(0 if has_ended else 0.02)
            if self._master < 0:
                self.process.wait(DEADLINE_S)
        code = self.process.returncode
        return code if code >= 0 else 128 - code

    def wait_s(self) -> tuple[int, float]:
        """Return the exit status and how many seconds it took to come."""
        began = time.monotonic()
        return self.wait(), time.monotonic() - began

    @property
    def rest(self) -> str:
        """What was shown after what was expected."""
        return self._text[self._seen :]

    def _read(self, wait_s: float = DEADLINE_S) -> bool:
        """Read what is shown; whether there can be more."""
        if self._master < 0 or not select.select([self._master], [], [], wait_s)[0]:
            return False
        try:
            data = os.read(self._master, 65536)
        except OSError:
            # EIO, on Linux: nobody has the terminal any more.
            return False
        self._text += data.decode("utf-8", "replace").replace("\r\n", "\n")
        return bool(data)


def alive(pid: int) -> bool:
    """Whether the process *pid* is there and has not ended."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    with contextlib.suppress(OSError):
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        return state != "Z"
    return True
