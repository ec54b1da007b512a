"""How the process begins and ends."""

import json
import os
import signal
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
def test_words_that_cannot_be_written_are_no_failure():
    with FULL.open("w") as full:
        code = "import sys, openssl_serve.__main__ as main; sys.stderr.write('word'); main.leave(0)"
        finished = python(code, stdout=subprocess.PIPE, stderr=full)

    assert finished.returncode == 0


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


INTERRUPTED = """
import os, signal, sys, openssl_serve.__main__ as main

wanted = sys.argv[1]

class Interrupting:
    def find_spec(self, name, *_):
        if name == wanted:
            os.kill(os.getpid(), signal.SIGINT)

sys.meta_path.insert(0, Interrupting())
sys.argv = ["openssl-serve", *sys.argv[2:]]
main.main()
"""


def interrupted_at(module, *words, **options):
    """Run the command *words*, with a Ctrl-C just before *module* is imported."""
    return subprocess.run(
        [sys.executable, "-c", INTERRUPTED, module, *words], capture_output=True, text=True,
        check=False, timeout=30, **options,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("module", "words"),
    [
        ("openssl_serve.cli.app", ["list"]),
        ("typer", ["list"]),
        ("openssl_serve.cli.keeping", ["list"]),
        ("ssl", ["--port", "0"]),
        ("openssl_serve.server.lan", ["run", "--port", "0", "true"]),
    ],
)
def test_ctrl_c_while_it_starts_ends_it_without_a_word(module, words, tmp_path):
    finished = interrupted_at(module, *words, cwd=tmp_path)

    assert (finished.returncode, finished.stdout, finished.stderr) == (-signal.SIGINT, "", "")


def test_ctrl_c_that_is_ignored_stays_so(home):
    """As a shell has it for what a script starts in the background."""
    with_it_ignored = {"preexec_fn": lambda: signal.signal(signal.SIGINT, signal.SIG_IGN)}

    finished = interrupted_at("typer", "list", **with_it_ignored)

    assert (finished.returncode, finished.stdout) == (0, "")
    assert finished.stderr.startswith("nothing is kept")


def test_ctrl_c_in_a_command_can_be_tidied_up_after(home):
    finished = interrupted_at("openssl_serve.certs.store", "list")

    assert (finished.returncode, finished.stdout, finished.stderr) == (130, "", "")


def test_the_collector_looks_at_nothing_that_was_imported():
    """And works again for what comes after."""
    code = (
        "import gc, sys, openssl_serve.__main__ as main\n"
        "main.leave = lambda code: print(gc.isenabled(), gc.get_freeze_count() > 10_000, code)\n"
        "sys.argv[1:] = ['--help']\n"
        "main.main()"
    )

    assert python(code).stdout.splitlines()[-1] == "True True 0"


@pytest.mark.parametrize("words", [["list"], ["list", "--json"], ["export", "--format", "pem"]])
def test_a_pipe_that_nobody_reads_ends_it_as_it_ends_others(words):
    """`| head -1` in a shell with pipefail: 128 + SIGPIPE, and not a word."""
    read, write = os.pipe()
    os.close(read)
    command = [sys.executable, "-m", "openssl_serve"]
    subprocess.run([*command, "generate"], check=True, capture_output=True)

    finished = subprocess.run(
        [*command, *words],
        stdout=write, stderr=subprocess.PIPE, check=False, timeout=30,
    )  # fmt: skip
    os.close(write)

    assert (finished.returncode, finished.stderr) == (141, b"")


@pytest.mark.parametrize(
    ("encoding", "words", "printed"),
    [
        (
            "utf-8:strict",
            ["path"],
            "/k\udcfcch€/localhost.crt\n".encode("utf-8", "surrogateescape"),
        ),
        ("ascii:strict", ["path"], b"/k\\udcfcch\\u20ac/localhost.crt\n"),
        ("utf-8:strict", ["list", "--json"], '/k\\udcfcch€/localhost.crt"'.encode()),
    ],
)
def test_what_stdout_cannot_say_is_no_traceback(tmp_path, encoding, words, printed):
    """A name that is not UTF-8, printed as it is; and any other in a terminal of ASCII."""
    home = tmp_path / "k\udcfcch€"
    environment = {**os.environ, "OPENSSL_SERVE_HOME": str(home), "PYTHONIOENCODING": encoding}
    command = [sys.executable, "-m", "openssl_serve"]
    subprocess.run([*command, "generate"], env=environment, check=True, capture_output=True)

    finished = subprocess.run(
        [*command, *words], env=environment, capture_output=True, check=False, timeout=30
    )

    assert (finished.returncode, finished.stderr) == (0, b"")
    assert printed in finished.stdout
    if "--json" in words:
        assert json.loads(finished.stdout)["schema"] == 1


@pytest.mark.parametrize("fd", [0, 1, 2])
def test_a_stream_that_was_closed_is_there_all_the_same(fd):
    code = (
        "import sys, openssl_serve.__main__ as main\n"
        "main.open_standard_streams()\n"
        "sys.stdin.isatty(), sys.stdout.write('out'), sys.stderr.write('err')\n"
        "main.leave(5)"
    )
    shell = 'exec "$0" -c "$1" ' + ("<" if fd == 0 else f"{fd}>") + "&-"

    finished = subprocess.run(
        ["/bin/sh", "-c", shell, sys.executable, code],
        capture_output=True, text=True, check=False, timeout=30,
    )  # fmt: skip

    assert finished.returncode == 5
    assert finished.stdout == ("" if fd == 1 else "out")
    assert finished.stderr == ("" if fd == 2 else "err")
