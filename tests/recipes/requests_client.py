"""requests wants a file with what it is to trust."""

import requests

from openssl_serve import ensure_certificate, running_server

certificate = ensure_certificate("my.dev.local")

with running_server("site", certificate=certificate) as server:
    url = server.url + "hello.txt"
    response = requests.get(url, verify=str(certificate.ca_path), timeout=10)
    print(response.text)
