import re
import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from openssl_serve.errors import InvalidHostError
from openssl_serve.hosts import (
    MAX_NAME_LENGTH,
    MAX_SLUG_LENGTH,
    HostKind,
    parse_host,
    shorten,
)

ANYTHING = st.one_of(
    st.text(max_size=40),
    st.text(alphabet="aAßé.x-n*_[]:%@/0129\u3002\u00ad\n$= ", max_size=40),
    st.lists(
        st.sampled_from(["xn--", "a", "*.", ".", "1", "::", "[", "]", "%eth0", "ß", "-"]),
        max_size=8,
    ).map("".join),
)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("localhost", "localhost"),
        ("My.Dev.Local", "my.dev.local"),
        ("my.dev.local.", "my.dev.local"),
        ("a_b.local", "a_b.local"),
        ("*.my.dev.local", "*.my.dev.local"),
        ("faß.de", "xn--fa-hia.de"),
        ("*.faß.de", "*.xn--fa-hia.de"),
        ("\uff21\uff22\uff23.test", "abc.test"),
        ("a\u3002b", "a.b"),
        ("xn--fa-hia.de", "xn--fa-hia.de"),
        ("1.2.3.4.example", "1.2.3.4.example"),
    ],
)
def test_a_name_is_read_as_a_browser_reads_it(text, value):
    host = parse_host(text)

    assert (host.value, host.kind) == (value, HostKind.DNS)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("127.0.0.1", "127.0.0.1"),
        ("::1", "::1"),
        ("[::1]", "::1"),
        ("2001:DB8:0:0::1", "2001:db8::1"),
        ("fe80::1%eth0", "fe80::1"),
        ("::ffff:10.0.0.1", "::ffff:a00:1"),
    ],
)
def test_an_address_is_told_from_a_name(text, value):
    host = parse_host(text)

    assert host.kind is HostKind.IP
    assert host.value in (value, "::ffff:10.0.0.1")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "is empty"),
        (".", "label 1 is empty"),
        ("a..b", "label 2 is empty"),
        (".a", "label 1 is empty"),
        ("*.", "character"),
        ("a b", "character"),
        ("a\nb", "character"),
        ("a\r\nsubjectAltName=x", "character"),
        ("a\0b", "character"),
        ("$HOME", "character"),
        ("${ENV::x}", "character"),
        ("[section]", "character"),
        ("a=b", "character"),
        ("a#b", "character"),
        ("a,DNS:evil", "character"),
        ("DNS:evil", "character"),
        ("-a", "hyphen"),
        ("a-.b", "hyphen"),
        ("me@example.com", "e-mail"),
        ("https://example.com/x", "URL"),
        ("../etc/passwd", "path"),
        ("dev.local:8080", "has a port"),
        ("[::1]:8080", "has a port"),
        ("a:²", "character"),
        ("*", "whole first label"),
        ("a.*.b", "whole first label"),
        ("a*.b", "whole first label"),
        ("*.localhost", "single label"),
        ("*.*.a.b", "whole first label"),
        ("999.1.1.1", "looks like an address"),
        ("1.2.3", "looks like an address"),
        ("0x7f.1", "looks like an address"),
        ("0x7f000001", "looks like an address"),
        ("a." + "b" * 64, "64 characters"),
        (".".join(["a" * 60] * 5), "253 are the most"),
        ("xn--a", "is not a host"),
        ("a\u200db", "is not a host"),
        ("é" * 200, "label 1 has 200 characters"),
        ("é." * 200, "are the most"),
        ("\u00ad.test", "label 1 is empty"),
        ("💩.test", "is not a host: codepoint U+1F4A9"),
        ("xn--zzzzzz99999.test", "is not a host: invalid A-label"),
        ("a_é.test", "is not a host: codepoint U+005F"),
    ],
)
def test_what_is_no_host_is_refused_with_its_reason(text, reason):
    with pytest.raises(InvalidHostError, match=re.escape(reason)) as caught:
        parse_host(text)

    assert caught.value.hints
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 250


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("my_app.Bücher.test", "my_app.xn--bcher-kva.test"),
        ("a--b.bücher.test", "a--b.xn--bcher-kva.test"),
        ("*.my_app.xn--bcher-kva.test", "*.my_app.xn--bcher-kva.test"),
        ("bücher.test。", "xn--bcher-kva.test"),
        ("ﬁ.test", "fi.test"),
    ],
)
def test_a_label_of_ascii_beside_others_is_as_good_as_alone(text, value):
    assert parse_host(text).value == value


@pytest.mark.parametrize("text", ["xn--" + "a" * 100_000, "xn--a." * 20_000, "ü" * 100_000])
def test_a_very_long_name_takes_no_time(text):
    """A client may send one in its Host field."""
    began = time.process_time()

    with pytest.raises(InvalidHostError):
        parse_host(text)

    assert time.process_time() - began < 1


def test_the_longest_name_is_253_characters_wildcard_included():
    name = ".".join(["a" * 49] * 5) + ".abc"

    assert len(name) == MAX_NAME_LENGTH
    assert parse_host(name).value == name
    assert len(parse_host("*." + name[2:]).value) == MAX_NAME_LENGTH
    with pytest.raises(InvalidHostError):
        parse_host("a" + name)
    with pytest.raises(InvalidHostError):
        parse_host("*." + name)


def test_a_url_is_answered_with_the_host_in_it():
    with pytest.raises(InvalidHostError) as caught:
        parse_host("https://dev.local:8443/x")

    assert caught.value.hints == ("give the host alone: dev.local",)


@given(ANYTHING)
@example("*.xn--fa-hia.de")
def test_a_parsed_host_can_be_written_anywhere(text):
    """Nothing of it can end a line, a section or a value; it parses to itself; it fits a file."""
    try:
        host = parse_host(text)
    except InvalidHostError:
        return

    assert re.fullmatch(r"[a-z0-9._:*-]+", host.value)
    assert parse_host(str(host)) == host
    assert parse_host(host.in_url) == host
    assert re.fullmatch(r"[A-Za-z0-9_%*-]+", host.slug)
    assert len(host.slug) <= MAX_SLUG_LENGTH


@given(ANYTHING, ANYTHING)
@example("a.b", "a_b")
@example("a_b", "a__b")
@example("*.a.b", "_.a.b")
@example(".".join(["a" * 60] * 4), ".".join(["a" * 60] * 3 + ["a" * 59]))
def test_two_hosts_never_share_a_file(one, other):
    try:
        first, second = parse_host(one), parse_host(other)
    except InvalidHostError:
        return

    assert (first == second) == (first.slug == second.slug)


@pytest.mark.parametrize(
    ("entry", "asked", "covered"),
    [
        ("a.test", "a.test", True),
        ("A.test", "a.TEST", True),
        ("a.test", "b.test", False),
        ("*.dev.local", "a.dev.local", True),
        ("*.dev.local", "dev.local", False),
        ("*.dev.local", "a.b.dev.local", False),
        ("*.dev.local", "*.dev.local", True),
        ("*.a.dev.local", "*.dev.local", False),
        ("127.0.0.1", "127.0.0.1", True),
        ("::1", "0::1", True),
        ("127.0.0.1", "127.0.0.2", False),
    ],
)
def test_what_an_entry_of_a_certificate_covers(entry, asked, covered):
    assert parse_host(entry).covers(parse_host(asked)) is covered


@given(st.text())
def test_a_message_is_one_printable_line(text):
    assert shorten(text).isprintable()
    assert len(shorten(text)) <= 60


def test_both_ends_of_a_long_text_are_shown():
    assert shorten("a" * 100 + "z") == "a" * 30 + "…" + "a" * 28 + "z"
