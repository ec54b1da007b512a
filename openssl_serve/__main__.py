"""`python -m openssl_serve`, and the installed command."""

import os
import sys


def main() -> None:
    """Run the command line and leave with its exit code."""
    open_standard_streams()
    from openssl_serve.cli.app import run  # noqa: PLC0415  it may want the streams

    sys.exit(run(sys.argv[1:]))


def open_standard_streams() -> None:
    """Put the null device where a standard stream was closed (`2>&-`).

    Otherwise the next socket or key file would become descriptor 2, and be written to.
    """
    for fd in range(3):
        try:
            os.fstat(fd)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    sys.stdout = sys.stdout or open(1, "w", closefd=False, encoding="utf-8")  # noqa: SIM115
    sys.stderr = sys.stderr or open(2, "w", closefd=False, encoding="utf-8")  # noqa: SIM115


if __name__ == "__main__":
    main()
