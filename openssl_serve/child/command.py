"""The command as a process group: started, watched, signalled, ended."""

import os
import signal
import time
from collections.abc import Callable, Mapping, Sequence

from openssl_serve import tools
from openssl_serve.child.not_started import not_started
from openssl_serve.child.processes import is_alive

TERMINATE_GRACE_S = 2.0
"""From SIGTERM to SIGKILL, for what the command has left behind in its group."""

LOOK_S = 0.05
"""Between looks whether a group has ended; only the end of a child is told by a signal."""

EXIT_BY_SIGNAL = 128
"""Plus the number of the signal, as shells have it."""


class Command:
    """A running program and what it starts in its group. Raises CommandError if it cannot run.

    *environment* is all that it gets.
    """

    def __init__(self, words: Sequence[str], environment: Mapping[str, str]) -> None:
        try:
            self._child = tools.start_in_group(words, environment)
        except OSError as error:
            raise not_started(words, environment, error) from error
        self.group = self._child.pid
        try:
            self._guard = tools.Guard(self.group)
        except OSError as error:
            # Nothing would end it if we were killed, and nobody knows of it yet.
            self.send(signal.SIGKILL)
            self._child.wait()
            raise not_started(["/bin/sh"], environment, error) from error

    @property
    def status(self) -> int | None:
        """What a shell would have as its exit status; None while it runs."""
        code = self._child.returncode
        return code if code is None or code >= 0 else EXIT_BY_SIGNAL - code

    @property
    def ended_by(self) -> str | None:
        """The name of the signal that ended it, if one did."""
        code = self._child.returncode
        if code is None or code >= 0:
            return None
        try:
            return signal.Signals(-code).name
        except ValueError:
            # One of those for real-time programs.
            return f"signal {-code}"

    def look(self) -> signal.Signals | None:
        """See what has become of it, for `status`; the signal that has just stopped it, if any."""
        if self._child.returncode is not None:
            return None
        # Not poll(), which does not see that a child was stopped.
        pid, status = os.waitpid(self.group, os.WNOHANG | os.WUNTRACED)
        if pid == 0:
            return None
        if os.WIFSTOPPED(status):
            return signal.Signals(os.WSTOPSIG(status))
        self._child.returncode = os.waitstatus_to_exitcode(status)
        return None

    def send(self, number: int) -> bool:
        """Send the signal *number* to the whole group; whether there was anybody to get it."""
        try:
            os.killpg(self.group, number)
        except (ProcessLookupError, PermissionError):
            # Nobody left; or (macOS) only what nobody has waited for; or another user's.
            return False
        return True

    def end(self, grace_s: float, pause: Callable[[float], bool]) -> int:
        """End the group: what runs after *grace_s* gets SIGTERM, and at last SIGKILL.

        *pause* waits for so many seconds; its False ends the patience. Returns the status.
        """
        self._wait(lambda: self.status is not None, grace_s, pause)
        # What is stopped hears of it when it goes on.
        if self.send(signal.SIGTERM) and self.send(signal.SIGCONT):
            self._wait(self._is_over, TERMINATE_GRACE_S, pause)
        if not self._is_over():
            self.send(signal.SIGKILL)
            self._wait(lambda: self.status is not None, TERMINATE_GRACE_S, _sleep)
        self._guard.release()
        # Not even SIGKILL ends what waits for a disk or a network file system.
        return EXIT_BY_SIGNAL + signal.SIGKILL if self.status is None else self.status

    def _is_over(self) -> bool:
        # Signal 0 only asks whether there is somebody. In a container, what was left behind may
        # never be waited for (PID 1 is no init there); on macOS the signal tells that by itself.
        return self.status is not None and not (self.send(0) and is_alive(self.group))

    def _wait(self, over: Callable[[], bool], for_s: float, pause: Callable[[float], bool]) -> None:
        end = time.monotonic() + for_s
        self.look()
        while not over() and (left := end - time.monotonic()) > 0 and pause(min(left, LOOK_S)):
            self.look()


def _sleep(seconds: float) -> bool:
    time.sleep(seconds)
    return True
