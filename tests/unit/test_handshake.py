"""The proof by a handshake: as a program, with bundles that hold and that do not, and in here."""

import ssl
import subprocess
import sys

from certificates import KEY, ours, write

from openssl_serve.tls import server_context
from openssl_serve.trust import handshake
from openssl_serve.trust.handshake import REFUSED, TRUSTED, system_refusal
from openssl_serve.trust.target import PROOF_HOST


def run(bundle, leaf, host=PROOF_HOST):
    done = subprocess.run(
        [sys.executable, "-I", handshake.__file__, bundle, *leaf, host],
        capture_output=True, text=True, check=False, timeout=20,
    )  # fmt: skip
    return done.returncode, done.stdout, done.stderr


def test_trusted_by_its_own_ca_alone(target, other_target):
    assert run(target.cert_path, target.leaf()) == (TRUSTED, "", "")

    code, out, err = run(other_target.cert_path, target.leaf())
    assert (code, err) == (REFUSED, "")
    assert out == "unable to get local issuer certificate\n"


def test_for_the_right_host_alone(target):
    code, out, _ = run(target.cert_path, target.leaf(), "other.test")

    assert code == REFUSED
    assert "Hostname mismatch" in out


def test_what_cannot_be_tried_is_no_verdict(target, tmp_path):
    empty = tmp_path / "empty.pem"
    empty.touch()

    code, _, err = run(empty, target.leaf())

    assert code not in {TRUSTED, REFUSED}
    assert "Error" in err


def test_nothing_of_this_process_has_a_part_in_it(target, other_target, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", str(target.cert_path))

    assert run(other_target.cert_path, target.leaf())[0] == REFUSED


def test_the_verdict_of_this_system_is_that_of_a_real_client(tmp_path, monkeypatch):
    cert = write(tmp_path / "a.crt", ours(names=("a.test",)))
    context = server_context(cert, write(tmp_path / "a.key", KEY))

    assert "self" in (system_refusal(context, "a.test") or "")
    monkeypatch.setenv("SSL_CERT_FILE", str(cert))
    assert system_refusal(context, "a.test") is None
    assert "b.test" in (system_refusal(context, "b.test") or "")


def test_a_server_that_ends_the_handshake_is_not_trusted(tmp_path):
    """Nobody has looked at its certificate then."""
    cert = write(tmp_path / "a.crt", ours(names=("a.test",)))
    old = server_context(cert, write(tmp_path / "a.key", KEY))
    old.maximum_version = ssl.TLSVersion.TLSv1_2
    old.set_ciphers("AES128-SHA")

    assert system_refusal(old, "a.test") == "no shared cipher"
