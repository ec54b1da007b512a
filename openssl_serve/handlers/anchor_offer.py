"""What a server offers to be trusted, and where it stands: for the handler, its page, and --qr."""

from dataclasses import dataclass

from openssl_serve.hosts import Host

PREFIX = "/.well-known/openssl-serve/"
"""Where what belongs to a server and not to its site may be (RFC 8615)."""

CERTIFICATE, PEM, PROFILE = "openssl-serve.crt", "openssl-serve.pem", "openssl-serve.mobileconfig"
"""The forms by file name: DER, under the extension that Android and Windows want, and so on."""


@dataclass(frozen=True, slots=True)
class Offer:
    """What there is to trust, and what is true of it."""

    name: str
    """As devices call it in their lists."""
    fingerprint: str
    ends: str
    """Its last day."""
    forms: dict[str, bytes]
    """By file name: CERTIFICATE, PEM, PROFILE."""
    hosts: tuple[Host, ...]
    """What the server's certificate is for."""
    is_shared: bool
    """Whether it is the anchor of others too, as a local CA is; else it is the server's own."""
    can_sign: bool
    """Whether whoever has its key can make certificates that are trusted with it."""
    permitted: tuple[str, ...]
    """Hosts that these are limited to; none for no limit."""
    refusals: dict[str, str]
    """Families of clients that never accept the server's certificate, and why."""

    def covers(self, host: Host) -> bool:
        """Whether the server's certificate is for *host*."""
        return any(each.covers(host) for each in self.hosts)
