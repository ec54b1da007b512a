"""gunicorn.conf.py, which gunicorn reads by itself, or with --config."""

from openssl_serve import ensure_certificate

certificate = ensure_certificate("my.dev.local")

bind = "127.0.0.1:8443"
certfile, keyfile = str(certificate.cert_path), str(certificate.key_path)
