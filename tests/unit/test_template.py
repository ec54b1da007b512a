import configparser
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openssl_serve.errors import InvalidHostError
from openssl_serve.hosts import parse_host, parse_subtree
from openssl_serve.openssl.template import render


def sections(text):
    """The configuration, read by somebody else."""
    parser = configparser.ConfigParser(interpolation=None, strict=True, delimiters=("=",))
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read_string(text)
    return {name: dict(parser[name]) for name in parser.sections()}


def hosts(*names):
    return [parse_host(name) for name in names]


def test_names_are_typed_and_numbered():
    text = render(common_name="a.test", names=hosts("a.test", "127.0.0.1", "*.b.test", "::1"))

    assert sections(text)["names"] == {
        "DNS.1": "a.test", "IP.1": "127.0.0.1", "DNS.2": "*.b.test", "IP.2": "::1",
    }  # fmt: skip
    assert sections(text)["subject"] == {"commonName": "a.test"}


def test_the_shapes_are_those_that_clients_accept():
    found = sections(render(common_name="x", names=hosts("x")))

    assert found["self_signed"] == {
        "basicConstraints": "critical, CA:TRUE",
        "extendedKeyUsage": "serverAuth",
        "subjectKeyIdentifier": "hash",
        "subjectAltName": "@names",
    }
    assert found["ca"] == {
        "basicConstraints": "critical, CA:TRUE, pathlen:0",
        "keyUsage": "critical, keyCertSign, cRLSign",
        "subjectKeyIdentifier": "hash",
    }
    assert found["leaf"] == {
        "basicConstraints": "critical, CA:FALSE",
        "keyUsage": "critical, digitalSignature",
        "extendedKeyUsage": "serverAuth",
        "subjectKeyIdentifier": "hash",
        "authorityKeyIdentifier": "keyid",
        "subjectAltName": "@names",
    }


def test_an_rsa_key_may_also_encrypt():
    found = sections(render(common_name="x", names=hosts("x"), key_is_rsa=True))

    assert found["leaf"]["keyUsage"] == "critical, digitalSignature, keyEncipherment"


def test_constraints_permit_names_addresses_and_networks():
    permitted = map(parse_subtree, ("test", "127.0.0.1", "::1", "10.0.0.0/8", "fc00::/7"))

    found = sections(render(common_name="x", permitted=permitted))

    assert found["ca"]["nameConstraints"] == "critical, @permitted"
    assert found["permitted"] == {
        "permitted;DNS.1": "test",
        "permitted;IP.1": "127.0.0.1/255.255.255.255",
        "permitted;IP.2": "::1/ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
        "permitted;IP.3": "10.0.0.0/255.0.0.0",
        "permitted;IP.4": "fc00::/fe00::",
    }


@pytest.mark.parametrize(
    "value",
    ["a\nb = c", "$HOME", "${ENV::PATH}", "a#b", "a;b", "a,DNS:b", "a\\", '"', "[x]", "é", ""],
)
def test_a_value_that_would_mean_more_than_itself_is_refused(value):
    with pytest.raises(ValueError, match="no value for an openssl configuration"):
        render(common_name="x", organization=value or "\0")


@given(st.text(max_size=80))
def test_no_host_that_is_one_is_refused_or_changes_anything_else(text):
    try:
        host = parse_host(text)
    except InvalidHostError:
        return

    found = sections(render(common_name="x", names=[host]))

    assert found["names"] == {f"{host.kind.value}.1": host.value}
    assert len(found) == 7


def test_the_template_of_the_checkout_is_the_one():
    assert "openssl-serve" in (Path(__file__).parents[2] / "openssl.cnf.template").read_text()
