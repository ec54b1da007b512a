import base64
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openssl_serve.certs import pem
from openssl_serve.errors import CertificateError


def block(label="CERTIFICATE", content=b"content", newline="\n"):
    text = base64.encodebytes(content).decode().replace("\n", newline)
    return f"-----BEGIN {label}-----{newline}{text}-----END {label}-----{newline}".encode()


def test_blocks_are_found_among_comments_and_in_order():
    data = b"Bag Attributes: x\n" + block(content=b"1") + b"subject=\n" + block("PRIVATE KEY", b"2")

    assert [(b.label, b.der) for b in pem.blocks(data)] == [
        ("CERTIFICATE", b"1"),
        ("PRIVATE KEY", b"2"),
    ]


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_line_ends_of_every_editor(newline):
    (found,) = pem.blocks(block(content=b"x" * 100, newline=newline))

    assert found.der == b"x" * 100


def test_the_last_line_needs_no_end():
    assert len(pem.blocks(block().rstrip())) == 1


@pytest.mark.parametrize(
    ("data", "encrypted"),
    [
        (block("PRIVATE KEY"), False),
        (block("ENCRYPTED PRIVATE KEY"), True),
        (
            block("RSA PRIVATE KEY").replace(
                b"\n", b"\nProc-Type: 4,ENCRYPTED\nDEK-Info: X\n\n", 1
            ),
            True,
        ),
    ],
)
def test_an_encrypted_key_is_seen_without_its_password(data, encrypted):
    (found,) = pem.blocks(data)

    assert found.is_private_key
    assert found.is_encrypted is encrypted
    assert found.der


@pytest.mark.parametrize(
    "data",
    [b"", b"-----BEGIN CERTIFICATE-----\n", b"-----BEGIN A-----\n-----END B-----", b"\0" * 99],
)
def test_what_is_no_pem_has_no_blocks(data):
    assert pem.blocks(data) == []


def test_damaged_base64_is_refused():
    (found,) = pem.blocks(b"-----BEGIN CERTIFICATE-----\nAAA?\n-----END CERTIFICATE-----\n")

    with pytest.raises(CertificateError, match="CERTIFICATE block is not base64"):
        _ = found.der


@given(st.binary(max_size=300))
def test_whatever_comes_only_a_certificate_error_leaves(data):
    for found in pem.blocks(data) + pem.blocks(
        b"-----BEGIN X-----\n" + data + b"\n-----END X-----"
    ):
        with suppress(CertificateError):
            _ = found.der


@given(st.lists(st.binary(max_size=200), max_size=4))
def test_what_goes_in_comes_out(contents):
    data = b"".join(block(content=content) for content in contents)

    assert [found.der for found in pem.blocks(data)] == contents
