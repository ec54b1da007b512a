"""What attackers and examiners that we did not write make of the installed command."""

import json
import os
import re
import shutil
import subprocess
import sys
from importlib.util import find_spec

import pytest

from robustness.service import LONG

TESTSSL = shutil.which("testssl") or shutil.which("testssl.sh")


@pytest.fixture
def generating(start, tmp_path):
    """The service as it is started without options: with a certificate of its own making."""
    home = {"OPENSSL_SERVE_HOME": str(tmp_path / "home")}
    return start.command("--log-format", "none", generates=True, environment=home)


MODES = {"headers": "-H", "body": "-B", "range": "-R", "read": "-X"}


@pytest.fixture
def service(start, root):
    (root / "large.bin").write_bytes(bytes(20_000_000))
    return start.command("--log-format", "none")


@pytest.mark.skipif(not shutil.which("slowhttptest"), reason="no slowhttptest in PATH")
def test_slowhttptest_never_finds_the_service_unavailable(service, tmp_path):
    """All four at once, 1,200 connections in all: each probes whether others are still served."""
    running = {}
    for name, mode in MODES.items():
        url = f"https://localhost:{service.port}/{'large.bin' if name == 'read' else 'a.txt'}"
        with (tmp_path / name).open("wb") as words:
            running[name] = subprocess.Popen(
                ["slowhttptest", mode, "-c", "300", "-r", "150", "-i", "2", "-l", "10", "-u", url],
                stdin=subprocess.DEVNULL,
                stdout=words,
                stderr=subprocess.STDOUT,
            )
    codes = {name: process.wait(40) for name, process in running.items()}

    for name in MODES:
        said = re.sub(r"\x1b\[[0-9;]*m", "", (tmp_path / name).read_text(errors="replace"))
        verdicts = set(re.findall(r"service available: +(\w+)", said))
        assert verdicts == {"YES"}, f"{name}: {said[-1000:]}"
    assert set(codes.values()) == {0}
    service.assert_well()


@pytest.mark.skipif(not find_spec("sslyze"), reason="no sslyze (no wheels for this Python)")
def test_sslyze_misses_nothing_of_mozillas_intermediate_profile_but_trust(generating):
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "sslyze",
            "--mozilla_config=intermediate",
            f"localhost:{generating.port}",
        ],
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
        # It reads trust stores of others, which hold certificates that cryptography warns of.
        env={**os.environ, "PYTHONWARNINGS": "ignore"},
    )
    verdict = done.stdout.partition("COMPLIANCE AGAINST TLS CONFIGURATION")[2]
    missed = [line.strip(" *") for line in verdict.splitlines() if line.startswith(" " * 8 + "* ")]

    assert "Checking results against Mozilla's" in verdict, done.stdout + done.stderr
    # That nobody vouches for the certificate, and not a word more.
    assert [line.partition(":")[0] for line in missed] == ["certificate_path_validation"]
    for attack in ("Heartbleed", "OpenSSL CCS injection", "ROBOT", "Renegotiation DoS"):
        # Its heading, then the verdict, on the same line or the next.
        after = done.stdout[done.stdout.lower().index(attack.lower()) :]
        assert after.index("OK - ") < 100, after[:200]


ACCEPTED = {
    "cert_chain_of_trust",  # self-signed
    "cert_revocation",  # and nobody who could revoke it
    "DNS_CAArecord",  # of localhost, in the DNS
    "engine_problem",  # of the tool itself
}


@pytest.mark.skipif(not TESTSSL, reason="no testssl in PATH")
@pytest.mark.skipif(not LONG, reason="takes half a minute: OPENSSL_SERVE_TEST_LONG=1")
@pytest.mark.timeout(180)
def test_testssl_finds_nothing_but_that_nobody_vouches_for_the_certificate(generating, tmp_path):
    """Protocols, ciphers, forward secrecy, the certificate, and all vulnerabilities it knows."""
    found = tmp_path / "found.json"
    subprocess.run(
        [
            str(TESTSSL),
            "--ip",
            "one",
            "--color",
            "0",
            "--warnings",
            "off",
            "-p",
            "-s",
            "-f",
            "-S",
            "-U",
            "--jsonfile",
            str(found),
            f"localhost:{generating.port}",
        ],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=170,
        check=False,
    )
    findings = json.loads(found.read_text())

    assert len(findings) > 50
    bad = {each["id"]: each for each in findings if each["severity"] not in ("OK", "INFO")}
    ticket = bad.get("sessionresumption_ticket")
    if ticket and "connect problem" in ticket["finding"]:
        # Its client has left before the ticket was there, as with nginx in half of the cases: in
        # TLS 1.3 that comes behind the handshake.
        del bad["sessionresumption_ticket"]
    assert not {name: bad[name] for name in bad if name not in ACCEPTED}
    assert "self signed" in bad["cert_chain_of_trust"]["finding"]
