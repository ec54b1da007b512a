"""Signals of a serving process: they become calls in the server's loop, never work of their own."""

import contextlib
import signal
from collections.abc import Iterator

from openssl_serve.server.polyglot import PolyglotServer


@contextlib.contextmanager
def draining_on_signals(server: PolyglotServer) -> Iterator[None]:
    """Within this, SIGINT and SIGTERM drain *server*, a second one ends it at once.

    SIGHUP loads the certificate anew. Only for the main thread.
    """
    graces: list[float] = []
    limits = server.limits

    def on_end(number: int, _frame: object) -> None:
        grace = limits.interrupt_grace_s if number == signal.SIGINT else limits.terminate_grace_s
        grace = 0 if graces else grace
        graces.append(grace)
        server.pool.call(lambda: server.drain(grace))

    def on_hangup(_number: int, _frame: object) -> None:
        server.pool.call(server.contexts.reload)

    handlers = {signal.SIGINT: on_end, signal.SIGTERM: on_end, signal.SIGHUP: on_hangup}
    kept = {number: signal.signal(number, new) for number, new in handlers.items()}
    # The signal's byte ends the select that may just be about to begin.
    wakeup = signal.set_wakeup_fd(server.pool.wakeup.fileno(), warn_on_full_buffer=False)
    try:
        yield
    finally:
        signal.set_wakeup_fd(wakeup)
        for number, old in kept.items():
            signal.signal(number, old)
