"""Signals of a serving process: they become calls in the server's loop, never work of their own."""

import contextlib
import functools
import os
import signal
from collections.abc import Callable, Iterator, Mapping

from openssl_serve.server.polyglot import PolyglotServer


@contextlib.contextmanager
def signals_in_loop(
    server: PolyglotServer, calls: Mapping[signal.Signals, Callable[[], None]]
) -> Iterator[None]:
    """Within this, each signal has *server* make its call in the loop. Only for the main thread."""

    def on_signal(call: Callable[[], None], _number: int, _frame: object) -> None:
        server.pool.call(call)

    kept = {
        number: signal.signal(number, functools.partial(on_signal, call))
        for number, call in calls.items()
    }
    # The signal's byte ends the select that may just be about to begin.
    wakeup = signal.set_wakeup_fd(server.pool.wakeup.fileno(), warn_on_full_buffer=False)
    try:
        yield
    finally:
        signal.set_wakeup_fd(wakeup)
        for number, old in kept.items():
            signal.signal(number, old)


def hang_up_watch() -> Callable[[], bool]:
    """Return what tells, at a SIGHUP, whether it is for the terminal that this process has now.

    SIGHUP says two things: that the window has been closed, which is to end a program, and, by a
    custom of servers, that files have changed. Where there is no terminal (systemd, setsid), or
    SIGHUP is ignored (nohup), it is always the second. To be called before a handler is set.
    """
    if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN or not _has_terminal():
        return lambda: False
    return lambda: not _has_terminal()


def _has_terminal() -> bool:
    try:
        # ENXIO when there is none, or none any more (tty(4)).
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC))
    except OSError:
        return False
    return True


@contextlib.contextmanager
def draining_on_signals(
    server: PolyglotServer, is_hung_up: Callable[[], bool] | None = None
) -> Iterator[None]:
    """Within this, SIGINT and SIGTERM drain *server*, a second one ends it at once.

    SIGHUP loads the certificate anew, or drains as well when the terminal *is_hung_up*. Only for
    the main thread.
    """
    asked = False
    is_hung_up = is_hung_up or hang_up_watch()

    def end(grace_s: float) -> None:
        nonlocal asked
        server.drain(0 if asked else grace_s)
        asked = True

    def hang_up() -> None:
        if is_hung_up():
            end(server.limits.interrupt_grace_s)
        else:
            server.contexts.reload()

    limits = server.limits
    calls: dict[signal.Signals, Callable[[], None]] = {
        signal.SIGINT: functools.partial(end, limits.interrupt_grace_s),
        signal.SIGTERM: functools.partial(end, limits.terminate_grace_s),
        signal.SIGHUP: hang_up,
    }
    with signals_in_loop(server, calls):
        yield
