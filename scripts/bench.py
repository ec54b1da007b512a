"""Where scripts/bench enters; everything it does lives in the benchmarks package beside it."""

import sys

from benchmarks.command import main

if __name__ == "__main__":
    sys.exit(main())
