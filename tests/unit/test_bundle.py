"""Bundles of what programs trust: what is in them, where they come from, when they are remade."""

import os
import ssl
from types import SimpleNamespace

import pytest
from certificates import CA_FALSE, KEY, SERVER, make, ours, pem, write
from cryptography import x509
from stubs import stub

from openssl_serve.certs import bundle
from openssl_serve.certs.bundle import ADDING, REPLACING, system_bundle, trust_variables
from openssl_serve.errors import CertificateError

PLACES = bundle.SYSTEM_BUNDLES
SYSTEM = make(names=(), subject="the system's")
CORPORATE = make(names=(), subject="the company's")
MINE, OTHER = ours(subject="mine"), ours(names=("b.test",), subject="other")


@pytest.fixture
def folder(tmp_path):
    """A data folder with one self-signed pair."""
    folder = tmp_path / "data"
    write(folder / "a_test.crt", MINE)
    write(folder / "a_test.key", KEY)
    return folder


@pytest.fixture(autouse=True)
def system(tmp_path, monkeypatch):
    """What the system trusts, in these tests."""
    path = write(tmp_path / "system.pem", SYSTEM)
    monkeypatch.setattr(bundle, "SYSTEM_BUNDLES", (str(tmp_path / "absent.pem"), str(path)))
    return path


def subjects(path):
    """Whose certificates are in the file, as cryptography reads it."""
    with open(path, "rb") as file:
        found = x509.load_pem_x509_certificates(file.read())
    return [each.subject.rfc4514_string().removeprefix("CN=") for each in found]


def test_the_child_trusts_the_system_and_what_is_kept(folder):
    variables = trust_variables(folder, {})

    assert set(variables) == {*REPLACING, ADDING}
    for name in REPLACING:
        assert subjects(variables[name]) == ["mine", "the system's"]
    assert subjects(variables[ADDING]) == ["mine"]


def test_one_file_for_all_that_have_the_same_in_it(folder):
    variables = trust_variables(folder, {})

    assert len({variables[name] for name in REPLACING}) == 1
    assert sorted(path.name for path in folder.glob("_*.pem")) == sorted(
        {os.path.basename(path) for path in variables.values()}
    )


def test_the_files_can_be_read_by_all_and_are_loaded_by_openssl(folder):
    for path in trust_variables(folder, {}).values():
        assert os.stat(path).st_mode & 0o777 == 0o644
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(path)
        assert context.cert_store_stats()["x509"] == len(subjects(path))


def test_all_that_is_kept_or_served_is_trusted_once(folder, tmp_path):
    write(folder / "b_test.crt", OTHER)
    write(folder / "b_test.key", KEY)
    served = [folder / "a_test.crt", write(tmp_path / "custom.pem", ours(subject="custom"))]

    variables = trust_variables(folder, {}, served)

    assert subjects(variables[ADDING]) == ["mine", "other", "custom"]


def test_a_served_leaf_of_somebody_elses_adds_nothing(folder, tmp_path):
    leaf = make(CA_FALSE, SERVER, issuer="another", subject="leaf")

    variables = trust_variables(folder, {}, [write(tmp_path / "leaf.pem", leaf)])

    assert subjects(variables[ADDING]) == ["mine"]


def test_what_a_variable_names_already_stays_trusted(folder, tmp_path):
    corporate = write(tmp_path / "corporate ca.pem", CORPORATE)
    environ = {"REQUESTS_CA_BUNDLE": str(corporate), ADDING: str(corporate)}

    variables = trust_variables(folder, environ)

    assert subjects(variables["REQUESTS_CA_BUNDLE"]) == ["mine", "the company's"]
    assert subjects(variables[ADDING]) == ["mine", "the company's"]
    assert subjects(variables["PIP_CERT"]) == ["mine", "the system's"]


def test_ssl_cert_file_is_what_the_machine_trusts(folder, tmp_path):
    corporate = write(tmp_path / "corporate.pem", CORPORATE)

    variables = trust_variables(folder, {"SSL_CERT_FILE": str(corporate)})

    for name in REPLACING:
        assert subjects(variables[name]) == ["mine", "the company's"]
    assert subjects(variables[ADDING]) == ["mine"]


@pytest.mark.parametrize("value", ["", "/nonexistent/ca.pem", "/dev/null"])
def test_a_variable_that_names_nothing_is_as_if_it_were_not_there(folder, value):
    variables = trust_variables(folder, {"CURL_CA_BUNDLE": value})

    assert subjects(variables["CURL_CA_BUNDLE"]) == ["mine", "the system's"]


def test_a_folder_of_certificates_is_read_file_by_file(folder, tmp_path):
    write(tmp_path / "certs" / "one.pem", CORPORATE)
    write(tmp_path / "certs" / "deadbeef.0", CORPORATE)
    write(tmp_path / "certs" / "two.crt", SYSTEM, KEY)
    (tmp_path / "certs" / "README").write_text("no certificate")
    (tmp_path / "certs" / "more").mkdir()

    variables = trust_variables(folder, {"REQUESTS_CA_BUNDLE": str(tmp_path / "certs")})

    found = variables["REQUESTS_CA_BUNDLE"]
    assert subjects(found) == ["mine", "the company's", "the system's"]
    with open(found, encoding="ascii") as file:
        assert "PRIVATE" not in file.read()


def test_within_its_own_environment_the_files_stay_what_they_are(folder, tmp_path):
    corporate = write(tmp_path / "corporate.pem", CORPORATE)
    environ = {"CURL_CA_BUNDLE": str(corporate)}
    first = trust_variables(folder, environ)

    again = trust_variables(folder, environ | first)

    assert again == first
    assert subjects(first["CURL_CA_BUNDLE"]) == ["mine", "the company's"]
    assert subjects(first[ADDING]) == ["mine"]


def test_a_path_with_any_character_in_it_is_found_again(folder, tmp_path):
    strange = write(tmp_path / "a%0A\n-----BEGIN ä\udcff" / "ca.pem", CORPORATE)
    first = trust_variables(folder, {"PIP_CERT": str(strange)})

    assert trust_variables(folder, first) == first
    assert subjects(first["PIP_CERT"]) == ["mine", "the company's"]


def test_a_bundle_of_ours_that_is_gone_or_damaged_is_made_of_the_systems(folder):
    first = trust_variables(folder, {})
    for path in {first["PIP_CERT"], first[ADDING]}:
        with open(path, "w", encoding="ascii") as file:
            file.write("damaged\n")

    assert trust_variables(folder, first) == first
    assert subjects(first["PIP_CERT"]) == ["mine", "the system's"]
    os.unlink(first["PIP_CERT"])
    assert trust_variables(folder, first) == first
    assert subjects(first["PIP_CERT"]) == ["mine", "the system's"]


def test_what_is_up_to_date_is_not_written(folder):
    paths = set(trust_variables(folder, {}).values())
    before = {path: os.stat(path).st_ino for path in paths}

    trust_variables(folder, {})

    assert {path: os.stat(path).st_ino for path in paths} == before


def test_it_is_remade_when_either_part_has_changed(folder, system):
    found = trust_variables(folder, {})["SSL_CERT_FILE"]
    write(system, SYSTEM, CORPORATE)
    trust_variables(folder, {})

    assert subjects(found) == ["mine", "the system's", "the company's"]

    write(folder / "a_test.crt", ours(subject="renewed"))
    trust_variables(folder, {})

    assert subjects(found) == ["renewed", "the system's", "the company's"]


def test_a_reader_sees_the_old_one_or_the_new_one(folder, system):
    found = trust_variables(folder, {})["SSL_CERT_FILE"]
    with open(found, "rb") as reader:
        write(system, CORPORATE)
        trust_variables(folder, {})

        assert pem(SYSTEM) in reader.read()
    assert subjects(found) == ["mine", "the company's"]


def test_nothing_is_left_beside_the_files(folder):
    trust_variables(folder, {})

    left = [path.name for path in folder.iterdir() if path.name.startswith(".")]
    assert left == [".lock"]


def test_without_anything_kept_there_is_nothing_to_trust(tmp_path):
    assert trust_variables(tmp_path / "data", {}) == {}
    assert not (tmp_path / "data").exists()


def test_a_local_ca_that_cannot_be_read_is_said(folder):
    (folder / "_local_ca.crt").write_text("broken")

    with pytest.raises(CertificateError, match="_local_ca"):
        trust_variables(folder, {})


def places(monkeypatch, *, cafile="/nonexistent", capath="/nonexistent", files=()):
    monkeypatch.setattr(bundle, "SYSTEM_BUNDLES", tuple(map(str, files)))
    found = SimpleNamespace(openssl_cafile=str(cafile), openssl_capath=str(capath))
    monkeypatch.setattr(ssl, "get_default_verify_paths", lambda: found)


def test_the_system_is_asked_in_this_order(tmp_path, monkeypatch):
    known = write(tmp_path / "known.pem", SYSTEM)
    cafile = write(tmp_path / "cafile.pem", SYSTEM)
    capath = write(tmp_path / "capath" / "one.pem", SYSTEM).parent
    directory = write(tmp_path / "ssl" / "certs" / "one.pem", SYSTEM).parent.parent
    monkeypatch.setenv(
        "OPENSSL_SERVE_OPENSSL", str(stub(tmp_path, f"echo 'OPENSSLDIR: \"{directory}\"'"))
    )

    places(monkeypatch, files=[known], cafile=cafile, capath=capath)
    assert system_bundle() == known
    places(monkeypatch, cafile=cafile, capath=capath)
    assert system_bundle() == cafile
    places(monkeypatch, capath=capath)
    assert system_bundle() == capath
    places(monkeypatch)
    assert system_bundle() == directory / "certs"
    write(directory / "cert.pem", SYSTEM)
    assert system_bundle() == directory / "cert.pem"


def test_where_the_system_trusts_nothing_only_node_is_told(folder, tmp_path, monkeypatch):
    places(monkeypatch)
    monkeypatch.setenv("OPENSSL_SERVE_OPENSSL", str(tmp_path / "no-openssl"))

    assert set(trust_variables(folder, {})) == {ADDING}


def test_an_openssl_that_says_nothing_of_its_folder(tmp_path, monkeypatch):
    places(monkeypatch)
    monkeypatch.setenv("OPENSSL_SERVE_OPENSSL", str(stub(tmp_path, "echo nothing")))

    assert system_bundle() is None


def test_this_system_has_one(folder, monkeypatch):
    """Whatever it is that runs these tests: at least something is trusted there."""
    monkeypatch.setattr(bundle, "SYSTEM_BUNDLES", PLACES)
    found = system_bundle()

    assert found is not None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    path = trust_variables(folder, {})["SSL_CERT_FILE"]
    context.load_verify_locations(path)
    assert context.cert_store_stats()["x509"] > 10
