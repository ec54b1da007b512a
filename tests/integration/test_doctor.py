import json
import os
import socket

import pytest
from certificates import DAY, KEY, NAMES, NOW, ours, write
from stubs import libressl, saying, stub
from trust_fixtures import debian

from openssl_serve.addresses import Address
from openssl_serve.programs import find_program
from openssl_serve.trust import browsers, machine
from openssl_serve.trust.system import SystemStore

EXAM = ("doctor", "--json", "--no-clients")
"""Without the clients, which take a second: they are test_clients_asked.py's."""


@pytest.fixture(autouse=True)
def _nobodys_stores(users_home):
    """The user's browsers are not asked."""


def findings(finished):
    value = json.loads(finished.out)
    assert value["schema"] == 1
    found: dict = {}
    for finding in value["findings"]:
        found.setdefault(finding["name"], []).append((finding["good"], finding["says"]))
    return found


def test_an_empty_machine_is_well_and_stays_empty(cli, home):
    found = findings(cli.good(*EXAM))

    assert found["openssl"][0][0] is True
    assert found["folder"] == [(True, f"{home} is made when needed")]
    assert found["kept"] == [(None, "no certificate yet")]
    assert found["local CA"] == [
        (None, "none, so certificates are self-signed: openssl-serve trust makes one")
    ]
    assert "the default, is" in found["port"][0][1] or found["port"][0][0] is None
    assert found["clock"][0][0] is True
    assert not home.exists()


def test_words_for_people(cli):
    out = cli.good("doctor").out

    assert out.startswith("ok   openssl    /")
    assert "serving with OpenSSL" in out


def test_what_is_kept(cli, home):
    cli.good("generate", "--ca", "a.test")
    write(home / "b_test.crt", ours(names=NAMES, start=NOW - 90 * DAY, end=NOW - DAY))
    write(home / "b_test.key", KEY)
    (home / "c.key.aside-1").touch()

    found = findings(cli.good(*EXAM))

    assert found["kept"][0] == (None, "2 certificates")
    assert found["kept"][1] == (None, f"{home}/b_test.crt is expired: openssl-serve renew")
    assert found["local CA"][0][0] is True
    assert str(home / "c.key.aside-1") in found["aside"][0][1]


def test_keys_that_no_server_could_use(cli, home):
    cli.good("generate", "a.test")
    cli.good("generate", "b.test")
    (home / "a_test.key").write_bytes((home / "b_test.key").read_bytes())

    finished = cli(*EXAM)

    assert finished.code == 1
    (bad,) = [says for good, says in findings(finished)["kept"] if good is False]
    assert f"the key in {home}/a_test.key does not belong to the certificate" in bad


@pytest.mark.skipif(not find_program("update-ca-certificates"), reason="no update-ca-certificates")
def test_what_trust_stores_say_of_the_local_ca(cli, monkeypatch, tmp_path, users_home):
    system = SystemStore(debian(tmp_path / "etc"))
    monkeypatch.setattr(machine, "system_stores", lambda: [system])
    monkeypatch.setattr(browsers, "find_program", lambda _name: None)
    assert "stores" not in findings(cli.good(*EXAM))

    cli.good("generate", "--ca")
    assert findings(cli.good(*EXAM))["stores"] == [
        (None, f"{system} does not trust the local CA: openssl-serve trust --store system")
    ]

    cli.good("trust")
    assert findings(cli.good(*EXAM))["stores"] == [
        (True, f"{system} trusts the local CA: a TLS handshake")
    ]


def test_a_machine_without_trust_stores(cli, monkeypatch):
    monkeypatch.setattr(machine, "system_stores", list)
    monkeypatch.setattr(browsers, "find_program", lambda _name: None)
    cli.good("generate", "--ca")

    (finding,) = findings(cli.good(*EXAM))["stores"]

    assert finding == (None, "there is no trust store on this machine")


def test_what_is_wrong_with_the_folder(cli, home):
    cli.good("generate", "--ca", "a.test")
    (home / "a_test.key").chmod(0o644)
    (home / "_local_ca.key").unlink()
    (home / "b_test.crt").touch()
    home.chmod(0o755)

    finished = cli(*EXAM)

    assert finished.code == 1
    found = findings(finished)
    assert found["folder"][0] == (False, f"{home} has mode 0755: chmod 700 {home}")
    assert found["folder"][1][1].startswith(f"{home}/a_test.key can be read by others")
    assert "the key of the local CA is missing, so it issues nothing" in found["local CA"][0][1]
    assert found["kept"][1][1].startswith(f"{home}/b_test.crt is not part of a whole pair")


def bad(finished):
    """What is wrong, by the names that it has."""
    return {
        name: [says for good, says in values if good is False]
        for name, values in findings(finished).items()
        if any(good is False for good, _ in values)
    }


def test_what_is_wrong_with_the_local_ca_is_said_once(cli, home):
    """Though nothing that is kept can be judged without it."""
    cli.good("generate", "--ca", "a.test")
    (home / "_local_ca.crt").write_text("x")

    finished = cli("doctor", "--json")

    assert finished.code == 1
    ((name, (says,)),) = bad(finished).items()
    assert name == "local CA"
    assert says.startswith(f"{home}/_local_ca.crt")
    assert finished.out.count(says) == 1


def test_a_file_where_the_folder_should_be_is_said_once(cli, home):
    home.write_text("x")

    assert bad(cli(*EXAM)) == {"folder": [f"{home} is not a folder"]}


def test_what_the_system_refuses_is_a_finding_too(cli, home):
    home.mkdir(mode=0o700)
    (home / "a.key").symlink_to("nowhere")

    assert bad(cli(*EXAM)) == {"folder": [f"{home}/a.key: no such file or directory"]}


def test_no_openssl(cli, monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")

    finished = cli(*EXAM)

    assert finished.code == 1
    found = findings(finished)
    assert found["openssl"][0] == (False, "no openssl program found in PATH")
    assert all(good is None for good, _ in found["openssl"][1:])
    # Once is enough.
    assert "also" not in found


def test_which_openssl_and_which_others(cli, tmp_path, monkeypatch):
    first = libressl(tmp_path / "1")
    second = saying(tmp_path / "2", "OpenSSL 3.5.7 1 Jan 2026")
    third = stub(tmp_path / "3", "echo nonsense")
    monkeypatch.setenv(
        "PATH",
        os.pathsep.join([*(str(p.parent) for p in (first, second, third)), os.environ["PATH"]]),
    )
    monkeypatch.setenv("OPENSSL_CONF", "/nowhere")

    found = findings(cli.good(*EXAM))

    assert found["openssl"] == [(True, f"{first}, LibreSSL 3.3.6")]
    assert found["lacks"][0][1].startswith("Ed25519 keys, ")
    assert found["also"][0] == (None, f"{second}, OpenSSL 3.5.7")
    assert "nonsense" in found["also"][1][1]
    assert "OPENSSL_CONF=/nowhere is not read" in found["config"][0][1]


def test_a_clock_that_went_back(cli, home):
    write(home / "a_test.crt", ours(names=NAMES, start=NOW + DAY, end=NOW + 90 * DAY))
    write(home / "a_test.key", KEY)
    home.chmod(0o700)

    assert findings(cli(*EXAM))["clock"][0][0] is False


def test_a_port_in_use(cli, monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        monkeypatch.setattr("openssl_serve.api.DEFAULT_ADDRESS", Address(*listener.getsockname()))

        (finding,) = findings(cli(*EXAM))["port"]

    assert finding[0] is None
    assert f"pid {os.getpid()}" in finding[1]
    assert "--port 0 takes any free port" in finding[1]
