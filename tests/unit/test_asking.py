"""Each client, with its own words: how it is asked, and what is made of what it does."""

import dataclasses
import json
import os
import ssl
import sys
from pathlib import Path
from typing import Any

import pytest
from stubs import stub

from openssl_serve.clients import client as clients
from openssl_serve.clients import probe
from openssl_serve.clients.asking import Question
from openssl_serve.clients.client import Place, Trust
from openssl_serve.clients.mending import Situation, remedy
from openssl_serve.clients.programs import Curl, Git, OpensslClient, Wget, programs
from openssl_serve.clients.runtimes import Java, Node, Python, Requests, runtimes
from openssl_serve.tools import Crew
from openssl_serve.trust.java import JavaStore
from openssl_serve.trust.system import FAMILIES, SystemStore

HONEST, IMPOSTOR = "https://127.0.0.1:4001/0", "https://127.0.0.1:4002/0"

PROBES = Path(clients.__file__).parent

VARIABLES = (
    "SSL_CERT_FILE", "CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "GIT_SSL_CAINFO",
    "NODE_EXTRA_CA_CERTS", "NODE_OPTIONS", "NODE_USE_SYSTEM_CA", "JAVA_TOOL_OPTIONS",
)  # fmt: skip

REFUSING_CURL = """\
*   Trying 127.0.0.1:4001...
*  CAfile: /etc/ssl/certs/ca-certificates.crt
*  CApath: /etc/ssl/certs
* SSL certificate problem: unable to get local issuer certificate
curl: (60) SSL certificate problem: unable to get local issuer certificate
More details here: https://curl.se/docs/sslcerts.html
"""


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch):
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)


class Server:
    """A witness that saw what the test says."""

    def __init__(self, url, *, met=True, heard=False):
        self._url, self._met, self._heard = url, met, heard

    def url(self, number):
        assert number == 0
        return self._url

    def has_met(self, _number):
        return self._met

    def has_heard(self, _number):
        return self._heard


def ask(client, *, met=True, heard=False, fooled=False, within_s=20):
    """The verdict on *client*: *heard* by the honest server, *fooled* by the other."""
    honest, impostor = Server(HONEST, met=met, heard=heard), Server(IMPOSTOR, heard=fooled)
    return question(client, honest, impostor, within_s)


def question(client, honest: Any, impostor: Any, within_s=20) -> Any:
    with Crew(within_s) as crew:
        return Question(client, 0, crew, honest, impostor).ask()


def curl_of(url):
    return ["/bin/curl", "-sSv", "--noproxy", "*", "-o", "/dev/null", url]


@pytest.fixture
def curl(fp):
    fp.register(["/bin/curl", "--version"], stdout="curl 7.88.1 (x86_64-pc-linux-gnu) libcurl/7")
    return Curl("/bin/curl")


def test_curl_refuses(curl, fp):
    fp.register(curl_of(HONEST), returncode=60, stderr=REFUSING_CURL)

    verdict = ask(curl)

    assert verdict.trust is Trust.REFUSES
    assert verdict.account.says == "unable to get local issuer certificate"
    assert verdict.account.version == "7.88.1"
    bundle = "/etc/ssl/certs/ca-certificates.crt"
    assert verdict.account.place == Place(Path(bundle), bundle)


def test_curl_trusts_what_it_does_not_take_from_everybody(curl, fp, monkeypatch):
    """It says nothing of it, so that only the server knows."""
    monkeypatch.setenv("CURL_CA_BUNDLE", "/x/bundle.pem")
    fp.register(curl_of(HONEST), stderr="*  CAfile: /x/bundle.pem")
    fp.register(curl_of(IMPOSTOR), returncode=60, stderr=REFUSING_CURL)

    verdict = ask(curl, heard=True)

    assert verdict.trust is Trust.TRUSTS
    assert verdict.account.says == ""
    assert verdict.account.place == (
        Path("/x/bundle.pem"), "CURL_CA_BUNDLE=/x/bundle.pem", "CURL_CA_BUNDLE",
    )  # fmt: skip


def test_a_curlrc_has_the_last_word_on_where_curl_looks(curl, fp, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", "/x/bundle.pem")
    fp.register(curl_of(HONEST), returncode=60, stderr="*   CAfile: /mine.pem\ncurl: (60) no")

    account = ask(curl).account

    assert (account.says, account.place) == ("no", Place(Path("/mine.pem"), "/mine.pem"))


def test_who_takes_anything_checks_nothing(curl, fp):
    fp.register(curl_of(HONEST))
    fp.register(curl_of(IMPOSTOR))

    assert ask(curl, heard=True, fooled=True).trust is Trust.BLIND


def test_who_never_came_was_not_asked(curl, fp):
    fp.register(curl_of(HONEST), returncode=2, stderr="curl: (2) no URL specified")

    verdict = ask(curl, met=False)

    assert verdict.trust is Trust.UNKNOWN
    assert verdict.account.says == "it cannot be asked: no URL specified"


def test_who_cannot_be_started_was_not_asked(tmp_path):
    program = stub(tmp_path, "", name="curl")
    program.write_text("#!/nowhere/sh\n")

    verdict = ask(Curl(str(program)))

    assert verdict.trust is Trust.UNKNOWN
    assert verdict.account.says == "it cannot be started: no such file or directory"


def test_who_takes_too_long_was_not_asked(tmp_path):
    program = stub(tmp_path, "exec sleep 60", name="curl")

    verdict = ask(Curl(str(program)), within_s=0.2)

    assert verdict.trust is Trust.UNKNOWN
    assert verdict.account.says == "it did not answer within 20 s"


def test_no_proxy_comes_between_and_words_are_english(tmp_path, monkeypatch):
    """And not in the locale C, in which a Java opens no file whose name is not ASCII."""
    monkeypatch.setenv("LANGUAGE", "de:fr")
    words = "$NO_PROXY $no_proxy $LC_ALL,$LANGUAGE"
    program = stub(tmp_path, f'echo "curl: (0) {words}" >&2', name="curl")

    assert ask(Curl(str(program))).account.says == "127.0.0.1 127.0.0.1 C.UTF-8,"


def wget_of(url):
    quiet = ["--no-proxy", "--no-hsts", "--no-verbose", "--tries=1", "-O", "/dev/null"]
    return ["/bin/wget", *quiet, url]


def test_wget_refuses(fp):
    said = (
        "ERROR: The certificate of '127.0.0.1' is not trusted.\n"
        "ERROR: The certificate of '127.0.0.1' doesn't have a known issuer.\n"
    )
    fp.register(["/bin/wget", "--version"], stdout="GNU Wget 1.21.3 built on linux-gnu.\n")
    fp.register(wget_of(HONEST), returncode=5, stderr=said)

    verdict = ask(Wget("/bin/wget"))

    assert verdict.trust is Trust.REFUSES
    assert verdict.account[:3] == ("certificate doesn't have a known issuer", "1.21.3", None)


def test_busyboxs_wget_is_none(fp):
    fp.register(["/bin/wget", "--version"], returncode=1, stderr="BusyBox v1.36")
    fp.register(wget_of(HONEST), returncode=1, stderr="wget: unrecognized option: no-hsts")

    assert ask(Wget("/bin/wget"), met=False) is None


def test_git_refuses(fp, monkeypatch):
    monkeypatch.setenv("GIT_SSL_CAINFO", "/x")
    fp.register(["/bin/git", "--version"], stdout="git version 2.39.5\n")
    fp.register(
        ["/bin/git", "-C", "/", "-c", "http.proxy=", "ls-remote", HONEST],
        returncode=128,
        stderr=f"fatal: unable to access '{HONEST}/': server certificate verification failed. "
        "CAfile: none CRLfile: none\n",
    )

    verdict = ask(Git("/bin/git"))

    assert verdict.trust is Trust.REFUSES
    assert verdict.account[:2] == ("server certificate verification failed", "2.39.5")
    assert verdict.account.place.words == "GIT_SSL_CAINFO=/x"


def openssl_of(fp, stderr):
    """What s_client is asked, and what is typed into it."""
    typed: list[bytes] = []
    fp.register(
        ["/bin/openssl", "version", "-v", "-d"],
        stdout='OpenSSL 3.0.22 25 Aug 2026 (Library: …)\nOPENSSLDIR: "/nowhere/ssl"\n',
    )
    fp.register(
        ["/bin/openssl", "s_client", "-connect", "127.0.0.1:4001", "-quiet",
         "-verify_return_error"],
        returncode=1, stderr=stderr, stdin_callable=typed.append,
    )  # fmt: skip
    return typed


def test_openssl_refuses(fp):
    said = (
        "depth=0 CN = localhost\n"
        "verify error:num=20:unable to get local issuer certificate\n"
        "40D7:error:0A000086:SSL routines:tls_post_process_server_certificate:…\n"
    )
    typed = openssl_of(fp, said)

    verdict = ask(OpensslClient("/bin/openssl"))

    assert verdict.trust is Trust.REFUSES
    assert verdict.account[:2] == ("unable to get local issuer certificate", "3.0.22")
    assert verdict.account.place.words == "/nowhere/ssl/certs"
    request = b"GET /0 HTTP/1.1\r\nHost: 127.0.0.1:4001\r\nConnection: close\r\n\r\n"
    assert typed == [request]


def test_openssl_leaves_with_1_and_trusts_all_the_same(fp):
    """As 3.x does when a server closes at once."""
    openssl_of(fp, "depth=0 CN = localhost\nverify return:1\n")
    fp.register(["/bin/openssl", "s_client", fp.any()], returncode=1)

    assert ask(OpensslClient("/bin/openssl"), heard=True).trust is Trust.TRUSTS


def test_python_refuses_and_tells_where_it_looked(fp, monkeypatch):
    told = {"prefix": "/usr", "version": "3.11.2", "reads": "/x.pem", "says": "self-signed"}
    fp.register(
        ["/bin/python3", str(PROBES / "probe.py"), HONEST],
        stdout=f"a line of sitecustomize\n{json.dumps(told)}\n",
        occurrences=2,
    )

    account = ask(Python("/bin/python3")).account
    assert account == ("self-signed", "3.11.2", Place(Path("/x.pem"), "/x.pem"), "/usr")

    monkeypatch.setenv("SSL_CERT_FILE", "/x.pem")
    assert ask(Python("/bin/python3")).account.place.words == "SSL_CERT_FILE=/x.pem"


def test_a_python_that_finds_no_cas_is_helped_by_none_in_the_systems_store(fp, tmp_path):
    """As python.org's on macOS: only a variable leads it anywhere."""
    told = {"prefix": "/usr", "version": "3.13.0", "reads": None, "says": "no issuer"}
    fp.register(["/opt/python3", fp.any()], stdout=json.dumps(told))

    verdict = ask(Python("/opt/python3"))

    assert verdict.account.place == (None, "no CAs: it finds none", None)
    bundle = dataclasses.replace(FAMILIES[0], bundle=tmp_path / "bundle.pem")
    assert "openssl-serve env" in (remedy(verdict, Situation(SystemStore(bundle), tmp_path)) or "")


def test_a_python_that_does_not_start_is_not_asked(fp):
    said = "pyenv: version `3.14' is not installed (set by /x/.python-version)"
    fp.register(["/bin/python3", fp.any()], returncode=1, stderr=f"{said}\n")

    verdict = ask(Python("/bin/python3"), met=False)

    assert verdict.trust is Trust.UNKNOWN
    assert verdict.account.says == f"it cannot be asked: {said}"


def test_a_python_without_requests_is_not_told_of(fp):
    fp.register(["/bin/python3", str(PROBES / "probe.py"), HONEST, "requests"], stdout="")

    assert ask(Requests("/bin/python3"), met=False) is None


def test_node_has_its_own(fp, monkeypatch):
    says = "unable to verify the first certificate"
    told = {"program": "/opt/node", "version": "20.20.2", "says": says}
    fp.register(
        ["/bin/node", str(PROBES / "probe.cjs"), HONEST], stdout=json.dumps(told), occurrences=4
    )

    account = ask(Node("/bin/node")).account
    assert account[:2] == (says, "20.20.2")
    assert account.place == (None, "its own CAs; NODE_EXTRA_CA_CERTS is not set", None)
    assert account.identity == "/opt/node"

    monkeypatch.setenv("NODE_USE_SYSTEM_CA", "1")
    assert ask(Node("/bin/node")).account.place is None
    monkeypatch.delenv("NODE_USE_SYSTEM_CA")
    monkeypatch.setenv("NODE_OPTIONS", "--use-system-ca")
    assert ask(Node("/bin/node")).account.place is None
    monkeypatch.setenv("NODE_EXTRA_CA_CERTS", "/x.pem")
    assert ask(Node("/bin/node")).account.place.words == "NODE_EXTRA_CA_CERTS=/x.pem"


def keytool_of(home):
    options = ["-J-XX:TieredStopAtLevel=1", "-J-XX:+UseSerialGC", "-J-XX:-UsePerfData"]
    program = str(home / "bin/keytool")
    return [program, *options, "-J-Duser.language=en", "-printcrl", "-file", HONEST]


def test_java_refuses(fp, tmp_path, monkeypatch):
    (tmp_path / "release").write_text('IMPLEMENTOR="X"\nJAVA_VERSION="17.0.15"\n')
    said = (
        "keytool error: javax.net.ssl.SSLHandshakeException: PKIX path building failed: "
        "sun.security.provider.certpath.SunCertPathBuilderException: "
        "unable to find valid certification path to requested target\n"
    )
    fp.register(keytool_of(tmp_path), returncode=1, stdout=said, occurrences=2)
    store = JavaStore(tmp_path, tmp_path / "cacerts", str(tmp_path / "bin/keytool"))
    (java,) = [client for client in runtimes([store]) if isinstance(client, Java)]

    verdict = ask(java)

    assert verdict.trust is Trust.REFUSES
    says = "unable to find valid certification path to requested target"
    assert verdict.account[:2] == (says, "17.0.15")
    assert verdict.account.place.path == tmp_path / "cacerts"
    monkeypatch.setenv("JAVA_TOOL_OPTIONS", "-Xmx9g -Djavax.net.ssl.trustStore=/my.p12")
    assert ask(java).account.place == (
        Path("/my.p12"), "/my.p12 (JAVA_TOOL_OPTIONS)", "JAVA_TOOL_OPTIONS",
    )  # fmt: skip


def test_java_trusts(fp, tmp_path):
    """It says that this is no list of revoked certificates; nobody has asked for one."""
    fp.register(keytool_of(tmp_path), returncode=1, stdout="keytool error: Exception: 404")
    java = Java(str(tmp_path / "bin/keytool"), tmp_path / "cacerts")

    verdict = ask(java, heard=True)

    assert verdict.trust is Trust.TRUSTS
    assert verdict.account[:2] == ("", "")


def test_which_there_are(tmp_path, monkeypatch):
    """In the order of PATH, a folder with two names once, and no more than a few of a kind."""
    for number in range(6):
        stub(tmp_path / str(number), "", name="node")
    stub(tmp_path / "0", "", name="curl")
    os.symlink(tmp_path / "0", tmp_path / "link")
    folders = ["link", *map(str, range(6))]
    path = [str(tmp_path / name) for name in folders]
    monkeypatch.setenv("PATH", os.pathsep.join([*path, "relative", ""]))

    found = [(client.name, client.program) for client in runtimes([])]
    assert (
        found == [("Node.js", str(tmp_path / name / "node")) for name in folders if name != "0"][:4]
    )
    names = [(client.name, client.program) for client in programs("/x/openssl")]
    assert names == [("curl", str(tmp_path / "link/curl")), ("openssl", "/x/openssl")]
    assert [client.name for client in programs(None)] == ["curl"]


def test_the_folder_that_one_stands_in_has_no_part_in_it(tmp_path, monkeypatch):
    """Nor the probe's own, where modules have names of their own."""
    for name in ("ssl", "json", "http", "requests", "client"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit(9)\n")
    monkeypatch.chdir(tmp_path)

    # Nobody listens there.
    nowhere = Server("https://127.0.0.1:1/0", met=False)

    verdict = question(Python(sys.executable), nowhere, nowhere)

    assert verdict.account.says.endswith("Connection refused")
    assert verdict.account.version == ".".join(map(str, sys.version_info[:3]))


def test_a_reason_is_found_behind_what_wraps_it():
    """As requests and urllib3 do."""

    def fail():
        try:
            try:
                error = ssl.SSLCertVerificationError("certificate verify failed")
                error.verify_message = "it has expired"
                raise error
            except ssl.SSLError as cause:
                raise ValueError("max retries exceeded") from cause
        except ValueError:
            raise RuntimeError("SSLError(MaxRetryError(…))")  # noqa: B904

    with pytest.raises(RuntimeError) as caught:
        fail()

    assert probe.reason(caught.value) == "it has expired"
    assert probe.reason(ValueError("refused")) == "refused"


@pytest.mark.parametrize("has_tools", [True, False])
def test_what_would_open_a_window_of_apples_is_not_run(fp, monkeypatch, has_tools):
    monkeypatch.setattr(sys, "platform", "darwin")
    both = ["/usr/bin/git", "/opt/homebrew/bin/git"]
    monkeypatch.setattr(clients, "candidates", lambda _name: [Path(path) for path in both])
    fp.register(["/usr/bin/xcode-select", "-p"], returncode=0 if has_tools else 2)
    clients._has_apples_tools.cache_clear()

    assert clients.found("git") == both[0 if has_tools else 1 :]

    clients._has_apples_tools.cache_clear()
