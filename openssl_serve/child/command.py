"""The command as a process group: started, watched, signalled, ended."""

import errno
import os
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from openssl_serve import tools
from openssl_serve.child.processes import is_alive
from openssl_serve.errors import CommandError, reason_of
from openssl_serve.hosts import shorten

TERMINATE_GRACE_S = 2.0
"""From SIGTERM to SIGKILL, for what the command has left behind in its group."""

LOOK_S = 0.05
"""Between looks whether a group has ended; only the end of a child is told by a signal."""

EXIT_NOT_FOUND, EXIT_NOT_STARTED = 127, 126
"""What shells, env(1) and timeout(1) leave with."""

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
            raise _not_started(words, error) from error
        self.group = self._child.pid
        self._guard = tools.Guard(self.group)

    @property
    def status(self) -> int | None:
        """What a shell would have as its exit status; None while it runs."""
        code = self._child.returncode
        return code if code is None or code >= 0 else EXIT_BY_SIGNAL - code

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


def _not_started(words: Sequence[str], error: OSError) -> CommandError:
    program = words[0]
    found = error.errno != errno.ENOENT
    message = f"{shorten(program)}: {reason_of(error)}"
    if not found and "/" not in program:
        message = f"{shorten(program)}: there is no such program in PATH"
    return CommandError(
        EXIT_NOT_STARTED if found else EXIT_NOT_FOUND, message, *_hints(program, words)
    )


def _hints(program: str, words: Sequence[str]) -> list[str]:
    if " " in program:
        # One word that was meant to be several.
        return [f"openssl-serve run -- {program}", f"or in a shell: run -- sh -c '{program}'"]
    rest = " ".join(words[1:])
    places = {Path("node_modules/.bin"): "npx {}", Path(".venv/bin"): ".venv/bin/{}"}
    return [
        f"it is in this project: openssl-serve run -- {how.format(program)} {rest}".rstrip()
        for folder, how in places.items()
        if os.access(folder / program, os.X_OK)
    ]
