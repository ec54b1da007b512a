"""HTTPS for a folder, a local server or a WSGI app, with the openssl already on the machine.

From Python: `ensure_certificate` gives a kept certificate and its contexts, `running_server` a
server in a thread, `LocalCA` a CA of one's own. Errors are OpensslServeError, with `hints`.
"""

__version__ = "0.1.0"

TYPE_CHECKING = False
"""As in `typing`, for type checkers; to import that takes 9 ms, in which Ctrl-C is a traceback."""

if TYPE_CHECKING:
    from openssl_serve.api import (
        Address,
        Decorations,
        FolderOptions,
        Limits,
        LogFormat,
        PlainHttp,
        ServerOptions,
        ensure_certificate,
        load_certificate,
        make_server,
        serve_until_signal,
    )
    from openssl_serve.certs.certificate import Certificate
    from openssl_serve.certs.facts import CertificateFacts
    from openssl_serve.certs.profile import KeyType
    from openssl_serve.errors import (
        CertificateError,
        InvalidHostError,
        ListenError,
        OpensslError,
        OpensslServeError,
        StoreError,
        TrustStoreError,
        UsageError,
    )
    from openssl_serve.handlers.credentials import Credentials
    from openssl_serve.handlers.proxy.fields import ProxyOptions
    from openssl_serve.hosts import Host, parse_host
    from openssl_serve.local_ca import LocalCA
    from openssl_serve.running import RunningServer, running_server
    from openssl_serve.targets import Route, parse_route

__all__ = [
    "Address",
    "Certificate",
    "CertificateError",
    "CertificateFacts",
    "Credentials",
    "Decorations",
    "FolderOptions",
    "Host",
    "InvalidHostError",
    "KeyType",
    "Limits",
    "ListenError",
    "LocalCA",
    "LogFormat",
    "OpensslError",
    "OpensslServeError",
    "PlainHttp",
    "ProxyOptions",
    "Route",
    "RunningServer",
    "ServerOptions",
    "StoreError",
    "TrustStoreError",
    "UsageError",
    "ensure_certificate",
    "load_certificate",
    "make_server",
    "parse_host",
    "parse_route",
    "running_server",
    "serve_until_signal",
]

_PLACES = {
    "errors": ("CertificateError", "InvalidHostError", "ListenError", "OpensslError",
               "OpensslServeError", "StoreError", "TrustStoreError", "UsageError"),
    "certs.certificate": ("Certificate",),
    "certs.facts": ("CertificateFacts",),
    "certs.profile": ("KeyType",),
    "handlers.credentials": ("Credentials",),
    "handlers.proxy.fields": ("ProxyOptions",),
    "hosts": ("Host", "parse_host"),
    "local_ca": ("LocalCA",),
    "running": ("RunningServer", "running_server"),
    "targets": ("Route", "parse_route"),
}  # fmt: skip
"""Where the names are that are not in api.py."""


if not TYPE_CHECKING:
    # Hidden from type checkers: they would believe in every name.

    def __getattr__(name: str) -> object:
        """Import what is asked for, and not before (PEP 562): the command line needs little."""
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        import importlib  # noqa: PLC0415  for those who ask

        place = next((place for place, names in _PLACES.items() if name in names), "api")
        found = getattr(importlib.import_module(f"{__name__}.{place}"), name)
        globals()[name] = found
        return found


def __dir__() -> list[str]:
    """All that can be asked for."""
    return sorted({*globals(), *__all__})
