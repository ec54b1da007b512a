"""Every openssl that is here does all that is asked of one.

The system's, those that scripts/openssls unpacked, and LibreSSL with its gaps (as a stub). A real
LibreSSL built from source belongs in .openssls/libressl-3.3.6/openssl: that one, which macOS has,
and 4.3.2 have passed.
"""

from pathlib import Path

import pytest
from certificates import NAMES, assert_authority, assert_leaf, assert_self_signed, handshake
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import pkcs12
from stubs import calls, libressl, stub

from openssl_serve.openssl.binary import Openssl
from openssl_serve.openssl.flavour import Flavour

ROOT = Path(__file__).parents[2]
UNPACKED = sorted((ROOT / ".openssls").glob("*/openssl"))


@pytest.fixture(params=["system", "libressl", *(path.parent.name for path in UNPACKED)])
def tool(request, tmp_path):
    """The path of one openssl."""
    if request.param == "system":
        return Openssl().path
    if request.param == "libressl":
        return libressl(tmp_path / "bin")
    return ROOT / ".openssls" / request.param / "openssl"


@pytest.fixture
def use(tool, monkeypatch):
    """All commands use it."""
    monkeypatch.setenv("OPENSSL_SERVE_OPENSSL", str(tool))
    return Openssl(str(tool))


@pytest.mark.parametrize("kind", ["p256", "p384", "rsa2048", "ed25519"])
def test_self_signed(cli, home, use, kind):
    """P26: upstream tests one version."""
    if kind == "ed25519" and "Ed25519 keys" in use.version.lacks:
        assert "makes no Ed25519 keys" in cli.refused(3, "generate", "--key-type", kind)
        return

    cli.good("generate", "a.test", "--key-type", kind)

    assert_self_signed(home / "a_test.crt", NAMES)
    assert handshake(home / "a_test.crt", home / "a_test.key", "a.test")
    assert (home / "a_test.key").stat().st_mode & 0o777 == 0o600
    cli.good("verify", "a.test")


@pytest.mark.parametrize("kind", ["p256", "rsa2048"])
def test_ca_and_leaf(cli, home, use, kind):
    cli.good("generate", "--ca", "--permit", "test", "a.test", "--key-type", kind)

    assert_authority(home / "_local_ca.crt", constrained=True)
    assert_leaf(home / "a_test.crt", home / "_local_ca.crt", NAMES, rsa=kind.startswith("rsa"))
    assert handshake(home / "a_test.crt", home / "a_test.key", "::1", home / "_local_ca.crt")
    cli.good("renew", "--ca")
    cli.good("renew", "a.test")
    cli.good("verify", "a.test")
    assert_leaf(
        home / "a_test.crt", home / "_local_ca.crt", NAMES[:1] + NAMES[1:], rsa=kind != "p256"
    )


def test_a_server(cli, home, use, served):
    """s_client and verify say what they say in other words, and are understood."""
    cli.good("generate", "--ca", "a.test")
    port = served(home / "a_test.crt", home / "a_test.key")

    cli.good("verify", f"localhost:{port}")
    cli.good("verify", f"127.0.0.1:{port}")
    (home / "_local_ca.crt").unlink()
    assert cli("verify", f"localhost:{port}").code == 4


def test_sign(cli, home, use, tmp_path):
    cli.good("generate", "--ca")
    key = ec.generate_private_key(ec.SECP256R1())
    request = (
        x509.CertificateSigningRequestBuilder()
        .subject_name(x509.Name([]))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("b.test")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    (tmp_path / "csr").write_bytes(request.public_bytes(serialization.Encoding.PEM))

    cli.good("sign", tmp_path / "csr", "--out", tmp_path / "b.crt")

    assert_leaf(tmp_path / "b.crt", home / "_local_ca.crt", ["b.test"])


@pytest.mark.parametrize("form", ["pkcs12", "pfx-legacy", "p7b"])
def test_export(cli, home, use, tmp_path, monkeypatch, form):
    cli.good("generate", "--ca", "a.test")
    monkeypatch.setenv("OPENSSL_SERVE_EXPORT_PASSWORD", "x")

    cli.good("export", "a.test", "--format", form, "--out", tmp_path / "out")

    if form != "p7b":
        bundle = pkcs12.load_pkcs12((tmp_path / "out").read_bytes(), b"x")
        assert bundle.key
        assert len(bundle.additional_certs) == 1


@pytest.mark.parametrize("content", [None, "]]] hostile [[[", "[req]\nx509_extensions=v3_ca\n"])
def test_no_configuration_but_ours(cli, home, use, tmp_path, monkeypatch, content):
    """P24. With -addext and this, 1.1.1 would write basicConstraints twice."""
    path = tmp_path / "hostile.cnf"
    if content:
        path.write_text(content)
    monkeypatch.setenv("OPENSSL_CONF", str(path))

    cli.good("generate", "--ca", "a.test")

    assert_leaf(home / "a_test.crt", home / "_local_ca.crt", NAMES)


def test_the_time_limit_reaches_through_a_wrapper(use, tmp_path):
    """The alarm survives exec, so also that of a wrapper script."""
    assert use.run("version", folder=tmp_path).exit_code == 0
    assert use.version.flavour in Flavour


def test_not_the_first_in_path(cli, home, tool, tmp_path, monkeypatch):
    """A broken first one is an error that names the next; --openssl then takes it."""
    first = stub(tmp_path / "first", "echo nonsense")
    monkeypatch.setenv("PATH", f"{first.parent}:{tool.parent}:/usr/bin:/bin")

    finished = cli("generate", "a.test")

    assert finished.code == 3
    assert f"--openssl {tool}" in finished.err
    cli.good("generate", "a.test", "--openssl", tool)
    # Asked to do the work, it does not; asked what it is, it is none.
    assert [call.split()[0] for call in calls(first)] == ["req", "version"]


def test_those_that_were_unpacked_are_what_they_should_be():
    if not {"bullseye", "trixie", "sid"} <= {path.parent.name for path in UNPACKED}:
        pytest.skip("scripts/openssls has not been run")
    versions = {path.parent.name: Openssl(str(path)).version.numbers for path in UNPACKED}

    # Others, a LibreSSL built from source for one, may lie beside them.
    assert versions["bullseye"][:2] == (1, 1)
    assert versions["trixie"][:2] == (3, 5)
    assert versions["sid"] > versions["trixie"]
