"""TLS contexts from files: how a server offers a certificate, and how a client comes to trust one.

Which certificate, and when it is loaded anew, is decided elsewhere (server/contexts.py, certs/).
"""

import contextlib
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path

from openssl_serve.errors import CertificateError, reason_of

# Mozilla's "intermediate" profile (wiki.mozilla.org/Security/Server_Side_TLS), the part of
# TLS 1.2 with forward secrecy and AEAD; TLS 1.3 has its own three suites.
TLS12_CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20:!aNULL"


class LeanSocket(ssl.SSLSocket):
    """A TLS socket whose own attributes are slots: 300 bytes less than in a dictionary each.

    Ten thousand connections that wait have ten thousand of them. An attribute that another
    version of Python adds goes into a dictionary, as ever.
    """

    __slots__ = (
        "_connected", "_context", "_session", "_sslobj", "do_handshake_on_connect",
        "server_hostname", "server_side", "suppress_ragged_eofs",
    )  # fmt: skip


def server_context(
    cert_path: Path, key_path: Path, password: Callable[[], str] | None = None
) -> ssl.SSLContext:
    """Return a server context for TLS 1.2 and later; ALPN offers http/1.1.

    Raises OSError (ssl.SSLError among them) when the pair cannot be loaded.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.sslsocket_class = LeanSocket
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(TLS12_CIPHERS)
    context.options |= ssl.OP_NO_RENEGOTIATION
    # One ticket resumes any number of connections, for each brings the next; OpenSSL's second one
    # costs every new connection 15 % of its handshake.
    context.num_tickets = 1
    context.set_alpn_protocols(["http/1.1"])
    # Without a password callback OpenSSL would ask on the terminal, in its own words.
    context.load_cert_chain(cert_path, key_path, password or (lambda: ""))
    return context


def client_context(trusted: Path) -> ssl.SSLContext:
    """Return a client's context that trusts the certificates in the file *trusted* and no other.

    Raises CertificateError when they cannot be loaded.
    """
    with _loading(trusted):
        context = ssl.create_default_context(cafile=trusted)
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    return context


def trust(context: ssl.SSLContext, trusted: Path) -> None:
    """Have the client's *context* trust the certificates in the file *trusted* as well.

    Raises CertificateError when they cannot be loaded.
    """
    with _loading(trusted):
        context.load_verify_locations(trusted)
    # A pair of the user's may be a leaf without its issuer; trusted, it is an anchor all the same
    # (RFC 5280 section 6.1). Python's own default from 3.13 on.
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN


@contextlib.contextmanager
def _loading(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise CertificateError(f"{path}: cannot be loaded: {reason_of(error)}") from error
