"""Distributions that are not here, argument by argument; Debian's real tool is in integration."""

import dataclasses
import os
import sys

import pytest
from processes import NOBODY, in_child
from stubs import stub

from openssl_serve.errors import TrustStoreError
from openssl_serve.trust import stores
from openssl_serve.trust.stores import State
from openssl_serve.trust.system import FAMILIES, SystemStore, system_stores
from openssl_serve.trust.target import Target

EXPECTED = {
    "Fedora, RHEL": (
        "/etc/pki/ca-trust/source/anchors/openssl-serve-{tag}.pem",
        ["update-ca-trust", "extract"],
        ["update-ca-trust", "extract"],
        "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    ),
    "Arch Linux": (
        "/etc/ca-certificates/trust-source/anchors/openssl-serve-{tag}.crt",
        ["trust", "extract-compat"],
        ["trust", "extract-compat"],
        "/etc/ca-certificates/extracted/tls-ca-bundle.pem",
    ),
    "openSUSE": (
        "/etc/pki/trust/anchors/openssl-serve-{tag}.pem",
        ["update-ca-certificates"],
        ["update-ca-certificates"],
        "/var/lib/ca-certificates/ca-bundle.pem",
    ),
    "Debian, Ubuntu": (
        "/usr/local/share/ca-certificates/openssl-serve-{tag}.crt",
        ["update-ca-certificates"],
        ["update-ca-certificates", "--fresh"],
        "/etc/ssl/certs/ca-certificates.crt",
    ),
}

each_family = pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)


@pytest.fixture(autouse=True)
def _programs(monkeypatch):
    """No distribution's tool is on this machine; `update-ca-certificates` would be on Debian."""
    monkeypatch.setattr("openssl_serve.trust.system.find_program", lambda _name: None)


@pytest.fixture
def here(tmp_path):
    """A family as it is, with folders of the test's own."""

    def move(family):
        (tmp_path / "anchors").mkdir()
        bundle = tmp_path / "bundle.pem"
        bundle.write_text("")
        return dataclasses.replace(family, anchors=tmp_path / "anchors", bundle=bundle)

    return move


@each_family
def test_what_is_run_to_install_and_to_uninstall(family, target):
    dropped, refresh, refresh_after_removal, bundle = EXPECTED[family.name]
    path = dropped.format(tag=target.tag)
    store = SystemStore(family)

    assert [list(command) for command in store.installing(target)] == [
        ["install", "-m", "0644", str(target.cert_path), path],
        refresh,
    ]
    entry = stores.Entry(target.facts, path)
    assert [list(command) for command in store.removing([entry])] == [
        ["rm", "-f", path],
        refresh_after_removal,
    ]
    assert str(store) == f"{family.name} ({bundle})"


def test_the_file_has_a_name_of_this_ca_alone(target, other_target):
    digits = target.facts.fingerprint.replace(":", "").lower()

    assert target.tag == digits[:32]
    assert target.tag != other_target.tag
    assert Target(target.cert_path).tag == "x" * 32


@each_family
def test_installed_by_its_tools_and_proven_by_a_handshake(family, here, target, fp):
    family = here(family)
    store = SystemStore(family)

    def refresh(process):
        files = sorted(family.anchors.iterdir())
        family.bundle.write_bytes(b"".join(file.read_bytes() for file in files))

    fp.pass_command(["install", fp.any()], occurrences=9)
    fp.pass_command(["rm", fp.any()], occurrences=9)
    fp.pass_command([sys.executable, fp.any()], occurrences=9)
    fp.register(list(family.refresh), callback=refresh, occurrences=9)

    assert store.check(target).state is State.ABSENT
    store.install(target)

    assert store.check(target) == (State.TRUSTED, "a TLS handshake", ())
    if family.refresh_after_removal != family.refresh:
        fp.register(list(family.refresh_after_removal), callback=refresh)
    assert store.uninstall(target) is True
    assert store.check(target).state is State.ABSENT
    assert store.uninstall(target) is False
    assert list(family.anchors.iterdir()) == []


@each_family
def test_a_tool_that_does_nothing_installs_nothing(family, here, target, fp):
    family = here(family)
    fp.pass_command(["install", fp.any()])
    fp.pass_command(["rm", fp.any()])
    fp.register(list(family.refresh), occurrences=2)
    fp.register(list(family.refresh_after_removal), occurrences=2)

    with pytest.raises(TrustStoreError, match=f"{family.refresh[0]} has not run since"):
        SystemStore(family).install(target)

    assert list(family.anchors.iterdir()) == []


@each_family
def test_a_tool_that_fails_is_quoted_and_its_file_is_taken_back(family, here, target, fp):
    family = here(family)
    fp.pass_command(["install", fp.any()])
    fp.pass_command(["rm", fp.any()])
    fp.register(list(family.refresh), returncode=3, stderr="first\nno space left on device\n")
    fp.register(list(family.refresh))
    fp.register(list(family.refresh_after_removal))

    with pytest.raises(TrustStoreError, match=r"\(exit 3\): no space left on device") as caught:
        SystemStore(family).install(target)

    assert family.refresh[0] in caught.value.hints[0]
    assert list(family.anchors.iterdir()) == []


def test_an_absent_tool_and_one_that_hangs(here, target, fp, monkeypatch):
    family = dataclasses.replace(here(FAMILIES[0]), refresh=("/nowhere/refresh",))
    fp.allow_unregistered(True)

    with pytest.raises(TrustStoreError, match="refresh cannot be started: no such file"):
        SystemStore(family).install(target)

    monkeypatch.setattr(stores.TrustStore, "timeout_s", 0.01)
    family = dataclasses.replace(family, refresh=("sleep", "9"))
    with pytest.raises(TrustStoreError, match=r"did not end within 0\.01 s"):
        SystemStore(family).install(target)


def test_nothing_in_the_folder_that_is_served_is_run(here, target, tmp_path, monkeypatch):
    stub(tmp_path / "site", "touch was-run", name="install")
    monkeypatch.chdir(tmp_path / "site")
    monkeypatch.setenv("PATH", f".{os.pathsep}{os.environ['PATH']}")
    family = dataclasses.replace(
        here(FAMILIES[0]), refresh=("true",), refresh_after_removal=("true",)
    )

    with pytest.raises(TrustStoreError, match="true has not run since"):
        SystemStore(family).install(target)

    assert not (tmp_path / "site/was-run").exists()


def test_tools_speak_english(here, target, monkeypatch):
    monkeypatch.setenv("LANGUAGE", "de:fr")
    says = ("sh", "-c", 'echo "$LC_ALL, $LANGUAGE" >&2; exit 1')
    family = dataclasses.replace(here(FAMILIES[0]), refresh=says)

    with pytest.raises(TrustStoreError) as caught:
        SystemStore(family).install(target)

    assert str(caught.value).endswith("failed (exit 1): C.UTF-8,")


def test_the_distribution_is_told_by_its_folder(tmp_path):
    families = [dataclasses.replace(family, anchors=tmp_path / family.name) for family in FAMILIES]

    assert system_stores(families) == []
    for family in reversed(families):
        family.anchors.mkdir()
        (store,) = system_stores(families)
        assert store.name == family.name


def test_what_is_in_a_bundle_alone_goes_when_that_is_made_anew(here, target, fp):
    family = here(FAMILIES[0])
    family.bundle.write_bytes(target.cert_path.read_bytes())
    store = SystemStore(family)

    assert store.uninstalling(target) == [family.refresh_after_removal]


@each_family
def test_a_file_that_somebody_else_has_put_there_goes_too(family, here, target, fp):
    """As by hand, with the page for phones; Debian's tool reads folders, and *.crt alone."""
    family = here(family)
    name = "work/ca.crt" if family.name.startswith("Debian") else "ca.cer"
    file = family.anchors / name
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(target.cert_path.read_bytes())

    assert SystemStore(family).uninstalling(target)[0] == ("rm", "-f", str(file))


def test_a_file_with_others_certificates_is_not_deleted(here, target, other_target, fp):
    family = here(FAMILIES[0])
    both = target.cert_path.read_bytes() + other_target.cert_path.read_bytes()
    (family.anchors / "all.pem").write_bytes(both)

    with pytest.raises(TrustStoreError, match=r"all\.pem holds other certificates too"):
        SystemStore(family).uninstall(target)

    assert (family.anchors / "all.pem").read_bytes() == both


def test_what_stays_has_come_by_other_means(here, target, fp, monkeypatch):
    """Of p11-kit's own tool: no browser has put it into this store."""
    family = here(FAMILIES[0])
    family.bundle.write_bytes(target.cert_path.read_bytes())
    fp.register(list(family.refresh_after_removal), occurrences=2)

    with pytest.raises(TrustStoreError, match="it is still there") as caught:
        SystemStore(family).uninstall(target)
    assert caught.value.hints == ()

    monkeypatch.setattr("openssl_serve.trust.system.find_program", lambda name: name)
    with pytest.raises(TrustStoreError, match="it is still there") as caught:
        SystemStore(family).uninstall(target)
    assert "trust anchor --remove" in caught.value.hints[0]


def test_a_file_that_only_root_may_read_hides_nothing(public, target):
    family = dataclasses.replace(
        FAMILIES[0], anchors=public / "anchors", bundle=public / "bundle.pem"
    )
    family.anchors.mkdir()
    (family.anchors / "secret.pem").touch(mode=0o600)
    family.bundle.write_bytes(target.cert_path.read_bytes())

    (entry,) = in_child(SystemStore(family).entries, user=NOBODY)

    assert entry == (target.facts, str(family.bundle))


def test_rights_are_needed_for_both_folders(here):
    family = here(FAMILIES[0])

    assert SystemStore(family).obstacle is None
    nowhere = dataclasses.replace(family, anchors=family.anchors / "absent")
    assert SystemStore(nowhere).obstacle == f"{nowhere.anchors} is not writable"


def test_a_ca_without_its_key_may_be_trusted_and_the_proof_says_what_it_lacks(here, target, data):
    family = here(FAMILIES[0])
    family.bundle.write_bytes(target.cert_path.read_bytes())
    data.find_authority().key_path.unlink()

    found = SystemStore(family).check(target)

    assert found.state is State.TRUSTED
    assert found.says.startswith("it is in the bundle; no handshake was tried: ")
    assert "key of the local CA is missing" in found.says
