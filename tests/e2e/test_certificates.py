"""`generate`, `show` and `verify`: certificates without a server, cross-checked with openssl."""

import base64
import datetime as dt
import re
import socket
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from certificates import CA_TRUE, DAY, KEY, NOW, make, ours, write
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID

from e2e.clients import fingerprint, openssl
from e2e.command import Command, assert_refused

CERTIFICATE = 4


def change_der(cert: Path, change: Callable[[bytes], bytes]) -> None:
    """Change the certificate without signing it again."""
    lines = cert.read_text().splitlines()
    changed = change(base64.b64decode("".join(lines[1:-1])))
    body = base64.encodebytes(changed).decode().replace("\n", "")
    wrapped = [body[at : at + 64] for at in range(0, len(body), 64)]
    cert.write_text("\n".join([lines[0], *wrapped, lines[-1], ""]))


def a_day_more(der: bytes) -> bytes:
    end, later = (f"{NOW + days * DAY:%y%m%d}".encode() for days in (90, 91))
    assert der.count(end) == 1
    return der.replace(end, later)


def cut_short(cert: Path, _: Path) -> None:
    cert.write_bytes(cert.read_bytes()[:300])


FAULTS: dict[str, tuple[Callable[[Path, Path], object], str]] = {
    "expired": (lambda cert, _: write(cert, ours(start=NOW - 9 * DAY, end=NOW - DAY)), "expired"),
    "not yet valid": (
        lambda cert, _: write(cert, ours(start=NOW + DAY, end=NOW + 9 * DAY)), "not valid before",
    ),
    "another's key": (
        lambda _, key: write(key, ec.generate_private_key(ec.SECP256R1())), "does not belong",
    ),
    "key that others can read": (lambda _, key: key.chmod(0o644), "0644"),
    "key is gone": (lambda _, key: key.unlink(), "a_test.key"),
    "signature changed": (
        lambda cert, _: change_der(cert, lambda der: der[:-1] + bytes([der[-1] ^ 1])), "signature",
    ),
    "date changed": (lambda cert, _: change_der(cert, a_day_more), "signature"),
    "cut short": (cut_short, "a_test.crt"),
    "no certificate": (lambda cert, _: cert.write_text("hello\n"), "a_test.crt"),
    "not for servers": (lambda cert, _: write(cert, no_server()), "not for servers"),
    "not for this host": (lambda cert, _: write(cert, ours(names=("b.test",))), "not for a.test"),
}  # fmt: skip
"""Each with a word that says which it is."""


def no_server() -> x509.Certificate:
    client = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH])
    return make(CA_TRUE, client)


def good_pair(folder: Path) -> tuple[Path, Path]:
    """A pair in the data folder as if it were kept for a.test."""
    return write(folder / "a_test.crt", ours()), write(folder / "a_test.key", KEY)


class TestGenerate:
    def test_prints_two_paths_and_nothing_else_on_stdout(self, command: Command) -> None:
        finished = command.run("generate", "my.dev.local")

        assert finished.code == 0
        assert finished.stdout == f"{command.cert}\n{command.key}\n"
        assert finished.errors == []

    def test_makes_a_pair_that_openssl_finds_whole(self, command: Command) -> None:
        assert command.run("generate", "my.dev.local", "10.0.0.7", "*.my.dev.local").code == 0

        assert openssl("verify", "-x509_strict", "-CAfile", command.cert, command.cert)
        key = openssl("pkey", "-in", command.key, "-pubout")
        assert key == openssl("x509", "-in", command.cert, "-noout", "-pubkey")
        names = openssl("x509", "-in", command.cert, "-noout", "-ext", "subjectAltName")
        assert set(names.splitlines()[1].strip().split(", ")) == {
            "DNS:my.dev.local", "DNS:*.my.dev.local", "DNS:localhost", "IP Address:10.0.0.7",
            "IP Address:127.0.0.1", "IP Address:0:0:0:0:0:0:0:1",
        }  # fmt: skip
        assert command.key.stat().st_mode & 0o777 == 0o600
        assert command.data.stat().st_mode & 0o777 == 0o700

    def test_again_prints_the_same_paths_of_the_same_files(self, command: Command) -> None:
        first = command.run("generate", "my.dev.local")
        before = fingerprint(command.cert), command.cert.stat().st_mtime_ns

        second = command.run("generate", "my.dev.local")

        assert second.stdout == first.stdout
        assert (fingerprint(command.cert), command.cert.stat().st_mtime_ns) == before

    def test_the_server_then_uses_it(self, command: Command) -> None:
        command.run("generate", "my.dev.local")
        made = fingerprint(command.cert)

        environment = {"PATH": "/nonexistent"}
        with command.start("--cert-host", "my.dev.local", environment=environment) as running:
            assert made in running.banner

    @pytest.mark.parametrize(
        "hosts", [["a\nb"], ["a..b"], ["../a"], ["me@a.test"], ["good.test", "https://bad.test/"]]
    )
    def test_a_bad_host_is_refused_and_nothing_written(
        self, command: Command, hosts: list[str]
    ) -> None:
        assert_refused(command.run("generate", *hosts), 2)
        assert not command.data.exists()

    def test_without_openssl_it_says_so(self, command: Command) -> None:
        finished = command.run("generate", "a.test", environment={"PATH": "/nonexistent"})

        assert_refused(finished, 3, "no openssl")
        assert not command.data.exists()


class TestShow:
    def test_tells_names_dates_fingerprint_and_shape(self, command: Command) -> None:
        command.run("generate", "my.dev.local")

        finished = command.run("show", "my.dev.local")

        shown = finished.stdout
        not_after = end_of(command.cert)
        assert (finished.code, finished.stderr) == (0, "")
        assert "my.dev.local, localhost, 127.0.0.1, ::1" in shown
        assert f"{not_after - 365 * DAY:%Y-%m-%d}" in shown
        assert f"{not_after:%Y-%m-%d}" in shown
        assert fingerprint(command.cert) in shown
        assert "self-signed" in shown
        # What no one is told by the browser itself.
        assert re.search("no +Firefox", shown)

    def test_takes_a_file(self, command: Command, tmp_path: Path) -> None:
        path = write(tmp_path / "their.pem", ours(names=("a.test", "b.test")))

        finished = command.run("show", str(path))

        assert finished.code == 0
        assert "a.test, b.test" in finished.stdout
        assert fingerprint(path) in finished.stdout

    def test_takes_a_server(self, command: Command) -> None:
        with command.start("--cert-host", "my.dev.local") as running:
            finished = command.run("show", f"127.0.0.1:{running.port}")

        assert finished.code == 0
        assert fingerprint(command.cert) in finished.stdout

    @pytest.mark.parametrize("name", ["absent.test", "./absent.crt"])
    def test_what_is_not_there_is_an_error(self, command: Command, name: str) -> None:
        finished = command.run("show", name)

        assert_refused(finished, CERTIFICATE, name.removeprefix("./"), hints=0)
        assert not command.data.exists()


class TestVerify:
    def test_a_fresh_pair_is_good(self, command: Command) -> None:
        command.run("generate", "my.dev.local")

        finished = command.run("verify", "my.dev.local")

        assert (finished.code, finished.errors) == (0, [])
        assert "FAIL" not in finished.stdout
        # It says what it asked, for anybody to ask again.
        assert f"openssl verify -x509_strict -purpose sslserver -CAfile {command.cert}" in (
            finished.stdout.replace(" -check_ss_sig", "")
        )

    @pytest.mark.parametrize("fault", list(FAULTS))
    def test_every_fault_is_found(self, command: Command, fault: str) -> None:
        cert, key = good_pair(command.data)
        inject, word = FAULTS[fault]
        inject(cert, key)

        finished = command.run("verify", "a.test")

        assert finished.code == CERTIFICATE, finished
        failed = [line for line in finished.stdout.splitlines() if line.startswith("FAIL")]
        assert word in "\n".join(failed or finished.errors)

    def test_what_the_faults_are_made_of_is_good(self, command: Command) -> None:
        good_pair(command.data)

        finished = command.run("verify", "a.test")

        assert finished.code == 0, finished

    def test_a_running_server_with_a_kept_certificate_is_good(self, command: Command) -> None:
        with command.start("--cert-host", "my.dev.local") as running:
            finished = command.run("verify", f"localhost:{running.port}")

        assert finished.code == 0, finished
        assert "handshake" in finished.stdout
        assert "s_client" in finished.stdout

    def test_a_running_server_with_a_foreign_certificate_is_not(
        self, command: Command, tmp_path: Path
    ) -> None:
        cert = write(tmp_path / "their.crt", ours(names=("localhost",)))
        key = write(tmp_path / "their.key", KEY)
        host = ("--host", "127.0.0.1")

        with command.start(*host, "--cert", str(cert), "--cert-key", str(key)) as running:
            strange = command.run("verify", f"localhost:{running.port}")
            trusted = command.run("verify", f"localhost:{running.port}", "--ca", str(cert))
            other_name = command.run("verify", f"127.0.0.1:{running.port}", "--ca", str(cert))

        assert (strange.code, trusted.code, other_name.code) == (CERTIFICATE, 0, CERTIFICATE)

    def test_a_port_where_nobody_listens_is_an_error(self, command: Command) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            address = f"127.0.0.1:{probe.getsockname()[1]}"
            finished = command.run("verify", address)

        assert_refused(finished, CERTIFICATE, address)

    def test_a_port_that_speaks_no_tls_is_an_error(self, command: Command) -> None:
        """One that greets, as SMTP and SSH do."""
        with socket.create_server(("127.0.0.1", 0)) as server:
            server.settimeout(20)
            address = f"127.0.0.1:{server.getsockname()[1]}"
            greeter = threading.Thread(target=greet, args=(server,))
            greeter.start()
            finished = command.run("verify", address)
            greeter.join(20)

        assert_refused(finished, CERTIFICATE, address, hints=0)

    def test_a_serial_number_that_begins_with_a_zero_is_good(
        self, command: Command, tmp_path: Path
    ) -> None:
        """openssl prints whole bytes."""
        path = tmp_path / "a.pem"
        openssl(
            "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
            "-keyout", tmp_path / "a.key", "-out", path, "-subj", "/CN=a.test", "-days", "30",
            "-addext", "subjectAltName=DNS:a.test", "-set_serial", "0x0123456789",
        )  # fmt: skip

        verified, shown = command.run("verify", str(path)), command.run("show", str(path))

        assert verified.code == 0, verified
        assert " 0123456789\n" in shown.stdout

    def test_an_absent_host_is_an_error(self, command: Command) -> None:
        assert_refused(command.run("verify", "absent.test"), CERTIFICATE, "absent.test")


def greet(server: socket.socket) -> None:
    client, _ = server.accept()
    with client:
        client.sendall(b"220 mail.test ESMTP\r\n")
        client.settimeout(20)
        client.recv(4096)


def end_of(cert: Path) -> dt.datetime:
    """When *cert* expires, by openssl."""
    line = openssl("x509", "-in", cert, "-noout", "-enddate").strip().partition("=")[2]
    return dt.datetime.strptime(line, "%b %d %H:%M:%S %Y GMT").replace(tzinfo=dt.UTC)
