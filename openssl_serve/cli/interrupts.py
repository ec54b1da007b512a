"""Ctrl-C: it ends a program that only begins, or leaves, at once; in between it is an exception.

While modules are imported Python's exception comes out of the middle of one, as a traceback, or
as an ImportError of a module that is there.
"""

import signal


def end_at_once() -> None:
    """Have SIGINT end the process, unless whoever started it has it ignored (`&` in a script)."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)


def raise_again() -> None:
    """Have SIGINT raise KeyboardInterrupt, now that there is something to tidy up."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_DFL:
        signal.signal(signal.SIGINT, signal.default_int_handler)
