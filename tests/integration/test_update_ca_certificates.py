"""Debian's real update-ca-certificates, on folders of the test's own."""

import shutil

import pytest
from certificates import openssl
from trust_fixtures import debian, renewed

from openssl_serve.certs.facts import read_chain_file
from openssl_serve.programs import find_program
from openssl_serve.trust.stores import State
from openssl_serve.trust.system import SystemStore

pytestmark = pytest.mark.skipif(
    not find_program("update-ca-certificates"), reason="no update-ca-certificates"
)


@pytest.fixture
def family(tmp_path):
    return debian(tmp_path / "etc")


def in_bundle(family):
    return [facts.subject for facts in read_chain_file(family.bundle)]


def test_installed_proven_and_taken_out(family, target):
    store = SystemStore(family)
    assert store.check(target).state is State.ABSENT

    store.install(target)

    assert store.check(target) == (State.TRUSTED, "a TLS handshake", ())
    assert in_bundle(family) == ["CN=Somebody's Root", target.facts.subject]
    # Programs that read the folder and not the bundle find it as well.
    cert, _ = target.leaf()
    assert "OK" in openssl("verify", "-CApath", family.bundle.parent, cert)
    assert store.uninstall(target) is True
    assert store.check(target).state is State.ABSENT
    assert in_bundle(family) == ["CN=Somebody's Root"]
    left = sorted(path.name for path in family.bundle.parent.iterdir())
    # Its own link, the one by its hash, the bundle.
    assert len(left) == 3
    assert all(path.exists() for path in family.bundle.parent.iterdir())


def test_a_file_that_was_copied_and_no_more_is_not_installed(family, target):
    store = SystemStore(family)
    shutil.copy(target.cert_path, family.anchors / "by hand.crt")

    found = store.check(target)
    assert found.state is State.REFUSED
    assert "update-ca-certificates has not run since" in found.says

    store.install(target)
    assert store.check(target).state is State.TRUSTED
    assert store.uninstall(target) is True
    assert list(family.anchors.iterdir()) == []


def test_other_files_and_other_users_cas_stay(family, target, other_target):
    store = SystemStore(family)
    (family.anchors / "broken.crt").write_text("no certificate")
    store.install(other_target)
    store.install(target)

    assert store.uninstall(target) is True

    names = sorted(path.name for path in family.anchors.iterdir())
    assert names == ["broken.crt", f"openssl-serve-{other_target.tag}.crt"]
    assert store.check(other_target).state is State.TRUSTED


def test_every_generation_of_a_ca_goes(family, target, data):
    store = SystemStore(family)
    store.install(target)
    with renewed(data) as newer:
        assert store.check(newer).state is State.ABSENT
        store.install(newer)
        assert len(list(family.anchors.iterdir())) == 2

        assert store.uninstall(newer) is True

    assert list(family.anchors.iterdir()) == []


def test_a_ca_that_is_over_is_refused(family, tmp_path):
    """Installed it may be; no client would take what it issued."""
    import datetime as dt  # noqa: PLC0415

    from fast_openssl import FastOpenssl  # noqa: PLC0415

    from openssl_serve.certs.store import Store  # noqa: PLC0415
    from openssl_serve.trust.target import target_of  # noqa: PLC0415

    past = FastOpenssl(dt.datetime.now(dt.UTC) - dt.timedelta(days=3651))
    authority = Store(tmp_path / "old").ensure_authority(openssl=past)
    store = SystemStore(family)
    with target_of(authority, past) as target:
        shutil.copy(target.cert_path, family.anchors / "old.crt")
        store._run([store._family.refresh])

        found = store.check(target)

    assert found == (State.REFUSED, "it has expired", ())
