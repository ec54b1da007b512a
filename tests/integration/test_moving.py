"""An upstream that comes to be somewhere else while it is served."""

import contextlib
import http.server
import threading

import pytest
from server_fixtures import Running

from openssl_serve import api
from openssl_serve.child.sockets import free_address
from openssl_serve.handlers.proxy.moving import MovingUpstream
from openssl_serve.handlers.proxy.upstream import parse_upstream
from openssl_serve.targets import parse_route


@pytest.fixture
def upstream():
    """Start small servers that say their name; their URLs."""
    with contextlib.ExitStack() as stack:

        def start(name):
            class Handler(http.server.BaseHTTPRequestHandler):
                def do_GET(self):
                    self.send_response(200)
                    self.send_header("Content-Length", str(len(name)))
                    self.end_headers()
                    self.wfile.write(name.encode())

                def log_message(self, *_args):
                    pass

            server = stack.enter_context(http.server.HTTPServer(("127.0.0.1", 0), Handler))
            thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
            thread.start()
            stack.callback(server.shutdown)
            return parse_upstream(f"http://127.0.0.1:{server.server_port}")

        yield start


@pytest.fixture
def serve_moving(root, pair):
    """Serve a MovingUpstream from a thread."""
    with contextlib.ExitStack() as stack:

        def start(moving, **options):
            wanted = api.ServerOptions(api.Address("127.0.0.1", 0), **options)
            server = stack.enter_context(api.make_server(moving, pair, wanted))
            thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
            running = Running(server, pair, root, thread)
            thread.start()
            stack.callback(running.stop)
            return running

        yield start


def test_each_request_goes_where_the_upstream_is_when_it_comes(upstream, serve_moving):
    first, second = upstream("first"), upstream("second")
    moving = MovingUpstream(first)
    running = serve_moving(moving)

    with running.tls() as client:
        assert client.get().text == "first"
        running.in_loop(lambda: setattr(moving, "upstream", second))
        assert client.get().text == "second"
        running.in_loop(lambda: setattr(moving, "upstream", first))
        assert client.get().text == "first"


def test_before_it_is_anywhere_the_page_says_so(upstream, serve_moving):
    moving = MovingUpstream(parse_upstream(f"http://{free_address()}"))
    running = serve_moving(moving)

    assert running.get().status == 502
    running.in_loop(lambda: setattr(moving, "upstream", upstream("up")))
    assert running.get().text == "up"


def test_routes_stand_beside_it(upstream, serve_moving, root):
    running = serve_moving(MovingUpstream(upstream("app")), routes=(parse_route(f"/files={root}"),))

    assert running.get("/").text == "app"
    assert running.get("/files/a.txt").body == b"content of a\n"
