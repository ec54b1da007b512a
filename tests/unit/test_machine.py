import os
import sys

import pytest

from openssl_serve.errors import TrustStoreError, UsageError
from openssl_serve.trust import machine
from openssl_serve.trust.macos import Keychain
from openssl_serve.trust.stores import Kind
from openssl_serve.trust.target import Lost


class Found:
    """A store of a kind, by name."""

    def __init__(self, name):
        self.name = name


@pytest.fixture
def everything(monkeypatch, users_home):
    """A machine with two stores of each kind but macOS's."""
    finders = {
        kind: lambda kind=kind: [Found(f"{kind} 1"), Found(f"{kind} 2")] for kind in Kind
    } | {Kind.MACOS: list}
    monkeypatch.setattr(machine, "_FINDERS", finders)
    return finders


def names(kinds=()):
    return [store.name for store in machine.find_stores(kinds)]


def test_all_that_there_are_the_systems_first(everything):
    assert names() == ["system 1", "system 2", "nss 1", "nss 2", "java 1", "java 2"]
    assert names([Kind.JAVA, Kind.SYSTEM]) == ["system 1", "system 2", "java 1", "java 2"]


def test_on_macos_the_systems_keychain_is_only_meant_when_named(everything, monkeypatch):
    monkeypatch.setattr(sys, "platform", "darwin")
    everything[Kind.MACOS] = lambda: [Found("login")]

    monkeypatch.setattr(machine, "find_program", lambda _name: "/opt/homebrew/bin/certutil")
    assert names() == ["login", "nss 1", "nss 2", "java 1", "java 2"]
    assert names([Kind.SYSTEM]) == ["system 1", "system 2"]


def test_on_macos_firefox_needs_no_certutil(everything, monkeypatch):
    """It reads the keychain."""
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr(machine, "find_program", lambda _name: None)
    everything[Kind.MACOS] = lambda: [Found("login")]

    assert names() == ["login", "java 1", "java 2"]
    assert names([Kind.NSS]) == ["nss 1", "nss 2"]


def test_the_real_finders_on_macos(monkeypatch, users_home):
    monkeypatch.setattr(sys, "platform", "darwin")

    assert [type(store) for store in machine.find_stores([Kind.MACOS])] == [Keychain]


@pytest.mark.parametrize(
    ("kind", "says"),
    [
        (Kind.SYSTEM, "no trust store of a kind that is known"),
        (Kind.MACOS, "no keychain"),
        (Kind.NSS, "no browser's certificate database"),
        (Kind.JAVA, "no Java"),
    ],
)
def test_a_store_that_is_named_and_not_there(everything, kind, says, monkeypatch):
    monkeypatch.delenv("JAVA_HOME")
    everything[kind] = list

    with pytest.raises(TrustStoreError, match=rf"there is {says} on this machine \(--store") as it:
        machine.find_stores([kind])

    assert it.value.hints


def test_a_java_that_is_named_and_not_there(everything, monkeypatch):
    monkeypatch.setenv("JAVA_HOME", "/opt/jdk")
    everything[Kind.JAVA] = list

    with pytest.raises(TrustStoreError, match="there is no Java in JAVA_HOME=/opt/jdk"):
        machine.find_stores([Kind.JAVA])


def test_a_machine_without_any(everything):
    for kind in Kind:
        everything[kind] = list

    with pytest.raises(TrustStoreError, match="there is no trust store on this machine"):
        machine.find_stores()


class TestUnderSudo:
    @pytest.fixture(autouse=True)
    def _sudo(self, everything, monkeypatch):
        monkeypatch.setattr(os, "geteuid", lambda: 0)
        monkeypatch.setenv("SUDO_USER", "you")

    def test_the_users_own_stores_are_left_out(self):
        assert names() == ["system 1", "system 2", "java 1", "java 2"]

    @pytest.mark.parametrize("kind", [Kind.NSS, Kind.MACOS])
    def test_or_refused(self, kind):
        with pytest.raises(UsageError, match=f"--store {kind} under sudo"):
            machine.find_stores([kind])

    def test_no_second_ca(self, tmp_path):
        with pytest.raises(TrustStoreError, match="a second local CA would be made") as caught:
            machine.refuse_second_authority(tmp_path)

        assert "you" in str(caught.value)
        assert any("OPENSSL_SERVE_HOME" in hint for hint in caught.value.hints)

    @pytest.mark.parametrize(
        ("user", "variables"), [(0, {}), (0, {"SUDO_USER": "root"}), (1000, {"SUDO_USER": "you"})]
    )
    def test_root_itself_and_users_are_not_under_sudo(self, tmp_path, monkeypatch, user, variables):
        monkeypatch.delenv("SUDO_USER")
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(os, "geteuid", lambda: user)

        machine.refuse_second_authority(tmp_path)

        assert "nss 1" in names()


def test_browsers_of_windows_are_told_about_under_wsl_alone(target, tmp_path, monkeypatch):
    class Uname:
        release = "6.1.0-amd64"

    monkeypatch.setattr(os, "uname", Uname)
    assert machine.windows_command(tmp_path) is machine.windows_removal(target) is None

    Uname.release = "5.15.167.4-microsoft-standard-WSL2"
    command = machine.windows_command(tmp_path / "a b")
    assert command == (f"certutil.exe -user -addstore Root \"$(wslpath -w '{tmp_path}/a b')\"")
    serial = target.facts.serial
    assert machine.windows_removal(target) == f"certutil.exe -user -delstore Root {serial}"
    # Its serial number is not known.
    assert machine.windows_removal(Lost(target.facts.fingerprint)) is None
