import datetime as dt
import os
import ssl
from functools import partial

import pytest
from certificates import (
    CA_TRUE,
    DAY,
    KEY,
    NAMES,
    NOW,
    assert_authority,
    assert_leaf,
    assert_pair,
    files,
    handshake,
    load,
    make,
    openssl,
    ours,
    profile,
    write,
)  # fmt: skip
from cryptography.hazmat.primitives.asymmetric import ec
from fast_openssl import FastOpenssl
from processes import at_once, killed_at
from stubs import libressl

from openssl_serve.certs import authority as authority_module
from openssl_serve.certs.constraints import LOCAL, local_subtrees
from openssl_serve.certs.issue import issue
from openssl_serve.certs.profile import KeyType, Shape
from openssl_serve.certs.store import Store
from openssl_serve.errors import CertificateError, StoreError, UsageError
from openssl_serve.hosts import parse_host
from openssl_serve.openssl.binary import Openssl
from openssl_serve.openssl.commands import CERTIFICATE
from openssl_serve.openssl.commands import KEY as KEY_FILE

FAST = FastOpenssl()


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "data")


@pytest.fixture
def with_ca(store):
    store.ensure_authority(openssl=FAST)
    return store


class TestMaking:
    """With the real openssl; the shapes of the reference, read by cryptography and openssl."""

    def test_a_ca_and_a_leaf_that_every_strict_client_accepts(self, store):
        authority = store.ensure_authority()
        kept = store.ensure(profile("a.test"))

        assert_authority(authority.cert_path)
        assert_pair(authority.cert_path, authority.key_path)
        assert_leaf(kept.cert_path, authority.cert_path, NAMES)
        assert_pair(kept.cert_path, kept.key_path)
        assert kept.ca_path == authority.cert_path
        for host in NAMES:
            assert handshake(kept.cert_path, kept.key_path, host, authority.cert_path)
        assert files(store) == ["_local_ca.crt", "_local_ca.key", "a_test.crt", "a_test.key"]

    @pytest.mark.parametrize("kind", [KeyType.RSA2048, KeyType.P384])
    def test_leaves_of_other_keys(self, store, kind):
        authority = store.ensure_authority(openssl=FAST)
        kept = store.ensure(profile("a.test", key_type=kind))

        assert_leaf(kept.cert_path, authority.cert_path, NAMES, rsa=kind.is_rsa)
        assert handshake(kept.cert_path, kept.key_path, "a.test", authority.cert_path)

    def test_constraints_hold_and_loopback_is_always_among_them(self, store):
        authority = store.ensure_authority(permitted=(parse_host("*.dev.test"),))
        kept = store.ensure(profile("a.dev.test", "*.dev.test"))

        assert authority.facts.extensions.permitted == ("dev.test", "localhost", "127.0.0.1", "::1")
        assert_authority(authority.cert_path, constrained=True)
        for host in ("a.dev.test", "b.dev.test", "localhost", "127.0.0.1", "::1"):
            assert handshake(kept.cert_path, kept.key_path, host, authority.cert_path)

    def test_local_names_and_addresses_alone(self, store, tmp_path):
        """--constrain: networks too, in every form that openssl, Python and cryptography read."""
        authority = store.ensure_authority(permitted=local_subtrees())
        kept = store.ensure(profile("my.dev.local", "192.168.1.7", "fd12::7"))
        issue(Openssl(), profile("evil.example", "8.8.8.8"), tmp_path, issuer=authority.issuer)

        assert authority.facts.extensions.permitted == LOCAL
        assert_authority(authority.cert_path, constrained=True)
        for host in ("my.dev.local", "192.168.1.7", "fd12::7", "localhost", "127.0.0.1", "::1"):
            assert handshake(kept.cert_path, kept.key_path, host, authority.cert_path)
        for host in ("evil.example", "8.8.8.8"):
            with pytest.raises(ssl.SSLCertVerificationError, match="permitted subtree violation"):
                handshake(tmp_path / CERTIFICATE, tmp_path / KEY_FILE, host, authority.cert_path)
        renewed = store.renew_authority()
        assert renewed.facts.extensions == authority.facts.extensions

    def test_what_it_may_not_issue_is_refused_before_openssl_is_asked(self, store):
        store.ensure_authority(permitted=(parse_host("dev.test"),))
        openssl = FastOpenssl()

        asked = profile("a.test", "mydev.test", "dev.test", shape=Shape.LEAF)
        with pytest.raises(CertificateError, match=r"may not issue for a\.test, mydev\.test, only"):
            store.ensure(asked, openssl=openssl)

        assert openssl.runs == []

    def test_names_of_before_that_it_may_not_issue_are_let_go(self, store):
        store.ensure(profile("a.test", "b.example"), openssl=FAST)
        store.ensure_authority(permitted=(parse_host("test"),))

        kept = store.ensure(profile("a.test"), openssl=FAST)

        assert kept.facts.shape is Shape.LEAF
        assert kept.facts.dns_names == ("a.test", "localhost")

    def test_with_libressl(self, store, tmp_path):
        tool = Openssl(str(libressl(tmp_path / "bin")))

        authority = store.ensure_authority(openssl=tool, permitted=(parse_host("test"),))
        kept = store.ensure(profile("a.test"), openssl=tool)

        assert_authority(authority.cert_path, constrained=True)
        assert_leaf(kept.cert_path, authority.cert_path, NAMES)

    def test_renewed_with_the_same_key_everything_it_issued_stays_valid(self, store):
        before = store.ensure_authority(permitted=(parse_host("test"),))
        kept = store.ensure(profile("a.test"))
        old = write(store.folder / "before.pem", load(before.cert_path))
        key = before.key_path.read_bytes()

        after = store.renew_authority()

        assert after.facts.fingerprint != before.facts.fingerprint
        assert after.facts.serial != before.facts.serial
        assert after.facts.subject == before.facts.subject
        assert after.facts.extensions == before.facts.extensions
        assert after.key_path.read_bytes() == key
        assert_authority(after.cert_path, constrained=True)
        renewed = store.ensure(profile("b.test"))
        for ca in (old, after.cert_path):
            for found in (kept, renewed):
                name = found.facts.dns_names[0]
                assert handshake(found.cert_path, found.key_path, name, ca)
        assert store.ensure(profile("a.test"), openssl=FAST).made_because is None


def test_a_name_that_no_other_ca_has():
    names = {authority_module.new_common_name() for _ in range(100)}

    assert len(names) == 100
    assert all(len(name) <= 64 for name in names)


def test_a_strange_user_or_machine_makes_no_strange_name(monkeypatch):
    monkeypatch.setattr("getpass.getuser", lambda: "Jörg $(x)\n[y]" + "z" * 90)
    monkeypatch.setattr("socket.gethostname", lambda: "host.example")
    assert len(authority_module.new_common_name()) <= 64
    assert "$" not in authority_module.new_common_name()

    def nobody():
        raise KeyError

    monkeypatch.setattr("getpass.getuser", nobody)
    assert "nobody@host" in authority_module.new_common_name()


class TestUse:
    def test_with_a_ca_a_leaf_without_one_self_signed(self, store):
        assert store.ensure(profile("a.test"), openssl=FAST).facts.shape is Shape.SELF_SIGNED

        store.ensure_authority(openssl=FAST)
        kept = store.ensure(profile("a.test"), openssl=FAST)

        assert kept.made_because == "it is self-signed, not issued by a local CA"
        assert kept.facts.shape is Shape.LEAF
        assert store.ensure(profile("a.test"), openssl=FAST).made_because is None

    def test_the_key_stays_when_the_shape_changes(self, store):
        before = store.ensure(profile("a.test"), openssl=FAST).facts.public_key_sha256
        store.ensure_authority(openssl=FAST)

        assert store.ensure(profile("a.test"), openssl=FAST).facts.public_key_sha256 == before

    def test_what_is_asked_for_wins(self, with_ca):
        asked = profile("a.test", shape=Shape.SELF_SIGNED)

        assert with_ca.ensure(asked, openssl=FAST).facts.shape is Shape.SELF_SIGNED
        assert with_ca.ensure(asked, openssl=FAST).made_because is None

    def test_a_leaf_without_a_ca_is_a_question(self, store):
        with pytest.raises(UsageError, match="no local CA") as caught:
            store.ensure(profile("a.test", shape=Shape.LEAF), openssl=FAST)

        assert "generate --ca" in caught.value.hints[0]

    def test_ensuring_twice_makes_one(self, with_ca):
        first = with_ca.find_authority()

        assert with_ca.ensure_authority(openssl=FAST).facts == first.facts

    def test_a_leaf_of_another_ca_of_ours_is_made_anew_with_its_key(self, with_ca):
        before = with_ca.ensure(profile("a.test"), openssl=FAST)
        for path in with_ca.folder.glob("_local_ca.*"):
            path.unlink()
        with_ca.ensure_authority(openssl=FAST)

        after = with_ca.ensure(profile("a.test"), openssl=FAST)

        assert after.made_because == "it was issued by another local CA"
        assert after.facts.public_key_sha256 == before.facts.public_key_sha256

    def test_a_leaf_whose_ca_is_gone_is_ours_still(self, with_ca):
        with_ca.ensure(profile("a.test"), openssl=FAST)
        for path in with_ca.folder.glob("_local_ca.*"):
            path.unlink()

        after = with_ca.ensure(profile("a.test"), openssl=FAST)

        assert after.made_because == "it is issued by a local CA, not self-signed"

    def test_the_ca_is_in_no_list_and_no_hosts_files(self, with_ca):
        with_ca.ensure(profile("a.test"), openssl=FAST)

        assert [kept.facts.subject for kept in with_ca.list()] == ["CN=a.test"]
        for host in ("local.ca", "_local_ca", "-local.ca"):
            try:
                assert parse_host(host).slug != authority_module.STEM
            except UsageError:
                continue


class TestLifetime:
    def test_a_leaf_never_outlives_its_issuer(self, store):
        """From caddy."""
        start = dt.datetime.now(dt.UTC) - dt.timedelta(days=3650 - 100)
        store.ensure_authority(openssl=FastOpenssl(start))

        kept = store.ensure(profile("a.test"))

        assert kept.facts.not_after <= store.find_authority().facts.not_after
        assert 98 <= kept.facts.days_left(dt.datetime.now(dt.UTC)) <= 99

    @pytest.mark.parametrize("days", [3650, 3651])
    def test_an_expired_ca_issues_nothing_and_says_what_to_do(self, store, days):
        start = dt.datetime.now(dt.UTC) - dt.timedelta(days=days)
        store.ensure_authority(openssl=FastOpenssl(start))

        with pytest.raises(CertificateError, match="the local CA ends on") as caught:
            store.ensure(profile("a.test", shape=Shape.LEAF), openssl=FAST)

        assert "renew --ca" in caught.value.hints[0]
        kept = store.ensure(profile("a.test"), openssl=FAST)
        assert kept.facts.shape is Shape.SELF_SIGNED
        assert "self-signed, as " in (kept.made_because or "")
        store.renew_authority(FAST)
        assert store.ensure(profile("a.test"), openssl=FAST).facts.shape is Shape.LEAF


class TestFaults:
    def test_without_its_key_it_issues_nothing(self, with_ca):
        """mkcert's keyless mode: can be trusted, no more."""
        kept = with_ca.ensure(profile("a.test"), openssl=FAST)
        with_ca.find_authority().key_path.unlink()

        assert with_ca.ensure(profile("a.test"), openssl=FAST).facts == kept.facts
        with pytest.raises(CertificateError, match="the key of the local CA is missing"):
            with_ca.ensure(profile("b.test", shape=Shape.LEAF), openssl=FAST)
        other = with_ca.ensure(profile("b.test"), openssl=FAST)
        assert other.facts.shape is Shape.SELF_SIGNED
        assert "the key of the local CA is missing" in (other.made_because or "")

    @pytest.mark.parametrize("what", [b"garbage", ours(), make(CA_TRUE)])
    def test_something_else_in_its_place_is_never_overwritten(self, store, what):
        path = store.folder / "_local_ca.crt"
        store.folder.mkdir()
        if isinstance(what, bytes):
            path.write_bytes(what)
        else:
            write(path, what)
        before = path.read_bytes()

        for call in (store.ensure_authority, store.renew_authority, store.find_authority):
            with pytest.raises(CertificateError, match=str(path)):
                call()

        assert path.read_bytes() == before

    def test_a_key_alone_is_moved_aside(self, store):
        key = ec.generate_private_key(ec.SECP256R1())
        path = write(store.folder / "_local_ca.key", key)
        before = path.read_bytes()

        store.ensure_authority(openssl=FAST)

        assert (store.folder / "_local_ca.key.aside-1").read_bytes() == before

    def test_there_is_none_to_renew(self, store):
        with pytest.raises(StoreError, match="there is no local CA"):
            store.renew_authority(FAST)

        assert not store.folder.exists()

    def test_killed_at_every_step(self, tmp_path):
        for number in range(1, 200):
            store = Store(tmp_path / str(number))

            killed = killed_at(number, partial(store.ensure_authority, openssl=FAST))

            authority = store.ensure_authority(openssl=FAST)
            assert_pair(authority.cert_path, authority.key_path)
            assert files(store) == ["_local_ca.crt", "_local_ca.key"]
            if not killed:
                assert number > 20
                return
        raise AssertionError

    def test_eight_at_once_make_one(self, store):
        found = at_once(8, lambda: store.ensure_authority(openssl=FastOpenssl()).facts.fingerprint)

        assert len(set(found)) == 1
        assert len(found) == 8


def test_renewing_a_pair_keeps_names_key_and_lifetime(with_ca):
    before = with_ca.ensure(profile("a.test", "b.test", days=30), openssl=FAST)

    after = with_ca.renew(parse_host("a.test"), openssl=FAST)
    other = with_ca.renew(parse_host("a.test"), openssl=FAST, new_key=True)

    assert after.made_because == "it was asked for"
    assert after.facts.serial != before.facts.serial
    assert set(after.facts.names) == set(before.facts.names)
    assert after.facts.public_key_sha256 == before.facts.public_key_sha256
    assert (after.facts.not_after - after.facts.not_before).days == 30
    assert other.facts.public_key_sha256 != before.facts.public_key_sha256
    with pytest.raises(StoreError, match=r"no certificate is kept for c\.test") as caught:
        with_ca.renew(parse_host("c.test"), openssl=FAST)
    assert "kept are: a.test" in caught.value.hints


def test_openssl_verifies_what_we_call_issued(with_ca):
    kept = with_ca.ensure(profile("a.test"))
    other = write(with_ca.folder / "other.pem", ours(key=KEY, start=NOW - DAY))

    assert openssl("verify", "-CAfile", kept.ca_path, kept.cert_path).endswith(": OK\n")
    with pytest.raises(AssertionError):
        openssl("verify", "-CAfile", other, kept.cert_path)
    assert os.path.samefile(kept.ca_path, with_ca.find_authority().cert_path)
