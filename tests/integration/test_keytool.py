"""The real keytool, on a cacerts of the test's own."""

import dataclasses
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from trust_fixtures import renewed

from openssl_serve.errors import TrustStoreError
from openssl_serve.trust.java import JavaStore, java_stores
from openssl_serve.trust.stores import State

KEYTOOL = shutil.which("keytool")

QUICK = ("-J-XX:TieredStopAtLevel=1", "-J-XX:+UseSerialGC")
"""A third of the time."""

pytestmark = pytest.mark.skipif(not KEYTOOL, reason="no keytool (apt install default-jre-headless)")


def keytool(keystore, verb, *options):
    place = ("-keystore", keystore, "-storepass", "changeit")
    command = [str(KEYTOOL), *QUICK, verb, *place, *options]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=40)


@pytest.fixture
def home(users_home, other_target, monkeypatch):
    """A JAVA_HOME with somebody else's CA in its store."""
    path = users_home / "jdk"
    keystore = path / "lib/security/cacerts"
    keystore.parent.mkdir(parents=True)
    (path / "bin").mkdir()
    (path / "bin/keytool").symlink_to(os.path.realpath(str(KEYTOOL)))
    cert = str(other_target.cert_path)
    done = keytool(keystore, "-importcert", "-noprompt", "-alias", "theirs", "-file", cert)
    assert done.returncode == 0, done.stdout
    monkeypatch.setenv("JAVA_HOME", str(path))
    return path


@pytest.fixture
def store(home):
    (found,) = java_stores()
    return found


def aliases(store):
    done = keytool(store.place, "-list")
    assert done.returncode == 0
    return sorted(line.split(",")[0] for line in done.stdout.splitlines() if "trusted" in line)


def test_installed_listed_and_taken_out(store, target, other_target):
    assert store.check(target) == (State.ABSENT, "it is not there", (other_target.facts,))

    store.install(target)

    assert store.check(target) == (State.TRUSTED, "keytool -list", (other_target.facts,))
    assert aliases(store) == [f"openssl-serve-{target.tag}", "theirs"]
    assert store.uninstall(target) is True
    assert aliases(store) == ["theirs"]


def test_every_generation_and_every_alias_goes(store, target, data):
    store.install(target)
    cert = str(target.cert_path)
    keytool(store.place, "-importcert", "-noprompt", "-alias", "debian:x.pem", "-file", cert)
    with renewed(data) as newer:
        store.install(newer)
        assert store.uninstall(newer) is True

    assert aliases(store) == ["theirs"]


def test_a_home_whose_name_is_not_ascii(store, target, tmp_path):
    folder = tmp_path / "Jürgen"
    folder.mkdir()
    cert = Path(shutil.copy(target.cert_path, folder))

    store.install(dataclasses.replace(target, cert_path=cert))

    assert store.check(target).state is State.TRUSTED


def test_another_password(store, target):
    done = keytool(store.place, "-storepasswd", "-new", "secret99")
    assert done.returncode == 0, done.stdout

    found = store.check(target)

    assert found.state is State.UNKNOWN
    assert "password was incorrect" in found.says
    with pytest.raises(TrustStoreError, match="password was incorrect"):
        store.install(target)


def test_a_store_that_is_none(store, target):
    store.place.write_bytes(b"\xfe\xed\xfe\xedjunk")

    assert store.check(target).state is State.UNKNOWN
    assert isinstance(store, JavaStore)
