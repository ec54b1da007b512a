"""A server that runs while its certificate comes due: renewed by a child, seen by new clients."""

import gc
import shutil
import socket
import ssl
import time
import warnings

import pytest
from certificates import shake_hands
from server_fixtures import eventually

from openssl_serve import api, running_server, tools
from openssl_serve.addresses import Address
from openssl_serve.certs.facts import CertificateFacts
from openssl_serve.certs.profile import CertificateProfile
from openssl_serve.certs.store import Store

DEADLINE_S = 20


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "data")


@pytest.fixture
def kept(store, monkeypatch):
    """A pair that counts as due, which its successors do not; test_facts.py holds when one is."""
    pair = store.ensure(CertificateProfile.for_server(["due.test"]))
    monkeypatch.setattr(
        CertificateFacts, "due", lambda self, _now: self.fingerprint == pair.facts.fingerprint
    )
    return pair


def presented(server):
    """The certificate that a new connection gets, DER."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with (
        socket.create_connection(server.address, timeout=5) as raw,
        context.wrap_socket(raw, server_hostname="localhost") as tls,
    ):
        return tls.getpeercert(binary_form=True)


def wait_for_another(server):
    """Until new connections get another certificate than now."""
    first = presented(server)
    eventually(lambda: presented(server) != first, "another certificate", DEADLINE_S)


def test_a_certificate_that_is_due_is_renewed_while_serving(store, kept, tmp_path):
    key = kept.key_path.read_bytes()
    root = tmp_path / "site"
    root.mkdir()
    options = api.ServerOptions(Address("127.0.0.1", 0), renewal_look_s=0.0)
    with running_server(root, certificate=kept, options=options) as server:
        wait_for_another(server)

    renewed = store.list()[0]
    assert renewed.facts.fingerprint != kept.facts.fingerprint
    assert kept.key_path.read_bytes() == key


def test_a_renewal_imports_nothing_of_the_folder_that_is_served(store, kept, tmp_path, monkeypatch):
    """It may be somebody's repository, and have modules with any name."""
    root = tmp_path / "site"
    root.mkdir()
    for name in ("typer", "ssl", "random"):
        (root / f"{name}.py").write_text("open('imported', 'w').close()")
    monkeypatch.chdir(root)
    options = api.ServerOptions(Address("127.0.0.1", 0), renewal_look_s=0.0)

    with running_server(root, certificate=kept, options=options) as server:
        wait_for_another(server)

    assert not (root / "imported").exists()


def test_a_renewal_that_fails_is_told_and_the_server_goes_on(store, kept, tmp_path):
    root = tmp_path / "site"
    root.mkdir()
    told: list[str] = []
    options = api.ServerOptions(
        Address("127.0.0.1", 0), renewal_look_s=0.0, openssl=str(tmp_path / "no-openssl")
    )
    with api.make_server(root, kept, options, write_log=told.append) as server:
        end = time.monotonic() + DEADLINE_S
        while not told:
            assert time.monotonic() < end
            for chore in server.chores:
                chore()
            server.log.flush()

    assert "renewal failed" in told[0]
    assert store.list()[0].facts.fingerprint == kept.facts.fingerprint


def test_a_renewal_that_outlives_the_server_is_not_forgotten(store, kept, tmp_path):
    """Python would warn of it, in the tests of whoever has a server in them."""
    root = tmp_path / "site"
    root.mkdir()
    slow = tmp_path / "openssl"
    slow.write_text("#!/bin/sh\nsleep 0.3\n")
    slow.chmod(0o755)
    options = api.ServerOptions(Address("127.0.0.1", 0), renewal_look_s=0.0, openssl=str(slow))
    with api.make_server(root, kept, options) as server:
        server.chores[0]()
        server.chores = ()

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        gc.collect()
    child = tools._running[-1]
    assert child.wait(DEADLINE_S) != 0


def test_each_name_gets_the_certificate_that_covers_it(store, tmp_path):
    groups = [["one.test"], ["two.test", "*.three.test"]]
    pairs = [store.ensure(CertificateProfile.for_server(group)) for group in groups]
    root = tmp_path / "site"
    root.mkdir()
    options = api.ServerOptions(Address("127.0.0.1", 0))
    found = {}
    with api.make_server(root, pairs, options) as server:
        for name in ("one.test", "two.test", "a.three.test", "unknown.test", None):
            found[name] = shown_to(name, server.contexts.current())
    one, two = (ssl.PEM_cert_to_DER_cert(pair.cert_path.read_text()) for pair in pairs)

    assert found == {
        "one.test": one, "two.test": two, "a.three.test": two, "unknown.test": one, None: one,
    }  # fmt: skip


def test_all_pairs_follow_their_files(store, tmp_path):
    groups = [["one.test"], ["two.test"]]
    pairs = [store.ensure(CertificateProfile.for_server(group)) for group in groups]
    other = Store(tmp_path / "other").ensure(CertificateProfile.for_server(["two.test"]))
    root = tmp_path / "site"
    root.mkdir()
    with api.make_server(root, pairs, api.ServerOptions(Address("127.0.0.1", 0))) as server:
        shutil.copy(other.key_path, pairs[1].key_path)
        shutil.copy(other.cert_path, pairs[1].cert_path)
        server.contexts.reload()
        found = shown_to("two.test", server.contexts.current())

    assert found == ssl.PEM_cert_to_DER_cert(other.cert_path.read_text())


def shown_to(name, context):
    """The certificate that a client asking for *name* is shown, DER."""
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname = False
    client.verify_mode = ssl.CERT_NONE
    end, errors = shake_hands(context, client, name)
    assert errors == []
    return end.getpeercert(binary_form=True)
