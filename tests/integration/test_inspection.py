"""show and verify: on a host, a file, a server; and when openssl and we do not agree."""

import ipaddress
import json
import os
import socket
import subprocess
import threading

import pytest
from certificates import (  # fmt: skip
    CA_FALSE,
    CA_TRUE,
    DAY,
    KEY,
    NAMES,
    NOW,
    SERVER,
    load,
    make,
    ours,
    write,
)
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from stubs import libressl, stub

from openssl_serve import ensure_certificate

OTHER = ec.generate_private_key(ec.SECP256R1())


@pytest.fixture
def kept(cli, home):
    cli.good("generate", "a.test")
    return home / "a_test.crt"


def checks(finished):
    value = json.loads(finished.out)
    assert value["schema"] == 1
    return {check["name"]: check for check in value["checks"]}


class TestShow:
    def test_a_host(self, cli, kept):
        out = cli.good("show", "a.test").out

        for part in (
            "a.test, localhost, 127.0.0.1, ::1",
            "self-signed",
            "364",
            "EC P-256",
            str(kept),
        ):
            assert part in out
        assert "no   Firefox " in out
        assert "yes  Safari" in out

    def test_a_file_with_a_chain(self, cli, tmp_path):
        path = write(
            tmp_path / "chain.pem", make(CA_FALSE, SERVER, issuer="ca"), make(subject="ca")
        )

        out = cli.good("show", path).out

        assert "certificate 1 of 2" in out
        assert "CN=ca" in out

    def test_a_server(self, cli, kept, served):
        port = served(kept, kept.with_suffix(".key"))

        out = cli.good("show", f"localhost:{port}").out

        assert "a.test, localhost" in out

    def test_json(self, cli, kept):
        value = json.loads(cli.good("show", "a.test", "--json").out)

        assert value["schema"] == 1
        assert value["cert_path"] == str(kept)
        assert value["chain"][0]["dns_names"] == ["a.test", "localhost"]
        families = {client["family"]: client["can_trust"] for client in value["clients"]}
        assert families["Firefox"] is False
        assert families["Chrome, Edge"] is True

    @pytest.mark.parametrize(
        ("what", "code", "part"),
        [
            ("b.test", 4, "no certificate is kept for b.test"),
            ("/nowhere/x.pem", 4, "/nowhere/x.pem: no such file"),
            ("x.pem", 4, "x.pem: no such file"),
            ("X.CRT", 4, "X.CRT: no such file"),
            ("https://localhost:8080/a", 2, '"https://localhost:8080/a" is a URL'),
            ("https://[::1", 2, "is a URL"),
            ("localhost:99999", 2, "is not a port"),
            ("localhost:0", 2, "port 0"),
            ("a..b", 2, "label 2 is empty"),
            ("x.invalid:443", 4, "no answer from x.invalid:443"),
        ],
    )
    def test_refusals(self, cli, home, what, code, part):
        assert part in cli.refused(code, "show", what)
        assert not home.exists()

    def test_one_that_is_for_later(self, cli, tmp_path):
        path = write(tmp_path / "a.pem", make(start=NOW + DAY, end=NOW + 9.5 * DAY))

        assert "days left  9 not valid yet\n" in cli.good("show", path).out

    def test_a_url_is_a_server(self, cli):
        for url, place in {
            "https://a.test/x": "a.test:443",
            "https://[::1]:8080": "[::1]:8080",
        }.items():
            assert f"hint: its server: {place}\n" in cli("show", url).err

    def test_a_fifo_is_not_waited_for(self, cli, tmp_path, monkeypatch):
        """A name in this folder that exists is a file's, whatever it is."""
        monkeypatch.chdir(tmp_path)
        os.mkfifo("pipe")
        (tmp_path / "a.test").mkdir()

        assert cli.refused(4, "show", "pipe") == f"{tmp_path}/pipe is not a regular file"
        assert "no certificate is kept for a.test" in cli.refused(4, "show", "a.test")

    def test_the_issuer_is_found_wherever_it_stands(self, cli, tmp_path):
        """And a leaf that is there twice is not its own."""
        ca_key = ec.generate_private_key(ec.SECP256R1())
        ca = make(CA_TRUE, names=(), subject="ca", key=ca_key)
        aki = x509.AuthorityKeyIdentifier(b"1", None, None)
        leaf = make(CA_FALSE, SERVER, aki, issuer="ca", signed_by=ca_key)
        write(tmp_path / "a.pem", leaf, leaf, ca)

        clients = json.loads(cli.good("show", tmp_path / "a.pem", "--json").out)["clients"]
        strict = next(found for found in clients if "strict" in found["family"])

        assert strict["because"] == "CA cert does not include key usage extension"
        write(tmp_path / "a.pem", leaf, leaf)
        clients = json.loads(cli.good("show", tmp_path / "a.pem", "--json").out)["clients"]
        assert all(found["can_trust"] for found in clients)

    def test_a_server_without_tls_and_one_that_is_not_there(self, cli):
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]

            def answer():
                connection, _ = listener.accept()
                with connection:
                    connection.recv(5)
                    connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
                    connection.recv(1000)

            thread = threading.Thread(target=answer)
            thread.start()
            error = cli.refused(4, "show", f"127.0.0.1:{port}")
            thread.join()
        assert error == f"127.0.0.1:{port} does not speak TLS"
        assert "refused" in cli.refused(4, "show", f"127.0.0.1:{port}")


class TestVerify:
    def test_a_host_by_every_check(self, cli, kept):
        finished = cli.good("verify", "a.test")

        assert [line.split()[1] for line in finished.lines if line.startswith("ok")] == [
            "dates", "names", "strength", "purpose", "reading", "chain", "key", "modes",
        ]  # fmt: skip
        command = "openssl verify -x509_strict -purpose sslserver -check_ss_sig"
        assert f"$ {command} -CAfile {kept} {kept}" in finished.out
        assert "FAIL" not in finished.out

    def test_a_leaf(self, cli, home):
        cli.good("generate", "--ca", "a.test")

        found = checks(cli.good("verify", "a.test", "--json"))

        assert str(home / "_local_ca.crt") in found["chain"]["command"]

    def test_in_a_folder_whose_name_is_not_utf_8(self, cli, tmp_path, monkeypatch):
        folder = tmp_path / os.fsdecode(b"d\xff")
        try:
            folder.mkdir()
        except OSError:
            pytest.skip("file names are UTF-8 here, as on macOS")
        monkeypatch.setenv("OPENSSL_SERVE_HOME", str(folder))
        ensure_certificate("a.test")

        found = checks(cli.good("verify", "a.test", "--json"))

        assert found["chain"]["good"]

    def test_with_libressl(self, cli, kept, tmp_path):
        cli.good("verify", "a.test", "--openssl", libressl(tmp_path / "bin"))

    def test_a_server(self, cli, kept, served):
        port = served(kept, kept.with_suffix(".key"))

        for host in ("localhost", "127.0.0.1"):
            found = checks(cli.good("verify", f"{host}:{port}", "--json"))

            assert found["handshake"]["says"].startswith("TLSv1.3, ")
            assert found["server"]["good"]
            assert "s_client" in found["server"]["command"]

    def test_a_server_that_nobody_trusts_until_told_to(self, cli, served, tmp_path):
        cert, key = write(tmp_path / "c", ours(names=NAMES)), write(tmp_path / "k", KEY)
        port = served(cert, key)

        finished = cli("verify", f"localhost:{port}", "--json")

        assert finished.code == 4
        assert "self-signed certificate" in checks(finished)["handshake"]["says"]
        cli.good("verify", f"localhost:{port}", "--ca", cert)

    @pytest.mark.parametrize(
        ("change", "says"),
        [
            ("s/Verify return code: 0/Verify return code: 19/", "we trust it, but openssl says: V"),
            ("/Verify return code/d", "no verdict"),
            ("s/^MII./MIIX/", "another certificate"),
            ("/BEGIN/d", "said nothing"),
        ],
    )
    def test_openssl_seeing_another_server_is_a_failure(
        self, cli, kept, served, tmp_path, change, says
    ):
        port = served(kept, kept.with_suffix(".key"))
        body = f'[ "$1" = s_client ] || exec $REAL "$@"\n$REAL "$@" 2>/dev/null | sed "{change}"'

        finished = cli(
            "verify", f"localhost:{port}", "--json", "--openssl", stub(tmp_path / "bin", body)
        )

        assert finished.code == 4
        found = checks(finished)
        assert found["handshake"]["good"]
        assert says in found["server"]["says"]

    def test_a_server_with_another_name(self, cli, served, tmp_path):
        cert, key = write(tmp_path / "c", ours(names=["b.test"])), write(tmp_path / "k", KEY)
        port = served(cert, key)

        found = checks(cli("verify", f"localhost:{port}", "--ca", cert, "--json"))

        assert found["names"]["says"] == "not for localhost, only b.test"
        assert not found["handshake"]["good"]

    @pytest.mark.parametrize(
        ("certificate", "name", "says"),
        [
            (ours(names=NAMES, end=NOW - DAY / 2), "dates", "expired on"),
            (ours(names=NAMES, start=NOW + DAY), "dates", "not valid before"),
            (ours(names=["b.test"]), "names", "not for a.test, only b.test"),
            (ours(names=[]), "names", "no SAN"),
            (ours(names=NAMES, key=rsa.generate_private_key(65537, 1024)), "strength", "RSA 1024"),
            (
                make(
                    x509.ExtendedKeyUsage([x509.oid.ExtendedKeyUsageOID.CLIENT_AUTH]), names=NAMES
                ),
                "purpose",
                "not for servers, but for clientAuth",
            ),
            (make(CA_FALSE, SERVER, names=NAMES, issuer="ca", signed_by=OTHER), "chain", "error"),
            (ours(names=NAMES, key=OTHER), "key", "does not belong"),
        ],
    )
    def test_every_fault_is_found(self, cli, home, certificate, name, says):
        write(home / "a_test.crt", certificate)
        write(home / "a_test.key", KEY)

        finished = cli("verify", "a.test", "--json")

        assert finished.code == 4
        found = checks(finished)[name]
        assert not found["good"]
        assert says in found["says"]

    def test_names_that_are_no_hosts_are_nothing_to_compare(self, cli, tmp_path):
        """What a mail server or a company's CA puts beside them."""
        others = [x509.RFC822Name("a@b.test"), x509.UniformResourceIdentifier("https://c.test/")]
        san = [*others, x509.DNSName("a.test"), x509.IPAddress(ipaddress.ip_address("::1"))]
        path = write(tmp_path / "a.pem", make(x509.SubjectAlternativeName(san), names=()))
        only = write(tmp_path / "b.pem", make(x509.SubjectAlternativeName(others), names=()))

        assert checks(cli("verify", path, "--json"))["reading"]["good"]
        assert checks(cli("verify", only, "--json"))["reading"]["good"]

    @pytest.mark.parametrize("content", [None, b"", b"hello"])
    def test_a_ca_that_cannot_be_read(self, cli, kept, served, tmp_path, content):
        path = tmp_path / "ca.pem"
        if content is not None:
            path.write_bytes(content)

        port = served(kept, kept.with_suffix(".key"))

        for what in ("a.test", f"localhost:{port}"):
            assert str(path) in cli.refused(4, "verify", what, "--ca", path)

    def test_a_signature_that_is_none(self, cli, kept):
        """Even in a self-signed certificate, which is trusted without it."""
        data = bytearray(load(kept).public_bytes(serialization.Encoding.DER))
        data[-1] ^= 1
        write(kept, x509.load_der_x509_certificate(bytes(data)))

        finished = cli("verify", "a.test", "--json")

        assert finished.code == 4
        assert not checks(finished)["chain"]["good"]

    def test_a_key_that_others_can_read(self, cli, kept):
        key = kept.with_suffix(".key")
        key.chmod(0o640)

        finished = cli("verify", "a.test")

        assert finished.code == 4
        assert f"{key} has mode 0640: chmod 600 {key}" in finished.out

    @pytest.mark.parametrize(
        ("change", "says"),
        [
            ("s/DNS:a.test/DNS:b.test/", "names: "),
            ("s/^serial=./serial=0/", "serial: 0"),
            (
                "s/^notAfter=.*/notAfter=Jan  1 00:00:00 2030 GMT/",
                "end: 2030-01-01 00:00:00 to openssl",
            ),
            ("s/CA:TRUE/CA:FALSE/", "CA: FALSE to openssl, TRUE to us"),
            ("s/ingerprint=../ingerprint=00/", "fingerprint: 00:"),
            ("/PUBLIC KEY/d", "public key: nothing to openssl"),
        ],
    )
    def test_when_openssl_reads_otherwise_that_is_a_failure(
        self, cli, kept, tmp_path, change, says
    ):
        body = f'[ "$1" = x509 ] || exec $REAL "$@"\n$REAL "$@" | sed "{change}"'
        tool = stub(tmp_path / "bin", body)

        finished = cli("verify", "a.test", "--json", "--openssl", tool)

        assert finished.code == 4
        assert says in checks(finished)["reading"]["says"]
        assert [name for name, check in checks(finished).items() if not check["good"]] == [
            "reading"
        ]

    @pytest.mark.parametrize("subcommand", ["x509", "verify", "pkey"])
    @pytest.mark.parametrize("body", ["exit 0", "echo 'invalid command' >&2; exit 0", "exit 1"])
    def test_an_openssl_that_does_nothing_confirms_nothing(
        self, cli, kept, tmp_path, subcommand, body
    ):
        """Our lab's case 8: LibreSSL leaves with 0 after an unknown subcommand."""
        tool = stub(tmp_path / "bin", f'[ "$1" = {subcommand} ] || exec $REAL "$@"\n{body}')

        assert cli("verify", "a.test", "--openssl", tool).code == 4

    def test_a_hostile_config_in_this_folder_is_not_read(self, cli, kept, tmp_path, monkeypatch):
        (tmp_path / "openssl.cnf").write_text("]]]")
        monkeypatch.chdir(tmp_path)
        monkeypatch.setenv("OPENSSL_CONF", str(tmp_path / "openssl.cnf"))

        cli.good("verify", "a.test")

    def test_an_ed25519_certificate_and_an_ip(self, cli, home):
        key = ed25519.Ed25519PrivateKey.generate()
        write(home / "10_0_0_1.crt", ours(names=["10.0.0.1", "fe80::1"], key=key))
        write(home / "10_0_0_1.key", key)

        assert checks(cli("verify", "10.0.0.1", "--json"))["reading"]["good"]


def test_explain_prints_what_verify_asks_and_it_can_be_pasted(cli, kept, served, tmp_path):
    port = served(kept, kept.with_suffix(".key"))

    for what in ("a.test", f"localhost:{port}"):
        script = cli.good("verify", what, "--explain").out

        done = subprocess.run(
            ["sh", "-eu"], input=script.encode(), capture_output=True, check=False
        )
        assert b"error" not in done.stderr.lower()
        found = checks(cli("verify", what, "--json"))
        asked = [check["command"] for check in found.values()]
        assert script.splitlines() == [command for command in asked if command]


@pytest.mark.parametrize("reply", [b"", b"\x15\x03\x03\x00\x02\x02\x28"])
def test_a_server_that_hangs_up_or_refuses(cli, reply):
    """Nothing at all, and the alert handshake_failure."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]

        def refuse():
            connection, _ = listener.accept()
            with connection:
                connection.recv(4096)
                connection.sendall(reply)

        thread = threading.Thread(target=refuse)
        thread.start()
        error = cli.refused(4, "show", f"127.0.0.1:{port}")
        thread.join()

    assert "the TLS handshake: " in error
