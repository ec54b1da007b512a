"""Words that cannot be meant so: one line that says why, something to type, nothing written."""

import os
from pathlib import Path

import pytest

from e2e.command import Command, assert_refused
from e2e.test_main_job import has_ipv6

USAGE, OPENSSL, CERTIFICATE, LISTEN = 2, 3, 4, 6


def program(folder: Path, script: str) -> str:
    """A PATH with only *script*, called openssl."""
    folder.mkdir()
    (folder / "openssl").write_text(f"#!/bin/sh\n{script}\n")
    (folder / "openssl").chmod(0o755)
    return str(folder)


def left(command: Command) -> list[str]:
    """What is in the data folder, beside its lock."""
    return [path.name for path in command.data.iterdir() if path.name != ".lock"]


@pytest.mark.parametrize(
    ("host", "reason"),
    [
        ("a.test\nDNS.9 = evil.test", r"\n"),
        ("$ENV::HOME", "$ENV::HOME"),
        ("${HOME}.test", "${HOME}.test"),
        ("[names]", "[names]"),
        ("../../etc/passwd", "../../etc/passwd"),
        ("a..test", "empty"),
        ("", "empty"),
        (".".join(["a" * 50] * 5), "254 characters, and 253"),
        ("a" * 64 + ".test", "64 characters, and 63"),
        ("me@my.dev.local", "e-mail"),
        ("https://my.dev.local/", "URL"),
        ("*.localhost", "single label"),
        ("a.test,DNS:evil.test", ","),
        ("a\\.test", "a\\"),
        ("\x1b[31m.test", r"\x1b[31m"),
        ("\u202etest", r"\u202e"),
    ],
)
def test_no_certificate_is_made_for_what_is_no_host(
    command: Command, host: str, reason: str
) -> None:
    finished = command.run("--port", "0", f"--cert-host={host}")

    assert_refused(finished, USAGE, reason)
    assert not command.data.exists()


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("8080", '"8080" has no port'),
        (":8080", '":8080" names no host'),
        ("", "has no port"),
        ("localhost", '"localhost" has no port'),
        ("localhost:99999", '"99999" is not a port'),
        ("localhost:http", '"http" is not a port'),
        ("::1:8080", "without brackets"),
        ("http://localhost:8080", "URL"),
        ("a b:8080", '"a b" is not a host'),
    ],
)
def test_an_address_is_a_host_and_a_port(command: Command, address: str, reason: str) -> None:
    finished = command.run(f"--bind-addr={address}")

    assert_refused(finished, USAGE, "--bind-addr", reason)
    assert not command.data.exists()


@pytest.mark.parametrize("port", ["65536", "-1", "٨", ""])
def test_a_port_is_a_number_up_to_65535(command: Command, port: str) -> None:
    finished = command.run(f"--port={port}")

    assert_refused(finished, USAGE, "--port", f'"{port}" is not a port')
    assert not command.data.exists()


def test_an_ipv6_address_stands_in_brackets(command: Command) -> None:
    if not has_ipv6():
        assert_refused(command.run("--bind-addr", "[::1]:0"), LISTEN, "[::1]:0")
        return

    with command.start("--bind-addr", "[::1]:0") as running:
        assert f"https://[::1]:{running.port}/" in running.urls


def test_a_host_that_is_no_address_of_this_machine(command: Command) -> None:
    """192.0.2.1 is TEST-NET-1 (RFC 5737): nobody's."""
    assert_refused(command.run("--bind-addr", "192.0.2.1:0"), LISTEN, "192.0.2.1")


def test_a_host_that_nobody_knows(command: Command) -> None:
    assert_refused(command.run("--bind-addr", "shop.invalid:0"), LISTEN, "shop.invalid")


class TestTarget:
    def test_an_absent_folder(self, command: Command) -> None:
        finished = command.run("--port", "0", "no/such folder")

        assert_refused(finished, USAGE, '"no/such folder"')
        assert not command.data.exists()

    def test_a_file(self, command: Command) -> None:
        finished = command.run("--port", "0", "hello.txt")

        assert_refused(finished, USAGE, '"hello.txt" is a file')
        assert not command.data.exists()

    def test_a_name_with_line_breaks_and_colours_stays_one_harmless_line(
        self, command: Command
    ) -> None:
        finished = command.run("--port", "0", "a\nopenssl-serve: error: b\x1b[31m")

        assert_refused(finished, USAGE, r"a\nopenssl-serve: error: b\x1b[31m")


class TestDataFolder:
    """Root may write anywhere: so these are folders that nobody can make."""

    def test_below_a_file(self, command: Command) -> None:
        file = command.folder / "file"
        file.write_text("precious")
        data = file / "data"

        finished = command.run("--port", "0", environment={"OPENSSL_SERVE_HOME": str(data)})

        assert_refused(finished, CERTIFICATE, str(data))
        assert "OPENSSL_SERVE_HOME" in finished.hints[0]
        assert file.read_text() == "precious"

    def test_a_link_to_nowhere(self, command: Command) -> None:
        command.data.symlink_to(command.folder / "nowhere" / "at all")

        assert_refused(command.run("--port", "0"), CERTIFICATE, str(command.data))
        assert not (command.folder / "nowhere").exists()

    def test_a_file_is_left_as_it_was(self, command: Command) -> None:
        command.data.write_text("precious")
        command.data.chmod(0o644)

        assert_refused(command.run("--port", "0"), CERTIFICATE, str(command.data))
        assert command.data.read_text() == "precious"
        assert command.data.stat().st_mode & 0o777 == 0o644


class TestOpenssl:
    def test_none_in_path(self, command: Command) -> None:
        finished = command.run("--port", "0", environment={"PATH": "/nonexistent"})

        assert_refused(finished, OPENSSL, "no openssl", "PATH", hints=2)
        assert not command.data.exists()

    @pytest.mark.parametrize(
        ("script", "said"),
        [
            ("echo 'Hello, world'", '"Hello, world"'),
            ("echo", "nothing"),
            ("exit 1", "nothing"),
            ("cat; echo 'usage: openssl FILE' >&2; exit 2", "nothing"),
            ("kill -9 $$", "killed by signal 9"),
            ("printf '\\033[31mOpenSSL\\n'", r"\x1b[31m"),
        ],
    )
    def test_a_program_that_is_none(self, command: Command, script: str, said: str) -> None:
        path = program(command.folder / "bin", script)

        finished = command.run("--port", "0", environment={"PATH": path})

        assert_refused(finished, OPENSSL, f"{path}/openssl", said)
        assert "--openssl" in finished.stderr
        assert left(command) == []

    def test_the_next_one_in_path_is_offered(self, command: Command) -> None:
        path = program(command.folder / "bin", "echo 'Hello, world'")
        both = f"{path}{os.pathsep}{command.environment['PATH']}"

        finished = command.run("--port", "0", environment={"PATH": both})
        words = finished.hints[0].split()
        offered = words[words.index("--openssl") + 1]

        assert_refused(finished, OPENSSL, f"{path}/openssl")
        with command.start("--openssl", offered, environment={"PATH": both}) as running:
            assert running.port

    @pytest.mark.parametrize(
        ("script", "reason"),
        [
            ("echo 'OpenSSL 1.0.2u  20 Dec 2019'", "1.1.1"),
            ("echo 'OpenSSL 3.0.19 27 Jan 2026'; exit 0", "openssl req failed"),
            ('case $1 in version) echo "OpenSSL 3.0.19";; *) echo "no room" >&2; exit 1;; esac',
             "no room"),
        ],
    )  # fmt: skip
    def test_one_that_does_not_do_its_work_leaves_nothing_behind(
        self, command: Command, script: str, reason: str
    ) -> None:
        path = program(command.folder / "bin", script)

        finished = command.run("--port", "0", environment={"PATH": path})

        assert_refused(finished, OPENSSL, reason, hints=0)
        assert left(command) == []

    def test_one_in_the_served_folder_is_never_run(self, command: Command) -> None:
        program(command.site / "bin", "touch ran; echo OpenSSL 3.0.19")
        (command.site / "bin" / "openssl").rename(command.site / "openssl")

        finished = command.run("--port", "0", environment={"PATH": ".:"})

        assert_refused(finished, OPENSSL, "no openssl")
        assert not (command.site / "ran").exists()


class TestOptions:
    def test_an_unknown_option(self, command: Command) -> None:
        assert_refused(command.run("--cert-hots", "my.dev.local"), USAGE, "--cert-hots")

    def test_an_option_without_its_value(self, command: Command) -> None:
        assert_refused(command.run("--cert-host"), USAGE, "--cert-host")

    def test_one_word_too_many(self, command: Command) -> None:
        assert_refused(command.run(".", ".."), USAGE, "..")

    @pytest.mark.parametrize("option", ["--plain-http", "--log-format"])
    def test_a_choice_that_there_is_not(self, command: Command, option: str) -> None:
        finished = command.run("--port", "0", option, "wrong")

        assert_refused(finished, USAGE, option, '"wrong"')
        assert not command.data.exists()


@pytest.mark.parametrize("option", ["--version", "--help"])
def test_help_and_version_write_nothing_to_disk(command: Command, option: str) -> None:
    finished = command.run(option, environment={"PATH": "/nonexistent"})

    assert (finished.code, finished.stderr) == (0, "")
    assert finished.stdout
    assert not command.data.exists()
    assert list(Path(command.environment["HOME"]).iterdir()) == []
