"""The door to every program but openssl, and to that beside threads; the only `subprocess`."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, Self

Child = subprocess.Popen[bytes]

ENGLISH = {"LC_ALL": "C.UTF-8", "LANGUAGE": ""}
"""For those whose words are parsed and quoted. Not "C", in which Java cannot open a file whose name
is not ASCII; where there is no C.UTF-8, C is what that means."""


def this_program(*words: str) -> list[str]:
    """Return what runs openssl-serve itself with *words*, beside a server that cannot wait for it.

    The folder that is served may be the current one. Without -P Python would look there first for
    each module, and run a typer.py that came with somebody's repository.
    """
    return [sys.executable, "-P", "-m", "openssl_serve", *words]


def run(arguments: Sequence[str], environment: Mapping[str, str], timeout_s: float) -> bool:
    """Run a program, silent and without input, to its end; whether it left with 0 in time.

    It is killed after *timeout_s* seconds. *environment* is added to this process's own.
    """
    try:
        done = subprocess.run(  # noqa: S603  a list of arguments, made by us
            arguments,
            env={**os.environ, **environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=timeout_s,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


class Output(NamedTuple):
    """What a program left behind that ran to its end."""

    exit_code: int
    stdout: str
    stderr: str


def capture(
    arguments: Sequence[str], environment: Mapping[str, str], timeout_s: float
) -> Output | None:
    """Run a program without input and without a terminal to ask on; None if it took too long.

    It is then killed, with all that it has started: update-ca-certificates is a script, and what it
    has begun would change the store later. *environment* is added to this process's own. Raises
    OSError when it cannot be started.
    """
    with Crew(timeout_s) as crew:
        return crew.capture(arguments, environment)


class RawOutput(NamedTuple):
    """The same as it came."""

    exit_code: int
    stdout: bytes
    stderr: bytes


def capture_private(
    arguments: Sequence[str], environment: Mapping[str, str], folder: Path, timeout_s: float
) -> RawOutput | None:
    """Run a program without input in *folder*; what it makes is its user's alone (umask 077).

    *environment* is all that it gets. After *timeout_s* seconds it is killed, with all that it has
    started; the answer is then None. Raises OSError when it cannot be started.
    """
    with subprocess.Popen(  # noqa: S603  a list of arguments, made by us
        arguments,
        env=dict(environment),
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        umask=0o077,
        process_group=0,
    ) as child:
        try:
            stdout, stderr = child.communicate(timeout=timeout_s)
        except BaseException as error:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)
            if isinstance(error, subprocess.TimeoutExpired):
                return None
            raise
    return RawOutput(child.returncode, stdout, stderr)


def start(arguments: Sequence[str], environment: Mapping[str, str]) -> Child:
    """Start a program beside this one, silent and without input; `poll` tells when it has ended.

    *environment* is added to this process's own. Raises OSError when it cannot be started.
    """
    # Popen makes the child in C, without running Python between fork and exec: safe beside threads.
    return _kept(
        subprocess.Popen(  # noqa: S603  a list of arguments, made by us
            arguments,
            env={**os.environ, **environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
    )


def start_apart(arguments: Sequence[str], environment: Mapping[str, str]) -> Child:
    """Start a program that goes on without this one: silent, without input or our terminal.

    *environment* is all that it gets. Raises OSError when it cannot be started.
    """
    return _kept(
        subprocess.Popen(  # noqa: S603  what the user has named, or the system's own
            arguments,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            # Ctrl-C and the end of the terminal are not for it, and it cannot read from there.
            start_new_session=True,
        )
    )


def _kept(child: Child) -> Child:
    """Keep *child* until it has ended, whoever forgets it: Python complains of one that runs."""
    _running[:] = [*(each for each in _running if each.poll() is None), child]
    return child


_running: list[Child] = []


def start_in_group(arguments: Sequence[str], environment: Mapping[str, str]) -> Child:
    """Start a program with this one's streams, as the leader of a process group of its own.

    *environment* is all that it gets. Raises OSError when it cannot be started.
    """
    return subprocess.Popen(  # noqa: S603  what the user asked to run
        arguments, env=dict(environment), process_group=0
    )


_GUARD = """
read -r line && exit
kill -s TERM -- "-$1"
for second in 1 2 3; do
    sleep 1
    kill -s 0 -- "-$1" 2>/dev/null || exit
done
kill -s KILL -- "-$1"
"""


class Guard:
    """Ends the process *group* when this process ends without having said that it does.

    Nothing else can after a SIGKILL. It is a shell that waits for a pipe to close.
    """

    def __init__(self, group: int) -> None:
        # In a session of its own: a signal from the terminal, or for all of us, is not for it.
        self._shell = subprocess.Popen(  # noqa: S603  the words above, and a number
            ["/bin/sh", "-c", _GUARD, "openssl-serve", str(group)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            cwd="/",
        )

    def release(self) -> None:
        """Let it go, now that the group has ended; harmless when done before."""
        if self._shell.returncode is None:
            self._shell.communicate(b"\n")


class Crew:
    """Programs that run side by side, each started by a thread of its own; none outlives the block.

    All of them have *timeout_s* seconds together, from now on.
    """

    def __init__(self, timeout_s: float) -> None:
        self._end = time.monotonic() + timeout_s
        self._lock = threading.Lock()
        self._running: set[Child] = set()
        self._is_over = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._is_over = True
            for child in self._running:
                _kill_group(child)

    def capture(
        self, arguments: Sequence[str], environment: Mapping[str, str], typed: bytes = b""
    ) -> Output | None:
        """Run a program to its end, with *typed* as its input and no terminal; None if too late.

        It is then killed, with all that it has started. *environment* is added to this process's
        own. Raises OSError when it cannot be started.
        """
        with self._lock:
            if self._is_over:
                return None
            child = subprocess.Popen(  # noqa: S603  a list of arguments, made by us
                arguments,
                env={**os.environ, **environment},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                # certutil asks for a password on /dev/tty, whatever its input is.
                start_new_session=True,
            )
            self._running.add(child)
        with child:
            try:
                left_s = max(0.0, self._end - time.monotonic())
                stdout, stderr = child.communicate(typed, timeout=left_s)
            except subprocess.TimeoutExpired:
                return None
            finally:
                # update-ca-certificates is a script: what it has begun would change a store later.
                _kill_group(child)
                with self._lock:
                    self._running.discard(child)
        texts = (data.decode("utf-8", "replace") for data in (stdout, stderr))
        return Output(child.returncode, *texts)


def _kill_group(child: Child) -> None:
    """Kill *child* and all that it has started, unless it has ended."""
    if child.poll() is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
