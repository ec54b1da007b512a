"""For each client that does not trust us, the one line that ends this."""

import dataclasses
import os
from pathlib import Path
from typing import Any

import pytest

from openssl_serve.clients.asking import Verdict
from openssl_serve.clients.browsers import NssBrowser, ProfilelessFirefox
from openssl_serve.clients.client import Account, Place, Trust, place_at
from openssl_serve.clients.exhibit import Exhibit
from openssl_serve.clients.mending import Answer, Situation, remedies, remedy
from openssl_serve.clients.programs import Curl, Git, OpensslClient, Wget
from openssl_serve.clients.runtimes import Java, Node, Python, Requests
from openssl_serve.trust.browsers import Database
from openssl_serve.trust.nss import NssStore
from openssl_serve.trust.system import FAMILIES, SystemStore

SYSTEM = "openssl-serve trust --store system"
ENV = 'eval "$(openssl-serve env)"'
CA = Path("/data/it's mine/_local_ca.crt")
FACTS: Any = None
CHROMIUM = NssBrowser(NssStore(Database("Chromium", Path("/x/nssdb"))), Exhibit(CA, CA, FACTS, ""))


@pytest.fixture(autouse=True)
def _shell(monkeypatch):
    monkeypatch.setenv("SHELL", "/bin/bash")
    monkeypatch.delenv("GIT_SSL_NO_VERIFY", raising=False)


@pytest.fixture
def system(tmp_path):
    """A system's store, in a folder that has links to it, as most have."""
    bundle = tmp_path / "certs/ca-certificates.crt"
    bundle.parent.mkdir()
    bundle.touch()
    os.symlink(bundle.parent, tmp_path / "ssl")
    os.symlink(bundle, tmp_path / "cert.pem")
    return SystemStore(dataclasses.replace(FAMILIES[0], bundle=bundle))


def refusing(client, place=None, trust=Trust.REFUSES):
    return Verdict(client, trust, "", Account("no", place=place))


def test_who_looks_into_the_systems_store_is_mended_there(system, tmp_path):
    situation = Situation(system, CA)
    places = [None, *(place_at(str(tmp_path / name)) for name in ("certs", "ssl", "cert.pem"))]

    for client in (Curl("c"), Wget("w"), Git("g"), OpensslClient("o"), Python("p"), Requests("r")):
        for place in places:
            assert remedy(refusing(client, place), situation) == SYSTEM


def test_a_variable_that_leads_to_the_systems_store_is_no_other_place(system):
    bundle = Path(os.path.realpath(system.place))
    place = Place(bundle, f"NODE_EXTRA_CA_CERTS={bundle}", "NODE_EXTRA_CA_CERTS")

    assert remedy(refusing(Node("n"), place), Situation(system, CA)) == SYSTEM


@pytest.mark.parametrize(
    "client", [Curl("c"), Git("g"), OpensslClient("o"), Python("p"), Requests("r"), Node("n")],
    ids=lambda client: client.name,
)  # fmt: skip
def test_who_looks_elsewhere_is_told_in_the_shell(system, tmp_path, client, monkeypatch):
    other = place_at(str(tmp_path / "certifi.pem"))
    its_own = Place(None, "its own CAs")

    for place in (other, its_own):
        assert remedy(refusing(client, place), Situation(system, CA)) == ENV
    # Where there is no store, or where it trusts us already, and that client does not.
    assert remedy(refusing(client), Situation(None, CA)) == ENV
    monkeypatch.setenv("SHELL", "/usr/bin/fish")
    assert remedy(refusing(client), Situation(None, CA)) == (
        "openssl-serve env --shell fish | source"
    )


def test_wget_follows_no_variable():
    assert remedy(refusing(Wget("w")), Situation(None, CA)) == (
        """wget --ca-certificate='/data/it'"'"'s mine/_local_ca.crt'"""
    )


def test_stores_of_their_own(system):
    situation = Situation(system, CA)
    java = Java("/j/bin/keytool", Path("/j/cacerts"))

    assert remedy(refusing(java, place_at("/j/cacerts")), situation) == (
        "openssl-serve trust --store java"
    )
    assert remedy(refusing(CHROMIUM), situation) == "openssl-serve trust --store nss"
    elsewhere = Place(Path("/my.p12"), "/my.p12 (JAVA_TOOL_OPTIONS)", "JAVA_TOOL_OPTIONS")
    assert remedy(refusing(java, elsewhere), situation) is None


def test_what_needs_no_mending_or_cannot_be_mended(system):
    situation = Situation(system, CA)

    assert remedy(refusing(Curl("c"), trust=Trust.TRUSTS), situation) is None
    assert remedy(refusing(Curl("c"), trust=Trust.UNKNOWN), situation) is None
    assert remedy(refusing(ProfilelessFirefox("f"), trust=Trust.UNKNOWN), situation) is None
    # That says what is missing.
    assert remedy(refusing(CHROMIUM, trust=Trust.UNKNOWN), situation) == (
        "openssl-serve trust --store nss"
    )


def test_who_checks_nothing(system, monkeypatch):
    situation = Situation(system, CA)
    blind = refusing(Git("g"), trust=Trust.BLIND)

    # Some file of its settings, and which is not known.
    assert remedy(blind, situation) is None
    assert remedy(refusing(Curl("c"), trust=Trust.BLIND), situation) is None
    monkeypatch.setenv("GIT_SSL_NO_VERIFY", "1")
    assert remedy(blind, situation) == "unset GIT_SSL_NO_VERIFY"
    monkeypatch.setenv("SHELL", "fish")
    assert remedy(blind, situation) == "set -e GIT_SSL_NO_VERIFY"


def test_one_line_for_all_that_it_mends():
    curl, git, node = (refusing(client) for client in (Curl("c"), Git("g"), Node("n")))
    pythons = [refusing(Python(name)) for name in "ab"]
    trusting = refusing(Wget("w"), trust=Trust.TRUSTS)
    nss = "openssl-serve trust --store nss"

    assert remedies([]) == remedies([Answer(trusting, None)]) == {}
    assert remedies(
        [Answer(curl, SYSTEM), Answer(node, ENV), *(Answer(each, ENV) for each in pythons),
         Answer(git, SYSTEM), Answer(trusting, None)]
    ) == {SYSTEM: ["curl", "git"], ENV: ["Node.js", "Python"]}  # fmt: skip
    # All stores at once is less to type than one after the other.
    assert remedies(
        [Answer(curl, SYSTEM), Answer(refusing(CHROMIUM), nss), Answer(node, ENV)]
    ) == {"openssl-serve trust": ["curl", "Chromium"], ENV: ["Node.js"]}  # fmt: skip
