"""Clients that are installed here, asked for real: before they trust us, after, and blindfolded."""

import functools
import json
import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from certificates import CA_TRUE, make, write
from stubs import stub
from trust_fixtures import debian

from openssl_serve.certs.bundle import ADDING, REPLACING
from openssl_serve.clients import asking
from openssl_serve.clients.asking import ask_all
from openssl_serve.clients.browsers import NssBrowser
from openssl_serve.clients.client import Trust
from openssl_serve.clients.exhibit import exhibit_of
from openssl_serve.clients.programs import Curl, Git, OpensslClient, Wget
from openssl_serve.clients.runtimes import Java, Node, Python, Requests
from openssl_serve.trust.browsers import Database
from openssl_serve.trust.nss import NssStore
from openssl_serve.trust.system import SystemStore

FOLDER_OF_JAVA = Path(os.path.realpath(shutil.which("keytool") or "/nowhere/bin")).parent.parent

CLIENTS: dict[str, tuple[str, Callable[[str], Any]]] = {
    "curl": ("curl", Curl),
    "wget": ("wget", Wget),
    "git": ("git", Git),
    "openssl": ("openssl", OpensslClient),
    "python": (sys.executable, Python),
    "requests": (sys.executable, Requests),
    "node": ("node", Node),
    "java": ("keytool", functools.partial(Java, keystore=FOLDER_OF_JAVA / "lib/security/cacerts")),
}


@pytest.fixture(autouse=True)
def _nobodys_settings(users_home, monkeypatch):
    """What the environment or the home of whoever runs the tests would have clients trust."""
    for name in (*REPLACING, ADDING, "SSL_CERT_DIR", "JAVA_TOOL_OPTIONS", "NODE_OPTIONS"):
        monkeypatch.delenv(name, raising=False)
    for name in ("NODE_TLS_REJECT_UNAUTHORIZED", "GIT_SSL_NO_VERIFY", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def exhibit(data, target):
    return exhibit_of(data, target)


def client(name):
    program, make = CLIENTS[name]
    path = shutil.which(program)
    if not path:
        pytest.skip(f"no {name} here")
    return make(path)


def ask(one, exhibit):
    (verdict,) = ask_all([one], exhibit)
    return verdict


UNKNOWN_ISSUER = {
    "curl": "unable to get local issuer certificate",
    "wget": "certificate doesn't have a known issuer",
    "git": "certificate",
    "openssl": "unable to get local issuer certificate",
    "python": "unable to get local issuer certificate",
    "requests": "unable to get local issuer certificate",
    "node": "unable to verify the first certificate",
    "java": "unable to find valid certification path",
}


@pytest.mark.parametrize("name", CLIENTS)
def test_nobody_trusts_a_ca_that_was_just_made(name, exhibit):
    verdict = ask(client(name), exhibit)

    assert verdict.trust is Trust.REFUSES
    assert UNKNOWN_ISSUER[name] in verdict.account.says
    assert verdict.account.version[0].isdigit()


@pytest.mark.parametrize(
    ("name", "variable"),
    [("curl", "CURL_CA_BUNDLE"), ("curl", "SSL_CERT_FILE"), ("git", "GIT_SSL_CAINFO"),
     ("openssl", "SSL_CERT_FILE"), ("python", "SSL_CERT_FILE"),
     ("requests", "REQUESTS_CA_BUNDLE"), ("requests", "CURL_CA_BUNDLE"), ("node", ADDING)],
)  # fmt: skip
def test_a_variable_has_it_trust(name, variable, exhibit, monkeypatch):
    monkeypatch.setenv(variable, str(exhibit.anchor))

    verdict = ask(client(name), exhibit)

    assert verdict.trust is Trust.TRUSTS
    assert verdict.account.place.words == f"{variable}={exhibit.anchor}"
    assert verdict.account.says == ""
    # It has been named here, so that a client which follows it is mended by `env`.
    assert variable in (*REPLACING, ADDING)


def test_wget_trusts_by_its_settings(exhibit, users_home):
    (users_home / ".wgetrc").write_text(f"ca_certificate = {exhibit.anchor}\n")

    assert ask(client("wget"), exhibit).trust is Trust.TRUSTS


def test_java_trusts_by_its_store(exhibit, tmp_path, monkeypatch):
    java, keystore = client("java"), tmp_path / "trust.p12"
    subprocess.run(
        [java.program, "-importcert", "-noprompt", "-keystore", keystore, "-storepass", "changeit",
         "-file", exhibit.anchor],
        check=True, capture_output=True, timeout=30,
    )  # fmt: skip
    where = f"-Djavax.net.ssl.trustStore={keystore}"
    monkeypatch.setenv("JAVA_TOOL_OPTIONS", f"{where} -Djavax.net.ssl.trustStorePassword=changeit")

    verdict = ask(java, exhibit)

    assert verdict.trust is Trust.TRUSTS
    assert verdict.account.place.words == f"{keystore} (JAVA_TOOL_OPTIONS)"


@pytest.mark.parametrize(
    ("name", "settings"),
    [("curl", {".curlrc": "insecure\n"}), ("wget", {".wgetrc": "check_certificate = off\n"}),
     ("git", {".gitconfig": "[http]\n\tsslVerify = false\n"}), ("git", "GIT_SSL_NO_VERIFY"),
     ("node", "NODE_TLS_REJECT_UNAUTHORIZED")],
)  # fmt: skip
def test_who_checks_nothing_is_found_out(name, settings, exhibit, users_home, monkeypatch):
    if isinstance(settings, str):
        monkeypatch.setenv(settings, "0" if name == "node" else "1")
    else:
        for file, text in settings.items():
            (users_home / file).write_text(text)

    assert ask(client(name), exhibit).trust is Trust.BLIND


@pytest.mark.parametrize("name", ["curl", "git", "python", "node"])
def test_a_proxy_does_not_come_between(name, exhibit, users_home, monkeypatch):
    for variable in ("https_proxy", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(variable, "http://127.0.0.1:1")
    (users_home / ".gitconfig").write_text("[http]\n\tproxy = http://127.0.0.1:1\n")

    assert ask(client(name), exhibit).trust is Trust.REFUSES


def test_a_repository_around_us_has_no_part_in_it(exhibit, tmp_path, monkeypatch):
    """Its settings might name programs."""
    subprocess.run(["git", "init", "-q", tmp_path], check=True, timeout=20)
    with (tmp_path / ".git/config").open("a") as config:
        config.write("[http]\n\tsslVerify = false\n")
    monkeypatch.chdir(tmp_path)

    assert ask(client("git"), exhibit).trust is Trust.REFUSES


def test_what_is_not_there_is_left_out_and_two_names_are_one(exhibit, tmp_path):
    # A shim, as pyenv has one.
    shim = stub(tmp_path, f'exec {sys.executable} "$@"', name="python3")
    nothing = stub(tmp_path, "exit 0", name="without-requests")
    clients = [Python(sys.executable), Requests(str(nothing)), Python(str(shim))]

    verdicts = ask_all(clients, exhibit)

    assert [verdict.client for verdict in verdicts] == clients[:1]


def test_one_that_hangs_holds_up_nobody(exhibit, tmp_path, monkeypatch):
    monkeypatch.setattr(asking, "DEADLINE_S", 3.0)
    stuck = stub(tmp_path, "sleep 60 & exec sleep 60", name="curl")

    verdicts = ask_all([Curl(str(stuck)), OpensslClient(shutil.which("openssl") or "")], exhibit)

    assert [verdict.trust for verdict in verdicts] == [Trust.UNKNOWN, Trust.REFUSES]
    assert verdicts[0].account.says == "it did not answer within 3 s"


def test_threads_and_files_are_not_left(exhibit, tmp_path, monkeypatch):
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(temporary))

    ask(client("openssl"), exhibit)

    assert threading.active_count() == 1
    assert list(temporary.iterdir()) == []


def test_there_may_be_nobody_to_ask(exhibit):
    assert ask_all([], exhibit) == []


needs_nss = pytest.mark.skipif(
    not (shutil.which("tstclnt") and shutil.which("certutil")),
    reason="no tstclnt (apt install libnss3-tools)",
)


@pytest.fixture
def nss(tmp_path):
    folder = tmp_path / "nssdb"
    folder.mkdir()
    certutil(folder, "-N", "--empty-password")
    return NssStore(Database("Chromium", folder))


def certutil(folder, *arguments):
    command = ["certutil", *map(str, arguments), "-d", f"sql:{folder}"]
    subprocess.run(command, check=True, capture_output=True, timeout=20, stdin=subprocess.DEVNULL)


def state(folder):
    return {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.iterdir()}


@needs_nss
def test_a_browsers_database_before_and_after(nss, exhibit, target):
    browser = NssBrowser(nss, exhibit)
    before = state(nss.place)

    refused = ask(browser, exhibit)
    assert state(nss.place) == before
    nss.install(target)
    trusted = ask(browser, exhibit)
    certutil(nss.place, "-M", "-t", ",,", "-n", f"openssl-serve {target.tag}")
    overruled = ask(browser, exhibit)

    assert (refused.trust, refused.account.says) == (
        Trust.REFUSES, "Peer's Certificate issuer is not recognized",
    )  # fmt: skip
    assert trusted.trust is Trust.TRUSTS
    assert (overruled.trust, overruled.account.says) == (
        Trust.REFUSES, "Peer's certificate issuer has been marked as not trusted by the user",
    )  # fmt: skip


@needs_nss
def test_a_database_with_a_password_and_one_that_is_damaged(nss, exhibit, target, tmp_path):
    guarded = NssStore(Database("Firefox", tmp_path / "guarded"))
    guarded.place.mkdir()
    (tmp_path / "word").write_text("correct horse\n")
    certutil(guarded.place, "-N", "-f", tmp_path / "word")
    add = ("-A", "-t", "C,,", "-n", "x", "-i", target.cert_path)
    certutil(guarded.place, *add, "-f", tmp_path / "word")

    assert ask(NssBrowser(guarded, exhibit), exhibit).trust is Trust.TRUSTS

    (nss.place / "cert9.db").write_bytes(b"junk" * 100)
    verdict = ask(NssBrowser(nss, exhibit), exhibit)
    assert verdict.trust is Trust.UNKNOWN
    assert "bad database" in verdict.account.says


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """One with curl, openssl and Node.js, and a system's store that trusts nobody; its bundle."""
    path = tmp_path / "bin"
    path.mkdir()
    for name in ("openssl", "curl", "node"):
        if not (found := shutil.which(name)):
            pytest.skip(f"no {name} here")
        os.symlink(found, path / name)
    monkeypatch.setenv("PATH", str(path))
    for room in ("trust.browsers", "clients.browsers"):
        monkeypatch.setattr(f"openssl_serve.{room}.find_program", lambda _name: None)
    system = SystemStore(debian(tmp_path / "etc"))
    write(system.place, make(CA_TRUE, names=(), subject="Somebody's Root"))
    monkeypatch.setattr("openssl_serve.trust.machine.system_stores", lambda: [system])
    return system.place


def test_doctor_in_json(cli, home, machine, monkeypatch):
    cli.good("generate", "--ca")
    ca = home / "_local_ca.crt"
    monkeypatch.setenv("CURL_CA_BUNDLE", str(ca))
    monkeypatch.setenv("SSL_CERT_FILE", str(machine))

    told = json.loads(cli.good("doctor", "--json").out)

    says = "each was shown a leaf of the local CA, on 127.0.0.1"
    assert told["findings"][-1] == {"name": "clients", "good": None, "says": says}
    versions = [each.pop("version") for each in told["clients"]]
    assert all(version[0].isdigit() for version in versions)
    same = {"proof": "a TLS handshake", "says": None, "remedy": None}
    refuses = {"trusts": False, "state": "refuses"}
    bin_folder = machine.parents[2] / "bin"
    assert told["clients"] == [
        same | {"name": "curl", "program": f"{bin_folder}/curl", "trusts": True,
                "state": "trusts", "reads": f"CURL_CA_BUNDLE={ca}"},
        same | refuses | {"name": "openssl", "program": f"{bin_folder}/openssl",
                          "reads": f"SSL_CERT_FILE={machine}",
                          "says": "unable to get local issuer certificate",
                          "remedy": "openssl-serve trust --store system"},
        same | refuses | {"name": "Node.js", "program": f"{bin_folder}/node",
                          "reads": "its own CAs; NODE_EXTRA_CA_CERTS is not set",
                          "says": "unable to verify the first certificate",
                          "remedy": 'eval "$(openssl-serve env)"'},
    ]  # fmt: skip


def test_doctor_in_words(cli, home, machine, monkeypatch):
    cli.good("generate", "--ca")
    monkeypatch.setenv("SSL_CERT_FILE", str(home / "_local_ca.crt"))
    monkeypatch.setenv("NODE_TLS_REJECT_UNAUTHORIZED", "0")
    monkeypatch.setenv("CURL_CA_BUNDLE", str(machine))
    monkeypatch.setenv("SHELL", "/bin/sh")

    lines = cli.good("doctor").lines
    where = next(number for number, line in enumerate(lines) if "clients " in line)
    found = [re.sub(r"\d+(\.\d+)+, (?=/)", "", line) for line in lines[where:]]

    bin_folder = machine.parents[2] / "bin"
    lacks = f"unable to get local issuer certificate; reads CURL_CA_BUNDLE={machine}"
    blind = "takes any certificate, signed or not: NODE_TLS_REJECT_UNAUTHORIZED=0"
    assert found == [
        "     clients    each was shown a leaf of the local CA, on 127.0.0.1",
        f"no   curl       {bin_folder}/curl: {lacks}",
        f"yes  openssl    {bin_folder}/openssl: reads SSL_CERT_FILE={home}/_local_ca.crt",
        f"BAD  Node.js    {bin_folder}/node: {blind}",
        "     to mend    curl",
        "                $ openssl-serve trust --store system",
        "     to mend    Node.js",
        "                $ unset NODE_TLS_REJECT_UNAUTHORIZED",
    ]


def test_doctor_asks_nobody_when_there_is_nothing_to_show(cli, machine):
    told = json.loads(cli.good("doctor", "--json").out)

    assert told["clients"] == []
    assert told["findings"][-1]["says"] == (
        "not asked: there is no good certificate to show to them"
    )


def test_doctor_asks_nobody_when_what_is_kept_cannot_be_read(cli, home, machine):
    home.mkdir(mode=0o700)
    (home / "_local_ca.crt").write_text("x")

    finished = cli("doctor", "--json")
    told = json.loads(finished.out)

    assert finished.code == 1
    assert told["clients"] == []
    says = "not asked: there is no good certificate to show to them"
    assert told["findings"][-1] == {"name": "clients", "good": None, "says": says}


def test_doctor_asks_nobody_when_it_is_not_to(cli, machine, monkeypatch):
    monkeypatch.setattr(asking, "ask_all", None)
    cli.good("generate", "--ca")

    told = json.loads(cli.good("doctor", "--json", "--no-clients").out)

    assert told["clients"] == []
    assert "clients" not in [each["name"] for each in told["findings"]]
