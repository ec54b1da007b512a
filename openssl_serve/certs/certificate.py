"""A certificate and its key as they are handed to a server, whoever made them.

Where it comes from is store.py's (kept), custom.py's (the user's own).
"""

import ssl
from dataclasses import dataclass, field
from pathlib import Path

from openssl_serve import tls
from openssl_serve.certs.authority import Authority
from openssl_serve.certs.facts import CertificateFacts
from openssl_serve.errors import CertificateError, reason_of


@dataclass(frozen=True, slots=True)
class Certificate:
    """A certificate and its private key in files, with what is in them.

    The files may be renewed in place; `facts` and contexts are of the moment they were made.
    """

    cert_path: Path
    """The certificate, then its chain if it has one; PEM."""
    key_path: Path
    """The private key; PEM, readable by its owner alone unless it is the user's own file."""
    facts: CertificateFacts
    """What is in the certificate: names, dates, issuer, fingerprint and more."""
    made_because: str | None = None
    """Why it had to be made now; None when it was there and good."""
    password: str | None = field(default=None, repr=False)
    """What the key is encrypted with; keys that are kept here are not."""
    warnings: tuple[str, ...] = ()
    """Faults that clients will notice, and that do not stop a server."""
    authority: Authority | None = None
    """The local CA that issued it; None when it is self-signed or another's."""

    @property
    def ca_path(self) -> Path:
        """What a client has to trust for it: the local CA's certificate, or this one."""
        return self.authority.cert_path if self.authority else self.cert_path

    def ssl_context(self) -> ssl.SSLContext:
        """Return a context for a server: TLS 1.2 and later, ALPN http/1.1.

        Raises CertificateError when the files cannot be loaded.
        """
        try:
            return tls.server_context(self.cert_path, self.key_path, lambda: self.password or "")
        except OSError as error:
            raise CertificateError(
                f"cannot load {self.cert_path} with {self.key_path}: {reason_of(error)}"
            ) from error

    def client_context(self) -> ssl.SSLContext:
        """Return a context for a client that trusts `ca_path`, and nothing else.

        Raises CertificateError when the file cannot be loaded.
        """
        return tls.client_context(self.ca_path)

    def trust(self, context: ssl.SSLContext) -> None:
        """Have the client's *context* trust `ca_path` too, beside what it trusts already.

        Raises CertificateError when the file cannot be loaded.
        """
        tls.trust(context, self.ca_path)
