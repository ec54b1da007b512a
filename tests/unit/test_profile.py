from typing import Any

import pytest

from openssl_serve.certs.profile import CertificateProfile, KeyType, Shape
from openssl_serve.errors import InvalidHostError, UsageError
from openssl_serve.hosts import parse_host


def names(*hosts):
    return [str(host) for host in CertificateProfile.for_server(hosts).hosts]


def test_loopback_is_always_in_it():
    assert names() == ["localhost", "127.0.0.1", "::1"]
    assert names("my.dev.local") == ["my.dev.local", "localhost", "127.0.0.1", "::1"]


def test_the_order_stays_and_nothing_is_twice():
    assert names("::1", "b.test", "A.test", "a.test", "[0::1]", "localhost") == [
        "::1", "b.test", "a.test", "localhost", "127.0.0.1",
    ]  # fmt: skip


def test_parsed_hosts_are_taken_as_they_are():
    assert names(parse_host("faß.de"))[0] == "xn--fa-hia.de"


def test_the_first_host_names_the_files():
    assert CertificateProfile.for_server(["my.dev.local", "b.test"]).slug == "my_dev_local"


def test_defaults():
    profile = CertificateProfile.for_server([])

    assert (profile.days, profile.key_type, profile.shape) == (365, None, None)


@pytest.mark.parametrize("days", [1, 365, 824])
def test_days_that_clients_accept(days):
    assert CertificateProfile.for_server([], days=days).days == days


@pytest.mark.parametrize(
    ("days", "words"), [(825, "iPhones"), (3650, "iPhones"), (0, "0 days"), (-1, "-1 days")]
)
def test_days_that_they_refuse(days, words):
    """P21: pem makes 365 of 0, and an expired certificate of -1."""
    with pytest.raises(UsageError, match=words):
        CertificateProfile.for_server([], days=days)


def test_a_bad_host_is_named():
    with pytest.raises(InvalidHostError, match=r"a\.\.b"):
        CertificateProfile.for_server(["ok.test", "a..b"])


def test_no_host_at_all_is_refused():
    with pytest.raises(UsageError):
        CertificateProfile(())


def test_key_types_and_their_descriptions_go_both_ways():
    described = [kind.description for kind in KeyType]

    assert described == ["EC P-256", "EC P-384", "RSA 2048", "RSA 3072", "RSA 4096", "Ed25519"]
    assert [KeyType.described(text) for text in described] == list(KeyType)
    assert KeyType.described("RSA 1024") is None


def test_a_type_of_key_may_be_a_text():
    word: Any = "rsa3072"

    assert CertificateProfile.for_server([], key_type=word).key_type is KeyType.RSA3072


@pytest.mark.parametrize("wrong", ["rsa1024", "", 2048])
def test_a_type_of_key_that_there_is_not_is_refused(wrong):
    with pytest.raises(UsageError, match=f'key_type "{wrong}" is not one of p256, p384, rsa2048'):
        CertificateProfile.for_server([], key_type=wrong)


def test_sections_of_the_template():
    assert [shape.section for shape in Shape] == ["self_signed", "leaf", "ca"]
