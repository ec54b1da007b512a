"""uvicorn: it wants files."""

import uvicorn
from hello import asgi_application as app

from openssl_serve import ensure_certificate

certificate = ensure_certificate("my.dev.local")

uvicorn.run(app, port=8443, ssl_certfile=certificate.cert_path, ssl_keyfile=certificate.key_path)
