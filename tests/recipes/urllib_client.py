"""A server in a thread, and the standard library as its client."""

import urllib.request

from openssl_serve import ensure_certificate, running_server

certificate = ensure_certificate("my.dev.local")  # kept: made by openssl once, then used again

with running_server("site", certificate=certificate) as server:
    context = certificate.client_context()  # trusts this certificate, or the CA that issued it
    with urllib.request.urlopen(server.url + "hello.txt", context=context, timeout=10) as response:
        print(response.read().decode())
