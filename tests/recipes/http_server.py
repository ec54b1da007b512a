"""http.server: the listening socket gets TLS, and each thread shakes hands with its own client."""

from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

from openssl_serve import ensure_certificate

certificate = ensure_certificate("my.dev.local")

server = ThreadingHTTPServer(("127.0.0.1", 8443), SimpleHTTPRequestHandler)
server.socket = certificate.ssl_context().wrap_socket(
    server.socket, server_side=True, do_handshake_on_connect=False
)
server.serve_forever()
