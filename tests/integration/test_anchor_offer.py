"""What is to be trusted, offered over plain HTTP: just that, in forms that others can read."""

import datetime as dt
import plistlib
import re
import threading
from contextlib import suppress
from types import SimpleNamespace

import pytest
from certificates import CA_FALSE, KEY, SERVER, load, make, openssl, ours, pem, write
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from fast_openssl import FastOpenssl
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from server_fixtures import Client, Pair, answers, request

from openssl_serve import api
from openssl_serve.anchors import LiveOffer
from openssl_serve.certs.profile import CertificateProfile
from openssl_serve.certs.store import Store
from openssl_serve.handlers.folder import FolderOptions
from openssl_serve.hosts import parse_host
from openssl_serve.local_ca import LocalCA

PLACE = "/.well-known/openssl-serve/"
TYPES = {
    "openssl-serve.crt": b"application/x-x509-ca-cert",
    "openssl-serve.pem": b"application/x-pem-file",
    "openssl-serve.mobileconfig": b"application/x-apple-aspen-config",
}
HTML = b"Accept: text/html,application/xhtml+xml,*/*;q=0.8"
IPHONE = b"User-Agent: Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) Safari/604.1"


@pytest.fixture
def offering(serve):
    return serve(offer_anchor=True)


def plain(running, target, *fields, method=b"GET", **options):
    """The answer to one request without TLS."""
    with running.plain() as client:
        data = request(target, b"Connection: close", *fields, method=method, **options)
        return client.send(data).answer(method)


def secrets(key) -> list[bytes]:
    """The bytes without which no form of the private *key* is one."""
    forms = [
        key.private_bytes(encoding, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        for encoding in (serialization.Encoding.PEM, serialization.Encoding.DER)
    ]
    number = key.private_numbers().private_value.to_bytes(32, "big")
    return [b"PRIVATE KEY", *forms, number, b"".join(forms[0].splitlines()[1:-1])[40:]]


SECRETS = secrets(KEY)


# The page.


def test_a_phone_gets_a_page_with_the_fingerprint_and_the_way_to_https(offering, pair):
    answer = plain(offering, PLACE, HTML, IPHONE, host=b"127.0.0.1:%d" % offering.port)

    assert answer.status == 200
    assert answer.get(b"content-type") == b"text/html; charset=utf-8"
    assert answer.get(b"cache-control") == b"no-store"
    assert b"default-src 'none'" in (answer.get(b"content-security-policy") or b"")
    text = re.sub(r"<[^>]+>", "", answer.text)
    assert load(pair.cert_path).fingerprint(hashes.SHA256()).hex(":").upper() in text
    assert f'href="https://127.0.0.1:{offering.port}/"' in answer.text
    assert "<details open><summary>iPhone, iPad<" in answer.text


def test_its_links_lead_to_the_three_forms_and_to_https_alone(offering):
    links = set(re.findall(r'href="([^"]+)"', plain(offering, PLACE, HTML).text))

    assert links == {
        "data:,", "openssl-serve.crt", "openssl-serve.mobileconfig", "https://localhost/",
    }  # fmt: skip


def test_programs_get_text(offering, pair):
    answer = plain(offering, PLACE)

    assert answer.get(b"content-type") == b"text/plain; charset=utf-8"
    fingerprint = load(pair.cert_path).fingerprint(hashes.SHA256()).hex(":").upper()
    assert f"SHA-256 {fingerprint}\n" in answer.text
    for name in TYPES:
        assert f"http://localhost{PLACE}{name}\n" in answer.text


def test_without_its_slash_it_is_found(offering):
    answer = plain(offering, PLACE.rstrip("/"))

    assert (answer.status, answer.get(b"location")) == (301, PLACE.encode())
    assert answer.get(b"cache-control") == b"no-store"


def test_a_client_that_does_not_say_whom_it_asks_is_led_to_where_it_is(offering):
    answer = plain(offering, PLACE, host=None, version=b"1.0")

    assert f"https://127.0.0.1:{offering.port}/\n" in answer.text


# The forms, read by others.


def test_der_and_pem_are_what_openssl_takes_for_the_certificate(offering, pair, tmp_path):
    for name, form in (("openssl-serve.crt", "DER"), ("openssl-serve.pem", "PEM")):
        (tmp_path / name).write_bytes(plain(offering, PLACE + name).body)
        words = ("-noout", "-fingerprint", "-sha256")
        assert openssl("x509", "-inform", form, "-in", tmp_path / name, *words) == openssl(
            "x509", "-in", pair.cert_path, *words
        )


def test_the_profile_is_a_property_list_that_trusts_the_certificate(offering, pair):
    profile = plistlib.loads(plain(offering, f"{PLACE}openssl-serve.mobileconfig").body)

    (payload,) = profile["PayloadContent"]
    assert payload["PayloadType"] == "com.apple.security.root"
    assert x509.load_der_x509_certificate(payload["PayloadContent"]) == load(pair.cert_path)
    for part in (profile, payload):
        assert set(part) >= {"PayloadIdentifier", "PayloadUUID", "PayloadVersion"}
        assert part["PayloadDisplayName"] == "a.test"


@pytest.mark.parametrize(("name", "kind"), [*TYPES.items(), ("", b"text/plain; charset=utf-8")])
def test_head_is_get_without_content(offering, name, kind):
    got = plain(offering, PLACE + name)
    head = plain(offering, PLACE + name, method=b"HEAD")

    assert (head.status, head.body) == (200, b"")
    assert head.get(b"content-type") == kind
    assert head.get(b"x-content-type-options") == b"nosniff"
    assert int(head.get(b"content-length") or 0) == len(got.body) > 0


@pytest.mark.parametrize("name", ["", *TYPES])
def test_it_can_only_be_read(offering, name):
    refused = plain(offering, PLACE + name, b"Content-Length: 0", method=b"POST")
    options = plain(offering, PLACE + name, method=b"OPTIONS")

    assert (refused.status, refused.get(b"allow")) == (405, b"GET, HEAD, OPTIONS")
    assert (options.status, options.get(b"allow")) == (204, b"GET, HEAD, OPTIONS")


def test_a_query_and_the_form_for_proxies_are_the_same(offering):
    name = f"{PLACE}openssl-serve.crt"

    for target in (f"{name}?x=1", f"http://localhost{name}"):
        assert plain(offering, target).get(b"content-type") == TYPES["openssl-serve.crt"]


# Nothing else, and nobody else.


def test_it_is_off_unless_asked_for(server):
    for name in ("", *TYPES):
        answer = plain(server, PLACE + name)
        assert (answer.status, answer.get(b"location")) == (
            301,
            f"https://localhost{PLACE}{name}".encode(),
        )


def test_over_tls_it_is_the_folder_that_answers(serve, root):
    running = serve(offer_anchor=True, folder=FolderOptions(hidden=True))
    (root / PLACE.strip("/")).mkdir(parents=True)
    (root / PLACE.strip("/") / "openssl-serve.crt").write_text("the folder's own")

    assert running.get(f"{PLACE}openssl-serve.crt").text == "the folder's own"
    assert running.get(f"{PLACE}openssl-serve.pem").status == 404


@pytest.mark.parametrize("name", ["", *TYPES])
@pytest.mark.parametrize(
    ("host", "status"), [(b"evil.example", 421), (b"127.0.0.2", 421), (b"a@b", 400)]
)
def test_only_for_a_host_that_is_served_here(offering, name, host, status):
    """Else a page of anybody's could read who runs this server (DNS rebinding)."""
    assert plain(offering, PLACE + name, host=host).status == status


@pytest.mark.parametrize("how", [api.PlainHttp.SERVE, api.PlainHttp.REFUSE])
def test_whatever_else_plain_http_gets(serve, how):
    running = serve(offer_anchor=True, plain_http=how)

    assert plain(running, f"{PLACE}openssl-serve.crt").status == 200
    assert plain(running, "/a.txt").status == (200 if how is api.PlainHttp.SERVE else 426)
    assert plain(running, f"{PLACE}x").status == (404 if how is api.PlainHttp.SERVE else 426)


NAMES = ("", *TYPES, "server.key", "server.crt", "openssl-serve.key", "_local_ca.key", "a.txt")
TURNS = st.sampled_from(
    [b"", b"/", b"..", b"../", b"%2e%2e/", b"..%2f", b".", b"./", b"%00", b"%2f", b"\\", b"//",
     b";", b"%", b"#", b"?", b"key", b".key", b"private", b"~"]
)  # fmt: skip
SPELLED = st.sampled_from(
    [PLACE.encode(), b"/.WELL-KNOWN/openssl-serve/", b"/.well-known/openssl%2dserve/",
     b"//.well-known/openssl-serve/", b"/%2ewell-known/openssl-serve/", b"/.well-known//",
     b"/x/../.well-known/openssl-serve/", b"/.well-known/openssl-serve%2f"]
)  # fmt: skip
TARGETS = st.tuples(
    SPELLED, st.lists(TURNS, max_size=3).map(b"".join), st.sampled_from(NAMES).map(str.encode),
    st.lists(TURNS, max_size=2).map(b"".join),
).map(b"".join)  # fmt: skip
METHODS = st.sampled_from([b"GET", b"GET", b"GET", b"HEAD", b"POST", b"OPTIONS"])


@pytest.fixture
def beside(serve, pair, root):
    """A server that offers, one that does not, both with the key beside what they serve."""
    (root / "server.key").write_bytes(pair.key_path.read_bytes())
    return serve(offer_anchor=True), serve()


@settings(
    max_examples=300,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(target=TARGETS, method=METHODS)
@example(target=b"*", method=b"OPTIONS")
@example(target=b"localhost:1", method=b"CONNECT")
@example(target=b"ftp://localhost/", method=b"GET")
@example(target=PLACE.encode() + b"server.key", method=b"GET")
@example(target=PLACE.encode() + b"../../server.key", method=b"GET")
@example(target=PLACE.encode() + b"openssl-serve.crt/../server.key", method=b"GET")
def test_every_other_path_is_as_without_it_and_no_spelling_finds_a_key(beside, target, method):
    offering, without = beside
    data = request(target, b"Connection: close", b"Content-Length: 0", method=method)
    received = offering.plain_exchange(data)

    for secret in SECRETS:
        assert secret not in received
    path = target.partition(b"#")[0].partition(b"?")[0].decode("latin-1")
    if path not in {PLACE.rstrip("/"), *(PLACE + name for name in ("", *TYPES))}:
        (ours,), (theirs,) = (
            answers(bytes_, method) for bytes_ in (received, without.plain_exchange(data))
        )
        ours.fields[:], theirs.fields[:] = (
            [field for field in each.fields if field[0] != b"date"] for each in (ours, theirs)
        )
        assert ours == theirs


# Whose certificate it is.


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "data")


def kept_by(store, *hosts):
    return store.ensure(CertificateProfile.for_server(hosts), openssl=FastOpenssl())


def test_of_what_a_local_ca_issued_it_is_the_cas(serve, store):
    authority = store.ensure_authority(openssl=FastOpenssl())
    running = serve(certificate=kept_by(store, "localhost"), offer_anchor=True)

    found = {name: plain(running, PLACE + name).body for name in TYPES}
    page = plain(running, PLACE, HTML)

    assert x509.load_der_x509_certificate(found["openssl-serve.crt"]) == load(authority.cert_path)
    assert authority.facts.common_name in page.text
    keys = [
        serialization.load_pem_private_key(path.read_bytes(), None)
        for path in store.folder.glob("*.key")
    ]
    assert len(keys) == 2
    for key in keys:
        assert isinstance(key, ec.EllipticCurvePrivateKey)
        for secret in secrets(key):
            assert not any(secret in body for body in (*found.values(), page.body))


def test_of_what_a_ca_elsewhere_issued_it_is_that(serve, tmp_path):
    ca = LocalCA(tmp_path / "ca")
    running = serve(certificate=ca.issue("localhost"), offer_anchor=True)

    assert plain(running, f"{PLACE}openssl-serve.pem").body == pem(load(ca.cert_path))


def test_it_follows_its_files_and_tells_the_new_fingerprint_once(serve, store):
    """`generate --ca` while a server runs: what phones are given is what will be asked of them."""
    running = serve(certificate=kept_by(store, "localhost"), offer_anchor=True)
    before = plain(running, f"{PLACE}openssl-serve.crt").body
    authority = store.ensure_authority(openssl=FastOpenssl())
    kept_by(store, "localhost")

    after = [plain(running, f"{PLACE}openssl-serve.crt").body for _ in range(3)]

    expected = load(authority.cert_path).public_bytes(serialization.Encoding.DER)
    assert after == [expected] * 3
    assert before != expected
    assert running.log.count("another certificate to trust now, SHA-256") == 1
    assert authority.facts.fingerprint in running.log


def test_devices_that_ask_at_once_have_it_told_once(store):
    meeting = threading.Barrier(2)
    told = []

    def tell(text):
        told.append(text)
        # Time for the other one to find the same.
        with suppress(threading.BrokenBarrierError):
            meeting.wait(0.2)

    offer = LiveOffer(kept_by(store, "localhost"), tell)
    store.ensure_authority(openssl=FastOpenssl())
    kept_by(store, "localhost")
    threads = [threading.Thread(target=offer) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(told) == 1


def test_while_its_files_cannot_be_read_it_stays(serve, store):
    kept = kept_by(store, "localhost")
    running = serve(certificate=kept, offer_anchor=True)
    before = plain(running, f"{PLACE}openssl-serve.crt").body

    kept.cert_path.write_text("half a certif")

    assert plain(running, f"{PLACE}openssl-serve.crt").body == before


def test_a_pair_with_its_key_in_the_same_file_gives_the_certificate(serve, tmp_path):
    both = write(tmp_path / "both.pem", KEY, ours(names=("localhost", "127.0.0.1")))
    mixed = Pair(both, both, SimpleNamespace(names=("localhost", "127.0.0.1")))
    running = serve(certificate=mixed, offer_anchor=True)

    for name in ("", *TYPES):
        body = plain(running, PLACE + name).body
        assert not any(secret in body for secret in SECRETS)
    assert plain(running, f"{PLACE}openssl-serve.pem").body in pem(
        *x509.load_pem_x509_certificates(both.read_bytes())
    )


def test_of_an_issuer_that_is_not_here_there_is_nothing(serve, tmp_path):
    """As with a certificate of Let's Encrypt, which everybody trusts already."""
    leaf = make(CA_FALSE, SERVER, names=("localhost",), issuer="somebody", signed_by=KEY,
                end=dt.datetime.now(dt.UTC) + dt.timedelta(days=9))  # fmt: skip
    cert, key = write(tmp_path / "leaf.crt", leaf), write(tmp_path / "leaf.key", KEY)
    running = serve(
        certificate=Pair(cert, key, SimpleNamespace(names=("localhost",))), offer_anchor=True
    )

    for name in ("", *TYPES):
        answer = plain(running, PLACE + name)
        assert (answer.status, b"BEGIN" in answer.body) == (404, False)


def test_a_crowd_of_phones(offering):
    """Each is answered by a thread; none holds up another or gets another's answer."""
    found: list = []

    def ask(name):
        with Client(offering.connect()) as client:
            found.extend((name, client.get(PLACE + name).get(b"content-type")) for _ in range(5))

    threads = [threading.Thread(target=ask, args=(name,)) for name in [*TYPES] * 4]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(found) == 60
    assert all(kind == TYPES[name] for name, kind in found)


def test_names_that_are_allowed_are_places_too(serve):
    running = serve(offer_anchor=True, allow_hosts=[parse_host("other.test")])

    answer = plain(running, PLACE, HTML, host=b"other.test:1")

    assert 'href="https://other.test:1/"' in answer.text
    assert "is not for other.test" in answer.text
