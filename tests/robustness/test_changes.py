"""A certificate that changes while it is served: nobody is failed, all new ones get the new one."""

import hashlib
import signal
import time

import pytest
from certificates import ours, write
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from server_fixtures import NAMES, Pair, eventually

WITHIN_S = 2.0
"""From the change of the files to the new certificate for new connections."""

TIMES = 20


@pytest.fixture
def mine(start, tmp_path):
    """A pair that this test alone may replace."""
    start.pair = Pair(tmp_path / "mine" / "a.crt", tmp_path / "mine" / "a.key", None)
    replace(start.pair)
    return start.pair


def replace(pair, *, key_first=False):
    """Put a new certificate with a new key in the place of *pair*; return its fingerprint."""
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = ours(names=NAMES, key=key)
    cert_path, key_path = pair.cert_path, pair.key_path
    new = [
        (write(cert_path.with_suffix(".new-crt"), certificate), cert_path),
        (write(key_path.with_suffix(".new-key"), key), key_path),
    ]
    for made, path in reversed(new) if key_first else new:
        made.rename(path)
    return hashlib.sha256(certificate.public_bytes(serialization.Encoding.DER)).hexdigest()


def shown(service):
    """The fingerprint that a new connection sees."""
    with service.tls() as client:
        return hashlib.sha256(client.sock.getpeercert(binary_form=True)).hexdigest()


def test_twenty_replacements_under_load_fail_no_request(start, mine):
    """The files are renamed one after the other, so that some looks find half a pair."""
    service = start.command("--log-format", "none")
    crowd = start.crowd("load", service, "kept", "kept", "new", "plain")
    crowd.report()
    expected, took = [shown(service)], []

    with service.tls() as old:
        first = old.sock.getpeercert(binary_form=True)
        for turn in range(TIMES):
            expected.append(replace(mine, key_first=turn % 2 == 1))
            began = time.monotonic()
            if turn % 4:
                service.signal(signal.SIGHUP)
            eventually(lambda: shown(service) == expected[-1], "the new one is shown")
            took.append(time.monotonic() - began)
            # It lives on, with what it began with.
            assert old.get("/a.txt").status == 200
        assert old.sock.getpeercert(binary_form=True) == first

    told = crowd.leave()
    print(f"{told['counts']}, longest {max(took):.2f} s, {len(told['seen'])} certificates seen")
    assert told["failures"] == []
    assert set(told["seen"]) <= set(expected)
    assert len(told["seen"]) > TIMES / 2
    assert max(took) < WITHIN_S
    # None of the half pairs was worth a word.
    assert "cannot load" not in service.log
    service.assert_well()


@pytest.mark.parametrize("how", ["noticed", "asked"])
def test_a_bad_pair_keeps_the_one_before_and_says_so_once(start, mine, how):
    service = start.command("--log-format", "none")
    crowd = start.crowd("load", service, "kept", "new")
    crowd.report()
    before = shown(service)

    good_key = mine.key_path.read_bytes()
    write(mine.key_path, ec.generate_private_key(ec.SECP256R1()))
    if how == "asked":
        service.signal(signal.SIGHUP)
    service.wait_for("cannot load")
    # Several more looks, each a second after the one before, find it as bad as it was.
    deadline = time.monotonic() + 2.5
    eventually(lambda: time.monotonic() > deadline and shown(service) == before)

    assert service.log.count("cannot load") == 1
    assert str(mine.key_path) in service.log
    mine.key_path.write_bytes(good_key)
    now = replace(mine)
    service.signal(signal.SIGHUP)
    eventually(lambda: shown(service) == now, "a good pair is taken again")
    assert service.log.count("cannot load") == 1
    assert crowd.leave()["failures"] == []
    service.assert_well()


def test_every_worker_takes_the_new_certificate(start, mine):
    service = start.command("--log-format", "none", "--workers", "2")
    crowd = start.crowd("load", service, "kept", "kept", "new", "new")
    crowd.report()

    for number in (signal.SIGHUP, None, signal.SIGHUP):
        now = replace(mine)
        if number:
            service.signal(number)
        # Connections go to either worker as it comes: a row of them has met both.
        eventually(lambda: {shown(service) for _ in range(20)} == {now}, "both have it")  # noqa: B023

    assert crowd.leave()["failures"] == []
    service.assert_well()


def test_files_that_are_gone_for_a_while_cost_nobody_anything(start, mine):
    service = start.command("--log-format", "none")
    crowd = start.crowd("load", service, "kept", "new")
    crowd.report()
    before = shown(service)

    names = (mine.cert_path, mine.key_path)
    away = [path.rename(path.with_name(f"{path.name}.away")) for path in names]
    service.wait_for("cannot load")
    assert shown(service) == before
    for path, back in zip(away, names, strict=True):
        path.rename(back)
    now = replace(mine)
    eventually(lambda: shown(service) == now)

    assert crowd.leave()["failures"] == []
    service.assert_well()
