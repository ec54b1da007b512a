"""The page while an upstream is down: it says what was tried, and makes way by itself."""

import http.server
import socket
import threading

import pytest

from e2e.chromium import MARKS, Tab
from openssl_serve.handlers.proxy.fields import ProxyOptions
from openssl_serve.handlers.proxy.proxy import Proxy
from openssl_serve.handlers.proxy.upstream import parse_upstream

pytestmark = MARKS


class App(http.server.BaseHTTPRequestHandler):
    """Answers GET alone: what the page asks with HEAD is an error to it."""

    def do_GET(self):
        content = b'<!doctype html><link rel="icon" href="data:,"><title>app</title><p>here I am'
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *arguments):
        pass


@pytest.fixture
def place():
    """A socket that has a port and refuses connections until `listen`."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        yield sock


def proxied(serve, place):
    upstream = parse_upstream(f"http://localhost:{place.getsockname()[1]}")
    return serve(secure=Proxy(upstream, ProxyOptions()))


def wait_until(browser: Tab, expression: str) -> None:
    code = f"""new Promise((done) => {{
      const look = () => ({expression}) ? done(true) : setTimeout(look, 5);
      look();
    }})"""
    browser.call("Runtime.evaluate", expression=code, awaitPromise=True, timeout=10_000)


def test_it_says_what_was_tried_and_goes_when_the_app_is_up(browser, serve, place):
    running = proxied(serve, place)
    port = place.getsockname()[1]
    browser.open(f"https://localhost:{running.port}/some/page?x=1")

    text = browser.js("document.body.innerText")
    assert f"127.0.0.1:{port}: connection refused" in text
    assert f"[::1]:{port}: connection refused" in text
    assert "loaded again as soon as there is an answer" in text
    wait_until(browser, "document.getElementById('tries').textContent !== ''")
    # It asks, and is refused; what nobody may complain of is its own policy.
    assert not [each for each in browser.complaints if "Content Security Policy" in each]

    def start():
        place.listen()
        app = http.server.ThreadingHTTPServer(("127.0.0.1", 0), App, bind_and_activate=False)
        app.socket.close()
        app.socket = place.dup()
        threading.Thread(target=app.serve_forever, args=(0.01,), daemon=True).start()
        return app

    started = []
    browser.loading(lambda: started.append(start()))
    try:
        assert browser.js("document.title") == "app"
        assert browser.js("location.search") == "?x=1"
    finally:
        started[0].shutdown()
        started[0].server_close()
        browser.open("about:blank")


def test_what_a_form_has_sent_is_not_sent_again(serve, place):
    running = proxied(serve, place)
    accept = b"Accept: text/html"

    got = running.get("/", accept)
    sent = running.get("/", accept, b"Content-Length: 0", method=b"POST")

    assert (got.status, sent.status) == (502, 502)
    assert "<script>" in got.text
    assert "<script>" not in sent.text
    assert got.get(b"x-openssl-serve") == sent.get(b"x-openssl-serve") == b"upstream-down"


def test_a_client_that_is_no_browser_gets_one_line(serve, place):
    running = proxied(serve, place)

    answer = running.get("/")

    assert answer.status == 502
    assert answer.text.count("\n") == 1
    assert answer.text.startswith("502 Bad Gateway: http://localhost:")
