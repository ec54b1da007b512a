"""The program that proves the system's store, with bundles that hold and bundles that do not."""

import subprocess
import sys

from openssl_serve.trust import handshake
from openssl_serve.trust.handshake import REFUSED, TRUSTED
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
