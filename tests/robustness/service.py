"""A server in a process of its own, as these tests start it, weigh it and end it.

Its words go to files, so that no pipe holds it up, and each of them is read in the end: a fault
that was only logged fails the test as well.
"""

import contextlib
import json
import os
import re
import resource
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Self

from server_fixtures import Client, Pair, eventually

HERE = Path(__file__).parent
INSTALLED = str(Path(sys.executable).with_name("openssl-serve"))

DEADLINE_S = 30.0
"""For what takes a second on a free machine: only a broken server waits so long."""

LONG = bool(os.environ.get("OPENSSL_SERVE_TEST_LONG"))
"""Whether to take the time for the full counts, two minutes more."""

FAULTS = ("Traceback", "500 for", "a connection was ended by", "Exception ignored")
"""What no log may hold, whatever the clients do."""

MAX_OPEN_FILES = resource.getrlimit(resource.RLIMIT_NOFILE)[1]


class Usage(NamedTuple):
    """What a process holds now."""

    files: int
    threads: int
    anonymous_kb: int
    """Memory of its own, in KB (1000 bytes)."""


def usage(pid: int) -> Usage:
    """Weigh the process *pid*."""
    proc = Path("/proc") / str(pid)
    # Its lines are in KiB. Anonymous: what it has allocated; its code is shared and not counted.
    anonymous = re.search(r"^Anonymous:\s+(\d+)", (proc / "smaps_rollup").read_text(), re.MULTILINE)
    assert anonymous
    return Usage(
        len(os.listdir(proc / "fd")),
        len(os.listdir(proc / "task")),
        int(anonymous[1]) * 1024 // 1000,
    )


def cpu_seconds(pid: int) -> float:
    """The CPU time that the process *pid* has taken so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def is_alive(pid: int) -> bool:
    """Whether the process runs; one that has ended and was not waited for does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def children(pid: int) -> list[int]:
    """The processes that *pid* has started and that live."""
    found = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [int(each) for each in found if is_alive(int(each))]


def distrustful_of_none() -> ssl.SSLContext:
    """A client's context that takes any certificate."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


@dataclass
class Service:
    """One started server."""

    process: subprocess.Popen[bytes]
    stdout: Path
    stderr: Path
    context: ssl.SSLContext

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def log(self) -> str:
        return self.stderr.read_text(errors="replace")

    @property
    def port(self) -> int:
        """The port of its first URL, once it has said so."""
        return int(self.wait_for(r"https://\S+?:(\d+)/", self.stdout)[1])

    @property
    def usage(self) -> Usage:
        return usage(self.pid)

    def wait_for(self, pattern: str, file: Path | None = None) -> re.Match[str]:
        """The first match of *pattern* in the log (or in *file*), once there is one."""
        found: list[re.Match[str]] = []

        def look() -> bool:
            match = re.search(
                pattern, (file or self.stderr).read_text(errors="replace"), re.MULTILINE
            )
            found.extend([match] if match else [])
            assert match or self.process.poll() is None, f"it ended: {self.log}"
            return bool(match)

        eventually(look, f"{pattern} in its words", DEADLINE_S)
        return found[0]

    def plain(self) -> Client:
        return Client(socket.create_connection(("127.0.0.1", self.port), DEADLINE_S))

    def tls(self, session: ssl.SSLSession | None = None) -> Client:
        raw = socket.create_connection(("127.0.0.1", self.port), DEADLINE_S)
        try:
            return Client(
                self.context.wrap_socket(raw, server_hostname="localhost", session=session)
            )
        except BaseException:
            raw.close()
            raise

    def assert_well(self) -> None:
        """It answers, over both protocols, and has logged no fault."""
        assert self.process.poll() is None, self.log
        with self.tls() as secure, self.plain() as plain:
            assert secure.get("/a.txt").body == b"content of a\n"
            assert plain.get("/a.txt").status in (200, 301)
        self.assert_no_fault()

    def assert_no_fault(self) -> None:
        for line in self.log.splitlines():
            assert not any(fault in line for fault in FAULTS), self.log[-4000:]

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def wait(self) -> int:
        return self.process.wait(DEADLINE_S)


class Starter:
    """Starts servers and crowds in *folder*, and ends whatever is left of them."""

    def __init__(self, folder: Path, root: Path, pair: Pair) -> None:
        self.root, self.pair = root, pair
        self._folder = folder
        self._count = 0
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()

    def command(self, *options: str, generates: bool = False, **how: Any) -> Service:
        """The installed command with these options, on a free port unless they say where.

        It has the pair of the tests, or *generates* one of its own.
        """
        named = any(word.startswith(("--bind-addr", "--socket")) for word in options)
        where = [] if named else ["--port", "0"]
        pair = ["--cert", str(self.pair.cert_path), "--cert-key", str(self.pair.key_path)]
        if generates:
            pair = []
        return self.start([INSTALLED, str(self.root), *pair, *where, *options], **how)

    def limited(self, **limits: float | bool) -> Service:
        """A server with these limits; plain HTTP is served."""
        words = [str(self.root), str(self.pair.cert_path), str(self.pair.key_path)]
        program = [sys.executable, str(HERE / "program.py")]
        return self.start([*program, *words, json.dumps(limits)])

    def bare(self) -> Service:
        """A server that keeps TLS sockets and knows no HTTP."""
        words = [sys.executable, str(HERE / "bare.py"), str(self.pair.cert_path)]
        return self.start([*words, str(self.pair.key_path)])

    def start(
        self, words: list[str], *, environment: dict[str, str] | None = None, **popen: Any
    ) -> Service:
        self._count += 1
        files = [self._folder / f"{self._count}.{name}" for name in ("out", "err")]
        with files[0].open("wb") as out, files[1].open("wb") as err:
            process = subprocess.Popen(
                words,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                env={**os.environ, "PYTHONWARNINGS": "error", **(environment or {})},
                **popen,
            )
        service = Service(process, files[0], files[1], distrustful_of_none())
        self._stack.callback(service.assert_no_fault)
        self._stack.callback(_end, process)
        return service

    def crowd(self, mode: str, service: Service, *words: object) -> "Crowd":
        """Clients in a process of their own; see crowd.py."""
        process = subprocess.Popen(
            [sys.executable, HERE / "crowd.py", mode, str(service.port), *map(str, words)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._stack.callback(_end, process)
        return Crowd(process)


class Crowd:
    """Clients in a process of their own, until they are told to go."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process
        self.pid = process.pid

    def report(self) -> dict[str, Any]:
        """The next line that they print."""
        assert self._process.stdout
        line = self._process.stdout.readline()
        assert line, f"the crowd ended with {self._process.wait()}"
        found = json.loads(line)
        assert isinstance(found, dict)
        return found

    def leave(self) -> dict[str, Any]:
        """Have them go, and return what they say at last."""
        said, _ = self._process.communicate(timeout=DEADLINE_S)
        assert self._process.returncode == 0, said
        found = json.loads(said.splitlines()[-1])
        assert isinstance(found, dict)
        return found


def _end(process: "subprocess.Popen[Any]") -> None:
    """End what may have ended long ago, politely and then not; its pipes are closed."""
    with process:
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(DEADLINE_S)
            except subprocess.TimeoutExpired:
                process.kill()


def milliseconds(work: Callable[[], object], times: int) -> Iterator[float]:
    """How long each of *times* calls takes."""
    for _ in range(times):
        began = time.perf_counter()
        work()
        yield (time.perf_counter() - began) * 1000


def percentile(figures: list[float], share: float) -> float:
    """The figure that *share* of all do not exceed."""
    ordered = sorted(figures)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]
