"""Any WSGI app over HTTPS, in a thread: Flask's, Django's, your own."""

import httpx
from hello import application as app

from openssl_serve import ensure_certificate, running_server

certificate = ensure_certificate("my.dev.local")

with running_server(app, certificate=certificate) as server:
    response = httpx.get(server.url, verify=certificate.client_context())
    print(response.text)
