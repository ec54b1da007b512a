"""Live reload in a browser: a page comes anew, a style sheet without that."""

import threading
from pathlib import Path

import pytest

from e2e.chromium import PROGRAM, Tab, tab
from openssl_serve.handlers.folder import FolderOptions
from openssl_serve.targets import Route

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not PROGRAM, reason="no chromium in PATH (apt install chromium)"),
]

COLOUR = "getComputedStyle(document.body).backgroundColor"


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    with tab(tmp_path_factory.mktemp("chromium")) as opened:
        yield opened


@pytest.fixture(params=["/", "/our docs/"])
def page(browser: Tab, serve, root: Path, monkeypatch, request, tmp_path):
    """A page with a style sheet, in a tab that listens and must not complain of anything."""
    monkeypatch.setattr("openssl_serve.handlers.watching.LOOK_EVERY_S", 0.05)
    (root / "style.css").write_text("body { background: rgb(1, 1, 1) }")
    (root / "index.html").write_text(
        '<!doctype html><link rel="icon" href="data:,"><link rel="stylesheet" href="style.css">'
        "<title>one</title><p>one"
    )
    place = request.param.rstrip("/")
    live = FolderOptions(live_reload=True)
    if place:
        running = serve(folder=live, target=tmp_path, routes=[Route(None, place, root)])
        reloads = running.server.handlers.secure._handler._routes[0][1]._handler._reloads
    else:
        running = serve(folder=live)
        reloads = running.server.handlers.secure._handler._reloads
    heard = threading.Event()
    tell = reloads._tell

    def told(state, changed):
        tell(state, changed)
        if any(reloads._streams.values()):
            heard.set()

    reloads._tell = told
    browser.complaints.clear()
    browser.open(f"https://localhost:{running.port}{request.param.replace(' ', '%20')}")
    assert heard.wait(10)
    yield browser
    assert browser.complaints == []
    browser.open("about:blank")


def awaited(page: Tab, expression: str) -> None:
    """Wait until *expression* is true in the page."""
    code = f"""new Promise((done) => {{
      const look = () => ({expression}) ? done(true) : setTimeout(look, 5);
      look();
    }})"""
    page.call("Runtime.evaluate", expression=code, awaitPromise=True, timeout=10_000)


def test_a_page_that_changes_is_loaded_anew(page, root):
    assert page.js("document.title") == "one"
    page.js("window.same = true")

    page.loading(
        lambda: (root / "index.html").write_text("<!doctype html><title>two</title><p>two")
    )

    assert page.js("document.title") == "two"
    assert page.js("window.same") is None


def test_a_style_sheet_is_shown_without_loading_the_page(page, root):
    page.js("window.same = true")

    (root / "style.css").write_text("body { background: rgb(2, 2, 2) }")
    awaited(page, f"{COLOUR} === 'rgb(2, 2, 2)'")

    assert page.js("window.same") is True
