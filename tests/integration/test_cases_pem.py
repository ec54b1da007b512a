"""pem's own test cases and the runs beside them, P1 to P26 of the reference, through our commands.

P2, that nothing temporary stays behind, is asserted after each of them.
"""

import re
from typing import Any

import pytest
from certificates import (
    CA_FALSE,
    CA_TRUE,
    KEY,
    LOOPBACK,
    NAMES,
    SERVER,
    assert_leaf,
    assert_pair,
    assert_self_signed,
    key_usage,
    load,
    make,
    openssl,
    pem,
    write,
)  # fmt: skip
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import pkcs12
from cryptography.x509.oid import NameOID
from stubs import stub

from openssl_serve.certs.custom import load_custom
from openssl_serve.certs.facts import read_facts_file

OTHER = ec.generate_private_key(ec.SECP256R1())


@pytest.fixture(autouse=True)
def p02_no_temporary_file_is_left(home, tmp_path, monkeypatch):
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    yield
    assert list(temporary.iterdir()) == []
    hidden = [path.name for path in home.glob(".*")] if home.exists() else []
    assert hidden in ([], [".lock"])


def request(*san, subject=(), key=KEY):
    name = x509.Name([x509.NameAttribute(oid, text) for oid, text in subject])
    builder = x509.CertificateSigningRequestBuilder().subject_name(name)
    if san:
        names = x509.SubjectAlternativeName([x509.DNSName(text) for text in san])
        builder = builder.add_extension(names, critical=False)
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


@pytest.fixture
def signed(cli, home, tmp_path):
    """The certificate for a request."""

    def sign(*san, **options):
        cli.good("generate", "--ca")
        (tmp_path / "csr").write_bytes(request(*san, **options))
        cli.good("sign", tmp_path / "csr", "--out", tmp_path / "signed.crt")
        return tmp_path / "signed.crt"

    return sign


def test_p01_an_unknown_program_is_an_error_and_another_works(cli, monkeypatch):
    monkeypatch.setenv("OPENSSL_SERVE_OPENSSL", "/nowhere/zzz")
    assert "/nowhere/zzz does not exist" in cli.refused(3, "generate")

    monkeypatch.delenv("OPENSSL_SERVE_OPENSSL")
    cli.good("generate")


@pytest.mark.parametrize(("kind", "bits"), [("rsa2048", 2048), ("rsa3072", 3072), ("p256", 256)])
def test_p03_key_header_and_size(cli, home, kind, bits):
    cli.good("generate", "--key-type", kind)

    text = (home / "localhost.key").read_bytes()
    assert text.startswith(b"-----BEGIN PRIVATE KEY-----\n")
    key: Any = serialization.load_pem_private_key(text, None)
    assert key.key_size == bits


def test_p04_and_p13_an_encrypted_key_serves_with_its_certificate(tmp_path):
    key = write(tmp_path / "k", KEY, password="pass ärd")

    found = load_custom(write(tmp_path / "c", make()), key, lambda: "pass ärd")

    assert found.password == "pass ärd"


def test_p05_the_default_is_for_localhost_and_sha256(cli, home):
    cli.good("generate")

    facts = read_facts_file(home / "localhost.crt")
    assert (facts.subject, facts.signature) == ("CN=localhost", "ECDSA with SHA-256")


SUBJECT = [
    (NameOID.COUNTRY_NAME, "EE"), (NameOID.STATE_OR_PROVINCE_NAME, "Harjumaa"),
    (NameOID.LOCALITY_NAME, "Tallinn"), (NameOID.ORGANIZATION_NAME, "Node.ee"),
    (NameOID.ORGANIZATIONAL_UNIT_NAME, "test"), (NameOID.COMMON_NAME, "www.node.ee"),
]  # fmt: skip


def test_p06_all_fields_of_a_subject_are_kept(signed):
    assert read_facts_file(signed(subject=SUBJECT)).subject == (
        "C=EE, ST=Harjumaa, L=Tallinn, O=Node.ee, OU=test, CN=www.node.ee"
    )


def test_p07_several_of_one_field_and_special_characters(signed):
    special = "-!$%^&*()_+|~={}[]:/;<>?,.@#"
    subject = [*SUBJECT, (NameOID.ORGANIZATION_NAME, special), (NameOID.ORGANIZATION_NAME, "b")]

    path = signed("a.test", subject=subject)

    found = load(path).subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)
    assert [attribute.value for attribute in found] == ["Node.ee", special, "b"]
    assert special.replace(",", "\\,") in read_facts_file(path).subject


@pytest.mark.parametrize("text", ["Описание сайта", "简体字", "ÖÄÜ"])
def test_p08_the_san_is_copied_and_any_script_is_read_back(signed, home, text):
    path = signed("a.test", "*.b.test", subject=[(NameOID.ORGANIZATION_NAME, text)])

    assert_leaf(path, home / "_local_ca.crt", ["a.test", "*.b.test"])
    assert read_facts_file(path).subject == f"O={text}"


def test_p09_self_signed_by_its_own_key_a_leaf_by_another(cli, home):
    cli.good("generate", "a.test")
    load(home / "a_test.crt").verify_directly_issued_by(load(home / "a_test.crt"))

    cli.good("generate", "--ca", "b.test")
    assert load(home / "b_test.crt").public_key() != load(home / "_local_ca.crt").public_key()


def test_p10_a_wildcard_is_a_common_name(cli, home):
    cli.good("generate", "*.node.ee")

    assert read_facts_file(home / "*_node_ee.crt").subject == "CN=*.node.ee"


def test_p11_serials_are_ours_random_and_positive(cli, home):
    serials = set()
    for _ in range(3):
        cli.good("generate", "--force")
        serials.add(load(home / "localhost.crt").serial_number)

    assert len(serials) == 3
    assert all(serial.bit_length() == 127 for serial in serials)


class TestP12Verify:
    @pytest.fixture
    def chain(self, tmp_path):
        """A root, an intermediate and a leaf."""
        sign = key_usage("key_cert_sign", "crl_sign")
        middle_key = ec.generate_private_key(ec.SECP256R1())
        ids = {
            name: x509.SubjectKeyIdentifier.from_public_key(key.public_key())
            for name, key in (("root", OTHER), ("middle", middle_key), ("leaf", KEY))
        }

        def issued_by(name):
            identify = x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier
            return identify(ids[name])

        root = make(CA_TRUE, sign, ids["root"], names=(), subject="root", key=OTHER)
        middle = make(
            CA_TRUE, sign, ids["middle"], issued_by("root"), names=(), subject="middle",
            issuer="root", key=middle_key, signed_by=OTHER,
        )  # fmt: skip
        leaf = make(
            CA_FALSE, SERVER, ids["leaf"], issued_by("middle"), issuer="middle",
            signed_by=middle_key,
        )  # fmt: skip
        write(tmp_path / "root", root)
        write(tmp_path / "other", make(CA_TRUE, sign, names=(), subject="root", key=KEY))
        return write(tmp_path / "chain", leaf, middle)

    def test_a_deep_chain_to_the_right_root(self, cli, chain):
        finished = cli.good("verify", chain, "--ca", chain.parent / "root")

        assert "-untrusted" in finished.out

    def test_another_root_is_a_failed_check(self, cli, chain):
        finished = cli("verify", chain, "--ca", chain.parent / "other")

        assert finished.code == 4
        assert "FAIL chain" in finished.out

    def test_a_root_that_is_not_there_is_no_crash(self, cli, chain):
        absent = chain.parent / "absent"

        assert cli.refused(4, "verify", chain, "--ca", absent) == f"{absent}: no such file"

    def test_no_root_given_asks_the_system(self, cli, chain):
        finished = cli("verify", chain)

        assert finished.code == 4
        assert "-CAfile" not in finished.out

    def test_a_custom_chain_is_served_leaf_first(self, chain):
        key = write(chain.parent / "key", KEY)

        assert [f.subject for f in load_custom(chain, key).chain] == ["CN=middle"]


def test_p12_pkcs12_keeps_the_order(cli, home, tmp_path, monkeypatch):
    monkeypatch.setenv("OPENSSL_SERVE_EXPORT_PASSWORD", "x")
    cli.good("generate", "--ca", "a.test")
    cli.good("export", "a.test", "--format", "pkcs12", "--out", tmp_path / "p12")

    text = openssl("pkcs12", "-in", tmp_path / "p12", "-passin", "pass:x", "-nokeys")

    assert re.findall(r"subject=.*CN ?= ?(\S+)", text) == ["a.test", "openssl-serve"]


def test_p14_fingerprints_are_sha256_in_upper_hex(cli, home):
    cli.good("generate")

    assert re.fullmatch(
        r"([0-9A-F]{2}:){31}[0-9A-F]{2}", read_facts_file(home / "localhost.crt").fingerprint
    )


def test_p15_files_are_checked(cli, home, tmp_path):
    cli.good("generate")
    cli.good("verify", home / "localhost.crt")
    (tmp_path / "csr").write_bytes(request("a.test"))

    assert "no certificate, but PRIVATE KEY" in cli.refused(4, "verify", home / "localhost.key")
    assert "but CERTIFICATE REQUEST" in cli.refused(4, "verify", tmp_path / "csr")


def test_p16_pkcs12_round_trip_and_a_file_that_is_none(cli, home, tmp_path, monkeypatch):
    monkeypatch.setenv("OPENSSL_SERVE_EXPORT_PASSWORD", "right")
    cli.good("generate")
    cli.good("export", "--format", "pkcs12", "--out", tmp_path / "p12")

    data = (tmp_path / "p12").read_bytes()
    assert pkcs12.load_pkcs12(data, b"right").key
    with pytest.raises(ValueError, match="password"):
        pkcs12.load_pkcs12(data, b"wrong")
    assert "PEM is wanted" in cli.refused(4, "show", tmp_path / "p12")
    assert "no such file" in cli.refused(4, "show", tmp_path / "absent" / "p12")


@pytest.mark.parametrize(("kind", "curve"), [("p256", "prime256v1"), ("p384", "secp384r1")])
def test_p17_curves_are_named_never_spelled_out(cli, home, kind, curve):
    """pem's default, secp256k1 with explicit parameters, is unusable in browsers."""
    cli.good("generate", "--key-type", kind)

    assert f"ASN1 OID: {curve}" in openssl("pkey", "-in", home / "localhost.key", "-text", "-noout")


def test_p18_a_ca_with_a_window_of_its_own(cli, home):
    cli.good("generate", "--ca", "a.test", "--days", "7")

    facts = read_facts_file(home / "a_test.crt")
    assert (facts.not_after - facts.not_before).days == 7
    assert openssl("verify", "-CAfile", home / "_local_ca.crt", home / "a_test.crt")


def test_p19_no_error_holds_key_text(cli, tmp_path):
    """code-server with pem printed a whole private key into the log (its issue 5162)."""
    key = pem(KEY).decode()
    body = f"case $1 in version) echo 'OpenSSL 3.0.1';; *) cat <<'END'\n{key}END\nexit 1;; esac"

    finished = cli("generate", "--openssl", stub(tmp_path / "bin", body))

    assert finished.code == 3
    assert "BEGIN" not in finished.out + finished.err
    assert key.splitlines()[1] not in finished.out + finished.err


def test_p20_conversions_and_a_missing_file(cli, home, tmp_path):
    cli.good("generate")
    for form, arguments in (
        ("der", ["x509", "-inform", "DER", "-noout", "-subject"]),
        ("p7b", ["pkcs7", "-noout"]),
        ("pem", ["x509", "-noout"]),
    ):
        cli.good("export", "--format", form, "--out", tmp_path / form)
        openssl(*arguments, "-in", tmp_path / form)

    assert "no certificate is kept" in cli.refused(4, "export", "b.test", "--format", "der")


@pytest.mark.parametrize("days", ["0", "abc", "-1", "100000"])
def test_p21_days_that_are_none(cli, home, days):
    assert cli("generate", "--days", days).code == 2
    assert not home.exists()


def test_p22_an_address_keeps_every_extension(cli, home):
    """pem drops CA:true and serverAuth for an IP address."""
    cli.good("generate", "10.0.0.1")

    assert_self_signed(home / "10_0_0_1.crt", ["10.0.0.1", *LOOPBACK])


def test_p23_a_name_too_long_for_a_subject(cli, home):
    host = f"{'a' * 60}.{'b' * 60}.test"
    cli.good("generate", host)

    (path,) = home.glob("*.crt")
    assert read_facts_file(path).subject == "CN=openssl-serve"
    assert_self_signed(path, [host, *LOOPBACK])


def test_p24_a_broken_configuration_of_the_system(cli, home, monkeypatch):
    monkeypatch.setenv("OPENSSL_CONF", "/nowhere/openssl.cnf")
    monkeypatch.setenv("SSLEAY_CONF", "/nowhere/openssl.cnf")

    cli.good("generate", "a.test")

    assert_self_signed(home / "a_test.crt", NAMES)


def test_p25_no_key_is_ever_readable_by_others(cli, home, tmp_path, open_umask):
    """Looked at from inside, before and after every call; pem's lie in /tmp with mode 0644."""
    seen = tmp_path / "seen"
    look = f'find "{home}" -name "*key*" -printf "%m %p\\n" -o -type d -printf "%m %p\\n"'
    body = f'{look} >>{seen} 2>/dev/null\n$REAL "$@"; status=$?\n{look} >>{seen}\nexit $status'

    cli.good("generate", "a.test", "--openssl", stub(tmp_path / "bin", body))

    modes = {tuple(line.split(" ", 1)) for line in seen.read_text().splitlines()}
    assert {mode for mode, path in modes if path.endswith("key.pem")} == {"600"}
    assert {mode for mode, path in modes if not path.endswith("key.pem")} == {"700"}
    assert_pair(home / "a_test.crt", home / "a_test.key")
