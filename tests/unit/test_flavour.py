import pytest

from openssl_serve.errors import OpensslUnusableError
from openssl_serve.openssl.flavour import Flavour, parse_version


@pytest.mark.parametrize(
    ("output", "flavour", "numbers", "text"),
    [
        ("OpenSSL 1.1.1w  11 Sep 2023\n", Flavour.OPENSSL, (1, 1, 1), "OpenSSL 1.1.1w"),
        (
            "OpenSSL 3.0.19 27 Jan 2026 (Library: OpenSSL 3.0.19 27 Jan 2026)\n",
            Flavour.OPENSSL,
            (3, 0, 19),
            "OpenSSL 3.0.19",
        ),
        ("OpenSSL 3.6.0-dev  (Library: ...)", Flavour.OPENSSL, (3, 6, 0), "OpenSSL 3.6.0"),
        ("LibreSSL 3.3.6\n", Flavour.LIBRESSL, (3, 3, 6), "LibreSSL 3.3.6"),
        ("LibreSSL 4.3.2\n", Flavour.LIBRESSL, (4, 3, 2), "LibreSSL 4.3.2"),
    ],
)
def test_flavours_are_told_apart(output, flavour, numbers, text):
    version = parse_version(output, "openssl")

    assert (version.flavour, version.numbers, str(version)) == (flavour, numbers, text)
    assert version.is_libressl is (flavour is Flavour.LIBRESSL)


@pytest.mark.parametrize(
    ("output", "words"),
    [
        ("", 'is not openssl: "version" printed nothing'),
        ("\n\n", "printed nothing"),
        ("Hello, world!\nmore\n", 'is not openssl: "version" printed "Hello, world!"'),
        ("BoringSSL 0.20\n", "BoringSSL, which makes no certificates"),
        ("OpenSSL 1.0.2u  20 Dec 2019", "/x is OpenSSL 1.0.2u, and OpenSSL 1.1.1 is the oldest"),
        ("OpenSSL 0.9.8zh 14 Jan 2016", "is OpenSSL 0.9.8zh"),
        ("LibreSSL 2.8.3", "/x is LibreSSL 2.8.3, and LibreSSL 3.3 is the oldest"),
        ("\x1b[31mred" + "x" * 500, "\\x1b[31mred"),
    ],
)
def test_what_cannot_be_used_is_named(output, words):
    with pytest.raises(OpensslUnusableError) as caught:
        parse_version(output, "/x")

    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
    assert "\x1b" not in str(caught.value)
    assert len(str(caught.value)) < 200
