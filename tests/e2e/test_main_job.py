"""`openssl-serve --cert-host my.dev.local`: the first start, and the second."""

import re
import socket
import ssl
import stat
import subprocess
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path

import pytest

from e2e.clients import curl, fingerprint, openssl, trusting
from e2e.command import Command

HOST = ("--cert-host", "my.dev.local")

WITNESS = """
import os, sys
STARTS = ("os.fork", "os.forkpty", "os.posix_spawn", "os.spawn", "os.exec", "os.system",
          "subprocess.Popen", "pty.spawn")
def hook(event, arguments):
    line = f"start {event}" if event in STARTS else event == "import" and f"import {arguments[0]}"
    if line:
        # Opened anew each time: a child closes what it does not know.
        with open(LOG, "a") as log:
            print(line, file=log)
sys.addaudithook(hook)
"""
# Imported by every Python at its start; writes down which modules and processes it starts.


class Witness:
    """What the Python of a command did, by its own audit events (PEP 578)."""

    def __init__(self, folder: Path) -> None:
        self._log = folder / "events"
        self._module = folder / "witness"
        self._module.mkdir()
        (self._module / "sitecustomize.py").write_text(f"LOG = {str(self._log)!r}{WITNESS}")
        self.environment = {"PYTHONPATH": str(self._module)}

    def events(self) -> set[str]:
        """Return what was seen since the last call."""
        seen = set(self._log.read_text().splitlines())
        self._log.unlink()
        return seen


@pytest.fixture
def witness(tmp_path: Path) -> Witness:
    return Witness(tmp_path)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_makes_a_private_pair_whatever_the_umask(command: Command, umask: int) -> None:
    with command.start(*HOST, umask=umask) as running:
        assert running.port

    assert sorted(path.name for path in command.data.iterdir()) == [
        ".lock", "my_dev_local.crt", "my_dev_local.key",
    ]  # fmt: skip
    assert mode(command.data) == 0o700
    assert mode(command.key) == 0o600
    names = openssl("x509", "-in", command.cert, "-noout", "-ext", "subjectAltName")
    assert names.splitlines()[1].split(", ") == [
        "    DNS:my.dev.local", "DNS:localhost", "IP Address:127.0.0.1",
        "IP Address:0:0:0:0:0:0:0:1",
    ]  # fmt: skip


def test_serves_the_current_folder_over_https(command: Command) -> None:
    with command.start(*HOST) as running:
        port = running.port
        answer = curl(f"https://my.dev.local:{port}/hello.txt", *trusting(command.cert, port))

    assert (answer.status, answer.body) == (200, "hello\n")
    assert answer.fields["content-type"].startswith("text/plain")


def test_serves_the_folder_that_is_named(command: Command) -> None:
    other = command.folder / "an other folder"
    other.mkdir()
    (other / "index.html").write_text("<title>other</title>")

    with command.start(str(other), *HOST) as running:
        port = running.port
        answer = curl(f"https://my.dev.local:{port}/", *trusting(command.cert, port))

    assert answer.body == "<title>other</title>"


@pytest.mark.parametrize(
    ("options", "status"), [((), 301), (("--head",), 301), (("--data", "a=b"), 308)]
)
def test_plain_http_is_sent_to_https_on_the_same_port(
    command: Command, options: tuple[str, ...], status: int
) -> None:
    with command.start(*HOST) as running:
        port = running.port
        url = f"://my.dev.local:{port}/a%20b/?c=d%2F&e"
        answer = curl(f"http{url}", *trusting(command.cert, port), *options)

    assert answer.status == status
    assert answer.fields["location"] == f"https{url}"
    # A browser would keep a bare 301 for ever, and tomorrow another project has this port.
    assert answer.fields["cache-control"] == "no-store"


def test_curl_follows_the_redirect_to_the_file(command: Command) -> None:
    with command.start(*HOST) as running:
        port = running.port
        answer = curl(
            f"http://my.dev.local:{port}/hello.txt",
            *trusting(command.cert, port), "--location",
        )  # fmt: skip

    assert answer.body == "hello\n"


def test_a_client_that_does_not_trust_it_is_refused_and_told_so_in_the_log(
    command: Command,
) -> None:
    with command.start(*HOST) as running:
        context = ssl.create_default_context()
        with (
            socket.create_connection(("127.0.0.1", running.port), 10) as sock,
            pytest.raises(ssl.SSLCertVerificationError),
        ):
            context.wrap_socket(sock, server_hostname="my.dev.local")
        assert running.stderr
        running.stderr.wait_for("refused the certificate: it does not know the issuer")


def test_the_second_start_uses_the_same_pair(command: Command) -> None:
    with command.start(*HOST) as running:
        assert "(new: no certificate yet)" in running.banner
    before = [(p.name, p.read_bytes(), p.stat().st_mtime_ns) for p in command.data.iterdir()]

    with command.start(*HOST) as running:
        banner = running.banner

    assert "(new" not in banner
    assert fingerprint(command.cert) in banner
    assert before == [
        (p.name, p.read_bytes(), p.stat().st_mtime_ns) for p in command.data.iterdir()
    ]


def test_the_second_start_neither_imports_sh_nor_starts_a_process(
    command: Command, witness: Witness
) -> None:
    """The first start shows that the witness sees both."""
    with command.start(*HOST, environment=witness.environment) as running:
        assert running.banner
    first = witness.events()

    with command.start(*HOST, environment=witness.environment) as running:
        port = running.port
        curl(f"https://my.dev.local:{port}/hello.txt", *trusting(command.cert, port))
        assert running.banner
    second = witness.events()

    assert {"start os.fork", "start os.exec", "import sh"} <= first
    assert "import openssl_serve.server.polyglot" in second
    assert {event for event in second if event.startswith("start ")} == set()
    assert "import sh" not in second
    # Nor what only a certificate that is made needs.
    assert "import openssl_serve.openssl.commands" in first
    rare = ("openssl.commands", "openssl.flavour", "openssl.template", "certs.issue")
    assert not {f"import openssl_serve.{name}" for name in rare} & second


def test_the_second_start_needs_no_openssl(command: Command) -> None:
    with command.start(*HOST) as running:
        assert running.port

    with command.start(*HOST, environment={"PATH": "/nonexistent"}) as running:
        port = running.port
        answer = curl(f"https://my.dev.local:{port}/hello.txt", *trusting(command.cert, port))

    assert answer.status == 200


def test_another_name_of_the_same_pair_makes_it_anew_and_says_why(command: Command) -> None:
    with command.start(*HOST) as running:
        assert running.port
    key = command.key.read_bytes()

    with command.start(*HOST, "--cert-host", "api.dev.local") as running:
        banner = running.banner

    assert "(new: names not covered: api.dev.local)" in banner
    assert "DNS:api.dev.local" in openssl(
        "x509", "-in", command.cert, "-noout", "-ext", "subjectAltName"
    )
    # Who has trusted the key need not do it again.
    assert command.key.read_bytes() == key


class TestBanner:
    def test_tells_what_the_certificate_is(self, command: Command) -> None:
        with command.start(*HOST) as running:
            banner = running.banner

        end = openssl("x509", "-in", command.cert, "-noout", "-enddate", "-dateopt", "rfc_822")
        not_after = parsedate_to_datetime(end.strip().partition("=")[2])
        assert f"serving {command.site} on 127.0.0.1:{running.port}\n" in banner
        assert str(command.cert) in banner
        assert "my.dev.local, localhost, 127.0.0.1, ::1\n" in banner
        assert re.search(f"SHA-256 +{fingerprint(command.cert)}\n", banner)
        left = (not_after - datetime.now(UTC)) // timedelta(days=1)
        assert f"{not_after:%Y-%m-%d}, {left} days left\n" in banner
        assert left == 364

    @pytest.mark.parametrize("bind", ["127.0.0.1:0", "0.0.0.0:0", "[::1]:0", "[::]:0"])
    def test_names_only_urls_that_answer(self, command: Command, bind: str) -> None:
        if ":" in bind.rpartition(":")[0] and not has_ipv6():
            assert command.run("--bind-addr", bind).code == 6
            return

        with command.start("--bind-addr", bind) as running:
            urls = running.urls
            answers = [
                curl(f"{url}hello.txt", "--cacert", str(command.data / "localhost.crt"))
                for url in urls
            ]

        assert urls
        assert [answer.body for answer in answers] == ["hello\n"] * len(urls)
        assert len({url.rpartition(":")[2] for url in urls}) == 1

    def test_a_name_that_leads_nowhere_gets_the_line_for_etc_hosts_and_no_url(
        self, command: Command
    ) -> None:
        """RFC 6761 section 6.4: no name below .invalid is ever resolved."""
        with command.start("--cert-host", "shop.invalid") as running:
            urls, banner = running.urls, running.banner

        assert '"127.0.0.1 shop.invalid"' in banner
        assert "/etc/hosts" in banner
        assert "shop.invalid" not in "".join(urls)
        assert f"https://127.0.0.1:{running.port}/" in urls

    def test_says_what_browsers_will_say_until_the_certificate_is_trusted(
        self, command: Command
    ) -> None:
        with command.start(*HOST) as running:
            untrusted = running.banner
        with command.start(*HOST, environment={"SSL_CERT_FILE": str(command.cert)}) as running:
            trusted = running.banner

        assert len(re.findall("(?m)^ *untrusted .*browsers will warn", untrusted)) == 1
        assert "untrusted" not in trusted
        assert fingerprint(command.cert) in trusted


def has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


def test_explain_is_a_script_that_makes_such_a_certificate_and_does_nothing(
    command: Command, tmp_path: Path
) -> None:
    finished = command.run("--explain", "--cert-host", "my.dev.local")
    empty = tmp_path / "empty"
    empty.mkdir()
    subprocess.run(
        ["sh", "-eu"], input=finished.stdout, text=True, cwd=empty, timeout=30, check=True
    )

    assert finished.code == 0
    assert not command.data.exists()
    pasted = openssl("x509", "-in", str(empty / "cert.pem"), "-noout", "-text")
    command.run("generate", "my.dev.local")
    made = openssl("x509", "-in", str(command.cert), "-noout", "-text")
    assert [line for line in pasted.splitlines() if "DNS:" in line or "CA:TRUE" in line] == [
        line for line in made.splitlines() if "DNS:" in line or "CA:TRUE" in line
    ]
