"""The command beside the server: signals go to both, and when one ends, so does the other.

On a terminal the command is the job in front, as if it had been started without us: it gets what
is typed, Ctrl-C and Ctrl-Z. What the terminal does not send it, is passed on from here.
"""

import functools
import os
import select
import signal
from collections.abc import Callable

from openssl_serve.child.command import EXIT_BY_SIGNAL, TERMINATE_GRACE_S, Command
from openssl_serve.child.terminal import Terminal
from openssl_serve.server.polyglot import PolyglotServer
from openssl_serve.server.signals import signals_in_loop

PASSED_ON = (
    signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2, signal.SIGWINCH, signal.SIGTSTP,
)  # fmt: skip
"""Signals that the command gets, and we do not act upon; but SIGHUP loads the certificate too."""

END_GRACE_S = 8.0
"""For the command to end after it was told to: container runtimes kill everybody after 10."""

WORD_AFTER_S = 1.0
"""Of that time; then is said what we wait for."""

_QUIET = ("SIGINT", "SIGHUP", "SIGPIPE")
"""What ends a command of somebody who knows: Ctrl-C, a closed window, a reader that had enough."""

_WANTS_TERMINAL = (signal.SIGTTIN, signal.SIGTTOU)
"""What stops a process that reads from the terminal, or changes it, and is not in front."""


class Supervisor:
    """Runs *server* and a command beside it, until one of them ends."""

    def __init__(self, server: PolyglotServer, terminal: Terminal | None) -> None:
        self._server = server
        self._started: Command | None = None
        self._terminal = terminal
        self._in_front = False
        """Whether the command is to be in front whenever we could be."""
        self._asked = 0
        """How many signals have asked for the end."""
        self._end_by = 0.0
        """When the patience with a command that was told to end is over, by the server's clock."""

    def run(self, start: Callable[[], Command], ready: Callable[[Command], object]) -> int:
        """Serve until the command that *start* returns has ended, or a signal; its exit status.

        *ready* is called when all is taken care of, just before the first request can be. Only
        for the main thread.
        """
        limits = self._server.limits
        calls: dict[signal.Signals, Callable[[], None]] = {
            signal.SIGINT: functools.partial(self._end, signal.SIGINT, limits.interrupt_grace_s),
            signal.SIGTERM: functools.partial(self._end, signal.SIGTERM, limits.terminate_grace_s),
            signal.SIGCHLD: self._look,
            signal.SIGCONT: self._go_on,
            **{number: functools.partial(self._pass_on, number) for number in PASSED_ON},
        }
        # First of all: a signal that comes while the command starts waits for the loop.
        guarded = {each: functools.partial(self._if_started, calls[each]) for each in calls}
        with signals_in_loop(self._server, guarded):
            self._started = start()
            # Not before: the command would ignore it too.
            kept = signal.signal(signal.SIGTTOU, signal.SIG_IGN)
            try:
                self._serve(ready)
            finally:
                left_s = max(0.0, self._end_by - self._server.clock())
                status = self._command.end(left_s, self._pause)
                self._leave_terminal(status)
                self._tell_of_signal()
                self._started = None
                signal.signal(signal.SIGTTOU, kept)
        return status

    def _serve(self, ready: Callable[[Command], object]) -> None:
        if self._terminal is not None and self._terminal.is_ours and os.isatty(0) and os.isatty(1):
            # In a pipeline, somebody else may want it (| less); then the command has to ask.
            self._put_in_front()
        ready(self._command)
        self._server.serve_forever()

    @property
    def _command(self) -> Command:
        assert self._started is not None
        return self._started

    # In the loop.

    def _if_started(self, call: Callable[[], None]) -> None:
        """Make the *call*, unless there is no command: none could be started, or it has ended."""
        if self._started is not None:
            call()

    def _end(self, number: signal.Signals, grace_s: float) -> None:
        self._asked += 1
        self._end_by = self._server.clock() + END_GRACE_S
        self._command.send(number if self._asked == 1 else signal.SIGKILL)
        # What is stopped hears of it when it goes on.
        self._command.send(signal.SIGCONT)
        self._server.drain(grace_s if self._asked == 1 else 0)

    def _pass_on(self, number: signal.Signals) -> None:
        self._command.send(number)
        if number == signal.SIGHUP:
            # It may be that the terminal is gone, and with it who could continue what is stopped.
            self._command.send(signal.SIGCONT)
            self._server.contexts.reload()

    def _look(self) -> None:
        stopped_by = self._command.look()
        if stopped_by is not None:
            self._stopped(stopped_by)
        elif self._command.status is not None and not self._server.draining:
            # What is being answered had its answers from the command.
            self._server.drain(self._server.limits.interrupt_grace_s)

    # The terminal.

    def _stopped(self, number: signal.Signals) -> None:
        if number in _WANTS_TERMINAL and self._terminal is not None and self._terminal.is_ours:
            self._put_in_front()
            return
        self._take_terminal_back()
        # We stop as well, and all of our own job with us: the shell waits for that.
        handler = signal.signal(signal.SIGTSTP, signal.SIG_DFL)
        os.killpg(os.getpgrp(), signal.SIGTSTP)
        # Here somebody has continued us; or nobody could stop us, as there is no shell to wait.
        signal.signal(signal.SIGTSTP, handler)
        self._go_on()

    def _go_on(self) -> None:
        if self._in_front and self._terminal is not None and self._terminal.is_ours:
            self._put_in_front()
        else:
            self._command.send(signal.SIGCONT)

    def _put_in_front(self) -> None:
        assert self._terminal is not None
        self._in_front = True
        self._terminal.put_in_front(self._command.group)
        # It may have been stopped for want of it.
        self._command.send(signal.SIGCONT)

    def _take_terminal_back(self) -> None:
        if self._terminal is not None and self._terminal.front == self._command.group:
            self._terminal.put_in_front(os.getpgrp())

    # After the loop.

    def _pause(self, seconds: float) -> bool:
        """Wait for a signal, and act upon it; whether there is still patience."""
        pool, log = self._server.pool, self._server.log
        if select.select([pool], [], [], seconds)[0]:
            pool.deliver()
        waited_s = self._server.clock() - self._end_by + END_GRACE_S
        if self._asked and waited_s > WORD_AFTER_S:
            most_s = END_GRACE_S + TERMINATE_GRACE_S
            log.note_once(
                f"waiting for the command to end, at most {most_s:.0f} s; another signal kills it"
            )
        log.flush()
        return self._asked < 2

    def _tell_of_signal(self) -> None:
        """Say what ended the command if nobody asked for it: the shell sees us, and has no word."""
        ended_by = self._command.ended_by
        if ended_by is not None and ended_by not in _QUIET and not self._asked:
            self._server.log.note(f"the command was ended by {ended_by}")

    def _leave_terminal(self, status: int) -> None:
        self._take_terminal_back()
        if self._terminal is not None and self._in_front and status > EXIT_BY_SIGNAL:
            # Whoever was killed could not do it: without an echo, say.
            self._terminal.restore()
            if status == EXIT_BY_SIGNAL + signal.SIGINT:
                # Ctrl-C was meant for the whole job, and would have reached all of it without us:
                # make, or a loop in a script.
                os.killpg(os.getpgrp(), signal.SIGINT)
