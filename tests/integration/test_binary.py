import errno
import glob
import os
import signal
import subprocess
import sys
import threading
import time

import pytest
from stubs import calls, saying, stub

from openssl_serve import LocalCA
from openssl_serve.errors import (
    OpensslError,
    OpensslFailedError,
    OpensslNotFoundError,
    OpensslUnusableError,
)
from openssl_serve.openssl import binary
from openssl_serve.openssl.binary import Openssl, Output, failure


@pytest.fixture
def alone(monkeypatch):
    """No other thread, whatever the tests before have left."""
    monkeypatch.setattr(threading, "active_count", lambda: 1)


@pytest.fixture
def beside_a_thread():
    end = threading.Event()
    thread = threading.Thread(target=end.wait)
    thread.start()
    yield
    end.set()
    thread.join()


FOLDERS = {"one": "OpenSSL 3.0.1", "two": "OpenSSL 3.5.7 1 Jan 2026"}


def test_the_real_one_is_found_and_known():
    openssl = Openssl()

    assert openssl.path.name == "openssl"
    assert openssl.version.numbers >= (1, 1, 1)


def test_nothing_is_started_before_it_is_needed(tmp_path):
    path = stub(tmp_path, "exit 1")

    Openssl(str(path))

    assert calls(path) == []


def test_the_version_is_asked_when_it_matters_and_once(tmp_path):
    path = saying(tmp_path, "OpenSSL 3.0.1")
    openssl = Openssl(str(path))

    openssl.run("rand", "1", folder=tmp_path)
    assert calls(path) == ["rand 1"]

    assert {str(openssl.version) for _ in range(3)} == {"OpenSSL 3.0.1"}
    assert calls(path) == ["rand 1", "version"]


def test_a_failure_of_what_is_no_openssl_says_that(tmp_path):
    openssl = Openssl(str(stub(tmp_path, "echo nonsense; exit 1")))
    output = openssl.run("req", folder=tmp_path)

    with pytest.raises(OpensslUnusableError, match='"version" printed "nonsense"'):
        raise openssl.failure("req", output)


class TestSearch:
    def test_named_by_option_then_variable_then_path(self, tmp_path, monkeypatch):
        option, variable, first = (saying(tmp_path / name, "OpenSSL 3.0.1") for name in "abc")
        monkeypatch.setenv("PATH", str(first.parent))
        assert Openssl().path == first

        monkeypatch.setenv("OPENSSL_SERVE_OPENSSL", str(variable))
        assert Openssl().path == variable
        assert Openssl(str(option)).path == option

    def test_a_bare_name_is_looked_up(self, tmp_path, monkeypatch):
        path = saying(tmp_path, "OpenSSL 3.0.1").rename(tmp_path / "openssl35")
        monkeypatch.setenv("PATH", str(tmp_path))

        assert Openssl("openssl35").path == path

    def test_none_in_path(self, tmp_path, monkeypatch):
        monkeypatch.setenv("PATH", str(tmp_path))

        with pytest.raises(OpensslNotFoundError) as caught:
            _ = Openssl().version

        assert str(caught.value) == "no openssl program found in PATH"
        assert caught.value.exit_code == 3
        assert any("install openssl" in hint for hint in caught.value.hints)
        assert any("--openssl" in hint for hint in caught.value.hints)

    @pytest.mark.parametrize("entry", ["", "."])
    def test_the_current_folder_is_never_searched(self, tmp_path, monkeypatch, entry):
        """It is the folder that is served, and may be somebody else's."""
        stub(tmp_path, "echo OpenSSL 3.0.1")
        monkeypatch.chdir(tmp_path)
        monkeypatch.setenv("PATH", f"{entry}:{tmp_path / 'nowhere'}")

        with pytest.raises(OpensslNotFoundError):
            _ = Openssl().version

    @pytest.mark.parametrize("error", [errno.EACCES, errno.ENAMETOOLONG])
    def test_a_folder_that_cannot_be_entered_is_passed_over(self, tmp_path, monkeypatch, error):
        """PATH is often another user's: `su`, a container, a service."""
        good = saying(tmp_path, "OpenSSL 3.0.1")
        closed = tmp_path / "closed"
        ask = os.stat

        def stat(path, *words, **options):
            if str(path).startswith(str(closed)):
                raise OSError(error, os.strerror(error), str(path))
            return ask(path, *words, **options)

        monkeypatch.setattr(os, "stat", stat)
        monkeypatch.setenv("PATH", f"{closed}:{tmp_path}")

        assert Openssl().path == good

    @pytest.mark.parametrize("make", ["absent", "folder", "text"])
    def test_a_named_one_that_is_no_program(self, tmp_path, make):
        path = tmp_path / "openssl"
        if make == "folder":
            path.mkdir()
        elif make == "text":
            path.write_text("hello")
            path.chmod(0o644)

        with pytest.raises(OpensslNotFoundError, match=str(path)) as caught:
            _ = Openssl(str(path)).version

        assert caught.value.hints

    def test_the_next_one_in_path_is_a_hint(self, tmp_path, monkeypatch):
        first = saying(tmp_path / "1", "OpenSSL 1.0.2u  20 Dec 2019")
        hangs_not = stub(tmp_path / "2", "echo hello")
        good = saying(tmp_path / "3", "OpenSSL 3.5.7 1 Jan 2026")
        monkeypatch.setenv("PATH", f"{first.parent}:{hangs_not.parent}:{good.parent}")

        with pytest.raises(OpensslUnusableError) as caught:
            _ = Openssl().version

        assert "1.0.2u, and OpenSSL 1.1.1 is the oldest" in str(caught.value)
        assert f"--openssl {good}" in caught.value.hints[0]
        assert "OpenSSL 3.5.7" in caught.value.hints[0]

    def test_one_that_was_named_is_not_replaced(self, tmp_path):
        path = stub(tmp_path, "echo 'Hello'")

        with pytest.raises(OpensslUnusableError, match='"version" printed "Hello"') as caught:
            _ = Openssl(str(path)).version

        assert caught.value.hints[0].startswith("leave out --openssl")


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("exit 0", "printed nothing"),
        ("exit 1", "printed nothing"),
        ("echo 'OpenSSL 3.0.1' >&2", "printed nothing"),
        ("kill -9 $$", "killed by signal 9"),
        ("kill -11 $$", "killed by signal 11"),
        ("head -c 5000000 /dev/zero", "is not openssl"),
        ("echo 'BoringSSL (compatible)'", "BoringSSL"),
    ],
)
def test_programs_that_are_no_openssl(tmp_path, body, words):
    path = stub(tmp_path, body)

    with pytest.raises(OpensslUnusableError) as caught:
        _ = Openssl(str(path)).version

    assert words in str(caught.value)
    assert str(path) in str(caught.value)
    assert len(str(caught.value)) < 300


def test_a_binary_of_another_machine(tmp_path):
    path = tmp_path / "openssl"
    path.write_bytes(b"\x7fELF" + bytes(100))
    path.chmod(0o755)

    with pytest.raises(OpensslUnusableError, match=f"cannot be started: {path}"):
        _ = Openssl(str(path)).version


class TestRunning:
    @pytest.fixture(params=["alone", "beside a thread"], autouse=True)
    def threads(self, request):
        """Openssl is started in another way when there are other threads."""
        request.getfixturevalue(request.param.replace(" ", "_"))

    @pytest.fixture
    def tool(self, tmp_path):
        """A stub that runs its body for everything but version."""

        def make(body):
            path = stub(
                tmp_path / "bin", f"case $1 in version) echo 'OpenSSL 3.0.1'; exit;; esac\n{body}"
            )
            return Openssl(str(path))

        return make

    def test_output_error_and_code_come_back_whole(self, tool, tmp_path):
        openssl = tool("head -c 100000 /dev/zero; head -c 9000 /dev/zero | tr '\\0' e >&2; exit 7")

        output = openssl.run("x", folder=tmp_path)

        assert output == (7, bytes(100000), "e" * 9000)

    def test_one_that_kills_itself_is_said_to_be_killed(self, tool, tmp_path):
        openssl = tool("echo why >&2; kill -9 $$")

        with pytest.raises(OpensslFailedError, match="req was killed by signal 9") as failed:
            openssl.run("req", folder=tmp_path)

        assert failed.value.stderr == "why\n"

    def test_one_that_cannot_be_started_is_said_so(self, tool, tmp_path):
        openssl = tool("exit 0")
        path = openssl.path
        path.write_bytes(b"\x7fELF of another machine")

        with pytest.raises(OpensslUnusableError, match=f"openssl cannot be started: {path}"):
            openssl.run("req", folder=tmp_path)

    def test_no_terminal_and_nothing_to_read(self, tool, tmp_path):
        openssl = tool("[ -t 0 ] || [ -t 1 ] || [ -t 2 ] && echo terminal; cat")

        assert openssl.run("x", folder=tmp_path).stdout == b""

    def test_the_environment(self, tool, tmp_path, monkeypatch):
        for name in ("OPENSSL_CONF", "LC_ALL", "RANDFILE", "LANGUAGE", "OPENSSL_CONF_INCLUDE"):
            monkeypatch.setenv(name, "/nowhere")
        openssl = tool("env; pwd; umask")

        bare = openssl.run("x", folder=tmp_path).stdout.decode().splitlines()
        (tmp_path / "openssl.cnf").touch()
        with_config = openssl.run("x", folder=tmp_path).stdout.decode().splitlines()

        assert {"LC_ALL=C", "OPENSSL_CONF=/dev/null", str(tmp_path), "0077"} <= set(bare)
        assert f"OPENSSL_CONF={tmp_path}/openssl.cnf" in with_config
        assert not any("/nowhere" in line for line in bare + with_config)

    def test_our_own_umask_stays(self, tool, tmp_path):
        before = os.umask(0o022)  # noqa: TID251
        try:
            tool("exit 0").run("x", folder=tmp_path)
        finally:
            assert os.umask(before) == 0o022  # noqa: TID251

    def test_one_that_hangs_is_killed(self, tool, tmp_path):
        openssl = tool("exec sleep 60")
        _ = openssl.version
        started = time.monotonic()

        with pytest.raises(OpensslFailedError, match="genpkey did not end within 1 s"):
            openssl.run("genpkey", folder=tmp_path, timeout_s=1)

        assert time.monotonic() - started < 10

    def test_nor_does_a_child_of_its_own_hold_us_up(self, tool, tmp_path):
        """A wrapper that does not exec: the child lives on, and holds the pipes open."""
        openssl = tool("sleep 20; exit 0")
        _ = openssl.version
        started = time.monotonic()

        with pytest.raises(OpensslFailedError, match="did not end within 1 s"):
            openssl.run("genpkey", folder=tmp_path, timeout_s=1)

        assert time.monotonic() - started < 10

    def test_an_ignored_alarm_and_a_blocked_one_kill_it_as_well(self, tool, tmp_path):
        openssl = tool("exec sleep 60")
        _ = openssl.version
        before = signal.signal(signal.SIGALRM, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGALRM})
        try:
            with pytest.raises(OpensslFailedError, match="did not end"):
                openssl.run("x", folder=tmp_path, timeout_s=1)
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGALRM})
            signal.signal(signal.SIGALRM, before)

    def test_one_that_hangs_at_once_is_no_openssl(self, tmp_path, monkeypatch):
        monkeypatch.setattr(binary, "VERSION_TIMEOUT_S", 1)
        path = stub(tmp_path, "exec sleep 60")

        with pytest.raises(OpensslUnusableError, match="version did not end within 1 s"):
            _ = Openssl(str(path)).version

    def test_a_call_takes_no_tenth_of_a_second(self, tmp_path):
        """As it would with sh's own _timeout."""
        openssl = Openssl()
        _ = openssl.version

        def measured():
            started = time.perf_counter()
            openssl.run("version", folder=tmp_path)
            return time.perf_counter() - started

        assert min(measured() for _ in range(5)) < 0.08


@pytest.mark.usefixtures("beside_a_thread")
def test_no_python_runs_between_fork_and_exec_beside_a_thread(tmp_path, monkeypatch):
    """Where it may wait for ever for a lock that another thread has held."""
    monkeypatch.setattr(os, "fork", lambda: pytest.fail("forked"))

    assert LocalCA(tmp_path).issue("a.test").facts.names == ("a.test",)


@pytest.mark.usefixtures("alone")
def test_sh_leaves_nothing_behind_in_this_process():
    """Importing sh replaces glob.glob for everybody."""
    before = glob.glob

    _ = Openssl().version

    assert glob.glob is before
    assert "sh" in sys.modules


def test_importing_the_door_does_not_open_it():
    code = "import sys, openssl_serve.openssl.binary; sys.exit('sh' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize(
    ("stderr", "words"),
    [
        (
            "40A7:error:05800074:x509 certificate routines:X509_check:key values mismatch:a.c:4:\n",
            "openssl req failed (exit 1): key values mismatch",
        ),
        ("Error one\n140:error:0906D06C:PEM:PEM_read_bio:no start line:p.c:1:x", "no start line"),
        ("\n\nreq: Unknown option: -foo\nreq: Use -help\n", "req: Unknown option: -foo"),
        ("", "it said nothing"),
        ("a:error:b", "a:error:b"),
        (
            "Could not read CA private key from ca.key\n4:error:1:STORE:f:unregistered scheme:a:",
            "Could not read CA private key from ca.key",
        ),
        ("\x1b[31m" + "x" * 5000, "\\x1b"),
    ],
)
def test_a_failure_is_one_line_and_keeps_the_rest(stderr, words):
    error = failure("req", Output(1, b"", stderr))

    assert words in str(error)
    assert "\n" not in str(error)
    assert len(str(error)) < 300
    assert error.stderr == stderr
    assert isinstance(error, OpensslError)


@pytest.mark.usefixtures("alone")
def test_a_name_may_have_any_bytes(tmp_path):
    """As in a folder from the days of Latin-1; sh would fail in its child, with a traceback."""
    folder = tmp_path / "k\udcfcche"
    folder.mkdir()

    made = LocalCA(folder).issue("a.test")
    output = Openssl().run("x509", "-in", str(made.cert_path), "-noout", folder=tmp_path)

    assert (output.exit_code, output.stderr) == (0, "")
