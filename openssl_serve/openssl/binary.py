"""The openssl program: know its version, run it; the only import of `sh`.

What to ask of it is decided elsewhere (commands.py); whether it did that is judged by whoever
asked, from the files that came out.
"""

import os
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from openssl_serve.errors import (
    OpensslError,
    OpensslFailedError,
    OpensslUnusableError,
)
from openssl_serve.hosts import shorten
from openssl_serve.openssl.search import UNNAMED, VARIABLE, find
from openssl_serve.programs import candidates

if TYPE_CHECKING:
    from openssl_serve.openssl.flavour import Version

VERSION_TIMEOUT_S = 10
"""It takes 10 ms; what has said nothing by then is not openssl, or waits for something."""

TIMEOUT_S = 60
"""An RSA key of 4096 bits takes 10 s on a slow, loaded board."""

_OVERRIDDEN = ("OPENSSL_CONF_INCLUDE", "RANDFILE", "LANGUAGE")


class Output(NamedTuple):
    """What a run of openssl left behind, beside its files."""

    exit_code: int
    stdout: bytes
    stderr: str


class Openssl:
    """One openssl program, found when first needed.

    And asked for its version only when that decides something: a call takes ten milliseconds, and
    a program that makes what it was asked for has shown what it is.

    *named* is a path or a name to look up, else `$OPENSSL_SERVE_OPENSSL`, else "openssl". *tell*
    gets a line for each call that has ended, and what openssl said when it failed.
    """

    def __init__(
        self, named: str | None = None, tell: Callable[[str], object] | None = None
    ) -> None:
        self._named = named or os.environ.get(VARIABLE) or "openssl"
        self._tell = tell

    @cached_property
    def path(self) -> Path:
        """The program. Raises OpensslNotFoundError."""
        return find(self._named)

    @cached_property
    def version(self) -> "Version":
        """Flavour and number. Raises OpensslNotFoundError, OpensslUnusableError."""
        from openssl_serve.openssl.flavour import parse_version  # noqa: PLC0415 - seldom asked

        root = Path("/")
        try:
            # Not by sh: importing that takes five times as long as the call.
            output = self._beside_threads(("version",), root, _environment(root), VERSION_TIMEOUT_S)
            return parse_version(output.stdout.decode("utf-8", "replace"), str(self.path))
        except (OpensslFailedError, OpensslUnusableError) as error:
            raise OpensslUnusableError(str(error), *self._hints()) from error

    def run(self, *arguments: str, folder: Path, timeout_s: int = TIMEOUT_S) -> Output:
        """Run openssl in *folder*, with its `openssl.cnf` if there is one.

        Files that it makes are readable by the owner alone. The exit code is the caller's to
        judge, and so is whether this is an openssl at all: who reads its words asks for `version`
        first, who looks at its files calls `failure`. Raises OpensslUnusableError when it cannot
        be started, OpensslFailedError when it was killed, by the time limit or otherwise.
        """
        # Imported here, as all that only a call needs.
        import threading  # noqa: PLC0415

        # sh runs Python between fork and exec, which may deadlock when another thread has held a
        # lock meanwhile: as in a test run, or in a program with a server of ours in a thread.
        is_alone = threading.active_count() == 1
        call = self._by_sh if is_alone and _can_be_said_by_sh(arguments) else self._beside_threads
        if self._tell is None:
            return call(arguments, folder, _environment(folder), timeout_s)
        import time  # noqa: PLC0415

        began = time.monotonic()
        output = call(arguments, folder, _environment(folder), timeout_s)
        self._account(self._tell, arguments, output, time.monotonic() - began)
        return output

    def _account(
        self,
        tell: Callable[[str], object],
        arguments: tuple[str, ...],
        output: Output,
        seconds: float,
    ) -> None:
        """Tell what was called, how it ended, and what it said if that was no success."""
        import shlex  # noqa: PLC0415  for who wants to know alone

        command = shlex.join([str(self.path), *arguments])
        tell(f"ran {command}: exit {output.exit_code} after {seconds * 1000:.0f} ms")
        if output.exit_code:
            for line in output.stderr.splitlines():
                tell(f"  {shorten(line, 400)}")

    def _beside_threads(
        self, arguments: tuple[str, ...], folder: Path, environment: dict[str, str], timeout_s: int
    ) -> Output:
        import signal  # noqa: PLC0415

        from openssl_serve import tools  # noqa: PLC0415

        try:
            output = tools.capture_private(
                [str(self.path), *arguments], environment, folder, timeout_s
            )
        except OSError as error:
            raise self._cannot_start() from error
        if output is None:
            raise self._killed(arguments[0], signal.SIGALRM, timeout_s)
        stderr = output.stderr.decode("utf-8", "replace")
        if output.exit_code < 0:
            raise self._killed(arguments[0], -output.exit_code, timeout_s, stderr)
        return Output(output.exit_code, output.stdout, stderr)

    def _by_sh(
        self, arguments: tuple[str, ...], folder: Path, environment: dict[str, str], timeout_s: int
    ) -> Output:
        import signal  # noqa: PLC0415
        import warnings  # noqa: PLC0415

        sh = _import_sh()

        def before_exec() -> None:
            # In the child, after the fork. sh has a _timeout of its own, but that makes every
            # call wait for the next tenth of a second; an alarm survives exec and costs nothing.
            signal.signal(signal.SIGALRM, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGALRM})
            signal.alarm(timeout_s)
            os.umask(0o077)  # noqa: TID251 - the child's own; LibreSSL makes keys 0666 & ~umask

        try:
            with Path(os.devnull).open("rb") as nothing, warnings.catch_warnings():
                # Python 3.12 and later: of sh's own threads for the call before, which the system
                # still counts when they have ended.
                warnings.filterwarnings(
                    "ignore", ".* multi-threaded, use of fork", DeprecationWarning
                )
                result = sh.Command(str(self.path))(
                    *arguments,
                    _in=nothing,
                    _tty_out=False,
                    _truncate_exc=False,
                    _return_cmd=True,
                    _ok_code=range(256),
                    _cwd=str(folder),
                    _env=environment,
                    _preexec_fn=before_exec,
                )
        except sh.SignalException as error:
            stderr = error.stderr.decode("utf-8", "replace")
            raise self._killed(arguments[0], -error.exit_code, timeout_s, stderr) from error
        except (sh.CommandNotFound, sh.ForkException, OSError) as error:
            raise self._cannot_start() from error
        return Output(result.exit_code, result.stdout, result.stderr.decode("utf-8", "replace"))

    def _killed(
        self, step: str, number: int, timeout_s: int, stderr: str = ""
    ) -> OpensslFailedError:
        import signal  # noqa: PLC0415

        late = number == signal.SIGALRM
        how = f"did not end within {timeout_s} s" if late else f"was killed by signal {number}"
        return OpensslFailedError(f"{self.path}: {step} {how}", stderr=stderr)

    def _cannot_start(self) -> OpensslUnusableError:
        # The file exists and is executable, yet exec refuses it: another machine's binary.
        return OpensslUnusableError(f"openssl cannot be started: {self.path}", *self._hints())

    def failure(self, step: str, output: Output) -> OpensslFailedError:
        """The error for a *step* ("req") that did not do its work.

        Raises OpensslUnusableError when that is no wonder: no openssl, or one that is too old.
        """
        _ = self.version
        return failure(step, output)

    def _hints(self) -> list[str]:
        """What to type instead of this program: the next one in PATH that works."""
        if self._named != "openssl":
            return [UNNAMED]
        for path in candidates("openssl"):
            if path.resolve() != self.path.resolve():
                other = Openssl(str(path))
                try:
                    return [f"it is the first in PATH; {path} is {other.version}: --openssl {path}"]
                except OpensslError:
                    continue
        return [f"name another: --openssl /path/to/openssl, or ${VARIABLE}"]


def failure(step: str, output: Output) -> OpensslFailedError:
    """The error for a *step* ("req") that did not do its work, in one line.

    openssl reports "number:error:code:library:function:reason:file:line"; the reason is for
    people, and all of it stays in `stderr`. "Could not read CA private key from ca.key" says more.
    """
    lines = [line.strip() for line in output.stderr.splitlines() if line.strip()]
    errors = [line for line in lines if ":error:" in line]
    plain = [line for line in lines if line.startswith("Could not ")]
    line = (plain or errors or lines or ["it said nothing"])[0]
    if line in errors and len(fields := line.split(":")) > 5:
        line = fields[5] or line
    return OpensslFailedError(
        f"openssl {step} failed (exit {output.exit_code}): {shorten(line, 200)}",
        "to see all that openssl is asked: the same command with --explain",
        stderr=output.stderr,
    )


def _environment(folder: Path) -> dict[str, str]:
    """What openssl gets in *folder*, with its `openssl.cnf` if there is one."""
    config = folder / "openssl.cnf"
    environment = {k: v for k, v in os.environ.items() if k not in _OVERRIDDEN}
    # OPENSSL_CONF is also read by the commands that have no -config option.
    conf = str(config) if config.exists() else os.devnull
    return environment | {"LC_ALL": "C", "OPENSSL_CONF": conf}


def _can_be_said_by_sh(arguments: tuple[str, ...]) -> bool:
    """Whether all is UTF-8; other names of files have surrogates here (PEP 383), and sh fails."""
    return not any("\ud800" <= c <= "\udfff" for word in arguments for c in word)


def _import_sh() -> Any:
    """The module `sh`, imported when first needed: 75 ms, and a start rarely needs it."""
    import glob  # noqa: PLC0415

    original = glob.glob
    try:
        import sh  # noqa: PLC0415
    finally:
        # sh replaces glob.glob for the whole process, which is nobody's business but its own.
        glob.glob = original
    return sh
