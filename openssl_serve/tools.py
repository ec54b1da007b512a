"""The door to every program but openssl; the only import of `subprocess`."""

import os
import subprocess
from collections.abc import Mapping, Sequence

Child = subprocess.Popen[bytes]


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
