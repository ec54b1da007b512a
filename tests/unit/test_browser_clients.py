"""Browsers' databases and keychains: what is asked, and what is known without asking."""

import sys
from pathlib import Path
from typing import Any

import pytest
from certificates import CA_FALSE, KEY, SERVER, make, ours, write

from openssl_serve.certs.facts import read_facts_file
from openssl_serve.clients import browsers as room
from openssl_serve.clients.asking import Question
from openssl_serve.clients.browsers import browsers
from openssl_serve.clients.client import Trust
from openssl_serve.clients.exhibit import Exhibit, exhibit_of
from openssl_serve.tools import Crew
from openssl_serve.trust.browsers import DATABASE, Database
from openssl_serve.trust.macos import Keychain
from openssl_serve.trust.nss import NssStore

TSTCLNT, CERTUTIL = "/nss/tstclnt", "/nss/certutil"


class Server:
    def url(self, _number):
        return "https://127.0.0.1:4001/0"

    def has_met(self, _number):
        return True

    def has_heard(self, _number):
        return False


def ask(client) -> Any:
    server: Any = Server()
    with Crew(20) as crew:
        return Question(client, 0, crew, server, server).ask()


@pytest.fixture
def programs(monkeypatch):
    """Those that are installed."""
    found = {"tstclnt": TSTCLNT}
    monkeypatch.setattr(room, "find_program", found.get)
    monkeypatch.setattr("openssl_serve.trust.nss.find_program", found.get)
    monkeypatch.setattr(room, "_UNSUPPORTED_TOOLS", ())
    return found


@pytest.fixture
def leaf(data, target):
    return exhibit_of(data, target)


@pytest.fixture
def self_signed(tmp_path):
    return exhibit(tmp_path, ours(names=("127.0.0.1",)))


def exhibit(folder, certificate):
    cert = write(folder / "a.crt", certificate)
    return Exhibit(cert, write(folder / "a.key", KEY), read_facts_file(cert), str(cert))


@pytest.fixture
def store(tmp_path):
    """A database of a browser, by its name and folder."""

    def make_store(name="Chromium", folder="nssdb"):
        path = tmp_path / folder
        path.mkdir()
        (path / DATABASE).touch()
        return NssStore(Database(name, path))

    return make_store


def handshake(store):
    where = ["-d", f"sql:{store.place}", "-h", "127.0.0.1", "-p", "4001"]
    return [TSTCLNT, *where, "-Q"]


def test_nss_shakes_hands(programs, leaf, store, fp):
    store = store()
    (client,) = browsers([store], leaf)
    said = (
        "tstclnt: authentication of server cert failed: "
        "SEC_ERROR_UNKNOWN_ISSUER: Peer's Certificate issuer is not recognized.\n"
    )
    fp.register(handshake(store), returncode=254, stderr=said)
    fp.register(handshake(store), stderr="subject DN: CN=localhost\n")

    refused = ask(client)
    trusted = ask(client)

    assert (refused.client.name, refused.client.program) == ("Chromium", str(store.place))
    assert refused.trust is Trust.REFUSES
    assert refused.account.says == "Peer's Certificate issuer is not recognized"
    assert trusted.trust is Trust.TRUSTS
    assert trusted.account.says == ""


def test_without_its_client_certutil_judges_the_ca(programs, leaf, target, store, fp):
    del programs["tstclnt"]
    programs["certutil"] = CERTUTIL
    store = store()
    (client,) = browsers([store], leaf)
    database = ["-d", f"sql:{store.place}"]
    nickname = f"openssl-serve {target.tag}"

    fp.register([CERTUTIL, "-L", *database], stdout="")
    absent = ask(client)
    for _ in range(2):
        fp.register([CERTUTIL, "-L", *database], stdout=f"{nickname}    C,,\n")
        fp.register(
            [CERTUTIL, "-L", *database, "-n", nickname, "-a"], stdout=target.cert_path.read_bytes()
        )
    fp.register(
        [CERTUTIL, "-V", *database, "-u", "L", "-n", nickname],
        stdout="certutil: certificate is valid\n",
    )
    trusted = ask(client)

    assert (absent.trust, absent.account.says) == (Trust.REFUSES, "it is not there")
    assert (trusted.trust, trusted.account.says, trusted.proof) == (
        Trust.TRUSTS, "", "certutil -V",
    )  # fmt: skip


def test_without_any_of_nsss_tools(programs, leaf, self_signed, store):
    programs.clear()
    store = store()

    (of_leaf,) = browsers([store], leaf)
    (of_self_signed,) = browsers([store], self_signed)

    assert ask(of_leaf).trust is ask(of_self_signed).trust is Trust.UNKNOWN
    assert "certutil is missing" in ask(of_leaf).account.says
    assert "tstclnt is missing" in ask(of_self_signed).account.says


def test_fedora_has_the_client_where_nobody_looks(programs, leaf, store, tmp_path, monkeypatch):
    programs.clear()
    tool = tmp_path / "tools/tstclnt"
    tool.parent.mkdir()
    tool.touch(mode=0o755)
    monkeypatch.setattr(room, "_UNSUPPORTED_TOOLS", ("/nowhere", str(tool.parent)))

    (client,) = browsers([store()], leaf)

    assert client.foregone() is None
    assert client.asking("https://127.0.0.1:1/0")[0] == str(tool)


def test_what_a_browser_would_never_accept_is_not_asked_for(programs, self_signed, store, tmp_path):
    """NSS itself would: browsers have rules of their own."""
    chromium, firefox = store(), store("Firefox (snap)", "x.default")
    clients = list(browsers([chromium, firefox], self_signed))

    assert clients[0].foregone() is None
    verdict = ask(clients[1])
    assert verdict.trust is Trust.REFUSES
    assert verdict.account.says == "Firefox accepts no CA:TRUE certificate from a server"

    other = exhibit(tmp_path, make(CA_FALSE, SERVER, names=("127.0.0.1",)))
    assert [each.foregone() for each in browsers([chromium, firefox], other)] == [None, None]


def test_a_database_that_is_not_there_yet(programs, leaf, tmp_path):
    (client,) = browsers([NssStore(Database("Chromium", tmp_path / "nssdb"))], leaf)

    verdict = ask(client)

    assert (verdict.trust, verdict.account.says) == (Trust.REFUSES, "it has no database yet")
    assert not (tmp_path / "nssdb").exists()


def test_a_firefox_without_a_profile(programs, leaf, store):
    programs["firefox-esr"] = "/bin/firefox-esr"

    (client,) = browsers([], leaf)
    assert (client.name, client.program) == ("Firefox", "/bin/firefox-esr")
    verdict = ask(client)
    assert verdict.trust is Trust.UNKNOWN
    assert verdict.account.says == "it has no profile yet: start it once"

    profile = store("Firefox", "x.default")
    assert [each.name for each in browsers([profile], leaf)] == ["Firefox"]


def test_on_macos_all_of_them_look_into_the_keychain(programs, leaf, store, fp, monkeypatch):
    monkeypatch.setattr(sys, "platform", "darwin")
    programs["firefox"] = "/bin/firefox"
    keychain = Keychain(Path("/Users/you/Library/Keychains/login.keychain-db"))
    programs["security"] = "/usr/bin/security"
    command = ["/usr/bin/security", "verify-cert", "-c", str(leaf.cert_path), "-L", "-p", "ssl"]
    fp.register(command, returncode=1, stderr="Cert Verify Result: CSSMERR_TP_NOT_TRUSTED\n")
    fp.register(command, stdout="...certificate verification successful.\n")

    (client,) = browsers([keychain, store("Firefox", "x")], leaf)
    refused, trusted = ask(client), ask(client)

    assert client.name == "browsers"
    assert refused.trust is Trust.REFUSES
    assert refused.account.says == "Cert Verify Result: CSSMERR_TP_NOT_TRUSTED"
    assert trusted.trust is Trust.TRUSTS
    assert trusted.proof == "security verify-cert"
