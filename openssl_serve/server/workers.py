"""Several processes on the same listeners: forked once everything is made, watched by the parent.

The contexts are made before the fork, so that a session ticket of one worker resumes in all, until
the certificate is reloaded: then each worker has keys of its own.
"""

import os
import select
import signal
import struct
import threading
import time
from collections.abc import Callable
from contextlib import suppress

from openssl_serve.server.polyglot import PolyglotServer
from openssl_serve.server.signals import draining_on_signals, hang_up_watch

RESTART_PAUSE_S = 1.0
"""Before a worker that died is replaced, so that one that cannot live does not eat the machine."""

LEAVE_S = 0.1
"""From when a worker leaves its listeners to its successor until it closes idle connections: what
is on its way on those is still answered, and no client waits so long to be answered by old code."""

FORWARDED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

Prepare = Callable[[PolyglotServer, Callable[[], None]], Callable[[], object]]
"""Called in each worker before it serves, with what asks (in its loop) for another in its place.
Returns what is called when it has served."""

_PID = struct.Struct("i")


def run_workers(
    server: PolyglotServer,
    count: int,
    ready: Callable[[], object],
    prepare: Prepare | None = None,
) -> None:
    """Serve from *count* processes until SIGINT or SIGTERM; *ready* is called in this one.

    A worker that dies otherwise is replaced, and so is one that asks for it; such workers stay in
    the foreground of the terminal, where a debugger can be talked to. No thread may run when this
    is called.
    """
    _Parent(server, count, prepare).run(ready)


class _Parent:
    def __init__(self, server: PolyglotServer, count: int, prepare: Prepare | None) -> None:
        self._server = server
        self._count = count
        self._prepare = prepare
        self._workers: dict[int, int] = {}
        """The number of each worker, by its pid."""
        self._leaving: set[int] = set()
        self._ending = False
        self._is_hung_up = hang_up_watch()
        self._cut_at = float("inf")
        # Workers see its end when this process ends, however that happens.
        self._alive, self._held = os.pipe()
        # Their pids, when they ask to be replaced.
        self._asked, self._ask = os.pipe()
        # Signals, of which the end of a worker is one.
        self._woken, self._wake = os.pipe()
        os.set_blocking(self._wake, False)

    def run(self, ready: Callable[[], object]) -> None:
        kept = {number: signal.signal(number, self._forward) for number in FORWARDED}
        kept[signal.SIGCHLD] = signal.signal(signal.SIGCHLD, _notice)
        wakeup = signal.set_wakeup_fd(self._wake, warn_on_full_buffer=False)
        try:
            for number in range(self._count):
                self._fork(number)
            ready()
            self._watch()
        finally:
            signal.set_wakeup_fd(wakeup)
            for each, old in kept.items():
                signal.signal(each, old)
            for fd in (self._alive, self._held, self._asked, self._ask, self._woken, self._wake):
                os.close(fd)

    def _forward(self, number: int, _frame: object) -> None:
        self._ending = self._ending or number != signal.SIGHUP or self._is_hung_up()
        if self._prepare is not None and number == signal.SIGINT:
            # The terminal sends it to the workers as well, and they leave it to this process.
            number = signal.SIGTERM
            self._cut_at = min(
                self._cut_at, time.monotonic() + self._server.limits.interrupt_grace_s
            )
        for pid in self._workers:
            with suppress(ProcessLookupError):
                os.kill(pid, number)

    def _fork(self, number: int) -> None:
        # A signal before the worker is noted would not be forwarded, or run the parent's handler in
        # the child.
        signal.pthread_sigmask(signal.SIG_BLOCK, FORWARDED)
        pid = os.fork()
        if pid == 0:
            self._work(number)
        self._workers[pid] = number
        signal.pthread_sigmask(signal.SIG_UNBLOCK, FORWARDED)

    def _work(self, number: int) -> None:
        """Be a worker; never returns."""
        code = 1
        try:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            for fd in (self._held, self._asked, self._woken, self._wake):
                os.close(fd)
            server = self._server
            server.after_fork()
            server.processes = self._count
            # One renewal is enough, and one word of what is new; all see the files.
            if number == 0:
                # It may be others to whom all clients come.
                server.chores = (*server.chores, server.contexts.look)
            else:
                server.chores = ()
                server.contexts.keep_quiet()
            server.drain_at_end_of(self._alive)
            finish: Callable[[], object] = _nothing
            if self._prepare is None:
                # A group of its own: Ctrl-C reaches the parent alone, and comes here once, from it.
                os.setpgid(0, 0)
            else:
                finish = self._begin(self._prepare)
            with draining_on_signals(server, self._is_hung_up):
                if self._prepare is not None:
                    signal.signal(signal.SIGINT, _notice)
                signal.pthread_sigmask(signal.SIG_UNBLOCK, FORWARDED)
                server.serve_forever()
            server.pool.close()
            server.log.flush()
            finish()
            code = 0
        except Exception as error:  # noqa: BLE001  whatever it is, this process ends
            self._server.log.note(f"worker {os.getpid()}: {type(error).__name__}: {error}")
            self._server.log.flush()
        finally:
            # Not sys.exit: what the parent has open and registered is the parent's to end.
            os._exit(code)

    def _begin(self, prepare: Prepare) -> Callable[[], object]:
        """Prepare, for which a signal ends this process: nothing is under way yet."""
        signal.signal(signal.SIGINT, _notice)
        for number in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, FORWARDED)
        finish = prepare(self._server, self._ask_for_another)
        signal.pthread_sigmask(signal.SIG_BLOCK, FORWARDED)
        return finish

    def _ask_for_another(self) -> None:
        """Have the parent make another worker, and leave everything new to that one."""
        server = self._server
        os.write(self._ask, _PID.pack(os.getpid()))
        server.leave_listeners()
        grace_s = server.limits.terminate_grace_s
        leave = threading.Timer(LEAVE_S, lambda: server.pool.call(lambda: server.drain(grace_s)))
        leave.daemon = True
        leave.start()

    # In the parent again.

    def _watch(self) -> None:
        self._reap()
        while self._workers:
            wait_s = self._cut_at - time.monotonic()
            select.select(
                [self._asked, self._woken], [], [], None if wait_s > 1e6 else max(0.0, wait_s)
            )
            self._reap()
            if time.monotonic() >= self._cut_at:
                self._cut_at = float("inf")
                for pid in self._workers:
                    os.kill(pid, signal.SIGTERM)

    def _reap(self) -> None:
        for fd, take in ((self._woken, None), (self._asked, self._replace)):
            while select.select([fd], [], [], 0)[0]:
                data = os.read(fd, _PID.size)
                if take is not None:
                    take(*_PID.unpack(data))
        while self._workers:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return
            self._ended(pid, status)

    def _replace(self, pid: int) -> None:
        if self._ending or pid not in self._workers or pid in self._leaving:
            return
        self._leaving.add(pid)
        _wait_for_threads()
        self._fork(self._workers[pid])

    def _ended(self, pid: int, status: int) -> None:
        number = self._workers.pop(pid, None)
        if number is None or self._ending or pid in self._leaving:
            self._leaving.discard(pid)
            return
        code = os.waitstatus_to_exitcode(status)
        self._server.log.note(f"worker {pid} ended with {code}; another takes its place")
        self._server.log.flush()
        time.sleep(RESTART_PAUSE_S)
        if not self._ending:
            self._fork(number)


def _notice(_number: int, _frame: object) -> None:
    """Let a signal interrupt what waits, and do nothing else."""


def _nothing() -> None:
    """What is called when a worker that was not prepared has served."""


def _wait_for_threads() -> None:
    """Wait for what says, from threads of its own, where this server is: before a fork."""
    for thread in threading.enumerate():
        if thread is not threading.current_thread():
            thread.join(RESTART_PAUSE_S)
