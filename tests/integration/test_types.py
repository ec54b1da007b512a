"""The package is typed for those who install it."""

import subprocess
import sys
from pathlib import Path

API = Path(__file__).parent.parent / "typed" / "api.py"


def test_mypy_strict_agrees_with_every_line_of_the_api_sample(tmp_path):
    """With no configuration of ours, and the package where it is installed: py.typed counts."""
    done = subprocess.run(
        [
            *(sys.executable, "-m", "mypy", "--strict", "--config-file=", "--no-incremental"),
            *("--python-executable", sys.executable, str(API)),
        ],
        cwd=tmp_path, capture_output=True, text=True, timeout=50, check=False,
    )  # fmt: skip

    assert (done.stdout, done.stderr) == ("Success: no issues found in 1 source file\n", "")
