"""Hypercorn: files too, and HTTP/2 comes with them."""

import asyncio

from hello import asgi_application as app
from hypercorn.asyncio import serve
from hypercorn.config import Config

from openssl_serve import ensure_certificate

certificate = ensure_certificate("my.dev.local")

config = Config()
config.bind = ["127.0.0.1:8443"]
config.certfile, config.keyfile = str(certificate.cert_path), str(certificate.key_path)
asyncio.run(serve(app, config))
