"""Several processes on the same listeners: forked once everything is made, watched by the parent.

The contexts are made before the fork, so that a session ticket of one worker resumes in all, until
the certificate is reloaded: then each worker has keys of its own.
"""

import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress

from openssl_serve.server.polyglot import PolyglotServer
from openssl_serve.server.signals import draining_on_signals

RESTART_PAUSE_S = 1.0
"""Before a worker that died is replaced, so that one that cannot live does not eat the machine."""

FORWARDED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def run_workers(server: PolyglotServer, count: int, ready: Callable[[], object]) -> None:
    """Serve from *count* processes until SIGINT or SIGTERM; *ready* is called in this one.

    A worker that dies otherwise is replaced. No thread may run when this is called.
    """
    _Parent(server, count).run(ready)


class _Parent:
    def __init__(self, server: PolyglotServer, count: int) -> None:
        self._server = server
        self._count = count
        self._workers: dict[int, int] = {}
        """The number of each worker, by its pid."""
        self._ending = False
        # Workers see its end when this process ends, however that happens.
        self._alive, self._held = os.pipe()

    def run(self, ready: Callable[[], object]) -> None:
        kept = {number: signal.signal(number, self._forward) for number in FORWARDED}
        try:
            for number in range(self._count):
                self._fork(number)
            ready()
            self._watch()
        finally:
            for number, old in kept.items():
                signal.signal(number, old)
            os.close(self._alive)
            os.close(self._held)

    def _forward(self, number: int, _frame: object) -> None:
        self._ending = self._ending or number != signal.SIGHUP
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
            # A group of its own: Ctrl-C reaches the parent alone, and comes here once, from it.
            os.setpgid(0, 0)
            os.close(self._held)
            self._server.after_fork()
            self._server.processes = self._count
            if number != 0:
                # One renewal is enough; all see the files.
                self._server.chores = ()
            self._server.drain_at_end_of(self._alive)
            with draining_on_signals(self._server):
                signal.pthread_sigmask(signal.SIG_UNBLOCK, FORWARDED)
                self._server.serve_forever()
            self._server.pool.close()
            self._server.log.flush()
            code = 0
        finally:
            # Not sys.exit: what the parent has open and registered is the parent's to end.
            os._exit(code)

    def _watch(self) -> None:
        while self._workers:
            pid, status = os.wait()
            if pid not in self._workers:
                continue
            number = self._workers.pop(pid)
            if self._ending:
                continue
            code = os.waitstatus_to_exitcode(status)
            self._server.log.note(f"worker {pid} ended with {code}; another takes its place")
            self._server.log.flush()
            time.sleep(RESTART_PAUSE_S)
            if not self._ending:
                self._fork(number)
