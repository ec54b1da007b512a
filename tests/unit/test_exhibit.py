"""What clients are shown: the certificate that a server here would have."""

from typing import Any

import pytest
from certificates import CA_FALSE, DAY, KEY, NOW, SERVER, load, make, ours, profile, write
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from fast_openssl import FastOpenssl

from openssl_serve.certs.store import Store
from openssl_serve.clients import exhibit as room
from openssl_serve.clients.exhibit import damaged
from openssl_serve.clients.witness import witness
from openssl_serve.errors import CertificateError, OpensslNotFoundError
from openssl_serve.trust.target import target_of

HERE = ("a.test", "127.0.0.1")


def exhibit_of(store, target) -> Any:
    """Or None: the tests know."""
    return room.exhibit_of(store, target)


def keep(folder, stem, certificate):
    write(folder / f"{stem}.key", KEY)
    return write(folder / f"{stem}.crt", certificate)


def test_a_leaf_of_the_local_ca_that_is_kept_nowhere(data, target):
    before = sorted(data.folder.iterdir())

    exhibit = exhibit_of(data, target)

    assert exhibit.words == "a leaf of the local CA"
    load(exhibit.cert_path).verify_directly_issued_by(load(target.cert_path))
    assert exhibit.issuer == target.facts
    assert exhibit.anchor == target.cert_path
    assert exhibit.cert_path.parent != data.folder
    assert sorted(data.folder.iterdir()) == before


def test_what_is_kept_where_there_is_no_ca(tmp_path):
    store = Store(tmp_path)
    keep(tmp_path, "a_expired", ours(names=HERE, start=NOW - 9 * DAY, end=NOW - DAY))
    keep(tmp_path, "b_elsewhere", ours(names=("b.test",)))
    keep(tmp_path, "c_somebodys", make(CA_FALSE, SERVER, names=HERE, issuer="somebody"))
    assert exhibit_of(store, None) is None

    cert = keep(tmp_path, "d_test", ours(names=HERE))
    exhibit = exhibit_of(store, None)

    assert (exhibit.cert_path, exhibit.anchor, exhibit.issuer) == (cert, cert, None)
    assert exhibit.words == str(cert)


@pytest.mark.parametrize("missing", ["its key", "openssl"])
def test_what_the_ca_has_issued_when_it_can_issue_no_more(tmp_path, missing, monkeypatch):
    fast = FastOpenssl()
    store = Store(tmp_path)
    authority = store.ensure_authority(openssl=fast)

    def absent(*_arguments, **_options):
        raise OpensslNotFoundError("no openssl")

    with target_of(authority, fast) as target:
        kept = store.ensure(profile("a.test"), openssl=fast)
        if missing == "openssl":
            monkeypatch.setattr(fast, "run", absent)
        else:
            authority.key_path.unlink()

        exhibit = exhibit_of(store, target)

        assert (exhibit.cert_path, exhibit.words) == (kept.cert_path, str(kept.cert_path))
        assert (exhibit.target, exhibit.anchor) == (target, authority.cert_path)
        store.remove(kept.host)
        assert exhibit_of(store, target) is None


def test_a_bit_of_its_signature_is_flipped_and_nothing_else(data, target):
    exhibit = exhibit_of(data, target)

    with damaged(exhibit) as path:
        good, bad = load(exhibit.cert_path), load(path)
        assert bad.tbs_certificate_bytes == good.tbs_certificate_bytes
        assert bad.signature != good.signature
        with pytest.raises(InvalidSignature):
            bad.verify_directly_issued_by(load(target.cert_path))

    assert not path.exists()


def test_one_that_has_gone_meanwhile(data, target):
    exhibit = exhibit_of(data, target)
    exhibit.cert_path.unlink()

    with pytest.raises(CertificateError, match="no such file"), damaged(exhibit):
        pass


def test_a_pair_that_is_none_is_told_in_words(tmp_path):
    cert = write(tmp_path / "a.crt", ours(names=HERE))
    other = write(tmp_path / "b.key", ec.generate_private_key(ec.SECP256R1()))

    with pytest.raises(CertificateError) as caught, witness(cert, other, 1):
        pass

    assert str(caught.value) == f"cannot load {cert} with {other}: key values mismatch"
