"""A local CA for Python programs, tests above all: in a folder, kept, made by openssl.

The user's own, which `openssl-serve trust` installs, is used by ensure_certificate (api.py).
"""

import hashlib
import os
import ssl
from collections.abc import Iterable, Mapping
from pathlib import Path

from openssl_serve import tls
from openssl_serve.certs.certificate import Certificate
from openssl_serve.certs.facts import CertificateFacts
from openssl_serve.certs.profile import (
    DEFAULT_DAYS,
    LOOPBACK,
    CertificateProfile,
    KeyType,
    Shape,
)
from openssl_serve.certs.store import Store
from openssl_serve.hosts import Host, parse_host, parse_subtree
from openssl_serve.openssl.binary import Openssl

__all__ = ["LocalCA"]

ISSUED = "issued"
"""The folder beside the CA in which each set of hosts has a folder of its own."""


class LocalCA:
    """The local CA in *folder*, made now if there is none; processes may share it.

    Who trusts it trusts all that it issues, so that it is for the clients of a test or a project,
    and its folder is private (0700). With *permitted*, a CA that is made now may issue for these
    hosts ("dev.test") and all below them, these networks ("10.0.0.0/8"), and this machine's
    loopback names alone. *openssl* is the program (the first in PATH).

    Raises UsageError for a host that cannot be one, CertificateError when there is something else
    in its place, StoreError when the folder cannot be used, OpensslError when it cannot be made.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as name:
    ...     ca = LocalCA(Path(name, "ca"))
    ...     leaf = ca.issue("my.dev.local", "*.my.dev.local")
    ...     again = LocalCA(Path(name, "ca")).issue("my.dev.local", "*.my.dev.local")
    >>> leaf.facts.names, leaf.facts.issuer == ca.facts.subject, again.made_because
    (('my.dev.local', '*.my.dev.local'), True, None)
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        *,
        permitted: Iterable[str] = (),
        openssl: str | None = None,
    ) -> None:
        self._store = Store(Path(folder).absolute())
        self._openssl = openssl
        # A text consists of texts as well, and no type checker would say that it was meant whole.
        names = [permitted] if isinstance(permitted, str) else permitted
        self._authority = self._store.ensure_authority(
            permitted=tuple(map(parse_subtree, names)), openssl=Openssl(openssl)
        )

    def __repr__(self) -> str:
        return f"LocalCA({str(self._store.folder)!r})"

    @property
    def cert_path(self) -> Path:
        """Its certificate, PEM: what clients have to trust."""
        return self._authority.cert_path

    @property
    def key_path(self) -> Path:
        """Its private key, PEM: whoever has it can pose as any site to those clients."""
        return self._authority.key_path

    @property
    def facts(self) -> CertificateFacts:
        """What is in its certificate."""
        return self._authority.facts

    def issue(
        self,
        *hosts: str | Host,
        days: int = DEFAULT_DAYS,
        key_type: KeyType = KeyType.P256,
    ) -> Certificate:
        """Return a certificate for exactly *hosts* (none: this machine's loopback names).

        Made now, or earlier and still good; the same for the same request, in every process that
        shares the folder. *days* is cut to what the CA itself has left.

        Raises UsageError for a host or days that no client would accept, CertificateError when
        the CA may not issue for them, StoreError, OpensslError.
        """
        wanted = tuple(dict.fromkeys(map(_host, hosts or LOOPBACK)))
        profile = CertificateProfile(wanted, days, key_type, Shape.LEAF)
        folder = self._store.folder / ISSUED / _place(profile)
        kept = Store(folder, ca_folder=self._store.folder).ensure(
            profile, openssl=Openssl(self._openssl)
        )
        # Not as a kept one: a server would have it renewed from the command line, which finds no
        # CA in its folder.
        return Certificate(
            kept.cert_path, kept.key_path, kept.facts, kept.made_because, authority=kept.authority
        )

    def client_context(self) -> ssl.SSLContext:
        """Return a context for a client that trusts this CA, and nothing else.

        Raises CertificateError when its certificate cannot be loaded.
        """
        return tls.client_context(self.cert_path)

    def trust(self, context: ssl.SSLContext) -> None:
        """Have the client's *context* trust this CA too, beside what it trusts already.

        Raises CertificateError when its certificate cannot be loaded.
        """
        tls.trust(context, self.cert_path)

    def trust_variables(self, environ: Mapping[str, str] | None = None) -> dict[str, str]:
        """Return variables by which other programs trust this CA, beside what they trust already.

        SSL_CERT_FILE for OpenSSL (Python among others) and Go, REQUESTS_CA_BUNDLE, CURL_CA_BUNDLE,
        NODE_EXTRA_CA_CERTS, PIP_CERT, GIT_SSL_CAINFO; the files that they name are in the folder of
        the CA. *environ* is what a program would have without them (None: this process's own
        environment). Raises StoreError when they cannot be written.
        """
        from openssl_serve.certs.bundle import trust_variables  # noqa: PLC0415  seldom wanted

        return trust_variables(self._store.folder, os.environ if environ is None else environ)


def _host(host: str | Host) -> Host:
    return host if isinstance(host, Host) else parse_host(host)


def _place(profile: CertificateProfile) -> str:
    """A folder name that no other request has: the store asks for names, not for no others."""
    request = "\n".join([*map(str, profile.hosts), str(profile.days), str(profile.key_type)])
    return hashlib.sha256(request.encode()).hexdigest()[:32]
