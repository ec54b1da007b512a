"""HTTPS for a folder, a local server or a WSGI app, with the openssl already on the machine."""

__version__ = "0.1.0"
