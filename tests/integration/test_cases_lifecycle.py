"""What goes wrong in code-server's way of keeping a pair, L1 to L18 of the reference.

L13 and L14 (many at once, killed in the middle) are in test_store_races.py, L17 (a replaced pair
while serving) with the server's tests.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from certificates import (
    DAY,
    KEY,
    LOOPBACK,
    NAMES,
    NOW,
    assert_pair,
    assert_self_signed,
    files,
    handshake,
    load,
    ours,
    write,
)  # fmt: skip
from cryptography.hazmat.primitives.asymmetric import ec

from openssl_serve.certs.store import Store

OTHER = ec.generate_private_key(ec.SECP256R1())


@pytest.fixture
def remade(cli, home):
    """Start with what is there; what was said, after which all is well and the rest aside."""

    def start(*aside):
        finished = cli.good("generate", "a.test")
        assert_pair(home / "a_test.crt", home / "a_test.key")
        assert_self_signed(home / "a_test.crt", NAMES)
        assert files(Store(home)) == sorted(["a_test.crt", "a_test.key", *aside])
        again = cli.good("generate", "a.test")
        assert again.err.startswith("kept: ")
        return finished.err

    return start


def test_l01_half_a_pair(remade, home):
    """code-server overwrites the survivor; here no key is lost."""
    path = write(home / "a_test.key", KEY)
    before = path.read_bytes()

    said = remade("a_test.key.aside-1")

    assert "had no certificate beside it; a_test.key is now a_test.key.aside-1" in said
    assert (home / "a_test.key.aside-1").read_bytes() == before


@pytest.mark.parametrize("content", [b"", b"garbage"])
def test_l02_an_empty_or_garbage_key(remade, home, content):
    write(home / "a_test.crt", ours(names=NAMES))
    (home / "a_test.key").write_bytes(content)
    (home / "a_test.key").chmod(0o600)

    assert "a_test.key is " in remade("a_test.crt.aside-1", "a_test.key.aside-1")


def test_l03_a_mismatched_pair(remade, home):
    write(home / "a_test.crt", ours(names=NAMES))
    write(home / "a_test.key", OTHER)

    assert "does not belong to" in remade("a_test.crt.aside-1", "a_test.key.aside-1")


def test_l04_a_garbage_certificate(remade, home):
    write(home / "a_test.key", KEY)
    (home / "a_test.crt").write_text("garbage")

    said = remade("a_test.crt.aside-1", "a_test.key.aside-1")

    assert f"{home}/a_test.crt is not a certificate in PEM form" in said


def test_l05_a_folder_in_its_place(remade, home):
    write(home / "a_test.key", KEY)
    (home / "a_test.crt").mkdir()

    assert "is a folder" in remade("a_test.crt.aside-1", "a_test.key.aside-1")


def test_l06_nothing_there(remade):
    assert remade() == "made: no certificate yet\n"


def test_l07_an_encrypted_key(remade, home):
    write(home / "a_test.crt", ours(names=NAMES))
    write(home / "a_test.key", KEY, password="secret")

    assert "is encrypted" in remade("a_test.crt.aside-1", "a_test.key.aside-1")


def test_l08_an_expired_pair_is_renewed_with_its_key(remade, home):
    write(home / "a_test.crt", ours(names=NAMES, start=NOW - 99 * DAY, end=NOW - DAY))
    write(home / "a_test.key", KEY)

    assert remade() == f"made: expired on {NOW - DAY:%Y-%m-%d}\n"
    assert load(home / "a_test.crt").public_key() == KEY.public_key()


@pytest.mark.parametrize("host", ["192.168.1.9", "fd00::9"])
def test_l09_an_address_as_host(cli, home, host):
    cert, key = map(Path, cli.good("generate", host).lines)

    assert_self_signed(cert, [host, *LOOPBACK])
    assert handshake(cert, key, host)


def test_l10_loopback_with_the_default_certificate(cli, home):
    """code-server logs a URL that its own certificate does not cover."""
    cli.good("generate")

    for host in LOOPBACK:
        assert handshake(home / "localhost.crt", home / "localhost.key", host)


def test_l11_a_long_name(cli, home):
    host = ".".join(["a" * 61] * 4)

    cert, key = map(Path, cli.good("generate", host).lines)

    assert len(key.name) <= 255
    assert handshake(cert, key, host)
    assert cli.good("generate", host).err.startswith("kept: ")


def test_l12_no_openssl(cli, home, monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")

    assert cli.refused(3, "generate") == "no openssl program found in PATH"
    assert not home.exists()


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_l15_private_whatever_the_umask(cli, home, umask):
    before = os.umask(umask)  # noqa: TID251
    try:
        cli.good("generate", "--ca", "a.test")
    finally:
        os.umask(before)  # noqa: TID251

    for stem in ("a_test", "_local_ca"):
        assert_pair(home / f"{stem}.crt", home / f"{stem}.key")


def test_l16_a_dot_and_an_underscore_are_two_hosts(cli, home):
    cli.good("generate", "a.b")
    cli.good("generate", "a_b")

    assert {path.name for path in home.glob("*.crt")} == {"a_b.crt", "a%5Fb.crt"}


@pytest.mark.parametrize(
    "words", [["--help"], ["--version"], ["generate", "--help"], ["export", "--help"], ["doctor"]]
)
def test_l18_asking_writes_nothing(home, words, tmp_path):
    environment = {**os.environ, "OPENSSL_SERVE_HOME": str(home), "HOME": str(tmp_path / "home")}

    subprocess.run(
        [sys.executable, "-m", "openssl_serve", *words],
        env=environment, check=True, capture_output=True, cwd=tmp_path,
    )  # fmt: skip

    assert list(tmp_path.iterdir()) == []
