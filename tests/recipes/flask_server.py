"""Flask's own server takes a context."""

from flask import Flask, request

from openssl_serve import ensure_certificate

app = Flask(__name__)
certificate = ensure_certificate("my.dev.local")


@app.get("/")
def hello() -> str:
    """Say it."""
    return f"hello over {request.scheme}"


app.run(port=8443, ssl_context=certificate.ssl_context())
