"""One good pair, whoever is killed, whoever comes at the same time."""

import os
import signal
from functools import partial

import pytest
from certificates import DAY, KEY, NAMES, NOW, assert_pair, files, ours, profile, write
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from fast_openssl import FastOpenssl
from processes import at_once, killed_at
from stubs import stub

from openssl_serve.certs.keys import check_pair
from openssl_serve.certs.store import Store
from openssl_serve.hosts import parse_host
from openssl_serve.openssl.binary import Openssl


def nothing_kept(store):
    pass


def expired_pair(store):
    write(store.folder / "a_test.crt", ours(names=NAMES, start=NOW - 9 * DAY, end=NOW - DAY))
    write(store.folder / "a_test.key", KEY)


def half_a_pair(store):
    write(store.folder / "a_test.key", KEY)


def new_names(store):
    store.ensure(profile("a.test", "b.test"), openssl=FastOpenssl())
    write(store.folder / "a_test.crt", ours(names=["a.test"], key=_key_of(store)))


def _key_of(store):
    return load_pem_private_key((store.folder / "a_test.key").read_bytes(), None)


def committed_and_killed(store):
    expired_pair(store)
    ready = store.folder / ".ready-1"
    write(ready / "a_test.crt", ours(names=NAMES)).chmod(0o644)
    (store.folder / ".stage-1").mkdir(mode=0o700)
    write(store.folder / ".stage-1" / "key.pem", KEY)


def assert_keys_are_private(store):
    for path in store.folder.rglob("*"):
        if path.is_file() and b"PRIVATE KEY" in path.read_bytes():
            assert path.stat().st_mode & 0o077 == 0 or path.parent.stat().st_mode & 0o077 == 0


def assert_one_good_pair(store):
    kept = store.ensure(profile("a.test"), openssl=FastOpenssl())

    again = store.ensure(profile("a.test"), openssl=FastOpenssl())

    assert again.made_because is None
    assert_pair(kept.cert_path, kept.key_path)
    left = [name for name in files(store) if "aside" not in name]
    assert left == ["a_test.crt", "a_test.key"]


def test_killed_at_every_step(tmp_path):
    """L14: a kill before every change of the file system, whatever was there."""
    kills = 0
    for before in (nothing_kept, expired_pair, half_a_pair, new_names, committed_and_killed):
        for number in range(1, 300):
            store = Store(tmp_path / f"{before.__name__}-{number}")
            before(store)
            key = store.folder / "a_test.key"
            key_before = key.read_bytes() if key.exists() else b""

            if not killed_at(number, partial(ensured, store.folder, FastOpenssl())):
                break

            kills += 1
            assert_keys_are_private(store)
            assert_one_good_pair(store)
            if before in (expired_pair, new_names):
                assert key.read_bytes() == key_before
            if before is half_a_pair:
                assert (store.folder / "a_test.key.aside-1").read_bytes() == key_before
    assert kills >= 200


@pytest.mark.parametrize(
    "body", ['kill -9 $PPID\nexec $REAL "$@"', '$REAL "$@"\nkill -9 $PPID', "kill -9 $PPID"]
)
def test_killed_while_openssl_runs(tmp_path, body):
    """Our process dies, the openssl it started does not, and still writes."""
    for number in range(4):
        store = Store(tmp_path / str(number))
        openssl = Openssl(str(stub(tmp_path / f"bin{number}", body)))
        child = os.fork()
        if child == 0:
            store.ensure(profile("a.test"), openssl=openssl)
            os._exit(0)
        assert os.WTERMSIG(os.waitpid(child, 0)[1]) == signal.SIGKILL

        assert_one_good_pair(store)


def ensured(folder, openssl=None):
    kept = Store(folder).ensure(profile("a.test"), openssl=openssl)
    return f"{kept.facts.fingerprint} {kept.made_because}"


@pytest.mark.parametrize("before", [nothing_kept, expired_pair, half_a_pair])
def test_sixteen_at_once(tmp_path, before):
    """L13: 51 rounds together; with code-server, 4 of 100 starts fail."""
    for number in range(17):
        store = Store(tmp_path / str(number))
        before(store)

        found = at_once(16, partial(ensured, store.folder, FastOpenssl()))

        assert len({line.split()[0] for line in found}) == 1, found
        assert len([line for line in found if line.endswith(" None")]) == 15, found
        assert_one_good_pair(store)


def test_four_at_once_with_the_real_openssl(tmp_path):
    for number in range(3):
        found = at_once(4, partial(ensured, tmp_path / str(number)))

        words = sorted(line.partition(" ")[2] for line in found)
        assert words == ["None", "None", "None", "no certificate yet"]
        assert_one_good_pair(Store(tmp_path / str(number)))


def test_many_hosts_at_once_while_others_look(tmp_path):
    """Each gets its own; who lists meanwhile sees whole pairs only."""
    store = Store(tmp_path / "data")
    store.ensure_authority(openssl=FastOpenssl())

    def work():
        host = f"h{os.getpid()}.test"
        kept = store.ensure(profile(host), openssl=FastOpenssl())
        for found in store.list():
            check_pair(found.cert_path, found.key_path)
        store.renew(kept.host, openssl=FastOpenssl())
        return str(kept.host == parse_host(host))

    assert at_once(12, work) == ["True"] * 12
    assert len(store.list()) == 12
    assert {kept.authority is not None for kept in store.list()} == {True}
    assert len(files(store)) == 26
