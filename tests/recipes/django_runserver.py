"""Django's runserver over https, reloading as ever.

In a project this is management/commands/runserver.py of an application in INSTALLED_APPS.
"""

from typing import Any

from django.core.management.commands import runserver

from openssl_serve import ensure_certificate


class SecureServer(runserver.WSGIServer):
    """Shakes hands in the thread of each request."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.base_environ["HTTPS"] = "on"  # request.is_secure()
        certificate = ensure_certificate("my.dev.local")
        self.socket = certificate.ssl_context().wrap_socket(
            self.socket, server_side=True, do_handshake_on_connect=False
        )


class Command(runserver.Command):
    """`manage.py runserver`."""

    protocol = "https"
    server_cls = SecureServer
