"""`--cert` and `--cert-key`: the user's own pair, and everything that can be wrong with it."""

import re
from pathlib import Path

import pytest

from e2e.clients import curl, fingerprint, openssl, trusting
from e2e.command import Command, assert_refused

PASSPHRASE = "correct horse"
PASSWORD_VARIABLE = "OPENSSL_SERVE_KEY_PASSWORD"


@pytest.fixture(scope="session")
def theirs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with pairs that openssl made, and with what is none."""
    folder = tmp_path_factory.mktemp("theirs")
    for name in ("own", "other"):
        openssl(
            "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
            "-subj", f"/CN={name}", "-addext", "subjectAltName=DNS:own.test,IP:127.0.0.1",
            "-days", "30", "-keyout", folder / f"{name}.key", "-out", folder / f"{name}.crt",
        )  # fmt: skip
    openssl(
        "pkey", "-in", folder / "own.key", "-aes256", "-passout", f"pass:{PASSPHRASE}",
        "-out", folder / "locked.key",
    )  # fmt: skip
    (folder / "locked.key").chmod(0o600)
    (folder / "password").write_text(f"{PASSPHRASE}\n")
    (folder / "wrong").write_text("correct cow\n")
    (folder / "garbage").write_bytes(bytes(range(256)) * 4)
    (folder / "text").write_text(
        "-----BEGIN CERTIFICATE-----\nno base64!\n-----END CERTIFICATE-----"
    )
    (folder / "empty").touch()
    return folder


def pair(folder: Path, cert: str, key: str) -> list[str]:
    return ["--cert", str(folder / cert), "--cert-key", str(folder / key)]


def test_serves_with_the_pair_and_generates_nothing(command: Command, theirs: Path) -> None:
    with command.start(*pair(theirs, "own.crt", "own.key")) as running:
        port, banner = running.port, running.banner
        answer = curl(
            f"https://own.test:{port}/hello.txt", *trusting(theirs / "own.crt", port, "own.test")
        )

    assert answer.body == "hello\n"
    assert str(theirs / "own.crt") in banner
    assert fingerprint(theirs / "own.crt") in banner
    assert not command.data.exists()


def test_needs_no_openssl(command: Command, theirs: Path) -> None:
    arguments = pair(theirs, "own.crt", "own.key")
    with command.start(*arguments, environment={"PATH": "/nonexistent"}) as running:
        assert running.port


def test_never_serves_the_key_in_use(command: Command, theirs: Path) -> None:
    """Whatever it is called, and even with --hidden."""
    (command.site / "secret.txt").write_bytes((theirs / "own.key").read_bytes())
    arguments = ["--cert", str(theirs / "own.crt"), "--cert-key", "secret.txt", "--hidden"]

    with command.start(*arguments) as running:
        url = f"https://127.0.0.1:{running.port}/"
        trust = ["--cacert", str(theirs / "own.crt")]
        secret, hello = (curl(f"{url}{name}", *trust) for name in ("secret.txt", "hello.txt"))

    assert (secret.status, hello.status) == (404, 200)
    assert "PRIVATE" not in secret.body


@pytest.mark.parametrize(
    ("cert", "key", "named", "why"),
    [
        ("absent", "own.key", "absent", "no such file"),
        ("own.crt", "absent", "absent", "no such file"),
        (".", "own.key", "", "folder"),
        ("own.crt", ".", "", "folder"),
        ("garbage", "own.key", "garbage", "certificate"),
        ("own.crt", "garbage", "garbage", "is not a private key"),
        ("text", "own.key", "text", ""),
        ("empty", "own.key", "empty", "empty"),
        ("own.crt", "empty", "empty", "empty"),
        ("own.key", "own.key", "own.key", "PRIVATE KEY"),
        ("own.crt", "own.crt", "own.crt", "CERTIFICATE"),
        ("own.crt", "other.key", "other.key", "does not belong"),
        ("own.crt", "locked.key", "locked.key", "encrypted"),
    ],
)
def test_what_is_no_pair_gets_one_line_that_names_the_file(
    command: Command, theirs: Path, cert: str, key: str, named: str, why: str
) -> None:
    finished = command.run(*pair(theirs, cert, key))

    assert_refused(finished, 4, str(theirs / named), why, hints=0)
    assert not command.data.exists()


class TestEncryptedKey:
    def test_opens_with_the_password_in_a_file(self, command: Command, theirs: Path) -> None:
        arguments = [*pair(theirs, "own.crt", "locked.key"), "--cert-key-password-file"]

        with command.start(*arguments, str(theirs / "password")) as running:
            answer = curl(
                f"https://127.0.0.1:{running.port}/hello.txt", "--cacert", str(theirs / "own.crt")
            )

        assert answer.status == 200

    def test_opens_with_the_password_in_the_environment(
        self, command: Command, theirs: Path
    ) -> None:
        arguments = pair(theirs, "own.crt", "locked.key")

        with command.start(*arguments, environment={PASSWORD_VARIABLE: PASSPHRASE}) as running:
            answer = curl(
                f"https://127.0.0.1:{running.port}/hello.txt", "--cacert", str(theirs / "own.crt")
            )

        assert answer.status == 200

    def test_the_file_beats_the_environment(self, command: Command, theirs: Path) -> None:
        finished = command.run(
            *pair(theirs, "own.crt", "locked.key"),
            "--cert-key-password-file", str(theirs / "wrong"),
            environment={PASSWORD_VARIABLE: PASSPHRASE},
        )  # fmt: skip

        assert_refused(finished, 4, str(theirs / "locked.key"), "password", hints=0)

    def test_a_wrong_password_is_refused_and_not_repeated(
        self, command: Command, theirs: Path
    ) -> None:
        finished = command.run(
            *pair(theirs, "own.crt", "locked.key"), environment={PASSWORD_VARIABLE: "sesame"}
        )

        assert_refused(finished, 4, str(theirs / "locked.key"), "password", hints=0)
        assert "sesame" not in finished.stderr

    def test_no_password_says_how_to_give_one(self, command: Command, theirs: Path) -> None:
        finished = command.run(*pair(theirs, "own.crt", "locked.key"))

        assert_refused(finished, 4, str(theirs / "locked.key"), "encrypted")
        assert "--cert-key-password-file" in finished.hints[0]
        assert PASSWORD_VARIABLE in finished.hints[0]

    def test_an_absent_password_file_is_named(self, command: Command, theirs: Path) -> None:
        finished = command.run(
            *pair(theirs, "own.crt", "locked.key"),
            "--cert-key-password-file", str(theirs / "absent"),
        )  # fmt: skip

        assert_refused(finished, 2, str(theirs / "absent"), hints=0)


class TestHalfAPair:
    def test_a_certificate_without_its_key(self, command: Command, theirs: Path) -> None:
        finished = command.run("--cert", str(theirs / "own.crt"))

        assert_refused(finished, 2)
        # In code-server's words.
        assert finished.errors == ["--cert-key is missing"]

    @pytest.mark.parametrize("cert", [[], ["--cert"], ["--cert=false"]])
    def test_a_key_without_its_certificate(
        self, command: Command, theirs: Path, cert: list[str]
    ) -> None:
        finished = command.run(*cert, "--cert-key", str(theirs / "own.key"))

        assert_refused(finished, 2, "--cert is missing")
        assert not command.data.exists()


@pytest.mark.parametrize("cert", ["--cert", "--cert=", "--cert=false"])
def test_cert_without_a_path_generates_as_in_code_server(command: Command, cert: str) -> None:
    with command.start("--cert-host", "my.dev.local", cert) as running:
        assert str(command.cert) in running.banner

    assert command.cert.exists()


@pytest.mark.parametrize("cert", ["own.crt", "false", ""])
def test_the_environment_names_a_pair_as_options_do(
    command: Command, theirs: Path, cert: str
) -> None:
    environment = {"OPENSSL_SERVE_CERT": str(theirs / cert) if "." in cert else cert}
    if "." in cert:
        environment["OPENSSL_SERVE_CERT_KEY"] = str(theirs / "own.key")

    with command.start(environment=environment) as running:
        banner = running.banner

    assert str(theirs / "own.crt" if "." in cert else command.data / "localhost.crt") in banner
    assert command.data.exists() == ("." not in cert)


def test_what_clients_will_not_accept_is_said_and_served(command: Command, theirs: Path) -> None:
    """A fault that stops no server is a warning: here, a certificate without names."""
    openssl(
        "req", "-x509", "-key", theirs / "own.key", "-subj", "/CN=own.test", "-days", "30",
        "-out", theirs / "nameless.crt",
    )  # fmt: skip

    with command.start("--host", "127.0.0.1", *pair(theirs, "nameless.crt", "own.key")) as running:
        banner = running.banner

    assert f"openssl-serve: warning: {theirs / 'nameless.crt'} has no SAN" in banner


def test_a_host_that_the_pair_is_not_for_is_said(command: Command, theirs: Path) -> None:
    """Otherwise --cert-host is silently nothing beside --cert."""
    hosts = ["--cert-host", "own.test,b.test", "--cert-host", "own.test"]

    with command.start(*hosts, *pair(theirs, "own.crt", "own.key")) as running:
        banner = running.banner

    assert banner.count("openssl-serve: warning: ") == 1
    assert "openssl-serve: warning: --cert-host b.test: --cert is not for it" in banner


def test_hosts_of_the_environment_are_nothing_beside_a_pair_on_the_command_line(
    command: Command, theirs: Path
) -> None:
    environment = {"OPENSSL_SERVE_CERT_HOST": "b.test"}

    with command.start(*pair(theirs, "own.crt", "own.key"), environment=environment) as running:
        banner = running.banner

    assert "warning" not in banner


def test_the_address_is_told_when_no_name_of_the_pair_leads_here(
    command: Command, theirs: Path
) -> None:
    """Or nobody would learn the port. No name below .invalid is ever resolved (RFC 6761, 6.4)."""
    openssl(
        "req", "-x509", "-key", theirs / "own.key", "-subj", "/CN=a.invalid", "-days", "30",
        "-addext", "subjectAltName=DNS:a.invalid,DNS:*.b.invalid", "-out", theirs / "a.crt",
    )  # fmt: skip

    with command.start(*pair(theirs, "a.crt", "own.key")) as running:
        banner, urls = running.banner, running.urls
        port = re.search(r"^serving .* on 127\.0\.0\.1:(\d+)$", banner, re.MULTILINE)
        assert port
        answer = curl(
            f"https://a.invalid:{port[1]}/hello.txt",
            *trusting(theirs / "a.crt", int(port[1]), "a.invalid"),
        )

    assert urls == []
    assert answer.body == "hello\n"
    assert '"127.0.0.1 a.invalid"' in banner
