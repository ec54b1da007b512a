"""`python -m openssl_serve`, and the installed command: how its process begins and ends."""

import contextlib
import gc
import io
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn


def main() -> "NoReturn":
    """Run the command line and leave with its exit code."""
    from openssl_serve.cli import interrupts  # noqa: PLC0415  as all that is needed only here

    interrupts.end_at_once()
    open_standard_streams()
    # No module is garbage. Looking for some while they are imported takes 10 ms of a start. It is
    # switched on again where a command begins.
    gc.disable()
    from openssl_serve.cli.app import run  # noqa: PLC0415  it may want the streams

    code = run(sys.argv[1:])
    interrupts.end_at_once()
    leave(code)


def open_standard_streams() -> None:
    """Put the null device where a standard stream was closed (`2>&-`).

    Otherwise the next socket or key file would become descriptor 2, and be written to.
    """
    for fd in range(3):
        try:
            os.fstat(fd)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    sys.stdin = sys.stdin or open(0, closefd=False, encoding="utf-8")  # noqa: SIM115
    sys.stdout = sys.stdout or open(1, "w", closefd=False, encoding="utf-8")  # noqa: SIM115
    sys.stderr = sys.stderr or open(2, "w", closefd=False, encoding="utf-8")  # noqa: SIM115
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A path is printed as its bytes are, which need not be UTF-8 (PEP 383); and where stdout
        # cannot say a character, an escape does, as on stderr. Else there would be a traceback.
        is_utf8 = sys.stdout.encoding.lower() == "utf-8"
        sys.stdout.reconfigure(errors="surrogateescape" if is_utf8 else "backslashreplace")


def leave(code: int) -> "NoReturn":
    """End the process with *code*, or 1 if that is 0 and a result on stdout cannot be written.

    Words on stderr may be lost: a terminal that has gone takes none.

    At once: Python would first take apart all that was imported, 20 ms for what the system does
    anyway, and wait for threads whose work nobody wants any more. Nothing here is left to an exit
    handler; whoever has to tidy up does it before `run` returns.
    """
    with contextlib.suppress(OSError):
        sys.stderr.flush()
    try:
        sys.stdout.flush()
    except OSError:
        code = code or 1
    os._exit(code)


if __name__ == "__main__":
    main()
