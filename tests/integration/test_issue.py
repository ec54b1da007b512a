import re
import subprocess

import pytest
from certificates import assert_self_signed, handshake, load, openssl, profile
from stubs import calls, libressl, saying, stub

from openssl_serve.certs import issue as issue_module
from openssl_serve.certs.issue import issue, new_serial, recipe_for
from openssl_serve.certs.profile import KeyType
from openssl_serve.errors import OpensslFailedError
from openssl_serve.openssl.binary import Openssl

NAMES = ["a.test", "localhost", "127.0.0.1", "::1"]


@pytest.mark.parametrize("kind", [k for k in KeyType if k is not KeyType.RSA4096])
def test_a_certificate_of_every_key_type(tmp_path, kind):
    facts = issue(Openssl(), profile("a.test", key_type=kind), tmp_path)

    assert facts.key == kind.description
    assert_self_signed(tmp_path / "cert.pem", NAMES)
    for host in NAMES:
        assert handshake(tmp_path / "cert.pem", tmp_path / "key.pem", host)


def test_days(tmp_path):
    issue(Openssl(), profile("a.test", days=14), tmp_path)

    assert_self_signed(tmp_path / "cert.pem", NAMES, days=14)


@pytest.mark.parametrize(
    "hosts",
    [["*.app.test"], ["192.168.1.5"], ["fe80::1"], ["faß.de"], ["a_b.test", "x" * 63 + ".test"]],
)
def test_names_of_every_kind(tmp_path, hosts):
    asked = profile(*hosts)

    issue(Openssl(), asked, tmp_path)

    assert_self_signed(tmp_path / "cert.pem", [str(host) for host in asked.hosts])


def test_a_long_name_stays_out_of_the_subject(tmp_path):
    """P23: a common name has at most 64 characters, a SAN 253."""
    long = ".".join(["a" * 60] * 4)

    facts = issue(Openssl(), profile(long), tmp_path)

    assert facts.subject == "CN=openssl-serve"
    assert long in facts.dns_names


def test_a_hundred_names(tmp_path):
    facts = issue(Openssl(), profile(*(f"h{n}.test" for n in range(100))), tmp_path)

    assert len(facts.names) == 103


def test_serials_are_positive_and_random():
    serials = {new_serial() for _ in range(1000)}

    assert len(serials) == 1000
    assert all(re.fullmatch(r"0x[4-7][0-9a-f]{31}", serial) for serial in serials)


@pytest.mark.parametrize(
    "config",
    [
        "/nowhere/openssl.cnf",
        "hostile",
        "[req]\nx509_extensions = v3_ca\n[v3_ca]\nbasicConstraints = CA:FALSE\n",
    ],
)
def test_the_systems_configuration_reaches_nothing(tmp_path, monkeypatch, config):
    """P24, and section 6's case from portless: no extension twice."""
    path = tmp_path / "system.cnf"
    path.write_text("]]] no = configuration [[[" if config == "hostile" else config)
    monkeypatch.setenv("OPENSSL_CONF", config if config.startswith("/") else str(path))
    folder = tmp_path / "work"
    folder.mkdir()

    issue(Openssl(), profile("a.test"), folder)

    assert_self_signed(folder / "cert.pem", NAMES)


def test_the_key_is_private_whatever_the_flavour_does(tmp_path):
    """LibreSSL writes keys with mode 0644."""
    issue(Openssl(str(libressl(tmp_path / "bin"))), profile("a.test"), tmp_path)

    assert (tmp_path / "key.pem").stat().st_mode & 0o777 == 0o600
    assert_self_signed(tmp_path / "cert.pem", NAMES)


def test_only_what_libressl_has_is_asked_of_it(tmp_path):
    path = libressl(tmp_path / "bin")

    issue(Openssl(str(path)), profile("a.test", key_type=KeyType.RSA2048), tmp_path)

    assert [call.split()[0] for call in calls(path)] == ["req"]


def test_no_secret_and_no_host_on_a_command_line(tmp_path):
    path = saying(tmp_path / "bin", "OpenSSL 3.0.1")

    issue(Openssl(str(path)), profile("secret-project.test"), tmp_path)

    assert "secret-project" not in "\n".join(calls(path))


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("exit 1", "openssl req failed (exit 1): it said nothing"),
        ("echo 'x:error:1:lib:fn:no room:f:1' >&2; exit 1", "failed (exit 1): no room"),
        ("exit 0", "openssl req failed (exit 0)"),
        ("echo 'invalid command' >&2; exit 0", "failed (exit 0): invalid command"),
        ('$REAL "$@"; : >key.pem; exit 0', "openssl req failed (exit 0)"),
        ('$REAL "$@"; : >cert.pem; exit 0', "openssl req failed (exit 0)"),
        ("echo x >cert.pem; mkdir key.pem", "openssl req failed (exit 0)"),
        ('$REAL "$@"; exit 3', "openssl req failed (exit 3)"),
        ('$REAL "$@"; echo hello >cert.pem', "made something unusable: cert.pem is not"),
        ("echo 'hello' >key.pem; echo x >cert.pem; exit 0", "made something unusable"),
        ("echo 'x:error:1:l:f:no room:f:1' >&2; $REAL \"$@\"; exit 1", "no room"),
    ],
)  # fmt: skip
def test_success_is_judged_by_what_came_out(tmp_path, body, words):
    path = stub(tmp_path / "bin", f"case $1 in version) echo 'OpenSSL 3.0.1'; exit;; esac\n{body}")

    with pytest.raises(OpensslFailedError) as caught:
        issue(Openssl(str(path)), profile("a.test"), tmp_path)

    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
    assert "PRIVATE KEY" not in str(caught.value) + caught.value.stderr


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("s/^DNS.1 = a.test/DNS.1 = b.test/", "is not valid for a.test"),
        ("s/^extendedKeyUsage.*//", "lacks extensions"),
        ("s/CA:TRUE/CA:FALSE/", "lacks extensions"),
    ],
)
def test_a_certificate_that_was_not_asked_for_is_refused(tmp_path, change, words):
    body = f"sed -i '{change}' openssl.cnf 2>/dev/null\nexec $REAL \"$@\""
    path = stub(tmp_path / "bin", f"case $1 in version) echo 'OpenSSL 3.0.1'; exit;; esac\n{body}")

    with pytest.raises(OpensslFailedError, match=words):
        issue(Openssl(str(path)), profile("a.test"), tmp_path)


def test_wrong_days_are_refused(tmp_path):
    body = 'for w; do shift; [ "$w" = 365 ] && w=30; set -- "$@" "$w"; done; exec $REAL "$@"'
    path = stub(tmp_path / "bin", f"case $1 in version) echo 'OpenSSL 3.0.1'; exit;; esac\n{body}")

    with pytest.raises(OpensslFailedError, match="valid for 30 days, not 365"):
        issue(Openssl(str(path)), profile("a.test"), tmp_path)


def test_a_key_that_is_there_is_used(tmp_path):
    issue(Openssl(), profile("a.test"), tmp_path)
    before = (tmp_path / "key.pem").read_bytes()

    issue(Openssl(), profile("a.test", "b.test"), tmp_path, new_key=False)

    assert (tmp_path / "key.pem").read_bytes() == before
    assert_self_signed(tmp_path / "cert.pem", ["a.test", "b.test", *NAMES[1:]])


def test_the_recipe_pasted_in_an_empty_folder_makes_the_same(tmp_path):
    script = recipe_for(profile("a.test")).as_script()

    subprocess.run(["sh", "-eu", "-c", script], cwd=tmp_path, check=True, capture_output=True)

    assert_self_signed(tmp_path / "cert.pem", NAMES)
    assert (tmp_path / "key.pem").stat().st_mode & 0o777 == 0o600


def test_openssl_reads_what_we_read(tmp_path):
    facts = issue(Openssl(), profile("a.test"), tmp_path)
    cert = tmp_path / "cert.pem"

    assert f"={facts.fingerprint}\n" in openssl(
        "x509", "-in", cert, "-noout", "-fingerprint", "-sha256"
    )
    assert openssl("x509", "-in", cert, "-noout", "-serial") == f"serial={facts.serial}\n"
    assert f"{load(cert).serial_number:X}" == facts.serial


def test_the_folder_holds_nothing_else(tmp_path):
    issue(Openssl(), profile("a.test"), tmp_path)

    assert sorted(p.name for p in tmp_path.iterdir()) == ["cert.pem", "key.pem", "openssl.cnf"]
    assert issue_module.DEFAULT_KEY_TYPE is KeyType.P256
