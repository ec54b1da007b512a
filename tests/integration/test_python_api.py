"""The Python API as its users have it: certificates, a CA, servers, and real clients for them."""

import datetime as dt
import http.client
import os
import shutil
import socket
import ssl
import subprocess
import tempfile
import threading
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from certificates import KEY, assert_authority, assert_leaf, assert_pair, ours, write
from processes import at_once

import openssl_serve
from openssl_serve import (
    Address,
    CertificateError,
    Credentials,
    InvalidHostError,
    KeyType,
    LocalCA,
    LogFormat,
    OpensslServeError,
    PlainHttp,
    ServerOptions,
    StoreError,
    UsageError,
    ensure_certificate,
    load_certificate,
    make_server,
    running_server,
)

TIMEOUT_S = 10


@pytest.fixture(scope="module")
def ca(tmp_path_factory):
    return LocalCA(tmp_path_factory.mktemp("ca") / "ca")


def handshake(server, client, name):
    """Shake hands over a real connection; what the client sees of the certificate."""
    ours, theirs = socket.socketpair()
    ours.settimeout(TIMEOUT_S)
    theirs.settimeout(TIMEOUT_S)

    def serve():
        try:
            server.wrap_socket(theirs, server_side=True).close()
        except OSError:
            theirs.close()

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        with client.wrap_socket(ours, server_hostname=name) as tls:
            return tls.getpeercert()
    finally:
        ours.close()
        thread.join()


def get(url, context):
    with urllib.request.urlopen(url, context=context, timeout=TIMEOUT_S) as response:
        return response.read()


class TestCertificate:
    def test_is_kept_where_it_is_wanted_and_used_again(self, tmp_path):
        made = ensure_certificate("a.test", folder=tmp_path / "kept")

        again = ensure_certificate("a.test", folder=str(tmp_path / "kept"))

        assert made.cert_path == tmp_path / "kept" / "a_test.crt"
        assert_pair(made.cert_path, made.key_path)
        assert (again.made_because, again.facts) == (None, made.facts)

    def test_is_kept_in_the_data_folder_if_nothing_is_said(self, home):
        assert ensure_certificate().cert_path == home / "localhost.crt"

    def test_a_relative_folder_is_that_of_now(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        made = ensure_certificate(folder="kept")
        monkeypatch.chdir("/")

        assert made.cert_path == tmp_path / "kept" / "localhost.crt"
        assert made.ssl_context()

    def test_makes_contexts_for_both_ends(self, tmp_path):
        made = ensure_certificate("a.test", folder=tmp_path)

        seen = handshake(made.ssl_context(), made.client_context(), "a.test")

        assert ("DNS", "a.test") in seen["subjectAltName"]

    def test_is_trusted_beside_what_a_context_trusts_already(self, tmp_path, ca):
        made = ensure_certificate("a.test", folder=tmp_path)
        context = ca.client_context()
        made.trust(context)

        assert handshake(made.ssl_context(), context, "a.test")
        assert handshake(ca.issue("b.test").ssl_context(), context, "b.test")

    def test_a_leaf_is_trusted_by_its_ca(self, tmp_path):
        ca = LocalCA(tmp_path)
        made = ensure_certificate("a.test", folder=tmp_path)

        assert made.ca_path == ca.cert_path
        assert handshake(made.ssl_context(), made.client_context(), "a.test")
        assert handshake(made.ssl_context(), ca.client_context(), "localhost")

    def test_has_the_days_and_the_key_that_were_asked_for(self, tmp_path):
        made = ensure_certificate("a.test", folder=tmp_path, days=7, key_type=KeyType.P384)

        assert made.facts.key == "EC P-384"
        assert made.facts.not_after - made.facts.not_before == dt.timedelta(days=7)

    def test_one_of_the_users_own_is_the_same_kind_of_thing(self, tmp_path):
        cert = write(tmp_path / "mine.crt", ours(names=("mine.test",)))
        key = write(tmp_path / "mine.key", KEY, password="a word")

        mine = load_certificate(cert, key, lambda: "a word")

        assert isinstance(mine, openssl_serve.Certificate)
        assert handshake(mine.ssl_context(), mine.client_context(), "mine.test")
        assert "a word" not in repr(mine)

    @pytest.mark.parametrize("method", ["ssl_context", "client_context"])
    def test_files_that_are_gone_are_said_to_be(self, tmp_path, method):
        made = ensure_certificate("a.test", folder=tmp_path / "kept")
        shutil.rmtree(tmp_path / "kept")

        with pytest.raises(CertificateError, match=f"{made.cert_path}"):
            getattr(made, method)()

    def test_errors_are_ours_and_say_what_to_do(self, tmp_path):
        (tmp_path / "file").write_bytes(b"")

        with pytest.raises(InvalidHostError) as host:
            ensure_certificate("a b", folder=tmp_path)
        with pytest.raises(UsageError, match="825"):
            ensure_certificate("a.test", folder=tmp_path, days=1000)
        with pytest.raises(StoreError, match=str(tmp_path / "file")):
            ensure_certificate("a.test", folder=tmp_path / "file")
        with pytest.raises(OpensslServeError, match="/nowhere/openssl"):
            ensure_certificate("a.test", folder=tmp_path, openssl="/nowhere/openssl")
        assert host.value.hints


class TestLocalCA:
    def test_is_one_that_every_client_accepts(self, ca):
        assert_authority(ca.cert_path)
        assert_pair(ca.cert_path, ca.key_path)
        assert ca.facts.is_ca

    def test_is_opened_when_it_is_there(self, ca):
        again = LocalCA(str(ca.cert_path.parent))

        assert again.facts == ca.facts
        assert repr(again) == repr(ca) == f"LocalCA('{ca.cert_path.parent}')"

    def test_issues_for_exactly_the_hosts_it_is_asked_for(self, ca):
        leaf = ca.issue("a.test", "*.a.test", "10.0.0.1")

        assert_leaf(leaf.cert_path, ca.cert_path, ["a.test", "*.a.test", "10.0.0.1"])
        assert_pair(leaf.cert_path, leaf.key_path)
        with pytest.raises(ssl.SSLCertVerificationError, match="localhost"):
            handshake(leaf.ssl_context(), ca.client_context(), "localhost")

    def test_more_hosts_are_another_certificate(self, ca):
        """Or a test would see the names that another one has asked for."""
        one = ca.issue("one.test")
        two = ca.issue("one.test", "two.test")

        assert ca.issue("one.test").facts == one.facts
        assert one.facts.names == ("one.test",)
        assert two.facts.names == ("one.test", "two.test")

    def test_issues_for_loopback_if_nothing_is_said(self, ca):
        assert ca.issue().facts.names == ("localhost", "127.0.0.1", "::1")

    def test_the_same_request_is_the_same_certificate(self, ca):
        made = ca.issue("again.test", days=30)

        again = LocalCA(ca.cert_path.parent).issue("again.test", days=30)

        assert made.made_because == "no certificate yet"
        assert again.made_because is None
        assert again.facts == made.facts
        assert ca.issue("again.test", days=31).facts != made.facts
        assert ca.issue("again.test", days=30, key_type=KeyType.P384).facts.key == "EC P-384"
        assert ca.issue("again.test", days=30).facts == made.facts

    def test_a_leaf_says_what_is_to_be_trusted(self, ca):
        leaf = ca.issue("a.test")

        assert leaf.ca_path == ca.cert_path
        assert handshake(leaf.ssl_context(), leaf.client_context(), "a.test")

    def test_its_trust_reaches_what_it_issues_and_nothing_else(self, ca, tmp_path):
        other = LocalCA(tmp_path / "other").issue("a.test")

        with pytest.raises(ssl.SSLCertVerificationError, match="local issuer"):
            handshake(other.ssl_context(), ca.client_context(), "a.test")

    def test_trust_adds_it_to_a_context(self, ca):
        context = ssl.create_default_context()
        before = len(context.get_ca_certs())

        ca.trust(context)

        assert len(context.get_ca_certs()) == before + 1
        assert handshake(ca.issue("a.test").ssl_context(), context, "a.test")

    def test_its_variables_make_programs_trust_it(self, ca, root):
        variables = ca.trust_variables({"PATH": os.environ["PATH"]})

        with running_server(root, certificate=ca.issue()) as server:
            done = subprocess.run(
                ["curl", "-sS", server.url + "a.txt"],
                env={"PATH": os.environ["PATH"], **variables},
                capture_output=True, timeout=TIMEOUT_S, check=True,
            )  # fmt: skip

        assert done.stdout == b"content of a\n"
        assert {"SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "NODE_EXTRA_CA_CERTS"} <= set(variables)

    def test_one_with_constraints_issues_within_them(self, tmp_path):
        ca = LocalCA(tmp_path, permitted=["dev.test", "10.0.0.0/8"])

        assert ca.issue("a.dev.test", "10.1.2.3").facts.names == ("a.dev.test", "10.1.2.3")
        assert ca.issue().facts.names == ("localhost", "127.0.0.1", "::1")
        with pytest.raises(CertificateError, match=r"may not issue for b\.test"):
            ca.issue("b.test")

    def test_one_text_is_one_constraint(self, tmp_path):
        """And not its letters."""
        ca = LocalCA(tmp_path, permitted="dev.test")

        assert ca.issue("a.dev.test").facts.names == ("a.dev.test",)

    def test_a_host_that_is_none_is_refused(self, ca):
        with pytest.raises(InvalidHostError):
            ca.issue("https://a.test")

    def test_eight_processes_share_one(self, tmp_path):
        def work():
            leaf = LocalCA(tmp_path / "ca").issue("a.test", "b.test")
            leaf.ssl_context()
            return f"{LocalCA(tmp_path / 'ca').facts.fingerprint} {leaf.facts.fingerprint}"

        (line,) = set(at_once(8, work))

        assert line == (
            f"{LocalCA(tmp_path / 'ca').facts.fingerprint} "
            f"{LocalCA(tmp_path / 'ca').issue('a.test', 'b.test').facts.fingerprint}"
        )

    def test_a_server_with_its_leaf_is_not_renewed_from_the_command_line(self, ca, root):
        """That would find no CA in the folder of the leaf, and make a self-signed one."""
        with running_server(root, certificate=ca.issue()) as running:
            assert running.server.chores == ()


class TestServerOptions:
    def test_words_are_as_good_as_members(self):
        words: dict[str, Any] = {"plain_http": "refuse", "log_format": "json"}
        options = ServerOptions(**words)

        assert options.plain_http is PlainHttp.REFUSE
        assert options.log_format is LogFormat.JSON

    @pytest.mark.parametrize("name", ["plain_http", "log_format"])
    def test_a_word_that_is_none_is_refused(self, name):
        words: dict[str, Any] = {name: "serv"}

        with pytest.raises(UsageError, match=f'{name} "serv" is not one of '):
            ServerOptions(**words)

    @pytest.mark.parametrize("serve", [PlainHttp.SERVE, "serve"])
    def test_a_password_is_not_asked_for_in_clear(self, serve):
        with pytest.raises(UsageError, match="everybody on the way could read the password"):
            ServerOptions(auth=Credentials("me", "secret"), plain_http=serve)


class TestRunningServer:
    def test_answers_where_it_says(self, root, ca):
        with running_server(root, certificate=ca.issue()) as server:
            assert server.url == f"https://127.0.0.1:{server.address.port}/"
            assert get(server.url + "a.txt", server.client_context()) == b"content of a\n"
            assert get(server.url + "a.txt", ca.client_context()) == b"content of a\n"

        with pytest.raises(urllib.error.URLError, match="refused"):
            get(server.url, server.client_context())

    def test_takes_the_kept_certificate_for_hosts(self, root, home):
        with running_server(root, "a.test") as server:
            assert server.certificate.cert_path == home / "a_test.crt"
            assert get(server.url + "a.txt", server.client_context())

    def test_options_leave_the_port_to_it(self, root, ca):
        options = ServerOptions(plain_http=openssl_serve.PlainHttp.REFUSE)

        with (
            running_server(root, certificate=ca.issue(), options=options) as one,
            running_server(root, certificate=ca.issue(), options=options) as two,
        ):
            assert one.address.port != two.address.port
            client = http.client.HTTPConnection(*one.address, timeout=TIMEOUT_S)
            client.request("GET", "/")
            assert client.getresponse().status == 426
            client.close()

    @pytest.mark.parametrize(
        ("host", "names", "url"),
        [
            ("0.0.0.0", (), "https://127.0.0.1:{}/"),
            ("::1", (), "https://[::1]:{}/"),
            ("::", (), "https://[::1]:{}/"),
            ("localhost", (), "https://127.0.0.1:{}/"),
            ("127.0.0.1", ("localhost",), "https://localhost:{}/"),
            ("127.0.0.1", ("other.test",), "https://127.0.0.1:{}/"),
        ],
    )
    def test_its_url_is_one_that_the_certificate_covers(self, root, ca, host, names, url):
        options = ServerOptions(Address(host, 0))

        with running_server(root, certificate=ca.issue(*names), options=options) as server:
            assert server.url == url.format(server.address.port)
            if names != ("other.test",):
                assert get(server.url + "a.txt", server.client_context())

    def test_tells_its_log(self, root, ca):
        lines: list[str] = []
        options = ServerOptions(log_format=openssl_serve.LogFormat.COMMON)

        with running_server(
            root, certificate=ca.issue(), options=options, write_log=lines.append
        ) as server:
            get(server.url + "a.txt", server.client_context())

        assert '"GET /a.txt HTTP/1.1" 200' in "".join(lines)

    def test_ends_when_the_block_fails(self, root, ca):
        with pytest.raises(KeyError), running_server(root, certificate=ca.issue()) as server:
            raise KeyError

        with pytest.raises(OSError, match="refused"):
            socket.create_connection(server.address, TIMEOUT_S)

    def test_a_text_is_read_as_on_the_command_line(self, root, ca):
        with running_server(str(root), certificate=ca.issue()) as server:
            assert get(server.url + "a.txt", server.client_context())
        options = ServerOptions(Address("127.0.0.1", 0))
        with make_server(str(root), ca.issue(), options) as listening:
            assert listening.address.port
        with pytest.raises(UsageError, match="there is no folder"):
            make_server("absent", ca.issue(), options)

    @pytest.mark.parametrize("target", [None, 3000, b".", [], "3000"])
    def test_what_is_not_a_target_is_refused(self, ca, target):
        with pytest.raises(UsageError) as caught, running_server(target, certificate=ca.issue()):
            pass

        assert caught.value.hints

    def test_an_asgi_app_is_said_to_be_one(self, ca):
        async def app(scope, receive, send):
            raise NotImplementedError

        class Framework:
            async def __call__(self, scope, receive, send):
                raise NotImplementedError

        for each in (app, Framework()):
            with (
                pytest.raises(UsageError, match="is an ASGI app"),
                running_server(each, certificate=ca.issue()),  # type: ignore[arg-type]
            ):
                pass

    def test_hosts_beside_a_certificate_are_not_forgotten(self, root, ca):
        """The server would not be theirs."""
        with (
            pytest.raises(UsageError, match=r"a\.test, b\.test"),
            running_server(root, "a.test", "b.test", certificate=ca.issue()),
        ):
            pass

    def test_a_server_on_a_unix_socket_has_no_url(self, root, ca):
        with tempfile.TemporaryDirectory() as folder:
            options = ServerOptions(socket_path=Path(folder, "s"))
            with running_server(root, certificate=ca.issue(), options=options) as server:
                for name in ("url", "address"):
                    with pytest.raises(UsageError, match=folder):
                        getattr(server, name)

    @pytest.mark.parametrize("port", [-1, 65536])
    def test_what_is_not_a_port_is_refused(self, port):
        with pytest.raises(UsageError, match=f'"{port}" is not a port'):
            ServerOptions(Address("127.0.0.1", port))

    def test_without_a_certificate_there_is_no_server(self, root):
        with pytest.raises(UsageError, match="needs a certificate"):
            make_server(root, [])

    def test_a_folder_that_is_not_there_is_refused(self, tmp_path, ca):
        with (
            pytest.raises(UsageError, match="absent"),
            running_server(tmp_path / "absent", certificate=ca.issue()),
        ):
            pass
