"""How the process begins and ends."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

FULL = Path("/dev/full")


def python(code, **options):
    """Run *code* in a Python of its own, with this package, and with buffers as users have them."""
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONUNBUFFERED"}
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=not options, text=True, check=False,
        timeout=30, env=environment, **options,
    )  # fmt: skip


def test_leaving_writes_what_is_still_to_be_written():
    code = "import sys, openssl_serve.__main__ as main; sys.stdout.write('out'); main.leave(7)"

    finished = python(code)

    assert (finished.returncode, finished.stdout, finished.stderr) == (7, "out", "")


def test_leaving_waits_for_no_thread_and_takes_nothing_apart():
    code = (
        "import atexit, threading, openssl_serve.__main__ as main\n"
        "atexit.register(print, 'exit handler')\n"
        "threading.Thread(target=threading.Event().wait).start()\n"
        "main.leave(0)"
    )

    assert (python(code).returncode, python(code).stdout) == (0, "")


@pytest.mark.skipif(not FULL.exists(), reason="only Linux has a device that is always full")
@pytest.mark.parametrize(("code", "status"), [(0, 1), (4, 4)])
def test_what_cannot_be_written_is_no_success(code, status):
    with FULL.open("w") as full:
        finished = python(
            f"import openssl_serve.__main__ as main; print('out'); main.leave({code})",
            stdout=full, stderr=subprocess.PIPE,
        )  # fmt: skip

    assert (finished.returncode, finished.stderr) == (status, "")


@pytest.mark.skipif(not FULL.exists(), reason="only Linux has a device that is always full")
@pytest.mark.parametrize("words", ["'--help'", "'--version'", "'doctor', '--json'"])
def test_a_full_disk_is_said_in_one_line(words):
    with FULL.open("w") as full:
        finished = python(
            f"import sys, openssl_serve.__main__ as main; sys.argv[1:] = [{words}]; main.main()",
            stdout=full, stderr=subprocess.PIPE,
        )  # fmt: skip

    assert finished.returncode == 1
    assert finished.stderr == "openssl-serve: error: standard output: no space left on device\n"


def test_the_collector_looks_at_nothing_that_was_imported():
    """And works again for what comes after."""
    code = (
        "import gc, sys, openssl_serve.__main__ as main\n"
        "main.leave = lambda code: print(gc.isenabled(), gc.get_freeze_count() > 10_000, code)\n"
        "sys.argv[1:] = ['--help']\n"
        "main.main()"
    )

    assert python(code).stdout.splitlines()[-1] == "True True 0"
