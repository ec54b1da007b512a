import datetime as dt
import os
import subprocess
import sys
from functools import partial

import pytest
from certificates import (
    CA_FALSE,
    CA_TRUE,
    DAY,
    KEY,
    NAMES,
    NOW,
    SERVER,
    assert_pair,
    assert_self_signed,
    files,
    handshake,
    make,
    ours,
    profile,
    write,
)  # fmt: skip
from cryptography.hazmat.primitives.asymmetric import ec
from fast_openssl import FastOpenssl
from processes import NOBODY, in_child
from stubs import stub

from openssl_serve.certs.export import Export, Form, export
from openssl_serve.certs.profile import KeyType
from openssl_serve.certs.store import Store
from openssl_serve.errors import (
    CertificateError,
    OpensslError,
    OpensslNotFoundError,
    OpensslUnusableError,
    StoreError,
)
from openssl_serve.hosts import parse_host
from openssl_serve.openssl.binary import Openssl

FAST = FastOpenssl()


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "data")


class NoOpenssl:
    """For a start that must not need one."""

    def __getattr__(self, name):
        raise AssertionError(name)


def test_first_a_pair_is_made_then_it_is_used_again(store):
    """With the real openssl, from end to end."""
    first = store.ensure(profile("a.test"))
    second = store.ensure(profile("a.test"), openssl=NoOpenssl())

    assert first.made_because == "no certificate yet"
    assert second.made_because is None
    assert (first.cert_path, first.key_path, first.facts) == (
        second.cert_path, second.key_path, second.facts,
    )  # fmt: skip
    assert files(store) == ["a_test.crt", "a_test.key"]
    assert_pair(first.cert_path, first.key_path)
    assert_self_signed(first.cert_path, NAMES)
    for host in NAMES:
        assert handshake(first.cert_path, first.key_path, host)


def test_a_start_with_a_good_pair_is_light(store):
    """No sh, no subprocess, nothing that only making one needs, and no process at all."""
    store.ensure(profile("a.test"), openssl=FAST)
    code = f"""
import sys
from functools import partial
before = set(sys.modules)
started = []
sys.addaudithook(lambda event, args: event in (
    "subprocess.Popen", "os.fork", "os.posix_spawn", "os.exec", "os.forkpty", "os.system",
) and started.append(event))
from pathlib import Path
from openssl_serve.certs.profile import CertificateProfile
from openssl_serve.certs.store import Store
kept = Store(Path({str(store.folder)!r})).ensure(CertificateProfile.for_server(["a.test"]))
assert kept.made_because is None
loaded = sys.modules.keys() - before
unwanted = {{"sh", "subprocess", "idna", "appdirs", "tempfile", "shutil", "secrets", "asyncio",
    "openssl_serve.certs.issue", "string", "logging", "typer", "rich"}} & loaded
assert not unwanted, unwanted
assert not started, started
"""

    subprocess.run([sys.executable, "-c", code], check=True)


def test_two_hosts_never_share_files(store):
    """L16: with code-server, a.b and a_b do."""
    for host in ("a.b", "a_b", "*.a.b", "::1"):
        store.ensure(profile(host), openssl=FAST)

    assert len(files(store)) == 8


def test_the_longest_host(store):
    host = ".".join(["a" * 63] * 3 + ["b" * 61])

    assert store.ensure(profile(host), openssl=FAST).cert_path.exists()
    assert store.ensure(profile(host), openssl=NoOpenssl()).made_because is None


class TestRenewal:
    """Each reason is told, and the key stays."""

    def renewed(self, store, why, asked=None, **options):
        key = store.folder / "a_test.key"
        before = key.read_bytes() if key.exists() else None

        kept = store.ensure(asked or profile("a.test"), openssl=FAST)

        assert kept.made_because == why
        assert (key.read_bytes() == before) is options.get("same_key", True)
        assert files(store) == ["a_test.crt", "a_test.key"]
        assert_pair(kept.cert_path, kept.key_path)
        assert store.ensure(asked or profile("a.test"), openssl=NoOpenssl()).made_because is None
        return kept

    def keep(self, store, certificate, key=KEY):
        write(store.folder / "a_test.crt", certificate)
        write(store.folder / "a_test.key", key)

    def test_names(self, store):
        store.ensure(profile("a.test"), openssl=FAST)

        kept = self.renewed(
            store, "names not covered: b.test, 10.0.0.1", profile("a.test", "b.test", "10.0.0.1")
        )

        assert set(kept.facts.names) == {*NAMES, "b.test", "10.0.0.1"}

    def test_the_names_before_stay(self, store):
        """Another server may be running with them."""
        store.ensure(profile("a.test", "b.test"), openssl=FAST)

        kept = self.renewed(store, "names not covered: c.test", profile("a.test", "c.test"))

        assert kept.facts.dns_names == ("a.test", "c.test", "localhost", "b.test")

    def test_fewer_names_are_no_reason(self, store):
        store.ensure(profile("a.test", "b.test"), openssl=FAST)

        assert store.ensure(profile("a.test"), openssl=NoOpenssl()).made_because is None

    def test_a_wildcard_covers(self, store):
        store.ensure(profile("a.test", "*.a.test"), openssl=FAST)

        assert store.ensure(profile("a.test", "x.a.test"), openssl=NoOpenssl()).made_because is None

    def test_expired(self, store):
        """L8: code-server serves it as it is."""
        self.keep(store, ours(names=NAMES, start=NOW - 9 * DAY, end=NOW - 2 * DAY))

        self.renewed(store, f"expired on {NOW - 2 * DAY:%Y-%m-%d}")

    def test_due(self, store):
        self.keep(store, ours(names=NAMES, start=NOW - 367 * DAY, end=NOW + 29 * DAY + DAY / 2))

        self.renewed(store, "due for renewal: 29 days left")

    def test_not_yet_valid(self, store):
        self.keep(store, ours(names=NAMES, start=NOW + DAY, end=NOW + 90 * DAY))

        self.renewed(store, f"not valid before {NOW + DAY:%Y-%m-%d}")

    def test_another_type_of_key(self, store):
        key = ec.generate_private_key(ec.SECP384R1())
        self.keep(store, ours(names=NAMES, key=key), key)

        assert store.ensure(profile("a.test"), openssl=NoOpenssl()).facts.key == "EC P-384"
        self.renewed(
            store, "its key is EC P-384, not EC P-256", profile("a.test", key_type=KeyType.P256),
            same_key=False,
        )  # fmt: skip

    def test_the_type_of_key_stays(self, store):
        store.ensure(profile("a.test", key_type=KeyType.RSA2048))

        kept = store.ensure(profile("a.test", "b.test"))

        assert kept.facts.key == "RSA 2048"
        assert_self_signed(kept.cert_path, ["a.test", "b.test", *NAMES[1:]])


class TestWhatIsInTheWay:
    """L1 to L6: nothing is overwritten; it is moved aside, and its new name told."""

    GOOD = ours(names=NAMES)
    THEIRS = make(CA_FALSE, SERVER, names=NAMES)
    OTHER = ec.generate_private_key(ec.SECP256R1())

    @pytest.mark.parametrize(
        ("cert", "key", "why", "aside"),
        [
            (None, KEY, "a_test.key had no certificate beside it; a_test.key is now", ["key"]),
            (GOOD, None, "a_test.crt had no key beside it; a_test.crt is now", ["crt"]),
            (GOOD, OTHER, "does not belong", ["crt", "key"]),
            (b"", KEY, "a_test.crt is empty", ["crt", "key"]),
            (GOOD, b"", "a_test.key is empty", ["crt", "key"]),
            (b"garbage", b"garbage", "is not a certificate in PEM form", ["crt", "key"]),
            (THEIRS, KEY, "a_test.crt was not made here", ["crt", "key"]),
            (make(CA_TRUE, names=NAMES), KEY, "was not made here", ["crt", "key"]),
            ("folder", KEY, "is a folder", ["crt", "key"]),
            ("fifo", KEY, "is not a regular file", ["crt", "key"]),
            ("dangling", KEY, "no such file", ["crt", "key"]),
        ],
    )  # fmt: skip
    def test_is_moved_aside(self, store, cert, key, why, aside):
        before = {}
        for suffix, content in (("crt", cert), ("key", key)):
            path = store.folder / f"a_test.{suffix}"
            path.parent.mkdir(exist_ok=True)
            if content == "folder":
                path.mkdir()
            elif content == "fifo":
                os.mkfifo(path)
            elif content == "dangling":
                path.symlink_to("nowhere")
            elif isinstance(content, bytes):
                path.write_bytes(content)
                path.chmod(0o600)
            elif content is not None:
                write(path, content)
            if path.is_file():
                before[suffix] = path.read_bytes()

        kept = store.ensure(profile("a.test"), openssl=FAST)

        assert why in kept.made_because
        for suffix in aside:
            moved = store.folder / f"a_test.{suffix}.aside-1"
            assert f"a_test.{suffix} is now {moved.name}" in kept.made_because
            if suffix in before:
                assert moved.read_bytes() == before[suffix]
        assert "\n" not in kept.made_because
        assert files(store) == sorted(
            ["a_test.crt", "a_test.key", *(f"a_test.{suffix}.aside-1" for suffix in aside)]
        )
        assert_pair(kept.cert_path, kept.key_path)
        assert store.ensure(profile("a.test"), openssl=NoOpenssl()).made_because is None

    def test_a_link_to_a_users_file_is_moved_and_the_file_left_alone(self, store, tmp_path):
        theirs = write(tmp_path / "theirs.crt", make(CA_FALSE, SERVER))
        key = write(tmp_path / "theirs.key", KEY)
        store.folder.mkdir()
        (store.folder / "a_test.crt").symlink_to(theirs)
        (store.folder / "a_test.key").symlink_to(key)
        before = theirs.read_bytes(), key.read_bytes()

        store.ensure(profile("a.test"), openssl=FAST)

        assert (theirs.read_bytes(), key.read_bytes()) == before

    def test_an_encrypted_key_asks_nobody(self, store):
        write(store.folder / "a_test.crt", ours(names=NAMES))
        write(store.folder / "a_test.key", KEY, password="secret")

        assert "is encrypted" in store.ensure(profile("a.test"), openssl=FAST).made_because


class TestFailure:
    """The old pair is intact, nothing is left behind, and a refusal writes nothing."""

    @pytest.mark.parametrize(
        "body",
        ["exit 1", "echo hello", "kill -9 $$"],
    )
    def test_no_openssl_worth_the_name_and_nothing_left(self, store, tmp_path, body):
        openssl = Openssl(str(stub(tmp_path / "bin", body)))

        with pytest.raises(OpensslError) as caught:
            store.ensure(profile("a.test"), openssl=openssl)

        assert isinstance(caught.value, OpensslUnusableError)
        assert caught.value.hints[0].startswith("leave out --openssl")
        assert files(store) == []

    def test_none_at_all(self, store, monkeypatch):
        monkeypatch.setenv("PATH", "/nowhere")

        with pytest.raises(OpensslNotFoundError):
            store.ensure(profile("a.test"))

        assert not store.folder.exists()

    @pytest.mark.parametrize("half_way", [False, True])
    @pytest.mark.parametrize("old", ["expired", "broken", None])
    def test_openssl_fails(self, store, half_way, old):
        if old == "expired":
            write(store.folder / "a_test.crt", ours(names=NAMES, end=NOW - DAY / 2))
            write(store.folder / "a_test.key", KEY)
        elif old == "broken":
            write(store.folder / "a_test.key", KEY)

        class Failing(FastOpenssl):
            def run(self, *arguments, folder, timeout_s=0):
                if half_way:
                    super().run(*arguments, folder=folder)
                raise OpensslError("no luck")

        before = {p.name: p.read_bytes() for p in store.folder.iterdir()} if old else {}
        with pytest.raises(OpensslError, match="no luck"):
            store.ensure(profile("a.test"), openssl=Failing())

        assert {name: (store.folder / name).read_bytes() for name in files(store)} == before

    def test_interrupted_by_the_user(self, store):
        class Interrupted(FastOpenssl):
            def run(self, *arguments, **options):
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            store.ensure(profile("a.test"), openssl=Interrupted())

        assert files(store) == []

    def test_a_folder_that_cannot_be_written(self, public):
        store = Store(public / "data")

        with pytest.raises(StoreError, match="permission denied") as caught:
            in_child(lambda: store.ensure(profile("a.test"), openssl=FAST), user=NOBODY)

        assert str(store.folder) in str(caught.value)
        assert caught.value.exit_code == 4


class TestReadOnly:
    """Somebody else's folder, or one on a medium that cannot be written."""

    @pytest.fixture
    def closed(self, public):
        store = Store(public / "data")
        store.ensure(profile("a.test"), openssl=FAST)
        (store.folder / "a_test.key").chmod(0o644)
        (store.folder / ".lock").chmod(0o644)
        store.folder.chmod(0o755)
        return store

    def test_a_good_pair_serves(self, closed):
        kept = in_child(lambda: closed.ensure(profile("a.test"), openssl=NoOpenssl()), user=NOBODY)

        assert kept.made_because is None

    @pytest.mark.parametrize("lock", [0o600, None])
    def test_also_without_a_lock_that_can_be_read(self, closed, lock):
        if lock:
            (closed.folder / ".lock").chmod(lock)
        else:
            (closed.folder / ".lock").unlink()

        kept = in_child(lambda: closed.ensure(profile("a.test"), openssl=NoOpenssl()), user=NOBODY)

        assert kept.made_because is None

    def test_also_with_leftovers_that_cannot_be_mended(self, closed):
        (closed.folder / ".stage-1").mkdir()

        kept = in_child(lambda: closed.ensure(profile("a.test"), openssl=NoOpenssl()), user=NOBODY)

        assert kept.made_because is None

    def test_a_pair_that_is_not_good_enough_is_an_error_and_stays(self, closed):
        before = (closed.folder / "a_test.crt").read_bytes()

        with pytest.raises(StoreError, match="permission denied"):
            in_child(lambda: closed.ensure(profile("a.test", "b.test"), openssl=FAST), user=NOBODY)

        assert (closed.folder / "a_test.crt").read_bytes() == before

    def test_a_key_that_cannot_be_read_is_named(self, closed):
        (closed.folder / "a_test.key").chmod(0o600)

        with pytest.raises(StoreError, match=r"a_test\.key: permission denied"):
            in_child(lambda: closed.ensure(profile("a.test"), openssl=FAST), user=NOBODY)

    @pytest.mark.parametrize("name", ["a_test.crt", ""])
    def test_what_may_not_be_read_is_said_and_not_taken_for_absent(self, closed, name):
        """An empty name is the folder itself."""
        (closed.folder / name).chmod(0)

        for call in (closed.get, closed.renew):
            with pytest.raises(StoreError, match=f"{closed.folder}.*: permission denied") as caught:
                in_child(partial(call, parse_host("a.test")), user=NOBODY)
            assert caught.value.hints[0].startswith("look at it: ls -ld /")

    @pytest.mark.parametrize("form", [Form.COMBINED, Form.K8S_SECRET, Form.PKCS12])
    def test_a_key_that_cannot_be_read_is_not_exported(self, closed, form):
        kept = closed.get(parse_host("a.test"))
        kept.key_path.chmod(0)

        with pytest.raises(CertificateError, match=f"{kept.key_path}: permission denied"):
            in_child(partial(export, kept, Export(form, "x"), Openssl()), user=NOBODY)

    def test_a_key_of_the_ca_that_cannot_be_read_issues_nothing(self, closed):
        authority = closed.ensure_authority(openssl=FAST)
        closed.folder.chmod(0o755)

        def refusal():
            return authority.refusal([parse_host("b.test")])

        assert refusal() is None
        assert "key of the local CA may not be read" in str(in_child(refusal, user=NOBODY))


def test_a_key_that_others_could_read_is_closed(store):
    kept = store.ensure(profile("a.test"), openssl=FAST)
    kept.key_path.chmod(0o644)

    store.ensure(profile("a.test"), openssl=NoOpenssl())

    assert kept.key_path.stat().st_mode & 0o777 == 0o600


class TestLookingAround:
    def test_an_empty_or_absent_folder(self, store):
        assert store.list() == ()
        assert store.find(parse_host("a.test")) is None
        with pytest.raises(StoreError, match=r"no certificate is kept for a\.test"):
            store.remove(parse_host("a.test"))
        assert not store.folder.exists()

    def test_list_find_and_remove(self, store):
        for host in ("b.test", "a.test"):
            store.ensure(profile(host), openssl=FAST)
        write(store.folder / "half.crt", ours())
        (store.folder / "broken.crt").write_text("x")
        (store.folder / "broken.key").write_text("x")

        assert [kept.facts.subject for kept in store.list()] == ["CN=a.test", "CN=b.test"]
        assert store.find(parse_host("b.test")).facts.subject == "CN=b.test"
        assert [path.name for path in store.remove(parse_host("a.test"))] == [
            "a_test.key",
            "a_test.crt",
        ]
        assert [kept.facts.subject for kept in store.list()] == ["CN=b.test"]
        assert dt.datetime.now(dt.UTC) < store.list()[0].facts.not_after


def test_who_only_looks_finishes_what_a_killed_process_began(store):
    """A certificate and its key that are committed, and not yet in place."""
    kept = store.ensure(profile("a.test"), openssl=FAST)
    ready = store.folder / ".ready-1"
    ready.mkdir(0o700)
    for path in (kept.cert_path, kept.key_path):
        path.rename(ready / path.name)

    assert store.get(parse_host("a.test")).facts == kept.facts
    assert files(store) == ["a_test.crt", "a_test.key"]
