"""`python -m openssl_serve`, and the installed command."""

import sys

from openssl_serve.cli.app import run


def main() -> None:
    """Run the command line and leave with its exit code."""
    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
