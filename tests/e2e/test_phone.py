"""`--qr`, as a phone meets it: the code is read, what it leads to is trusted, then HTTPS works.

The phone is in a network of its own with the server, which no other machine can see.
"""

import os
import re
import select
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest
from codes import code_lines, decode
from terminals import Terminal, terminal

from e2e.clients import curl, fingerprint, openssl
from e2e.command import DEADLINE_S, INSTALLED, LAST_OF_BANNER, Command

PLACE = "/.well-known/openssl-serve/"
ADDRESS = "192.168.7.7"
NETWORK = f"ip link set lo up && ip address add {ADDRESS}/24 dev lo && ip route add default dev lo"
ALONE = ["unshare", "--map-root-user", "--net"]

CAN_BE_ALONE = all(map(shutil.which, ("unshare", "nsenter", "ip"))) and not (
    subprocess.run([*ALONE, "sh", "-c", NETWORK], capture_output=True, check=False).returncode
)


def until_ready(screen: Terminal) -> str:
    """All that is on it once the banner is complete."""
    data, deadline = b"", time.monotonic() + DEADLINE_S
    # A piece may end within a character.
    while LAST_OF_BANNER.encode() not in data:
        assert select.select([screen.master], [], [], deadline - time.monotonic())[0], data
        data += os.read(screen.master, 65536)
    return data.decode().replace("\r\n", "\n")


def plain(text: str) -> str:
    """*text* without colours."""
    return re.sub(r"\x1b\[[0-9;]*m", "", text)


def test_in_a_pipe_it_says_where_and_draws_nothing(command: Command) -> None:
    with command.start("--qr") as running:
        banner = running.banner
        url = f"http://127.0.0.1:{running.port}{PLACE}"

        assert (
            f"  phone        only this machine reaches {url}; --lan --qr lets others in" in banner
        )
        assert code_lines(banner) == []
        page = curl(url, "-H", "Accept: text/html")

    cert = command.data / "localhost.crt"
    assert page.status == 200
    assert fingerprint(cert) in re.sub("<[^>]+>", "", page.body)
    assert fingerprint(cert) in banner


def test_without_it_there_is_nothing(command: Command) -> None:
    with command.start() as running:
        answer = curl(f"http://127.0.0.1:{running.port}{PLACE}")

        assert (answer.status, "phone" in running.banner) == (301, False)


def test_it_can_be_set_in_the_environment(command: Command) -> None:
    with command.start(environment={"OPENSSL_SERVE_QR": "1"}) as running:
        assert "phone" in running.banner
        assert curl(f"http://127.0.0.1:{running.port}{PLACE}openssl-serve.pem").status == 200


def test_no_path_there_finds_a_key(command: Command) -> None:
    """Asked as it stands, by a client that does not tidy the path up."""
    with command.start("--qr", "--hidden", str(command.folder)) as running:
        base = f"http://127.0.0.1:{running.port}"
        secret = (command.data / "localhost.key").read_text().splitlines()[2]
        for path in (
            f"{PLACE}localhost.key", f"{PLACE}../data/localhost.key", "/data/localhost.key",
            f"{PLACE}openssl-serve.key", f"{PLACE}%2e%2e/%2e%2e/data/localhost.key",
            f"{PLACE}openssl-serve.pem/../../../data/localhost.key", f"/{PLACE}/localhost.key",
        ):  # fmt: skip
            answer = curl(base + path, "--path-as-is")
            assert answer.status == 301
            assert secret not in answer.body


def test_no_socket_for_phones(command: Command) -> None:
    with command.start("--qr", "--socket", str(command.folder / "s")) as running:
        assert "none reaches a Unix socket: leave out --socket" in running.banner


@pytest.mark.skipif(not CAN_BE_ALONE, reason="no network namespaces (apt install iproute2)")
class TestOnAPhone:
    """Lines of a real terminal, a decoder, curl and openssl; nothing of ours on that side."""

    @pytest.mark.parametrize("ca", [True, False])
    def test_from_the_code_to_a_page_without_a_warning(
        self, command: Command, tmp_path: Path, ca: bool
    ) -> None:
        if ca:
            command.run("generate", "--ca", "localhost")
        environment = {"TERM": "xterm-256color", "NO_COLOR": "", "PATH": os.environ["PATH"]}
        alone = [*ALONE, "sh", "-c", f'{NETWORK} && exec "$@"', "sh", INSTALLED]
        with terminal(120) as screen:
            running = command.start(
                "--lan", "--qr", program=alone, stderr=screen.slave, environment=environment
            )
            shown = until_ready(screen)
            pid = running.process.pid
            phone = ["nsenter", "--target", str(pid), "--user", "--net", "--preserve-credentials"]

            def fetch(url: str, *options: str) -> bytes:
                """What is at *url*, on the phone."""
                words = [
                    *phone,
                    "curl",
                    "-q",
                    "-sS",
                    "--fail",
                    "--noproxy",
                    "*",
                    "--max-time",
                    "10",
                ]
                done = subprocess.run(
                    [*words, *options, url], capture_output=True, check=False, timeout=DEADLINE_S
                )
                assert done.returncode == 0, done.stderr
                return done.stdout

            url = decode(code_lines(shown), dark=True)
            assert decode(code_lines(shown), dark=False) == url
            assert url == f"http://{ADDRESS}:{running.port}{PLACE}"
            assert f"  phone        {url}\n" in plain(shown)

            page = fetch(url, "-H", "Accept: text/html", "-A", "iPhone").decode()
            (name,) = re.findall(r'href="([^"]+\.mobileconfig)"', page)
            profile = tmp_path / "x.mobileconfig"
            profile.write_bytes(fetch(url + name))
            assert "com.apple.security.root" in profile.read_text()

            der, pem = tmp_path / "x.crt", tmp_path / "x.pem"
            der.write_bytes(fetch(f"{url}openssl-serve.crt"))
            openssl("x509", "-inform", "DER", "-in", der, "-out", pem)
            # The same on both sides, and in what was got.
            found = fingerprint(pem)
            assert found in plain(shown)
            assert found in re.sub("<[^>]+>", "", page)
            assert (f"  its SHA-256  {found}" in plain(shown)) is ca
            assert ("but          Firefox will never accept it" in plain(shown)) is not ca

            (place,) = [
                link for link in re.findall(r'href="(https:[^"]+)"', page) if ADDRESS in link
            ]
            assert fetch(f"{place}hello.txt", "--cacert", str(pem)) == b"hello\n"
            assert running.end(signal.SIGTERM) == 0
