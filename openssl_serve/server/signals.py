"""Signals of a serving process: they become calls in the server's loop, never work of their own."""

import contextlib
import functools
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


@contextlib.contextmanager
def draining_on_signals(server: PolyglotServer) -> Iterator[None]:
    """Within this, SIGINT and SIGTERM drain *server*, a second one ends it at once.

    SIGHUP loads the certificate anew. Only for the main thread.
    """
    asked = False

    def end(grace_s: float) -> None:
        nonlocal asked
        server.drain(0 if asked else grace_s)
        asked = True

    limits = server.limits
    calls: dict[signal.Signals, Callable[[], None]] = {
        signal.SIGINT: functools.partial(end, limits.interrupt_grace_s),
        signal.SIGTERM: functools.partial(end, limits.terminate_grace_s),
        signal.SIGHUP: server.contexts.reload,
    }
    with signals_in_loop(server, calls):
        yield
