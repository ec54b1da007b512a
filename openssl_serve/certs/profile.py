"""What we ask of a certificate: its hosts, lifetime, key and shape. Nothing here makes one."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple, Self

from openssl_serve.choices import choice
from openssl_serve.errors import UsageError
from openssl_serve.hosts import Host, Subtree, parse_host

MAX_DAYS = 824
"""Apple refuses server certificates of more than 825 days (support.apple.com/103769), local CAs'
too; a day less, because the seconds are counted."""

DEFAULT_DAYS = 365
"""As pem has it, and within the 366 that Mozilla's profile for servers allows (the reference of
sslyze's --mozilla_config); with what clients learn for public CAs it has room to spare."""

AUTHORITY_DAYS = 3650
"""Ten years: long enough that nobody has to trust twice, short enough for every client."""

ORGANIZATION = "openssl-serve local CA"
"""Tells what we issued from anybody else's certificates."""

LOOPBACK = ("localhost", "127.0.0.1", "::1")
"""In every server certificate, so that the URL with an address works as well."""


class KeyType(StrEnum):
    """The private keys that we make."""

    P256 = "p256"
    P384 = "p384"
    RSA2048 = "rsa2048"
    RSA3072 = "rsa3072"
    RSA4096 = "rsa4096"
    ED25519 = "ed25519"

    @property
    def is_rsa(self) -> bool:
        """Whether the key can also encrypt."""
        return self.value.startswith("rsa")

    @property
    def description(self) -> str:
        """As the facts of a certificate name its key.

        >>> KeyType.P256.description, KeyType.RSA2048.description
        ('EC P-256', 'RSA 2048')
        """
        if self is KeyType.ED25519:
            return "Ed25519"
        return self.value.replace("rsa", "RSA ").replace("p", "EC P-")

    @classmethod
    def described(cls, description: str) -> "KeyType | None":
        """The type that facts call *description*, if we make it."""
        return next((kind for kind in cls if kind.description == description), None)


class Shape(StrEnum):
    """The kinds of certificates; the extensions of each are in openssl.cnf.template."""

    SELF_SIGNED = "self-signed"
    LEAF = "leaf"
    CA = "ca"

    @property
    def section(self) -> str:
        """The section of the template with the extensions."""
        return self.value.replace("-", "_")


@dataclass(frozen=True, slots=True)
class CertificateProfile:
    """A request for one server certificate. The first host names its files and its subject.

    `key_type` and `shape` None leave the choice: what is kept, else P-256, and a leaf as soon as
    there is a local CA.

    Raises UsageError when there is no host, for days that clients refuse, and for a type of key
    that there is not.
    """

    hosts: tuple[Host, ...]
    days: int = DEFAULT_DAYS
    key_type: KeyType | None = None
    shape: Shape | None = None

    def __post_init__(self) -> None:
        if self.key_type is not None:
            # From Python without a type checker it may be a text.
            object.__setattr__(self, "key_type", choice(KeyType, self.key_type, "key_type"))
        if not self.hosts:
            raise UsageError("a certificate needs a host", "name one: --cert-host my.dev.local")
        if self.days < 1:
            raise UsageError(
                f"a certificate cannot be valid for {self.days} days",
                f"--days {DEFAULT_DAYS} is the default",
            )
        if self.days > MAX_DAYS:
            raise UsageError(
                f"{self.days} days are too long: iPhones and Macs refuse server certificates of "
                f"more than 825, counted in seconds",
                f"--days {MAX_DAYS} is the most, {DEFAULT_DAYS} the default",
            )

    @classmethod
    def for_server(
        cls,
        hosts: Iterable[str | Host],
        *,
        days: int = DEFAULT_DAYS,
        key_type: KeyType | None = None,
        shape: Shape | None = None,
    ) -> Self:
        """For *hosts* (none: localhost) and loopback, each once, in this order.

        >>> profile = CertificateProfile.for_server(["my.dev.local", "::1"])
        >>> [str(host) for host in profile.hosts]
        ['my.dev.local', '::1', 'localhost', '127.0.0.1']
        """
        parsed = [host if isinstance(host, Host) else parse_host(host) for host in hosts]
        parsed += [parse_host(name) for name in LOOPBACK]
        return cls(tuple(dict.fromkeys(parsed)), days, key_type, shape)

    @property
    def slug(self) -> str:
        """The stem of its files."""
        return self.hosts[0].slug


class AuthorityProfile(NamedTuple):
    """A request for a local CA. *permitted*: all that it may issue for; none: everything."""

    common_name: str
    key_type: KeyType = KeyType.P256
    permitted: tuple[Subtree, ...] = ()
    days: int = AUTHORITY_DAYS
