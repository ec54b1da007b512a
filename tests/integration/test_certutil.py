"""Real certutil on databases of the test's own."""

import shutil
import subprocess

import pytest
from processes import NOBODY, in_child
from trust_fixtures import renewed

from openssl_serve.errors import TrustStoreError
from openssl_serve.trust import browsers
from openssl_serve.trust.browsers import Database
from openssl_serve.trust.nss import NssStore, nss_stores
from openssl_serve.trust.stores import State
from openssl_serve.trust.target import Lost

CERTUTIL = shutil.which("certutil")

pytestmark = pytest.mark.skipif(not CERTUTIL, reason="no certutil (apt install libnss3-tools)")


def certutil(folder, *arguments):
    done = subprocess.run(
        [str(CERTUTIL), *map(str, arguments), "-d", f"sql:{folder}"],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=20,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def rows(folder):
    """Nickname and flags of all certificates in the database."""
    lines = certutil(folder, "-L").splitlines()[4:]
    return [tuple(line.rsplit(maxsplit=1)) for line in lines if line.strip()]


@pytest.fixture
def folder(tmp_path):
    """A browser's database, with somebody else's certificate in it."""
    path = tmp_path / "nssdb"
    path.mkdir()
    certutil(path, "-N", "--empty-password")
    return path


@pytest.fixture
def store(folder):
    return NssStore(Database("Chromium", folder))


def test_installed_judged_valid_and_taken_out(store, folder, target):
    assert store.check(target) == (State.ABSENT, "it is not there", ())
    assert store.uninstall(target) is False

    store.install(target)

    assert rows(folder) == [(f"openssl-serve {target.tag}", "C,,")]
    assert store.check(target) == (State.TRUSTED, "certutil -V", ())
    # Once more is no harm.
    store.install(target)
    assert len(rows(folder)) == 1
    assert store.uninstall(target) is True
    assert rows(folder) == []
    assert store.check(target).state is State.ABSENT


def test_what_was_there_stays(store, folder, target, other_target):
    certutil(folder, "-A", "-t", "C,,", "-n", "a, b", "-i", other_target.cert_path)
    store.install(other_target)
    before = rows(folder)

    store.install(target)
    found = store.check(target)
    store.uninstall(target)

    assert found == (State.TRUSTED, "certutil -V", (other_target.facts,))
    assert rows(folder) == before


def test_a_database_is_made_private_where_there_is_none(tmp_path, target):
    folder = tmp_path / "new/.pki/nssdb"
    store = NssStore(Database("Chromium", folder))

    assert store.check(target).state is State.ABSENT
    assert not folder.exists()
    store.install(target)

    assert store.check(target).state is State.TRUSTED
    assert folder.stat().st_mode & 0o077 == 0


def test_there_without_trust_is_not_installed(store, folder, target):
    certutil(folder, "-A", "-t", ",,", "-n", "openssl-serve by hand", "-i", target.cert_path)

    found = store.check(target)

    assert found.state is State.REFUSED
    assert "not trusted" in found.says or "Peer's" in found.says
    store.install(target)
    assert store.check(target).state is State.TRUSTED
    assert rows(folder) == [("openssl-serve by hand", "C,,")]


def test_trusted_for_mail_alone_is_not_installed(store, folder, target):
    certutil(folder, "-A", "-t", ",C,", "-n", "openssl-serve mail", "-i", target.cert_path)

    assert store.check(target).state is State.REFUSED


def test_every_generation_of_a_ca_goes(store, folder, target, data):
    store.install(target)
    with renewed(data) as newer:
        assert store.check(newer).state is State.ABSENT
        store.install(newer)
        assert len(rows(folder)) == 2
        assert store.check(newer) == (State.TRUSTED, "certutil -V", ())

        assert store.uninstall(newer) is True

    assert rows(folder) == []


def test_one_whose_files_are_gone_by_its_fingerprint(store, folder, target, other_target):
    store.install(target)
    store.install(other_target)

    assert store.uninstall(Lost(other_target.facts.fingerprint)) is True

    assert rows(folder) == [(f"openssl-serve {target.tag}", "C,,")]


def test_a_password_is_asked_for_by_nobody_here(store, tmp_path, target):
    """certutil adds the certificate, fails at its trust, and leaves it there."""
    folder = tmp_path / "guarded"
    folder.mkdir()
    (tmp_path / "word").write_text("correct horse\n")
    certutil(folder, "-N", "-f", tmp_path / "word")
    store = NssStore(Database("Firefox", folder))

    with pytest.raises(TrustStoreError, match="has a password") as caught:
        store.install(target)

    (hint,) = caught.value.hints
    assert rows(folder) == []
    assert store.check(target).state is State.ABSENT
    # What is printed works for who knows it.
    command = hint.partition(": ")[2]
    subprocess.run(
        f"{command} -f {tmp_path / 'word'}", shell=True, check=True, timeout=20,
        stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert store.check(target).state is State.TRUSTED
    assert store.uninstall(target) is True


def test_a_damaged_database_is_not_known(store, folder, target):
    (folder / "cert9.db").write_bytes(b"junk" * 100)

    found = store.check(target)

    assert found.state is State.UNKNOWN
    # Neither its name twice, nor its full stop.
    assert found.says == (
        "certutil failed (exit 255): function failed: "
        "SEC_ERROR_BAD_DATABASE: security library: bad database"
    )
    with pytest.raises(TrustStoreError):
        store.install(target)


def test_what_belongs_to_another_is_an_obstacle(public, target):
    folder = public / "nssdb"
    folder.mkdir()
    certutil(folder, "-N", "--empty-password")
    for file in folder.iterdir():
        file.chmod(0o644)
    there = NssStore(Database("Firefox", folder))
    absent = NssStore(Database("Chromium", public / "home/.pki/nssdb"))

    assert there.obstacle is absent.obstacle is None
    assert in_child(lambda: (there.obstacle, absent.obstacle), user=NOBODY) == (
        f"{folder / 'cert9.db'} is not writable",
        f"{public} is not writable",
    )
    assert in_child(lambda: there.check(target).state, user=NOBODY) is State.ABSENT
    # One that root would make, the browser could not open.
    with pytest.raises(TrustStoreError, match="there is no database yet") as caught:
        in_child(lambda: absent.installing(target), user=NOBODY)
    assert caught.value.hints[0].endswith(f'sudo chown "$USER" {public}')


def test_a_folder_that_no_journal_can_be_made_in_is_an_obstacle(public):
    folder = public / "nssdb"
    folder.mkdir()
    certutil(folder, "-N", "--empty-password")
    for file in folder.iterdir():
        file.chmod(0o666)
    store = NssStore(Database("Firefox", folder))

    assert in_child(lambda: store.obstacle, user=NOBODY) == f"{folder} is not writable"


@pytest.mark.parametrize(
    ("manager", "how"),
    [("apt-get", ": apt install libnss3-tools"), ("dnf", ": dnf install nss-tools"),
     ("pacman", ": pacman -S nss"), ("zypper", ": zypper install mozilla-nss-tools"),
     ("apk", ": apk add nss-tools"), ("brew", ": brew install nss"),
     (None, " with the package manager of this system")],
)  # fmt: skip
def test_without_certutil(store, target, monkeypatch, manager, how):
    for room in ("trust.nss", "programs"):
        monkeypatch.setattr(
            f"openssl_serve.{room}.find_program", lambda name: name if name == manager else None
        )

    found = store.check(target)
    assert found.state is State.UNKNOWN
    # Whoever tells this has named the store.
    assert found.says == "certutil is missing"
    with pytest.raises(TrustStoreError) as caught:
        store.install(target)
    assert caught.value.hints == (f"install NSS's tools{how}",)


def test_all_databases_of_a_home(users_home, monkeypatch, target):
    monkeypatch.setattr(browsers, "find_program", lambda _name: None)
    root = users_home / ".mozilla/firefox"
    for folder in (root / "a.default", users_home / "x/b", users_home / ".pki/nssdb"):
        folder.mkdir(parents=True)
        certutil(folder, "-N", "--empty-password")
    (root / "profiles.ini").write_text(f"[Profile0]\nPath={users_home}/x/b\nIsRelative=0\n")

    stores = nss_stores()
    for store in stores:
        store.install(target)

    assert [store.name for store in stores] == ["Chromium", "Firefox", "Firefox"]
    assert all(store.check(target).state is State.TRUSTED for store in nss_stores())
