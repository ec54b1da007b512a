"""httpx takes a context."""

import httpx

from openssl_serve import ensure_certificate, running_server

certificate = ensure_certificate("my.dev.local")

with running_server("site", certificate=certificate) as server:
    url = server.url + "hello.txt"
    response = httpx.get(url, verify=certificate.client_context())
    print(response.text)
