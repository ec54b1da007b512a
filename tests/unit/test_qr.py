"""The QR code, read by a decoder in dark and light terminals, and what is said beside it."""

import io
import sys
from types import SimpleNamespace

import pytest
from certificates import CA_FALSE, KEY, SERVER, make, ours, write
from codes import code_lines, decode
from terminals import terminal

from openssl_serve.addresses import Address
from openssl_serve.cli import qr
from openssl_serve.hosts import parse_host

URL = "http://192.168.178.100:65535/.well-known/openssl-serve/"
LAN = ("192.168.1.7", "fd00::7", "annas-laptop.local")


@pytest.fixture
def screen(monkeypatch):
    """Make stderr a terminal of so many columns."""
    for name in ("NO_COLOR", "FORCE_COLOR", "CLICOLOR", "CLICOLOR_FORCE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    opened = []

    def be(columns):
        opened.append(terminal(columns))
        monkeypatch.setattr(sys, "stderr", opened[-1].__enter__().stream)

    yield be
    for each in opened:
        each.__exit__(None, None, None)


@pytest.mark.parametrize("dark", [True, False])
@pytest.mark.parametrize("url", [URL, "https://[2001:db8:1234:5678:9abc:def0:1234:5678]:65535/"])
def test_a_scanner_reads_it_in_every_terminal(screen, dark, url):
    screen(80)

    lines = qr.code(url)

    assert decode(lines, dark=dark) == url
    assert code_lines("\n".join(lines)) == lines


@pytest.mark.parametrize("variable", [("NO_COLOR", "1"), ("TERM", "dumb")])
def test_without_colours_it_is_right_where_it_is_dark(screen, monkeypatch, variable):
    """And inverted where it is light, which most scanners read too."""
    screen(80)
    monkeypatch.setenv(*variable)

    lines = qr.code(URL)

    assert "\x1b" not in "".join(lines)
    assert decode(lines, dark=True) == URL
    assert decode(lines, dark=False, inverted=True) == URL


def test_it_is_as_small_as_it_can_be(screen):
    """24 rows and 80 columns are the smallest terminal that people have."""
    screen(80)
    lines = qr.code(URL)

    widths = {len(line) for line in code_lines("\n".join(lines))} - {0}
    (width,) = {width - len("\x1b[38;5;231;48;5;16m\x1b[0m") for width in widths}
    assert (width, len(lines)) == (41, 21)
    screen(width)
    assert qr.code(URL) == lines
    screen(width - 1)
    assert qr.code(URL) == []


def test_a_terminal_that_does_not_tell_its_width_has_80(screen):
    screen(0)

    assert qr.code(URL)


def test_where_there_are_no_blocks_there_is_no_code(screen, monkeypatch):
    screen(80)
    assert qr.code(URL)
    raw = sys.stderr
    monkeypatch.setattr(
        sys, "stderr",
        SimpleNamespace(encoding="iso-8859-1", isatty=raw.isatty, fileno=raw.fileno),
    )  # fmt: skip

    assert qr.code(URL) == []


def test_a_pipe_gets_none(monkeypatch):
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    monkeypatch.setenv("FORCE_COLOR", "1")

    assert qr.code(URL) == []


# What is said.


@pytest.fixture
def machine(monkeypatch):
    """A machine whose network knows it by LAN."""
    monkeypatch.setattr(qr, "lan_hosts", lambda: [parse_host(name) for name in LAN])


@pytest.fixture
def pair(tmp_path):
    """A pair of files with a certificate in it; self-signed for LAN unless another is given."""

    def made(certificate=None):
        certificate = certificate or ours(names=("192.168.1.7", "fd00::7"), subject="my.test")
        cert, key = write(tmp_path / "x.crt", certificate), write(tmp_path / "x.key", KEY)
        return SimpleNamespace(cert_path=cert, key_path=key, facts=None, password=None)

    return made


def said(addresses, certificate):
    return qr.invitation([Address(*each) for each in addresses], certificate)


@pytest.mark.parametrize(
    ("addresses", "where"),
    [
        ([("::", 8080)], "192.168.1.7:8080"),
        ([("0.0.0.0", 8443)], "192.168.1.7:8443"),
        ([("127.0.0.1", 1), ("192.168.1.7", 2)], "192.168.1.7:2"),
        ([("fd00::7", 8080)], "[fd00::7]:8080"),
        ([("fd00::7", 1), ("192.168.1.7", 2)], "192.168.1.7:2"),
    ],
)
@pytest.mark.usefixtures("machine")
def test_the_way_is_plain_http_at_an_address_that_others_reach(pair, addresses, where):
    found = said(addresses, pair())

    assert found.url == f"http://{where}/.well-known/openssl-serve/"
    assert found.lines[0] == ("phone", found.url)


def test_a_network_of_the_other_family_is_none(pair, monkeypatch):
    monkeypatch.setattr(qr, "lan_hosts", lambda: [parse_host("fd00::7")])

    assert said([("0.0.0.0", 80)], pair()).url is None
    assert said([("::", 80)], pair()).url


@pytest.mark.parametrize(
    ("addresses", "words"),
    [
        (
            [("127.0.0.1", 8)],
            "only this machine reaches http://127.0.0.1:8/.well-known/openssl-serve/; --lan --qr ",
        ),
        ([("::1", 8080)], "only this machine reaches http://[::1]:8080/"),
        ([], "none reaches a Unix socket: leave out --socket"),
        ([("::", 8080)], "none reaches this machine: it is not in a network"),
    ],
)
def test_where_no_phone_comes_there_is_a_reason_and_no_code(pair, monkeypatch, addresses, words):
    monkeypatch.setattr(qr, "lan_hosts", list)

    ((word, text),) = (found := said(addresses, pair())).lines

    assert found.url is None
    assert word == "phone"
    assert text.startswith(words)


@pytest.mark.usefixtures("machine")
def test_of_a_self_signed_certificate_it_says_who_never_trusts_it(pair):
    lines = said([("::", 8080)], pair()).lines[1:]

    assert lines == [
        ("to trust", "the certificate above; devices call it my.test"),
        (
            "but",
            "Firefox will never accept it; all accept what a local CA issues: openssl-serve trust",
        ),
    ]


@pytest.mark.usefixtures("machine")
def test_an_address_that_the_certificate_is_not_for_is_told(pair):
    lines = said([("::", 8080)], pair(ours(names=("localhost",)))).lines

    assert ("but", "the certificate is not for 192.168.1.7: --lan puts it in") in lines


@pytest.mark.usefixtures("machine")
def test_with_an_issuer_that_is_not_here_the_way_is_https_at_once(pair, home):
    leaf = make(CA_FALSE, SERVER, names=("192.168.1.7",), issuer="somebody", signed_by=KEY)

    found = said([("::", 8080)], pair(leaf))

    assert found == ([("phone", "https://192.168.1.7:8080/")], "https://192.168.1.7:8080/")


@pytest.mark.usefixtures("machine")
def test_a_certificate_that_has_just_gone_is_no_traceback(pair):
    certificate = pair()
    certificate.cert_path.unlink()

    assert said([("::", 8080)], certificate).url == "https://192.168.1.7:8080/"
