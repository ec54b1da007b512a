"""The listing page as somebody uses it: its script runs under its own policy, keys do things."""

import os
from pathlib import Path

import pytest

from e2e.chromium import MARKS, Tab

pytestmark = MARKS

NAMES = "[...document.querySelectorAll('#entries tr:not([hidden]) bdi')].map(e => e.textContent)"
FOCUSED = "document.activeElement.textContent"


@pytest.fixture
def page(browser: Tab, server, root: Path):
    """The listing of four files and a folder, in a tab that must not complain of anything."""
    for number, (name, size) in enumerate({"a2": 30, "a10": 20, "ß <b>.txt": 10}.items()):
        (root / name).write_bytes(b"x" * size)
        os.utime(root / name, (0, 1_700_000_000 + number))
    os.utime(root / "a.txt", (0, 1_600_000_000))
    (root / "sub").mkdir()
    (root / "sub" / "inner.txt").touch()
    browser.complaints.clear()
    browser.call("Emulation.setTimezoneOverride", timezoneId="Asia/Kathmandu")
    browser.open(f"https://localhost:{server.port}/")
    yield browser
    assert browser.complaints == []


def test_a_head_sorts_without_a_request_as_the_server_does(page):
    page.js("window.same = true")
    orders = {}
    for key, times in (("size", 2), ("date", 2), ("name", 2)):
        for _ in range(times):
            page.js(f"document.querySelector('th[data-key={key}] a').click()")
            orders[page.js("location.search")] = page.js(NAMES)
    assert page.js("window.same") is True

    assert list(orders) == [
        "?sort=size&order=desc", "?sort=size&order=asc", "?sort=date&order=desc",
        "?sort=date&order=asc", "", "?sort=name&order=desc",
    ]  # fmt: skip
    assert orders["?sort=size&order=desc"] == ["sub/", "a2", "a10", "a.txt", "ß <b>.txt"]
    assert page.js("document.querySelector('th[data-key=name]').ariaSort") == "descending"
    for query, names in orders.items():
        page.open(page.js("location.origin") + "/" + query)
        assert page.js("window.same") is None
        assert page.js(NAMES) == names


def test_the_filter_narrows_as_one_types(page):
    page.press("/", "A", "2")
    assert page.js(NAMES) == ["a2"]
    assert page.js("document.getElementById('count').textContent") == "1 of 5 match"

    page.press("Escape")
    assert len(page.js(NAMES)) == 5
    page.press(*"<b ß")
    assert page.js(NAMES) == ["ß <b>.txt"]
    page.press("Escape", *"nothing such")
    assert page.js(NAMES) == []


def test_keys_go_up_and_down_in_and_out(page):
    page.press("j")
    assert page.js(FOCUSED) == "sub/"
    page.press("ArrowDown", "j", "k")
    assert page.js(FOCUSED) == "a.txt"
    assert page.js("getComputedStyle(document.activeElement).outlineStyle") == "solid"

    page.press("k")
    page.loading(lambda: page.press("Enter"))
    assert page.js("location.pathname") == "/sub/"
    page.press("j")
    assert page.js(FOCUSED) == ".."

    page.loading(lambda: page.press("Backspace"))
    assert page.js("location.pathname") == "/"
    # And there one goes on where one was.
    assert page.js(FOCUSED) == "sub/"


def test_enter_in_the_filter_opens_the_first_that_is_left(page):
    page.press("/", *"su")
    page.loading(lambda: page.press("Enter"))

    assert page.js("location.pathname") == "/sub/"
    page.loading(lambda: page.press("u"))
    assert page.js("location.pathname") == "/"


def test_times_are_shown_where_the_reader_is(page):
    """Kathmandu is 5:45 ahead of UTC."""
    times = page.js("[...document.querySelectorAll('time')].map(e => [e.dateTime, e.innerText])")

    assert ["2020-09-13T12:26:40Z", "2020-09-13 18:11"] in times
    assert page.js("document.querySelector('th[data-key=date]').innerText").strip() == "Modified"


def test_what_a_key_would_do_is_said_where_it_does_something(page):
    up = "document.getElementById('up').checkVisibility()"
    assert page.js(up) is False
    page.open(page.js("location.origin") + "/sub/")
    assert page.js(up) is True


def test_what_is_left_by_the_filter_stays_where_it_was(page, root):
    """Though there is nothing to scroll any more."""
    for number in range(60):
        (root / f"z{number}").touch()
    page.open(page.js("location.href"))
    edge = "document.querySelector('th:last-child').getBoundingClientRect().right"
    before = page.js(edge)
    assert page.js("innerWidth > document.documentElement.clientWidth"), "no bar to disappear"
    page.press("/", *"a2")

    assert page.js(NAMES) == ["a2"]
    assert page.js(edge) == before


def test_on_paper_it_is_dark_on_light_and_only_the_list(page):
    page.call(
        "Emulation.setEmulatedMedia", media="print",
        features=[{"name": "prefers-color-scheme", "value": "dark"}],
    )  # fmt: skip
    try:
        text = "getComputedStyle(document.documentElement).getPropertyValue('--text')"
        assert luminance(page.js(text)) < 0.2
        for hidden in ("filter", "keys"):
            assert page.js(f"getComputedStyle({hidden}).display") == "none"
        assert page.js("getComputedStyle(document.querySelector('th')).position") == "static"
    finally:
        page.call("Emulation.setEmulatedMedia", media="", features=[])


def test_without_scripts_there_is_a_list_and_nothing_dead(page, server):
    page.call("Emulation.setScriptExecutionDisabled", value=True)
    try:
        page.open(f"https://localhost:{server.port}/?sort=size&order=asc")
        assert page.js(NAMES) == ["sub/", "ß <b>.txt", "a.txt", "a10", "a2"]
        for hidden in ("filter", "keys"):
            assert page.js(f"getComputedStyle({hidden}).display") == "none"
        assert "Modified, UTC" in page.js("document.querySelector('thead').innerText")
    finally:
        page.call("Emulation.setScriptExecutionDisabled", value=False)


def test_on_a_phone_nothing_is_wider_than_it_and_fingers_hit(page, root, server):
    (root / ("n" * 200)).touch()
    page.call(
        "Emulation.setDeviceMetricsOverride", width=390, height=844, deviceScaleFactor=2,
        mobile=True,
    )  # fmt: skip
    try:
        page.open(f"https://localhost:{server.port}/sub/")
        page.open(f"https://localhost:{server.port}/")
        assert page.js("document.documentElement.scrollWidth") == 390
        small = (
            "[...document.querySelectorAll('tbody tr, th a, nav a, h1, input')]"
            ".map(e => e.getBoundingClientRect()).filter(r => r.height < 44 || r.width < 44).length"
        )
        assert page.js(small) == 0
        # The whole row is the link.
        row = "document.querySelector('#entries tr:last-child').getBoundingClientRect()"
        assert (
            page.js(f"document.elementFromPoint({row}.right - 5, {row}.bottom - 5).localName")
            == "a"
        )
    finally:
        page.call("Emulation.clearDeviceMetricsOverride")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_from_its_ground(page, scheme):
    """WCAG AA: 4.5 to 1 for text, 3 to 1 for the edge of the filter."""
    page.call(
        "Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}]
    )
    names = ("bg", "text", "soft", "accent", "edge", "hover")
    style = "getComputedStyle(document.documentElement)"
    colours = {n: luminance(page.js(f"{style}.getPropertyValue('--{n}')")) for n in names}

    assert (colours["bg"] < 0.2) == (scheme == "dark")
    for ground in ("bg", "hover"):
        for name in ("text", "soft", "accent"):
            assert contrast(colours[name], colours[ground]) >= 4.5, (name, ground)
    assert contrast(colours["edge"], colours["bg"]) >= 3


def luminance(colour: str) -> float:
    """Relative luminance of `#rrggbb`, as WCAG 2 defines it."""
    parts = [byte / 255 for byte in bytes.fromhex(colour.strip().removeprefix("#"))]
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: float, other: float) -> float:
    return (max(one, other) + 0.05) / (min(one, other) + 0.05)
