"""The page about what is to be trusted, in a browser as large as a phone."""

import pytest

from e2e.chromium import MARKS, Tab

pytestmark = MARKS

ANDROID = "Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 Chrome/130 Mobile"
OPEN = "[...document.querySelectorAll('details[open] summary')].map(e => e.textContent)"


@pytest.fixture(scope="module")
def browser(browser: Tab):
    browser.call(
        "Emulation.setDeviceMetricsOverride", width=390, height=844, deviceScaleFactor=2,
        mobile=True,
    )  # fmt: skip
    browser.call("Emulation.setUserAgentOverride", userAgent=ANDROID)
    return browser


@pytest.fixture
def page(browser: Tab, serve):
    """The page by plain HTTP, in a tab that must not complain of anything."""
    running = serve(offer_anchor=True)
    browser.complaints.clear()
    browser.open(f"http://127.0.0.1:{running.port}/.well-known/openssl-serve/")
    yield browser
    assert browser.complaints == []


def test_the_steps_of_this_device_are_open_and_others_a_tap_away(page):
    assert page.js(OPEN) == ["Android"]
    page.js("document.querySelectorAll('summary')[4].click()")
    assert page.js(OPEN) == ["Android", "Linux"]


def test_nothing_is_wider_than_a_phone_and_fingers_hit(page):
    page.js("document.querySelectorAll('details').forEach(e => e.open = true)")

    assert page.js("document.documentElement.scrollWidth") == 390
    small = (
        "[...document.querySelectorAll('summary, .places a')].map(e => e.getBoundingClientRect())"
        ".filter(r => r.height < 44 || r.width < 44).length"
    )
    assert page.js(small) == 0


def test_the_fingerprint_is_four_lines_and_copied_as_one(page):
    rows = "new Set([...document.querySelectorAll('#fingerprint span')].map(e => e.offsetTop)).size"
    assert page.js(rows) == 4
    assert page.js("document.querySelector('#fingerprint').textContent.length") == 32 * 3 - 1


def test_it_leads_to_the_same_server_over_https(page):
    page.loading(lambda: page.js("document.querySelector('.places a').click()"))

    assert page.js("location.protocol") == "https:"
    assert "a.txt" in page.js("document.body.textContent")
