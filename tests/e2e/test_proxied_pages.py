"""Pages of other servers in a browser, through the proxy: Vite's hot replacement, event streams."""

import contextlib
import os
import queue
import re
import shutil
import signal
import socket
import subprocess
import threading
from pathlib import Path

import pytest
from server_fixtures import eventually

from e2e.chromium import MARKS, Tab
from openssl_serve.handlers.proxy.upstream import parse_upstream

VITE = Path(__file__).parent.parent.parent / ".bench" / "node_modules" / ".bin" / "vite"

pytestmark = MARKS


def comes_true(browser: Tab, expression: str, within_ms: int = 15_000) -> bool:
    """Whether *expression* is true in the page before so much time has passed."""
    code = f"""new Promise((done) => {{
      const end = Date.now() + {within_ms};
      const look = () => ({expression}) ? done(true)
        : Date.now() > end ? done(false) : setTimeout(look, 5);
      look();
    }})"""
    found = browser.call("Runtime.evaluate", expression=code, awaitPromise=True, returnByValue=True)
    return bool(found["result"]["value"])


PAGE = """<!doctype html><link rel="icon" href="data:,"><p id="text"></p>
<script type="module" src="/main.js"></script>"""

MAIN = """import { text } from "./text.js";
const show = (text) => { document.querySelector("#text").textContent = text; };
show(text);
import.meta.hot.accept("./text.js", (made) => show(made.text));
"""


@pytest.fixture
def vite(tmp_path):
    """A project in Vite's development server: its folder, the server's URL, and its end."""
    project = tmp_path / "project"
    project.mkdir()
    (project / "index.html").write_text(PAGE)
    (project / "main.js").write_text(MAIN)
    (project / "text.js").write_text('export const text = "one";')
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    process = subprocess.Popen(
        [VITE, "--host", "127.0.0.1", "--port", port, "--strictPort"],
        cwd=project,
        env={"PATH": os.environ["PATH"], "HOME": str(tmp_path), "NO_COLOR": "1"},
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    assert process.stdout

    def end():
        # It has children of its own.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(10)

    try:
        assert any("http://127.0.0.1:" in line for line in process.stdout)
        yield project, f"http://127.0.0.1:{port}", end
    finally:
        end()
        process.stdout.close()


@pytest.mark.skipif(not VITE.exists() or not shutil.which("node"), reason="no Vite here")
def test_a_module_is_replaced_in_a_page_that_stays(browser, serve, vite):
    project, url, end = vite
    running = serve(target=parse_upstream(url))
    browser.complaints.clear()
    browser.open(f"https://localhost:{running.port}/")
    assert comes_true(browser, shows("one"))
    eventually(lambda: "[vite] connected." in told(browser), timeout_s=10)
    browser.js("window.stays = true")

    for text in ("two", "three"):
        for attempt in range(10):
            # Vite overlooks a change that comes right after another.
            (project / "text.js").write_text(f'export const text = "{text}"; // {attempt}')
            if comes_true(browser, shows(text), 1000):
                break
        assert comes_true(browser, shows(text), 0)
    assert browser.js("window.stays") is True
    assert "failed" not in told(browser)

    # The page learns of the end of the server, and the log of that of the tunnel.
    end()
    eventually(lambda: "[vite] server connection lost" in told(browser), timeout_s=10)
    eventually(lambda: re.search(r"https GET /\?token=\S+ 101 ", running.log), running.log)
    browser.open("about:blank")


def shows(text: str) -> str:
    return f"document.querySelector('#text').textContent === '{text}'"


def told(browser: Tab) -> str:
    """What the page has said on its console so far."""
    browser.js("0")
    return "\n".join(browser.complaints)


@pytest.fixture
def events(upstream):
    """An upstream with a page, and the links on which its events are asked for, with the head."""
    page = b"""<!doctype html><link rel="icon" href="data:,"><script>
      window.heard = [];
      const events = new EventSource("/events");
      events.onmessage = (event) => heard.push(event.data);
    </script>"""
    asked: queue.Queue = queue.Queue()

    def play():
        while True:
            try:
                link = upstream.accept()
            except OSError:
                return
            head = link.head()
            if head.target == b"/events":
                asked.put((link, head))
            else:
                link.answer(page, b"Content-Type: text/html", b"Connection: close")

    thread = threading.Thread(target=play, daemon=True)
    thread.start()
    return asked


BEGUN = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\nretry: 10\n\n"


def test_events_arrive_one_by_one(browser, proxied, events):
    running = proxied()
    browser.open(f"https://localhost:{running.port}/")
    link, _ = events.get(timeout=10)
    link.send(BEGUN)
    for number in range(3):
        link.send(b"id: %d\ndata: event %d\n\n" % (number, number))
        assert comes_true(browser, f"heard.at(-1) === 'event {number}'")
    link.close()

    # Whose end is an end: the browser asks again, and says where it has stopped.
    link, head = events.get(timeout=10)
    assert head.get(b"last-event-id") == b"2"
    link.send(BEGUN + b"data: again\n\n")
    assert comes_true(browser, "heard.at(-1) === 'again'")
    browser.js("events.close()")
    assert link.is_ended
