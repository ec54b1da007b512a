"""The door to every program but openssl; the only import of `subprocess`."""

import os
import subprocess
from collections.abc import Mapping, Sequence
from typing import NamedTuple

Child = subprocess.Popen[bytes]


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

    It is then killed. *environment* is added to this process's own. Raises OSError when it cannot
    be started.
    """
    try:
        done = subprocess.run(  # noqa: S603  a list of arguments, made by us
            arguments,
            env={**os.environ, **environment},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            # certutil asks for a password on /dev/tty, whatever its input is.
            start_new_session=True,
            timeout=timeout_s,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return None
    texts = (data.decode("utf-8", "replace") for data in (done.stdout, done.stderr))
    return Output(done.returncode, *texts)


def start(arguments: Sequence[str], environment: Mapping[str, str]) -> Child:
    """Start a program beside this one, silent and without input; `poll` tells when it has ended.

    *environment* is added to this process's own. Raises OSError when it cannot be started.
    """
    # Popen makes the child in C, without running Python between fork and exec: safe beside threads.
    return subprocess.Popen(  # noqa: S603  a list of arguments, made by us
        arguments,
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
