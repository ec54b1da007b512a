"""Starting and stopping servers, running loads against them, and weighing what they take.

The only user of subprocess in the benchmarks. Everything started here ends here, by its own
process id. Memory and CPU are read from /proc and are None where there is none.
"""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Self

Word = str | Path
"""What a command is made of."""

PROC = Path("/proc")
STOP_TIMEOUT_S = 5.0
SAMPLE_INTERVAL_S = 0.2


class BenchError(Exception):
    """One measurement, or one server, that failed; said in one line."""


def output(command: Sequence[Word], timeout_s: float = 60) -> str:
    """Run a short command and give all that it says; BenchError with its last line if it fails."""
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=timeout_s,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise BenchError(str(error)) from error
    if done.returncode:
        raise BenchError(f"{command[0]} failed: {_last_line(done.stdout)}")
    return done.stdout


def run_load(command: Sequence[Word], timeout_s: float, sample: Callable[[], None]) -> str:
    """Run a load to its end, calling *sample* now and then; give what it printed."""
    with subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as process:
        end = time.monotonic() + timeout_s
        try:
            said: str | None = None
            while said is None:
                try:
                    said, _ = process.communicate(timeout=SAMPLE_INTERVAL_S)
                except subprocess.TimeoutExpired:
                    sample()
                    if time.monotonic() > end:
                        raise BenchError(f"no result after {timeout_s:g} s") from None
        finally:
            _end(tree(process.pid), process)
    if process.returncode:
        raise BenchError(_last_line(said))
    return said


def timed(command: Sequence[Word], log: Path, environment: Mapping[str, str]) -> float:
    """Run a program to its end; give the milliseconds it took, BenchError if it fails."""
    begun = time.monotonic()
    with Server(command, log, environment) as program:
        status = program.wait()
        milliseconds = (time.monotonic() - begun) * 1000
    if status:
        raise BenchError(f"status {status}: {_last_line(log.read_text(errors='replace'))}")
    return milliseconds


def free_port() -> int:
    """Give a port that is free on 127.0.0.1 now."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


class Server:
    """One running server; its words go to *log*. Leaving the context ends it and its children."""

    def __init__(self, command: Sequence[Word], log: Path, environment: Mapping[str, str]) -> None:
        self.log = log
        self.peak_memory: float | None = None
        with log.open("wb") as out:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                cwd=log.parent,
                env={**os.environ, **environment},
                start_new_session=True,
            )

    def check_alive(self) -> None:
        """Raise BenchError, with the last line of its log, if the server has gone."""
        if self._process.poll() is not None:
            words = _last_line(self.log.read_text(errors="replace"))
            raise BenchError(f"ended with status {self._process.returncode}: {words}")

    def wait(self) -> int:
        """Wait for the end; give the exit status. Without a timeout, which would mean polling."""
        return self._process.wait()

    def sample_memory(self) -> None:
        """Keep the largest memory seen, in MB."""
        found = self.memory()
        if found is not None:
            self.peak_memory = max(found, self.peak_memory or 0.0)

    def forget_peak(self) -> None:
        """Look for the largest memory anew."""
        self.peak_memory = None

    def memory(self) -> float | None:
        """Give the memory that the server and its children have now, in MB."""
        return memory(tree(self._process.pid))

    def cpu_seconds(self) -> float | None:
        """Give the CPU time that the server and its children have taken so far."""
        return cpu_seconds(tree(self._process.pid))

    def stop(self) -> None:
        """End the server: politely, then not, then whatever it left behind."""
        _end(tree(self._process.pid), self._process)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def tree(pid: int) -> list[int]:
    """List *pid* and all that it started, itself first; only itself where there is no /proc."""
    children: dict[int, list[int]] = {}
    for stat in PROC.glob("[0-9]*/stat"):
        fields = _stat(stat)
        if fields:
            children.setdefault(int(fields[1]), []).append(int(stat.parent.name))
    found = [pid]
    for each in found:
        found += children.get(each, [])
    return found


def memory(pids: Sequence[int]) -> float | None:
    """Weigh a process tree in MB: anonymous pages shared out among it, code and files once.

    Not the plain sum of PSS: that also shares a runtime's code with strangers that happen to run
    it (two peers on Node, this script and any server in Python).
    """
    anonymous, files = 0, 0
    for pid in pids:
        try:
            text = (PROC / str(pid) / "smaps_rollup").read_text()
        except OSError:
            continue
        fields = {line.split(":")[0]: line.split() for line in text.splitlines()[1:]}
        kib = {name: int(words[1]) for name, words in fields.items()}
        anonymous += kib.get("Pss_Anon", kib["Anonymous"])
        files = max(files, kib["Rss"] - kib["Anonymous"])
    return (anonymous + files) * 1024 / 1e6 or None


def cpu_seconds(pids: Sequence[int]) -> float | None:
    """Add up user and system time of the processes."""
    fields = [_stat(PROC / str(pid) / "stat") for pid in pids]
    ticks = sum(int(each[11]) + int(each[12]) for each in fields if each)
    return ticks / os.sysconf("SC_CLK_TCK") if any(fields) else None


class Strangers:
    """Watches what share of the machine goes to work that is not ours, from now on."""

    def __init__(self) -> None:
        self._begun = self._readings()

    def share(self) -> float | None:
        """Give that share, 0 to 1; all that we started must have ended. None without /proc."""
        now = self._readings()
        if now is None or self._begun is None:
            return None
        busy, ours, wall = (end - begin for begin, end in zip(self._begun, now, strict=True))
        return min(1.0, max(0.0, (busy - ours) / (wall * (os.cpu_count() or 1))))

    @staticmethod
    def _readings() -> tuple[float, float, float] | None:
        try:
            cpu = (PROC / "stat").read_text().split()
        except OSError:
            return None
        user, nice, system, stolen = (int(cpu[place]) for place in (1, 2, 3, 8))
        busy = (user + nice + system + stolen) / os.sysconf("SC_CLK_TCK")
        times = os.times()
        return busy, sum(times[:4]), time.monotonic()


def _stat(path: Path) -> list[str]:
    """Split /proc/PID/stat behind the program's name, which may hold anything: state, parent …."""
    try:
        return path.read_text(errors="replace").rpartition(")")[2].split()
    except OSError:
        return []


def _end(family: Sequence[int], process: "subprocess.Popen[str] | subprocess.Popen[bytes]") -> None:
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    end = time.monotonic() + STOP_TIMEOUT_S
    for pid in family[1:]:
        while _is_running(pid, session=process.pid) and time.monotonic() < end:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            time.sleep(0.001)


def _is_running(pid: int, session: int) -> bool:
    """Tell a child that outlived its parent from a stranger that was given its id since."""
    fields = _stat(PROC / str(pid) / "stat")
    return bool(fields) and fields[0] != "Z" and int(fields[3]) == session


def _last_line(words: str) -> str:
    lines = [line.strip() for line in words.splitlines() if line.strip()]
    return lines[-1] if lines else "it said nothing"
