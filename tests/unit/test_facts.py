import datetime as dt
from contextlib import suppress
from pathlib import Path

import pytest
from certificates import (
    CA_FALSE,
    CA_TRUE,
    DAY,
    KEY,
    NOW,
    SERVER,
    element,
    key_usage,
    make,
    ours,
    pem,
    write,
)
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from hypothesis import given
from hypothesis import strategies as st

from openssl_serve.certs import der as der_module
from openssl_serve.certs import pem as pem_module
from openssl_serve.certs.facts import facts_of, read_certificates, read_chain_file, read_facts_file
from openssl_serve.certs.meaning import describe_key, read_extensions
from openssl_serve.certs.profile import Shape
from openssl_serve.certs.x509 import Extension
from openssl_serve.errors import CertificateError
from openssl_serve.hosts import parse_host


def der(certificate):
    return certificate.public_bytes(serialization.Encoding.DER)


def facts(*extensions, **options):
    return facts_of(der(make(*extensions, **options)))


def test_the_facts_of_our_shape():
    certificate = ours(names=("a.test", "*.b.test", "127.0.0.1", "::1"))

    found = facts_of(der(certificate))

    assert (found.subject, found.issuer, found.is_self_signed) == ("CN=a.test", "CN=a.test", True)
    assert found.dns_names == ("a.test", "*.b.test")
    assert found.ip_addresses == ("127.0.0.1", "::1")
    assert found.names == ("a.test", "*.b.test", "127.0.0.1", "::1")
    assert (found.not_before, found.not_after) == (NOW - DAY, NOW + 90 * DAY)
    assert int(found.serial, 16) == certificate.serial_number
    assert (
        found.fingerprint.replace(":", "") == certificate.fingerprint(hashes.SHA256()).hex().upper()
    )
    assert (found.key, found.signature) == ("EC P-256", "ECDSA with SHA-256")
    assert (found.is_ca, found.shape) == (True, Shape.SELF_SIGNED)
    assert found.extensions.present == ("subjectAltName", "basicConstraints", "extendedKeyUsage")
    assert found.extensions.critical == ("basicConstraints",)
    assert found.extensions.extended_key_usage == ("serverAuth",)


def test_identifiers_and_usages_and_constraints():
    usage = key_usage(
        "digital_signature", "key_encipherment", "key_cert_sign", "key_agreement", "decipher_only"
    )
    key_id = x509.SubjectKeyIdentifier.from_public_key(KEY.public_key())

    found = facts(
        usage, key_id, x509.AuthorityKeyIdentifier(b"\x01\xab", None, None),
        x509.BasicConstraints(ca=True, path_length=3),
    ).extensions  # fmt: skip

    assert found.key_usage == (
        "digitalSignature", "keyEncipherment", "keyAgreement", "keyCertSign", "decipherOnly",
    )  # fmt: skip
    assert found.subject_key_id.replace(":", "") == key_id.digest.hex().upper()
    assert found.authority_key_id == "01:AB"
    assert found.path_length == 3


@pytest.mark.parametrize(
    ("key", "described", "signature"),
    [
        (ec.generate_private_key(ec.SECP384R1()), "EC P-384", "ECDSA with SHA-256"),
        (ec.generate_private_key(ec.SECP521R1()), "EC P-521", "ECDSA with SHA-256"),
        (rsa.generate_private_key(65537, 2048), "RSA 2048", "RSA with SHA-256"),
        (rsa.generate_private_key(65537, 1024), "RSA 1024", "RSA with SHA-256"),
        (ed25519.Ed25519PrivateKey.generate(), "Ed25519", "Ed25519"),
    ],
)
def test_keys_are_described(key, described, signature):
    found = facts(key=key)

    assert (found.key, found.signature) == (described, signature)


def test_a_name_is_shown_in_its_order_and_with_nothing_unprintable():
    """P8: Russian and Chinese subjects are read back intact."""
    oid = x509.oid.NameOID
    name = x509.Name(
        [
            x509.NameAttribute(oid.COUNTRY_NAME, "DE"),
            x509.NameAttribute(oid.ORGANIZATION_NAME, "Наша, фирма 公司"),
            x509.NameAttribute(oid.COMMON_NAME, "a\x1b[31m\n\\b"),
        ]
    )
    certificate = (
        x509.CertificateBuilder(name, name, KEY.public_key(), 1, NOW, NOW + DAY)
    ).sign(KEY, hashes.SHA256())  # fmt: skip

    assert facts_of(der(certificate)).subject == "C=DE, O=Наша\\, фирма 公司, CN=a\\x1b[31m\\n\\\\b"


def test_an_empty_name_is_empty():
    assert facts(subject="").subject == ""


@pytest.mark.parametrize(
    ("certificate", "shape"),
    [
        (ours(), Shape.SELF_SIGNED),
        (make(CA_TRUE), None),
        (make(CA_TRUE, SERVER, names=()), None),
        (make(CA_FALSE, SERVER), None),
        (make(SERVER), None),
        (make(CA_FALSE, SERVER, issuer="ca", signed_by=KEY), None),
        (
            make(
                CA_FALSE,
                SERVER,
                x509.AuthorityKeyIdentifier(b"1", None, None),
                issuer="ca",
                signed_by=KEY,
            ),
            Shape.LEAF,
        ),
    ],
)
def test_the_shapes_that_we_make_are_recognised(certificate, shape):
    assert facts_of(der(certificate)).shape is shape


@pytest.mark.parametrize(
    ("names", "host", "covered"),
    [
        (("a.test",), "a.test", True),
        (("A.Test",), "a.test", True),
        (("a.test",), "b.a.test", False),
        (("*.a.test",), "b.a.test", True),
        (("*.a.test",), "c.b.a.test", False),
        (("*.a.test",), "a.test", False),
        (("*.a.test",), "*.a.test", True),
        (("*.localhost",), "a.localhost", False),  # no client accepts it
        (("f*.a.test",), "foo.a.test", False),
        (("127.0.0.1",), "127.0.0.1", True),
        (("127.0.0.1",), "127.0.0.2", False),
        (("::1",), "0::1", True),
        ((), "a.test", False),  # only the common name says so
    ],
)
def test_which_hosts_it_is_for(names, host, covered):
    assert facts(names=names).covers(parse_host(host)) is covered


def test_an_address_written_as_a_name_counts_for_no_client():
    certificate = make(x509.SubjectAlternativeName([x509.DNSName("127.0.0.1")]), names=())

    assert not facts_of(der(certificate)).covers(parse_host("127.0.0.1"))


@pytest.mark.parametrize(
    ("life", "due_at"), [(365, 335), (90, 60), (30, 20), (14, 14 * 2 / 3), (3650, 3620)]
)
def test_due_in_the_last_third_or_the_last_thirty_days(life, due_at):
    found = facts(start=NOW, end=NOW + life * DAY)

    assert not found.due(NOW + (due_at - 0.01) * DAY)
    assert found.due(NOW + (due_at + 0.01) * DAY)


def test_days_left_and_the_last_second():
    found = facts(end=NOW + DAY)

    assert found.days_left(NOW) == 1
    assert found.days_left(NOW + dt.timedelta(seconds=1)) == 0
    assert found.days_left(NOW + 3 * DAY) == -2
    assert not found.expired(NOW + DAY)
    assert found.expired(NOW + DAY + dt.timedelta(seconds=1))


def test_a_chain_is_read_whole_and_its_first_is_the_one(tmp_path):
    leaf, ca = make(subject="leaf"), make(subject="ca")
    path = write(tmp_path / "chain.pem", leaf, KEY, ca)

    assert [found.subject for found in read_chain_file(path)] == ["CN=leaf", "CN=ca"]
    assert [data for data, _ in read_certificates(path)] == [der(leaf), der(ca)]
    assert read_facts_file(path).subject == "CN=leaf"


@pytest.mark.parametrize(
    "name", ["a.test", "Doe, CN=Jane", "a\\", "a\\, CN=b", ", CN=", "a\nb", ""]
)
def test_the_common_name_is_all_of_it(name):
    """However much it looks like several."""
    escaped = name.replace("\\", "\\\\").replace(",", "\\,").replace("\n", "\\n")

    assert facts(subject=name).common_name == escaped
    assert facts(subject=name).subject == (f"CN={escaped}" if name else "")


@pytest.mark.parametrize("cut", [1, 10, 100, 300])
def test_a_damaged_certificate_is_refused(cut):
    with pytest.raises(CertificateError):
        facts_of(der(make())[:-cut])


@given(st.data())
def test_whatever_comes_only_a_certificate_error_leaves(data):
    """A real certificate with bytes exchanged reaches every branch of the reader."""
    damaged = bytearray(GOOD)
    for _ in range(data.draw(st.integers(1, 4))):
        damaged[data.draw(st.integers(0, len(GOOD) - 1))] = data.draw(st.integers(0, 255))
    with suppress(CertificateError):
        facts_of(bytes(damaged))


GOOD = der(
    make(
        CA_TRUE, SERVER, x509.SubjectKeyIdentifier(b"12345"), names=("a.test", "127.0.0.1"),
        key=KEY,
    )
)  # fmt: skip


@given(st.binary(max_size=400))
def test_any_bytes_at_all(data):
    with suppress(CertificateError):
        facts_of(data)


LABEL = st.from_regex(r"[a-z]([a-z0-9-]{0,20}[a-z0-9])?", fullmatch=True)


@given(
    names=st.lists(st.lists(LABEL, min_size=2, max_size=4).map(".".join), max_size=5),
    addresses=st.lists(st.ip_addresses(), max_size=4),
    start=st.datetimes(dt.datetime(1951, 1, 1), dt.datetime(2100, 1, 1)),  # noqa: DTZ001
    serial=st.integers(1, (1 << 159) - 1),
    subject=st.text(st.characters(codec="utf-8", categories=("L", "N", "P", "S")), max_size=16),
)
def test_we_read_what_cryptography_wrote(names, addresses, start, serial, subject):
    start = start.replace(microsecond=0)
    san = [*map(x509.DNSName, names), *map(x509.IPAddress, addresses)]
    name = x509.Name([x509.NameAttribute(x509.oid.NameOID.COMMON_NAME, subject)] if subject else [])
    builder = x509.CertificateBuilder(name, name, KEY.public_key(), serial, start, start + DAY)
    if san:
        builder = builder.add_extension(x509.SubjectAlternativeName(san), critical=not subject)

    found = facts_of(der(builder.sign(KEY, hashes.SHA256())))

    assert found.dns_names == tuple(names)
    assert found.ip_addresses == tuple(address.compressed for address in addresses)
    assert int(found.serial, 16) == serial
    assert len(found.serial) % 2 == 0
    assert found.not_before == start.replace(tzinfo=dt.UTC)
    assert found.subject.replace("\\", "") == (f"CN={subject}" if subject else "").replace("\\", "")
    assert all(found.covers(parse_host(name)) for name in names)


def test_a_good_file_is_read(tmp_path):
    path = tmp_path / "cert.pem"
    path.write_bytes(pem(make()))

    assert read_facts_file(path).subject == "CN=a.test"


@pytest.mark.filterwarnings("ignore::cryptography.utils.CryptographyDeprecationWarning")
def test_every_root_of_this_system_reads_as_cryptography_reads_it():
    """Whatever real CAs have put into certificates in thirty years."""
    bundle = Path("/etc/ssl/certs/ca-certificates.crt")
    if not bundle.exists():
        pytest.skip("no bundle here")

    blocks = pem_module.blocks(bundle.read_bytes())

    for block in blocks:
        ours, theirs = facts_of(block.der), x509.load_der_x509_certificate(block.der)
        assert int(ours.serial, 16) == theirs.serial_number
        assert (ours.not_before, ours.not_after) == (
            theirs.not_valid_before_utc, theirs.not_valid_after_utc,
        )  # fmt: skip
        constraints = theirs.extensions.get_extension_for_class(x509.BasicConstraints)
        assert (ours.is_ca, ours.extensions.path_length) == (True, constraints.value.path_length)
        assert ours.extensions.present
        assert len(ours.extensions.present) == len(theirs.extensions)
        critical = sum(found.critical for found in theirs.extensions)
        assert len(ours.extensions.critical) == critical
    assert len(blocks) > 50


def spki(*parts):
    return der_module.read(element(0x30, b"".join(parts)))


def test_a_curve_that_is_spelled_out_and_a_key_that_is_none():
    """pem's default; no TLS client accepts it (RFC 8422 section 5.1.1)."""
    ec_oid = element(0x06, bytes.fromhex("2a8648ce3d0201"))
    bits = element(0x03, b"\x00\x04")

    explicit = element(0x30, ec_oid + element(0x30, b""))
    assert describe_key(spki(explicit, bits)) == "EC with explicit parameters"
    assert describe_key(spki(element(0x30, element(0x06, b"\x2a\x03")), bits)) == "1.2.3"
    with pytest.raises(CertificateError, match="does not have two parts"):
        describe_key(spki(explicit))


@pytest.mark.parametrize("length", [0, 3, 5, 17])
def test_an_address_of_another_length_is_refused(length):
    san = element(0x30, element(0x87, bytes(length)))

    with pytest.raises(CertificateError, match="neither 4 nor 16 bytes"):
        read_extensions({"2.5.29.17": Extension(critical=False, value=san)})


def test_constraints_of_every_kind():
    def subtree(tag, content):
        return element(0x30, element(tag, content))

    permitted = element(
        0xA0,
        subtree(0x82, b"test") + subtree(0x87, b"\x7f\0\0\1" + b"\xff" * 4)
        + subtree(0x87, b"\x0a\0\0\0\xff\0\0\0") + subtree(0x81, b"me@a") + element(0x30, b"")
        + subtree(0x87, b"\x0a\0\0\0\xff\0\xff\0")
        + subtree(0x87, b"\xfc" + bytes(15) + b"\xfe" + bytes(15)),
    )  # fmt: skip
    excluded = element(0xA1, subtree(0x82, b"evil"))
    value = element(0x30, permitted + excluded)

    found = read_extensions({"2.5.29.30": Extension(critical=True, value=value)})

    assert found.permitted == (
        "test", "127.0.0.1", "10.0.0.0/8", "10.0.0.0/255.0.255.0", "fc00::/7"
    )  # fmt: skip
