"""The page about the trust anchor: it is true of this one, helps this device, and is text."""

import re
from dataclasses import replace
from html import unescape

import pytest

from openssl_serve.handlers.anchor_offer import CERTIFICATE, PEM, PROFILE, Offer
from openssl_serve.handlers.anchor_page import anchor_page, anchor_text
from openssl_serve.hosts import parse_host
from openssl_serve.http1.fields import Authority

FINGERPRINT = ":".join(f"{number:02X}" for number in range(32))
PLACE = Authority(parse_host("192.168.1.7"), 8080)
SELF_SIGNED = {"Firefox": "Firefox accepts no CA:TRUE certificate from a server"}
NO_CA = {
    "Safari, iPhone, iPad": "the trust switch is offered only for CA:TRUE certificates",
    "Android": "only CA:TRUE certificates can be installed",
}


OFFER = Offer(
    name="openssl-serve local CA anna@laptop 2026 3f21ab",
    fingerprint=FINGERPRINT,
    ends="2036-11-20",
    forms=dict.fromkeys((CERTIFICATE, PEM, PROFILE), b""),
    hosts=tuple(map(parse_host, ("192.168.1.7", "annas-laptop.local", "my.dev.local"))),
    is_shared=True,
    can_sign=True,
    permitted=(),
    refusals={},
)
"""Of a local CA that may issue for everything."""


def page(agent="", place=PLACE, **changes) -> str:
    fields, body = anchor_page(replace(OFFER, **changes), place, agent)
    assert dict(fields)[b"Content-Type"] == b"text/html; charset=utf-8"
    return body.decode()


def text_of(html: str) -> str:
    """What is to be read on it."""
    html = re.sub(r"<style>.*?</style>|<div hidden>.*?</div>", "", html, flags=re.DOTALL)
    return " ".join(unescape(re.sub(r"<[^>]+>", "", html)).split())


def opened(html: str) -> list[str]:
    return re.findall(r"<details open><summary>([^<]+)", html)


def test_it_says_what_is_to_be_trusted_and_shows_the_whole_fingerprint():
    text = text_of(page())

    assert "Trust 192.168.1.7 on this device" in text
    assert "the CA that issued its certificate" in text
    assert "openssl-serve local CA anna@laptop 2026 3f21ab" in text
    assert "2036-11-20" in text
    assert FINGERPRINT in text
    assert "can pose as any site to a device" in text


@pytest.mark.parametrize(
    ("agent", "titles"),
    [
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) Safari/604.1", ["iPhone, iPad"]),
        ("Mozilla/5.0 (Linux; Android 14; Pixel 8) Chrome/130 Mobile Safari/537.36", ["Android"]),
        ("Mozilla/5.0 (Android 14; Mobile; rv:130.0) Firefox/130.0", ["Android"]),
        # An iPad says the same.
        ("Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7)", ["iPhone, iPad", "macOS"]),
        ("Mozilla/5.0 (Windows NT 10.0; Win64; x64) Edg/130.0", ["Windows"]),
        ("Mozilla/5.0 (X11; Linux x86_64; rv:130.0) Firefox/130.0", ["Linux"]),
        ("", []),
    ],
)
def test_the_steps_of_the_device_that_asks_are_open(agent, titles):
    html = page(agent)

    assert opened(html) == titles
    assert len(re.findall("<details", html)) == 5


def test_it_leads_to_https_where_the_client_is_and_to_the_name_that_stays():
    links = re.findall(r'href="(https:[^"]+)"', page())

    assert links == ["https://192.168.1.7:8080/", "https://annas-laptop.local:8080/"]


@pytest.mark.parametrize(
    ("place", "link"),
    [
        (Authority(parse_host("annas-laptop.local"), None), "https://annas-laptop.local/"),
        (Authority(parse_host("fd00::7"), 8080), "https://[fd00::7]:8080/"),
    ],
)
def test_it_leads_to_https_at_the_same_port(place, link):
    assert f'href="{link}"' in page(place=place)


def test_a_ca_that_all_accept_needs_no_notice():
    html = page()

    assert "notice" not in re.sub("<style>.*</style>", "", html, flags=re.DOTALL)
    assert "<div hidden>" not in html
    assert html.count("Firefox") == 4


def test_a_self_signed_certificate_says_who_never_accepts_it_and_what_helps():
    text = text_of(page(is_shared=False, name="localhost", refusals=SELF_SIGNED))

    assert "until they trust its certificate" in text
    assert "Firefox will never accept it (Firefox accepts no CA:TRUE" in text
    assert "openssl-serve trust" in text
    assert text.count("Firefox") == 2
    assert "Certificate Trust Settings" in text


def test_devices_that_cannot_trust_it_get_a_reason_and_no_steps():
    html = page(agent="iPhone", is_shared=False, can_sign=False, refusals=NO_CA)
    text = text_of(html)

    assert "Not with this certificate: the trust switch is offered only for CA:TRUE" in text
    assert "Not with this certificate: only CA:TRUE certificates can be installed" in text
    assert "Certificate Trust Settings" not in text
    assert "Install anyway" not in text
    assert "Trusted Root Certification Authorities" in text
    assert "can pose as this server" in text


def test_a_confined_ca_is_no_more_dangerous_than_it_is():
    text = text_of(page(permitted=("test", "10.0.0.0/8")))

    assert "can pose as any site of test, 10.0.0.0/8 to a device" in text


def test_a_name_that_the_certificate_is_not_for_is_told_before_it_disappoints():
    text = text_of(page(place=Authority(parse_host("10.0.0.5"), 8080)))

    assert "The certificate of this server is not for 10.0.0.5" in text
    assert "--cert-host 10.0.0.5" in text


@pytest.mark.parametrize("name", ['<script>alert(1)</script>&"', "$name ${host}"])
def test_the_name_of_a_certificate_is_text(name):
    html = page(name=name)

    assert "<script" not in html
    assert text_of(html).count(name) == 2


def test_the_text_is_the_same_in_short():
    lines = anchor_text(OFFER, PLACE).decode().splitlines()

    assert lines[1] == f"SHA-256 {FINGERPRINT}"
    assert f"http://192.168.1.7:8080/.well-known/openssl-serve/{PEM}" in lines
    assert lines[-2:] == ["https://192.168.1.7:8080/", "https://annas-laptop.local:8080/"]


def test_on_macos_it_is_trusted_for_tls_alone():
    """As `trust` has it: without a policy, it would be for mail and for software too."""
    assert "-p ssl -p basic" in page()
