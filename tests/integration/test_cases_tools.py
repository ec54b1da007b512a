"""Cases from the tests and troubles of other certificate tools: section 6 of the reference.

What is about trust stores is with trust/, what is about flavours in test_flavours.py.
"""

import ssl

import pytest
from certificates import (
    CA_TRUE,
    DAY,
    KEY,
    LOOPBACK,
    NOW,
    handshake,
    key_usage,
    load,
    make,
    names_of,
    openssl,
    ours,
    write,
)  # fmt: skip
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from openssl_serve.certs.custom import load_custom
from openssl_serve.certs.judgement import judge
from openssl_serve.certs.profile import CertificateProfile
from openssl_serve.hosts import HostKind, parse_host
from openssl_serve.paths import data_folder


class TestTrustme:
    @pytest.mark.parametrize(
        ("typed", "san"),
        [
            ("example.org", "example.org"),
            ("*.example.org", "*.example.org"),
            ("éxamplë.org", "xn--xampl-9rat.org"),
            ("*.éxamplë.org", "*.xn--xampl-9rat.org"),
            ("faß.de", "xn--fa-hia.de"),
            ("Königsgäßchen.de", "xn--knigsgchen-b4a3dun.de"),
            ("127.0.0.1", "127.0.0.1"),
            ("::1", "::1"),
            ("0000::1", "::1"),
        ],
    )
    def test_names_become_san_entries(self, cli, home, typed, san):
        path = cli.good("generate", typed).lines[0]

        assert names_of(load(path))[0] == san
        kind = x509.IPAddress if parse_host(typed).kind is HostKind.IP else x509.DNSName
        entries = load(path).extensions.get_extension_for_class(x509.SubjectAlternativeName)
        assert isinstance(next(iter(entries.value)), kind)

    def test_an_address_of_mail_is_refused(self, cli):
        assert "e-mail" in cli.refused(2, "generate", "example@example.com")

    def test_the_order_is_kept(self, cli, home):
        cli.good("generate", "c.test", "10.0.0.1", "a.test", "b.test")

        assert names_of(load(home / "c_test.crt")) == [
            "c.test", "10.0.0.1", "a.test", "b.test", *LOOPBACK,
        ]  # fmt: skip

    def test_a_target_that_is_no_folder_leaves_no_file(self, cli, home, tmp_path):
        (tmp_path / "file").touch()

        for target in (tmp_path / "file", tmp_path / "absent"):
            assert "is not a folder" in cli.refused(2, "generate", "--out", target)
        assert not home.exists()

    @pytest.mark.parametrize("kind", ["p256", "rsa2048"])
    def test_right_host_and_ca_and_no_other(self, cli, home, kind):
        cli.good("generate", "--ca", "a.test", "--key-type", kind)
        pair = home / "a_test.crt", home / "a_test.key"
        other = write(home / "other.pem", ours())

        assert handshake(*pair, "a.test", home / "_local_ca.crt")
        with pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"):
            handshake(*pair, "b.test", home / "_local_ca.crt")
        with pytest.raises(ssl.SSLCertVerificationError):
            handshake(*pair, "a.test", other)

    def test_a_client_of_the_standard_library_sees_the_names(self, cli, home):
        cli.good("generate", "my-test-host.example.org")

        stem = home / "my-test-host_example_org"
        seen = handshake(stem.with_suffix(".crt"), stem.with_suffix(".key"), "localhost")
        assert seen["subjectAltName"][0] == ("DNS", "my-test-host.example.org")


class TestMkcert:
    def test_file_names(self, cli, home):
        assert cli.good("generate", "münchen.test").lines[0] == f"{home}/xn--mnchen-3ya_test.crt"
        assert cli.good("generate", "*.a.test").lines[0] == f"{home}/*_a_test.crt"
        assert cli.good("generate", "::1").lines[0] == f"{home}/%3A%3A1.crt"

    def test_a_bad_host_is_quoted(self, cli):
        assert '"bad host"' in cli.refused(2, "generate", "bad host")

    def test_where_the_data_is(self, monkeypatch, tmp_path):
        """CAROOT, XDG_DATA_HOME, HOME there."""
        monkeypatch.setenv("OPENSSL_SERVE_HOME", str(tmp_path / "a"))
        assert data_folder() == tmp_path / "a"

    def test_a_ca_without_its_key(self, cli, home):
        cli.good("generate", "--ca")
        (home / "_local_ca.key").unlink()

        assert "the key of the local CA is missing" in cli.refused(4, "generate", "--ca", "a.test")
        cli.good("generate", "--self-signed", "a.test")

    def test_lifetime_and_serial(self, cli, home):
        cli.good("generate", "--days", "824")
        certificate = load(home / "localhost.crt")

        assert (certificate.not_valid_after_utc - certificate.not_valid_before_utc).days < 825
        assert 0 < certificate.serial_number < 1 << 128

    def test_a_ca_given_as_the_servers_certificate(self, tmp_path):
        """Its issue 161: rootCA.pem was served."""
        usage = key_usage("key_cert_sign", "crl_sign")
        cert = write(tmp_path / "ca", make(CA_TRUE, usage, names=()))

        found = load_custom(cert, write(tmp_path / "key", KEY))

        assert any("a CA's certificate, not a server's" in text for text in found.warnings)


class TestMinica:
    def test_a_leaf_is_never_overwritten_silently(self, cli, home, tmp_path):
        cli.good("generate", "--out", tmp_path)

        assert "exists already" in cli.refused(2, "generate", "--out", tmp_path)


class TestPortless:
    def why(self, tmp_path, certificate):
        cert, key = write(tmp_path / "a.crt", certificate), write(tmp_path / "a.key", KEY)
        return judge(cert, key, CertificateProfile((parse_host("a.test"),)), None).because

    def test_the_expiry_buffer(self, tmp_path):
        assert "due" in (self.why(tmp_path, ours(start=NOW - 300 * DAY, end=NOW + 7 * DAY)) or "")
        assert self.why(tmp_path, ours(start=NOW - 300 * DAY, end=NOW + 31 * DAY)) is None

    def test_a_missing_name(self, tmp_path):
        assert self.why(tmp_path, ours(names=["b.test"])) == "names not covered: a.test"

    def test_a_sha1_signature(self, tmp_path):
        """Signed by openssl: cryptography refuses to."""
        write(tmp_path / "k", KEY)
        (tmp_path / "c").write_text(
            "[req]\nprompt=no\ndistinguished_name=d\nx509_extensions=e\n[d]\nCN=a.test\n[e]\n"
            "basicConstraints=CA:TRUE\nextendedKeyUsage=serverAuth\nsubjectAltName=DNS:a.test\n"
        )
        openssl(
            "req", "-new", "-x509", "-sha1", "-days", "90", "-key", tmp_path / "k", "-config",
            tmp_path / "c", "-out", tmp_path / "sha1.pem",
        )  # fmt: skip

        why = self.why(tmp_path, load(tmp_path / "sha1.pem"))

        assert why == "it is signed with ECDSA with SHA-1"

    def test_a_host_of_253_characters(self, cli, home):
        host = ".".join(["a" * 63, "b" * 63, "c" * 63, "d" * 61])
        assert len(host) == 253

        cli.good("generate", host)

        (key,) = home.glob("*.key")
        assert len(key.name.encode()) <= 255

    @pytest.mark.parametrize("name", ["ho.me", "with space", "ä", "-dash", "a'b", "a;b"])
    def test_a_home_with_a_dot_or_anything_else(self, cli, tmp_path, monkeypatch, name):
        """With -CAcreateserial, LibreSSL derives a wrong file name from a dot."""
        home = tmp_path / name
        monkeypatch.setenv("OPENSSL_SERVE_HOME", str(home))

        cli.good("generate", "--ca", "a.test")

        assert handshake(home / "a_test.crt", home / "a_test.key", "a.test", home / "_local_ca.crt")
        cli.good("verify", "a.test")


class TestOurLab:
    def test_03_a_wildcard_on_one_label_and_on_two(self, cli, home):
        assert "single label" in cli.refused(2, "generate", "*.localhost")
        cli.good("generate", "*.app.localhost")
        pair = home / "*_app_localhost.crt", home / "*_app_localhost.key"
        assert handshake(*pair, "x.app.localhost")

    def test_04_more_than_824_days(self, cli, home):
        assert "iPhones and Macs refuse" in cli.refused(2, "generate", "--days", "825")
        assert not home.exists()

    def test_10_nothing_asks_openssl_about_hosts(self, cli, home, tmp_path):
        """x509 -checkhost leaves with 0 on a mismatch before 3.5."""
        key = ec.generate_private_key(ec.SECP256R1())
        write(home / "a_test.crt", ours(names=["b.test"], key=key))
        write(home / "a_test.key", key)

        finished = cli("verify", "a.test")

        assert "checkhost" not in finished.out
        assert "not for a.test, only b.test" in finished.out
