"""Why a command could not be started, and what may have been meant."""

import errno
import os
import re
import shlex
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from openssl_serve.errors import CommandError, reason_of
from openssl_serve.hosts import shorten

EXIT_NOT_FOUND, EXIT_NOT_STARTED = 127, 126
"""What shells, env(1) and timeout(1) leave with."""

MAX_FIRST_LINE = 255
"""Bytes of a script that the kernel reads (Linux: BINPRM_BUF_SIZE, 256)."""

_IN_PROJECT = {Path("node_modules/.bin"): "npx {}", Path(".venv/bin"): ".venv/bin/{}"}
"""Where a project has its programs, and what finds them there."""

_ONLY_IN_SHELLS = (
    ".", "alias", "cd", "eval", "exec", "exit", "export", "set", "source", "ulimit", "umask",
)  # fmt: skip

_ASSIGNMENT = re.compile(r"[A-Za-z_][A-Za-z0-9_]*=")


def not_started(
    words: Sequence[str], environment: Mapping[str, str], error: OSError
) -> CommandError:
    """Say why *words* could not be started in *environment*, which the system told in *error*."""
    program = words[0]
    if not program:
        return CommandError(
            EXIT_NOT_FOUND, "the command is empty", "as when a variable in a script is not set"
        )
    shown = shorten(program)
    if program in _ONLY_IN_SHELLS:
        hint = f"in a shell: {_run('sh', '-c', shlex.join(words))}"
        return CommandError(EXIT_NOT_FOUND, f"{shown}: not a program, only shells know it", hint)
    if error.errno == errno.ENOENT:
        path = shutil.which(program, path=environment.get("PATH"))
        if path is not None:
            return CommandError(EXIT_NOT_FOUND, *_without_interpreter(path))
        reason = reason_of(error) if "/" in program else "there is no such program in PATH"
        return CommandError(EXIT_NOT_FOUND, f"{shown}: {reason}", *_meant(words))
    if os.path.isdir(program):
        return CommandError(EXIT_NOT_STARTED, f"{shown}: is a folder")
    hints = []
    if error.errno == errno.EACCES and "/" in program:
        hints = [f"if it is a program: chmod +x {shlex.quote(program)}"]
    elif error.errno == errno.ENOEXEC:
        # Shells take it for a script of their own then.
        hints = [f"if it is a script for the shell: {_run('sh', *words)}"]
    return CommandError(EXIT_NOT_STARTED, f"{shown}: {reason_of(error)}", *hints)


def _without_interpreter(path: str) -> tuple[str, ...]:
    """The message and the hint for a program that is there, while what runs it is not."""
    try:
        with open(path, "rb") as file:
            line = file.readline(MAX_FIRST_LINE)
    except OSError:
        line = b""
    shown = shorten(path)
    if not line.startswith(b"#!"):
        # The loader of another system's C library, say.
        return (f"{shown}: what it needs to be loaded is not there (file {shown} tells)",)
    # Not all of split()'s white space: the line end of DOS is taken for a part of the name.
    words = [word for word in line[2:].rstrip(b"\n").replace(b"\t", b" ").split(b" ") if word]
    interpreter = words[0].decode("utf-8", "replace") if words else ""
    message = f'{shown}: its first line names "{shorten(interpreter)}", which is not there'
    if interpreter.endswith("\r"):
        return message, "its lines end as on Windows: dos2unix, or sed -i 's/\\r$//'"
    return message, "it may have been moved, as a virtual environment cannot be: install it again"


def _meant(words: Sequence[str]) -> list[str]:
    program = words[0]
    if _ASSIGNMENT.match(program):
        return [f"a variable is set by env: {_run('env', *words)}"]
    if " " in program:
        # One word that was meant to be several.
        return [f"openssl-serve run -- {program}", f"or in a shell: {_run('sh', '-c', program)}"]
    if "/" in program:
        return []
    return [
        f"it is in this project: {_run(*shlex.split(how.format(program)), *words[1:])}"
        for folder, how in _IN_PROJECT.items()
        if os.access(folder / program, os.X_OK)
    ]


def _run(*words: str) -> str:
    return f"openssl-serve run -- {shlex.join(words)}"
