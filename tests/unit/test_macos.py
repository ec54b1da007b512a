"""macOS is not here: `security`, argument by argument, with the real one's words and exit codes."""

import hashlib
import ssl
import sys
from pathlib import Path

import pytest

from openssl_serve.errors import TrustStoreError
from openssl_serve.trust.macos import (
    SYSTEM_KEYCHAIN,
    Keychain,
    login_keychains,
    system_keychains,
)
from openssl_serve.trust.stores import Kind, State
from openssl_serve.trust.target import Lost

LOGIN = Path("/Users/you/Library/Keychains/login.keychain-db")

NOT_FOUND = 44


def sha1(path):
    der = ssl.PEM_cert_to_DER_cert(path.read_text())
    return hashlib.sha1(der).hexdigest().upper()


def find(keychain):
    return ["security", "find-certificate", "-a", "-p", str(keychain)]


def verify(path):
    return ["security", "verify-cert", "-c", str(path), "-L", "-p", "ssl"]


def test_the_login_keychain_needs_no_root(target, fp):
    fp.register(find(LOGIN), returncode=NOT_FOUND, stderr="The specified item could not be found")
    fp.register(
        ["security", "add-trusted-cert", "-r", "trustRoot", "-p", "ssl", "-p", "basic",
         "-k", str(LOGIN), str(target.cert_path)]
    )  # fmt: skip
    fp.register(find(LOGIN), stdout=target.cert_path.read_bytes())
    fp.register(verify(target.leaf().cert_path), stdout="...certificate verification successful.")
    store = Keychain(LOGIN)

    store.install(target)

    assert store.obstacle is None
    assert store.kind is Kind.MACOS
    assert len(fp.calls) == 4


def test_the_systems_keychain_is_roots(target, fp, monkeypatch):
    store = Keychain(SYSTEM_KEYCHAIN)

    assert store.kind is Kind.SYSTEM
    assert store.installing(target) == [
        ("security", "add-trusted-cert", "-d", "-r", "trustRoot", "-p", "ssl", "-p", "basic",
         "-k", "/Library/Keychains/System.keychain", str(target.cert_path)),
    ]  # fmt: skip
    monkeypatch.setattr("os.geteuid", lambda: 501)
    assert store.obstacle == f"{SYSTEM_KEYCHAIN} is root's to change"


def delete(keychain, cert):
    return ["security", "delete-certificate", "-t", "-Z", sha1(cert), str(keychain)]


@pytest.mark.parametrize("keychain", [LOGIN, SYSTEM_KEYCHAIN])
def test_taken_out_by_its_hash_with_its_settings(target, fp, keychain):
    fp.register(find(keychain), stdout=target.cert_path.read_bytes())
    fp.register(delete(keychain, target.cert_path))
    fp.register(find(keychain), returncode=NOT_FOUND)

    assert Keychain(keychain).uninstall(target) is True
    assert len(fp.calls) == 3


def test_what_nobody_has_allowed_leaves_no_certificate_behind(target, fp):
    """It is in the keychain by then, without settings, which remove-trusted-cert would miss."""
    cert = target.cert_path
    fp.register(find(LOGIN), returncode=NOT_FOUND)
    fp.register(["security", "add-trusted-cert", fp.any()], returncode=1, stderr="User canceled")
    fp.register(find(LOGIN), stdout=cert.read_bytes())
    fp.register(delete(LOGIN, cert))

    with pytest.raises(TrustStoreError, match="User canceled"):
        Keychain(LOGIN).install(target)

    assert list(fp.calls[-1]) == delete(LOGIN, cert)


def test_one_whose_file_is_gone(target, other_target, fp):
    both = target.cert_path.read_bytes() + other_target.cert_path.read_bytes()
    fp.register(find(LOGIN), stdout=both)
    fp.register(delete(LOGIN, other_target.cert_path))
    fp.register(find(LOGIN), stdout=target.cert_path.read_bytes())

    assert Keychain(LOGIN).uninstall(Lost(other_target.facts.fingerprint)) is True
    assert len(fp.calls) == 3


def test_there_and_not_trusted(target, other_target, fp):
    both = target.cert_path.read_bytes() + other_target.cert_path.read_bytes()
    fp.register(find(LOGIN), stdout=both)
    fp.register(
        verify(target.leaf().cert_path),
        returncode=1,
        stderr="Cert Verify Result: CSSMERR_TP_NOT_TRUSTED\n",
    )

    found = Keychain(LOGIN).check(target)

    assert found == (
        State.REFUSED, "Cert Verify Result: CSSMERR_TP_NOT_TRUSTED", (other_target.facts,)
    )  # fmt: skip


def test_nobody_at_the_screen_to_allow_it(target, fp):
    """Over ssh there is no window to ask in."""
    said = (
        "SecTrustSettingsSetTrustSettings: The authorization was denied since no user "
        "interaction was possible."
    )
    fp.register(find(LOGIN), returncode=NOT_FOUND, occurrences=2)
    fp.register(["security", "add-trusted-cert", fp.any()], returncode=1, stderr=said)

    with pytest.raises(TrustStoreError, match="no user interaction was possible") as caught:
        Keychain(LOGIN).install(target)

    assert "add-trusted-cert" in caught.value.hints[0]


def test_without_the_key_the_ca_itself_is_judged(target, data, fp):
    data.find_authority().key_path.unlink()
    fp.register(find(LOGIN), stdout=target.cert_path.read_bytes())
    fp.register(verify(target.cert_path))

    assert Keychain(LOGIN).check(target).state is State.TRUSTED


def test_a_keychain_that_cannot_be_read(target, fp):
    fp.register(find(LOGIN), returncode=50, stderr="The specified keychain could not be found.")

    found = Keychain(LOGIN).check(target)

    assert found.state is State.UNKNOWN
    assert "could not be found" in found.says


def test_only_macos_has_any(monkeypatch, users_home):
    monkeypatch.setattr(sys, "platform", "linux")
    assert login_keychains() == system_keychains() == []

    monkeypatch.setattr(sys, "platform", "darwin")
    assert [store.place for store in login_keychains()] == [
        users_home / "Library/Keychains/login.keychain-db"
    ]
    assert [store.place for store in system_keychains()] == [SYSTEM_KEYCHAIN]
