"""Which Javas there are, and what their keytool is asked; the real one is in integration."""

import pytest

from openssl_serve.errors import TrustStoreError
from openssl_serve.trust import java
from openssl_serve.trust.java import JavaStore, java_stores
from openssl_serve.trust.stores import State

QUICK = ["-J-XX:TieredStopAtLevel=1", "-J-XX:+UseSerialGC", "-J-Duser.language=en"]


def make_java(home, cacerts="lib/security/cacerts", keytool="bin/keytool"):
    (home / cacerts).parent.mkdir(parents=True)
    (home / cacerts).touch()
    if keytool:
        (home / keytool).parent.mkdir(parents=True)
        (home / keytool).touch(mode=0o755)
    return home


@pytest.fixture
def store(tmp_path):
    home = make_java(tmp_path / "jdk-21")
    return JavaStore(home, home / "lib/security/cacerts", str(home / "bin/keytool"))


def keytool(store, verb, *options):
    program = str(store.place.parents[2] / "bin/keytool")
    return [program, *QUICK, verb, "-keystore", str(store.place), "-storepass", "changeit",
            *options]  # fmt: skip


def listing(**entries):
    texts = [
        f"Alias name: {alias.replace('__', ':')}\nCreation date: Nov 23, 2026\n"
        f"Entry type: trustedCertEntry\n\n{path.read_text()}\n\n****\n\n"
        for alias, path in entries.items()
    ]
    return "Keystore type: JKS\n\nYour keystore contains 2 entries\n\n" + "".join(texts)


def test_argument_by_argument(store, target, other_target, fp):
    alias = f"openssl-serve-{target.tag}"
    fp.register(keytool(store, "-list", "-rfc"), stdout=listing(a=other_target.cert_path))
    fp.register(
        keytool(store, "-importcert", "-noprompt", "-alias", alias, "-file", str(target.cert_path))
    )
    both = listing(a=other_target.cert_path, debian__b=target.cert_path, c=target.cert_path)
    fp.register(keytool(store, "-list", "-rfc"), stdout=both, occurrences=2)
    fp.register(keytool(store, "-delete", "-alias", "debian:b"))
    fp.register(keytool(store, "-delete", "-alias", "c"))
    fp.register(keytool(store, "-list", "-rfc"), stdout=listing(a=other_target.cert_path))

    store.install(target)
    assert store.uninstall(target) is True

    assert len(fp.calls) == 7


def test_another_password_is_keytools_to_tell(store, target, fp):
    said = "keytool error: java.io.IOException: keystore password was incorrect\n"
    # The JVM's own words, whenever JAVA_TOOL_OPTIONS is set.
    picked = "Picked up JAVA_TOOL_OPTIONS: -Xmx1g\n"
    fp.register(keytool(store, "-list", "-rfc"), returncode=1, stdout=said, stderr=picked)

    found = store.check(target)

    assert found.state is State.UNKNOWN
    assert "keystore password was incorrect" in found.says
    fp.register(keytool(store, "-list", "-rfc"), returncode=1, stdout=said)
    with pytest.raises(TrustStoreError):
        store.install(target)


def test_a_key_of_its_own_is_not_trusted(store, target, fp):
    entry = listing(mine=target.cert_path).replace("trustedCertEntry", "PrivateKeyEntry")
    fp.register(keytool(store, "-list", "-rfc"), stdout=entry)

    assert store.check(target).state is State.ABSENT


class TestWhichJavas:
    @pytest.fixture(autouse=True)
    def _none_of_the_machine(self, users_home, tmp_path, monkeypatch):
        monkeypatch.delenv("JAVA_HOME")
        monkeypatch.setattr(java, "_HOMES", (f"{tmp_path}/jvm/*",))
        self.programs: dict = {}
        monkeypatch.setattr(java, "find_program", self.programs.get)

    def places(self):
        return [(store.name, store.place) for store in java_stores()]

    def test_none(self):
        assert java_stores() == []

    def test_java_home_names_one(self, tmp_path, monkeypatch):
        make_java(tmp_path / "jvm/other")
        home = make_java(tmp_path / "mine")
        monkeypatch.setenv("JAVA_HOME", str(home))

        assert self.places() == [("mine", home / "lib/security/cacerts")]

    def test_else_the_one_in_path_and_those_where_they_are_kept(self, tmp_path, users_home):
        first = make_java(tmp_path / "opt/jdk")
        (first / "bin/java").touch()
        (tmp_path / "bin").mkdir()
        (tmp_path / "bin/java").symlink_to(first / "bin/java")
        self.programs["java"] = str(tmp_path / "bin/java")
        second = make_java(tmp_path / "jvm/java-17")
        third = make_java(users_home / ".sdkman/candidates/java/25-tem")

        assert [store.place.parents[2] for store in java_stores()] == [first, second, third]

    def test_one_store_that_many_share_is_one(self, tmp_path):
        for name in ("a", "b"):
            home = make_java(tmp_path / "jvm" / name)
            (home / "lib/security/cacerts").unlink()
            (home / "lib/security/cacerts").symlink_to(tmp_path / "cacerts")
        (tmp_path / "cacerts").touch()

        assert self.places() == [("a", tmp_path / "jvm/a/lib/security/cacerts")]

    def test_java_8_has_its_own_below_jre(self, tmp_path):
        home = make_java(tmp_path / "jvm/8", "jre/lib/security/cacerts", "jre/bin/keytool")

        (store,) = java_stores()

        assert store.place == home / "jre/lib/security/cacerts"

    def test_without_a_keytool_of_its_own_the_one_in_path(self, tmp_path):
        make_java(tmp_path / "jvm/jre", keytool=None)
        assert java_stores() == []

        self.programs["keytool"] = str(tmp_path / "keytool")
        (store,) = java_stores()
        assert isinstance(store, JavaStore)
        assert store.keytool == str(tmp_path / "keytool")
