"""The terminal that this process was started from, and which process group is in front of it.

The group in front gets what is typed, and the signals of Ctrl-C, Ctrl-Z and a resized window
(POSIX.1-2017, 11.1). A shell puts each of its jobs in front; here the command is such a job.
"""

import contextlib
import os
import termios
from typing import Self


class Terminal:
    """The controlling terminal, by a descriptor of it."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._modes = termios.tcgetattr(fd)

    @classmethod
    def controlling(cls) -> Self | None:
        """The one of this process; None for a process that has none."""
        try:
            fd = os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC)
        except OSError:
            return None
        try:
            return cls(fd)
        except termios.error:
            # It is gone already.
            os.close(fd)
            return None

    @property
    def front(self) -> int:
        """The process group in front; 0 when the terminal is gone."""
        try:
            return os.tcgetpgrp(self._fd)
        except OSError:
            return 0

    @property
    def is_ours(self) -> bool:
        """Whether this process's group is in front."""
        return self.front == os.getpgrp()

    def put_in_front(self, group: int) -> None:
        """Put *group* in front. SIGTTOU must be ignored when this process's group is not."""
        # The terminal, or the group, may be gone.
        with contextlib.suppress(OSError):
            os.tcsetpgrp(self._fd, group)

    def restore(self) -> None:
        """Set its modes (echo, lines or characters) as they were when it was opened."""
        with contextlib.suppress(termios.error):
            termios.tcsetattr(self._fd, termios.TCSADRAIN, self._modes)

    def close(self) -> None:
        """Give the descriptor back."""
        os.close(self._fd)
