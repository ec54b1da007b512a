"""Live reload in browsers: a page comes anew, a style sheet without that, and windows are many."""

import contextlib
from pathlib import Path

import pytest
from server_fixtures import eventually

from e2e import firefox
from e2e.chromium import MARKS, Tab
from openssl_serve import api
from openssl_serve.handlers.authentication import BasicAuth
from openssl_serve.handlers.credentials import Credentials
from openssl_serve.handlers.folder import FolderOptions
from openssl_serve.handlers.site import FolderContent
from openssl_serve.targets import Route

pytestmark = MARKS

LIVE = FolderOptions(live_reload=True)
STRICT = api.Decorations(
    headers=(
        (b"Content-Security-Policy", b"default-src 'none'; script-src 'self'; connect-src 'self'"),
    )
)
COLOUR = "getComputedStyle(document.body).backgroundColor"
HIDE = """(() => {
  Object.defineProperty(document, "hidden", { value: %s, configurable: true });
  document.dispatchEvent(new Event("visibilitychange"));
})()"""


@pytest.fixture(autouse=True)
def _impatient(monkeypatch):
    monkeypatch.setattr("openssl_serve.handlers.watching.LOOK_EVERY_S", 0.05)


@pytest.fixture
def reloads(monkeypatch):
    """What tells pages of changes, one for each folder that has been served."""
    made = []
    init = FolderContent.__init__

    def noted(self, *arguments, **named):
        init(self, *arguments, **named)
        if self._reloads is not None:
            made.append(self._reloads)

    monkeypatch.setattr(FolderContent, "__init__", noted)
    return made


def listening(reloads, count=1):
    """Wait until so many pages have been told the state of the one folder."""
    eventually(lambda: list(reloads[-1]._pages.values()) == [True] * count, timeout_s=10)


@pytest.fixture
def site(root: Path) -> Path:
    """A folder with a page with a style sheet."""
    (root / "style.css").write_text("body { background: rgb(1, 1, 1) }")
    (root / "index.html").write_text(
        '<!doctype html><link rel="icon" href="data:,"><link rel="stylesheet" href="style.css">'
        "<title>one</title><p>one"
    )
    return root


@pytest.fixture(params=["/", "/our docs/"])
def page(browser: Tab, serve, site, request, tmp_path, reloads):
    """The page, in a tab that listens and must not complain of anything."""
    place = request.param.rstrip("/")
    if place:
        running = serve(folder=LIVE, target=tmp_path, routes=[Route(None, place, site)])
        # The folder above has its own.
        reloads.sort(key=lambda each: each._watcher._folder.root)
    else:
        running = serve(folder=LIVE)
    browser.complaints.clear()
    browser.open(f"https://localhost:{running.port}{request.param.replace(' ', '%20')}")
    listening(reloads)
    yield browser
    assert browser.complaints == []
    browser.open("about:blank")


def settled(page: Tab | firefox.Window, reloads) -> None:
    """Wait until the page has heard what it was told: only then it rests while nobody looks."""
    listening(reloads)
    page.js(HIDE % "true")
    eventually(lambda: len(reloads[-1]) == 0)
    page.js(HIDE % "false")
    listening(reloads)


def awaited(page: Tab, expression: str) -> None:
    """Wait until *expression* is true in the page."""
    code = f"""new Promise((done) => {{
      const look = () => ({expression}) ? done(true) : setTimeout(look, 5);
      look();
    }})"""
    page.call("Runtime.evaluate", expression=code, awaitPromise=True, timeout=10_000)


def titled(page: Tab | firefox.Window, title: str) -> None:
    """Wait until the page has this *title*; in between two of them there is none to ask."""

    def is_there() -> bool:
        with contextlib.suppress(AssertionError, firefox.FirefoxError):
            return bool(page.js("document.title") == title)
        return False

    eventually(is_there, timeout_s=20)


def rewrite(root: Path) -> None:
    # An icon in it: none is asked for, and none is missing.
    (root / "index.html").write_text(
        '<!doctype html><link rel="icon" href="data:,"><title>two</title><p>two'
    )


def test_a_page_that_changes_is_loaded_anew(page, site):
    assert page.js("document.title") == "one"
    page.js("window.same = true")

    page.loading(lambda: rewrite(site))

    assert page.js("document.title") == "two"
    assert page.js("window.same") is None


def test_a_style_sheet_is_shown_without_loading_the_page(page, site):
    page.js("window.same = true")

    (site / "style.css").write_text("body { background: rgb(2, 2, 2) }")
    awaited(page, f"{COLOUR} === 'rgb(2, 2, 2)'")

    assert page.js("window.same") is True


def test_a_page_that_nobody_looks_at_learns_it_when_somebody_does(page, site, reloads):
    page.js("window.same = true")
    settled(page, reloads)
    # Nothing was missed.
    assert page.js("window.same") is True

    page.js(HIDE % "true")
    eventually(lambda: len(reloads[-1]) == 0)
    rewrite(site)
    page.loading(lambda: page.js(HIDE % "false"))

    assert page.js("document.title") == "two"


def test_the_seventh_window_does_not_wait_for_the_six_others(browser, serve, site, reloads):
    """A browser allows itself six connections to an origin, and none of them is for this."""
    running = serve(folder=LIVE)
    url = f"https://localhost:{running.port}/"
    with browser.windows(6, url):
        listening(reloads, 6)
        browser.open(url)
        listening(reloads, 7)
        browser.loading(lambda: rewrite(site))
        assert browser.js("document.title") == "two"
        browser.open("about:blank")


def test_a_server_that_comes_back_is_listened_to_again(browser, serve, site, reloads):
    before = serve(folder=LIVE)
    browser.open(f"https://localhost:{before.port}/")
    settled(browser, reloads)
    browser.js("window.same = true")
    address = api.Address("127.0.0.1", before.port)
    before.stop()
    before.server.server_close()

    after = serve(folder=LIVE, address=address)
    settled(browser, reloads)
    assert browser.js("window.same") is True

    # What changes meanwhile is a change all the same.
    after.stop()
    after.server.server_close()
    rewrite(site)
    browser.loading(lambda: serve(folder=LIVE, address=address))
    assert browser.js("document.title") == "two"
    browser.open("about:blank")


def test_the_way_back_leads_to_what_is_there_now(browser, serve, site, reloads):
    (site / "other.html").write_text("<!doctype html><title>other</title>")
    running = serve(folder=LIVE)
    url = f"https://localhost:{running.port}/"
    for changes in (False, True):
        browser.open(url)
        listening(reloads)
        browser.js("window.same = true")
        browser.open(f"{url}other.html")
        listening(reloads)
        # So that this page is not the one that loads anew.
        browser.js(HIDE % "true")
        if changes:
            rewrite(site)
        browser.call("Runtime.evaluate", expression="history.back()")
        titled(browser, "two" if changes else "one")
        listening(reloads)
        # As it was left, unless it had to be loaded anew.
        assert browser.js("window.same") is (None if changes else True)
    browser.open("about:blank")


def test_a_policy_of_ones_own_has_room_for_it(browser, serve, site, reloads):
    """With 'self' for connections, and nothing about WebSockets."""
    (site / "index.html").write_text("<!doctype html><title>one</title>")
    running = serve(folder=LIVE, decorations=STRICT)
    browser.open(f"https://localhost:{running.port}/")
    listening(reloads)
    browser.loading(lambda: rewrite(site))
    assert browser.js("document.title") == "two"
    browser.open("about:blank")


def test_over_plain_http_it_is_not_over_tls_either(browser, serve, site, reloads):
    running = serve(folder=LIVE, plain_http=api.PlainHttp.SERVE)
    browser.open(f"http://localhost:{running.port}/")
    listening(reloads)
    browser.loading(lambda: rewrite(site))
    assert browser.js("document.title") == "two"
    assert "http GET /.openssl-serve/reload 101 " in running.log
    browser.open("about:blank")


@pytest.mark.parametrize("name", ["Chromium", "Safari"])
def test_a_password_is_asked_for_once(browser, serve, site, reloads, monkeypatch, name):
    if name == "Safari":
        # It has a password for every request but this.
        answer = BasicAuth.__call__

        def without(self, request):
            if request.upgrade:
                assert request.values.pop(b"authorization")
            return answer(self, request)

        monkeypatch.setattr(BasicAuth, "__call__", without)
    auth = Credentials("me", "secret")
    running = serve(folder=LIVE, auth=auth)
    browser.open(f"https://me:secret@localhost:{running.port}/")
    settled(browser, reloads)
    # After a restart there are other tickets.
    running.stop()
    running.server.server_close()
    running = serve(folder=LIVE, auth=auth, address=api.Address("127.0.0.1", running.port))
    settled(browser, reloads)
    browser.loading(lambda: rewrite(site))
    assert browser.js("document.title") == "two"
    assert "/.openssl-serve/reload 401 " not in running.log
    browser.open("about:blank")


@pytest.mark.skipif(not firefox.PROGRAM, reason="no firefox in PATH (apt install firefox-esr)")
def test_firefox_listens_too(serve, site, reloads, tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    firefox.make_profile(home)
    running = serve(folder=LIVE, decorations=STRICT)
    (site / "index.html").write_text("<!doctype html><title>one</title>")
    with firefox.window(home, trusting=True) as window:
        window.open(f"https://localhost:{running.port}/")
        listening(reloads)
        rewrite(site)
        titled(window, "two")
        # The page that was has gone, and the one that is listens.
        eventually(lambda: "/reload 101 " in running.log)
        settled(window, reloads)
        running.stop()
        running.server.server_close()
        (site / "index.html").write_text("<!doctype html><title>three</title>")
        address = api.Address("127.0.0.1", running.port)
        serve(folder=LIVE, address=address, decorations=STRICT)
        titled(window, "three")
