"""The port, the signals, the pipes: how it lives with the rest of the machine."""

import os
import re
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from e2e.clients import connected, curl
from e2e.command import DEADLINE_S, INSTALLED, Command, Running, assert_refused

LISTEN = 6

LARGE = 64 << 20
"""Bytes: many times what the buffers of both ends hold."""


@pytest.fixture
def taken() -> Iterator[int]:
    """A port that this process listens on."""
    with socket.create_server(("127.0.0.1", 0)) as holder:
        yield holder.getsockname()[1]


@pytest.fixture
def large(command: Command) -> Path:
    """A file to download that takes no room on the disk."""
    path = command.site / "large.bin"
    with path.open("wb") as file:
        file.truncate(LARGE)
    return path


@contextmanager
def idle(port: int) -> Iterator[ssl.SSLSocket]:
    """A connection that has had its response and is kept for the next request."""
    with connected(port) as tls:
        tls.sendall(b"HEAD /hello.txt HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert tls.recv(4096).startswith(b"HTTP/1.1 200 ")
        yield tls


@contextmanager
def downloading(port: int) -> Iterator[ssl.SSLSocket]:
    """A connection in the middle of the response with the large file; its head has been read."""
    with connected(port) as tls:
        tls.sendall(b"GET /large.bin HTTP/1.1\r\nHost: localhost\r\n\r\n")
        data = b""
        while b"\r\n\r\n" not in data:
            data += tls.recv(1)
        assert f"Content-Length: {LARGE}\r\n".encode() in data
        yield tls


def read_to_end(tls: ssl.SSLSocket) -> int:
    """How many bytes still come."""
    count = 0
    try:
        while data := tls.recv(1 << 20):
            count += len(data)
    except (ssl.SSLError, ConnectionResetError):
        return count
    return count


def read_slowly(tls: ssl.SSLSocket, seconds: float) -> int:
    """How many bytes come to one who takes them one by one, and for that long."""
    count, end = 0, time.monotonic() + seconds
    while time.monotonic() < end:
        count += len(tls.recv(1))
    return count


def assert_ends_within(running: Running, seconds: float) -> None:
    began = time.monotonic()
    code = running.wait()
    took = time.monotonic() - began
    assert code == 0
    assert took < seconds


class TestPort:
    def test_any_free_one(self, command: Command) -> None:
        with command.start("--port", "0") as one, command.start("-p", "0") as other:
            assert 0 < one.port != other.port

    def test_one_in_use_is_told_with_its_holder(self, command: Command, taken: int) -> None:
        finished = command.run("--port", str(taken))

        assert_refused(finished, LISTEN, f"port {taken} on 127.0.0.1 is in use")
        assert "--port 0" in finished.hints[0]
        if Path("/proc/net/tcp").exists():
            # Only Linux tells it without a program to ask.
            name = Path("/proc/self/comm").read_text().strip()
            assert f"({name}, pid {os.getpid()})" in finished.errors[0]

    def test_two_of_ours_do_not_share_one(self, command: Command) -> None:
        with command.start() as running:
            finished = command.run("--port", str(running.port))

            assert_refused(finished, LISTEN, str(running.port))
            if Path("/proc/net/tcp").exists():
                assert f"(openssl-serve, pid {running.process.pid})" in finished.errors[0]

    def test_the_next_server_has_it_at_once(self, command: Command) -> None:
        """Connections of the one before are still in TIME_WAIT."""
        with command.start() as running:
            port = running.port
            with idle(port):
                running.end()

        with command.start("--port", str(port)) as running:
            assert running.port == port

    def test_one_that_only_the_administrator_may_have(self, command: Command) -> None:
        program = [sys.executable, "-c", WITHOUT_THE_RIGHT, INSTALLED]
        probe = subprocess.run(
            [sys.executable, "-c", WITHOUT_THE_RIGHT, sys.executable, "-c", BIND_1],
            capture_output=True, timeout=DEADLINE_S, check=False,
        )  # fmt: skip
        if probe.returncode == 0:
            # A system that keeps none (net.ipv4.ip_unprivileged_port_start is 0).
            with command.start("--port", "1", program=program) as running:
                assert running.port == 1
            return

        finished = command.run("--port", "1", program=program)

        assert_refused(finished, LISTEN, "127.0.0.1:1", "administrator")
        assert "--port" in finished.hints[0]


BIND_1 = "import socket; socket.create_server(('127.0.0.1', 1))"

WITHOUT_THE_RIGHT = """
import os, sys
if os.geteuid() == 0:
    # Still root, but without CAP_NET_BIND_SERVICE (10): PR_CAPBSET_DROP is 24.
    import ctypes
    assert ctypes.CDLL(None, use_errno=True).prctl(24, 10, 0, 0, 0) == 0
os.execv(sys.argv[1], sys.argv[1:])
"""


class TestEnding:
    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
    def test_nothing_to_wait_for(self, command: Command, number: signal.Signals) -> None:
        with command.start() as running:
            assert running.port
            running.process.send_signal(number)
            assert_ends_within(running, 1)

    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
    def test_an_idle_connection_is_closed(self, command: Command, number: signal.Signals) -> None:
        with command.start() as running, idle(running.port) as tls:
            running.process.send_signal(number)
            assert_ends_within(running, 1)
            assert read_to_end(tls) == 0

    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
    def test_clients_that_have_said_nothing_are_no_reason_to_wait(
        self, command: Command, number: signal.Signals
    ) -> None:
        with (
            command.start() as running,
            socket.create_connection(("127.0.0.1", running.port), DEADLINE_S),
            socket.create_connection(("127.0.0.1", running.port), DEADLINE_S) as halfway,
        ):
            # The beginning of a ClientHello.
            halfway.sendall(b"\x16\x03\x01\x02")
            running.process.send_signal(number)
            assert_ends_within(running, 1)

    def test_ctrl_c_cuts_a_download_within_a_second(self, command: Command, large: Path) -> None:
        with command.start() as running, downloading(running.port) as tls:
            running.process.send_signal(signal.SIGINT)
            # A second, and as much again for a machine that is busy.
            assert_ends_within(running, 2)
            assert read_to_end(tls) < LARGE

    def test_sigterm_lets_a_download_finish(self, command: Command, large: Path) -> None:
        with (
            command.start() as running,
            downloading(running.port) as tls,
            idle(running.port) as witness,
        ):
            running.process.send_signal(signal.SIGTERM)
            # Its end shows that the signal was seen.
            assert read_to_end(witness) == 0
            assert running.process.poll() is None
            # Longer than after Ctrl-C, where the prompt has to be back within a second.
            count = read_slowly(tls, 1.5)
            began = time.monotonic()
            assert count + read_to_end(tls) == LARGE
            # Not the whole grace period, which is ten seconds.
            assert time.monotonic() - began < 5
            # As clients do; the server leaves them two seconds for it.
            tls.close()
            assert_ends_within(running, 1)

    @pytest.mark.parametrize("second", [signal.SIGINT, signal.SIGTERM])
    def test_a_second_signal_cuts_the_download(
        self, command: Command, large: Path, second: signal.Signals
    ) -> None:
        with (
            command.start() as running,
            downloading(running.port) as tls,
            idle(running.port) as witness,
        ):
            running.process.send_signal(signal.SIGTERM)
            assert read_to_end(witness) == 0
            running.process.send_signal(second)
            assert_ends_within(running, 1)
            assert read_to_end(tls) < LARGE

    def test_one_that_is_ending_takes_no_new_connections(
        self, command: Command, large: Path
    ) -> None:
        """Refused, not left waiting: a successor can have the port."""
        with (
            command.start() as running,
            downloading(running.port) as tls,
            idle(running.port) as witness,
        ):
            running.process.send_signal(signal.SIGTERM)
            assert read_to_end(witness) == 0
            with pytest.raises(ConnectionRefusedError):
                socket.create_connection(("127.0.0.1", running.port), DEADLINE_S).close()
            with command.start("--port", str(running.port)) as successor:
                assert successor.port == running.port
            assert read_to_end(tls) == LARGE
            tls.close()
            assert_ends_within(running, 1)


@pytest.mark.parametrize("name", ["\x1b[31mred", "two\nlines", "no utf-8 \udcff"])
def test_a_folder_of_any_name_is_named_on_one_line(command: Command, name: str) -> None:
    folder = command.folder / name
    folder.mkdir()
    with command.start(str(folder)) as running:
        (line,) = [line for line in running.banner.splitlines() if line.startswith("serving ")]
        status = curl(f"https://localhost:{running.port}/", "--insecure").status

    assert line.isprintable()
    assert re.search(r" on 127\.0\.0\.1:\d+$", line)
    assert status == 200


class TestPipes:
    def test_nobody_reads_its_stdout(self, command: Command) -> None:
        """As in `openssl-serve | head -1`: the server goes on, and says nothing about it."""
        reader, writer = os.pipe()
        os.close(reader)
        with command.start(stdout=writer) as running:
            os.close(writer)
            port = re.search(r"on 127\.0\.0\.1:(\d+)", running.banner)
            assert port
            url = f"https://127.0.0.1:{port[1]}/hello.txt"
            answer = curl(url, "--cacert", str(command.data / "localhost.crt"))

        assert answer.status == 200
        assert running.stderr
        assert "Broken" not in running.stderr.text

    @pytest.mark.parametrize("descriptor", [1, 2])
    def test_a_closed_descriptor(self, command: Command, descriptor: int) -> None:
        """As in `openssl-serve 2>&-`: nothing of the other stream comes into this one."""
        program = ["/bin/sh", "-c", f'exec "$0" "$@" {descriptor}>&-', INSTALLED]
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        with command.start("--port", str(port), program=program) as running:
            if descriptor == 1:
                assert f"on 127.0.0.1:{port}" in running.banner
            else:
                assert running.port == port
            url = f"https://127.0.0.1:{port}/hello.txt"
            answers = [
                curl(url, "--cacert", str(command.data / "localhost.crt")).status for _ in range(2)
            ]

        assert answers == [200, 200]
        assert running.stdout
        assert [line for line in running.stdout.text.splitlines() if "https://" not in line] == []

    def test_nobody_reads_its_log(self, command: Command) -> None:
        reader, writer = os.pipe()
        with command.start(stderr=writer) as running:
            os.close(writer)
            os.close(reader)
            url = f"https://127.0.0.1:{running.port}/hello.txt"
            answers = [
                curl(url, "--cacert", str(command.data / "localhost.crt")).status for _ in range(2)
            ]

        assert answers == [200, 200]

    @pytest.mark.parametrize("option", ["--help", "--version"])
    def test_nobody_reads_what_it_prints(self, command: Command, option: str) -> None:
        reader, writer = os.pipe()
        os.close(reader)
        with command.start(option, stdout=writer) as running:
            os.close(writer)
            assert running.wait() != 0
            assert running.stderr
            assert running.stderr.text == ""
            # The context wants 0 of a server.
            running.process.returncode = 0


class TestPrecedence:
    """Command line, then environment, then default."""

    def test_the_environment_counts(self, command: Command, taken: int) -> None:
        """Without any word on the command line."""
        finished = command.run(environment={"OPENSSL_SERVE_BIND_ADDR": f"127.0.0.1:{taken}"})
        assert_refused(finished, LISTEN, str(taken))

        finished = command.run(environment={"OPENSSL_SERVE_PORT": str(taken)})
        assert_refused(finished, LISTEN, str(taken))

    @pytest.mark.parametrize("options", [["--port", "0"], ["--bind-addr", "127.0.0.1:0"]])
    @pytest.mark.parametrize("variable", ["OPENSSL_SERVE_BIND_ADDR", "OPENSSL_SERVE_PORT"])
    def test_the_command_line_beats_it(
        self, command: Command, taken: int, options: list[str], variable: str
    ) -> None:
        value = f"127.0.0.1:{taken}" if "BIND" in variable else str(taken)

        with command.start(*options, environment={variable: value}) as running:
            assert running.port != taken

    def test_the_port_alone_beats_that_of_the_address_beside_it(
        self, command: Command, taken: int
    ) -> None:
        with command.start("--bind-addr", f"127.0.0.1:{taken}", "--port", "0") as running:
            assert running.port != taken

    def test_names_come_from_the_environment_too(self, command: Command) -> None:
        with command.start(environment={"OPENSSL_SERVE_CERT_HOST": "a.invalid b.invalid"}) as one:
            assert "a.invalid, b.invalid, localhost" in one.banner

        with command.start(
            "--cert-host", "c.invalid", environment={"OPENSSL_SERVE_CERT_HOST": "a.invalid"}
        ) as other:
            assert " c.invalid, localhost" in other.banner

    def test_a_bad_value_in_the_environment_is_refused_like_a_bad_option(
        self, command: Command
    ) -> None:
        finished = command.run(environment={"OPENSSL_SERVE_PORT": "http"})

        assert_refused(finished, 2, '"http" is not a port')
        assert not command.data.exists()
