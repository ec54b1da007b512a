"""The server behind this one: its URL, and the addresses that its name may stand for."""

import re
import socket
from dataclasses import dataclass, replace
from typing import NamedTuple

from openssl_serve.errors import UsageError
from openssl_serve.hosts import Host, parse_host, shorten
from openssl_serve.http1.fields import parse_authority

_PORTS = {"http": 80, "https": 443}
_PATH = re.compile(r"(/[!$&'()*+,:;=@\w.~%-]*)*", re.ASCII)

LOOPBACK = ("127.0.0.1", "::1")
"""What localhost stands for, in the order they are tried: Node listens on ::1 alone, others on
127.0.0.1 alone, and resolvers differ in which they give first."""


class Place(NamedTuple):
    """Where to connect to."""

    family: socket.AddressFamily
    address: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.address}]" if ":" in self.address else self.address
        return f"{host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Upstream:
    """A server that speaks HTTP/1.1, plain or inside TLS."""

    host: Host
    port: int
    secure: bool = False
    path: str = ""
    """What its own paths begin with, without a slash at the end; "" for nothing."""

    def __str__(self) -> str:
        return f"{self.origin}{self.path}"

    @property
    def origin(self) -> str:
        """Scheme and authority, as a browser writes them."""
        return f"{'https' if self.secure else 'http'}://{self.authority}"

    @property
    def origins(self) -> tuple[str, ...]:
        """The origin as the upstream may write it itself: of loopback any name is as good."""
        if self.host.value not in (*LOOPBACK, "localhost"):
            return (self.origin,)
        names = [parse_host(name) for name in (*LOOPBACK, "localhost")]
        return tuple(replace(self, host=name).origin for name in names)

    @property
    def authority(self) -> str:
        """Host and port, the port only when it is not the scheme's own (RFC 9110 section 7.2)."""
        usual = _PORTS["https" if self.secure else "http"]
        return self.host.in_url if self.port == usual else f"{self.host.in_url}:{self.port}"

    def known_places(self) -> list[Place] | None:
        """Where to connect to, or None if its name has to be looked up first."""
        name = self.host.value
        if name == "localhost" or name.endswith(".localhost"):
            # RFC 6761 section 6.3: always loopback, whatever a resolver says.
            return [place_of(address, self.port) for address in LOOPBACK]
        return [place_of(name, self.port)] if self.host.is_ip else None

    def look_up(self) -> list[Place]:
        """Ask the system's resolver, which blocks; raises OSError."""
        found = socket.getaddrinfo(self.host.value, self.port, type=socket.SOCK_STREAM)
        return [Place(family, str(where[0]), self.port) for family, *_, where in found]


def place_of(address: str, port: int) -> Place:
    """Return the place of an IP *address*."""
    return Place(socket.AF_INET6 if ":" in address else socket.AF_INET, address, port)


def parse_upstream(text: str) -> Upstream:
    """Read the URL of an upstream; raises UsageError for what cannot be one.

    >>> str(parse_upstream("http://LocalHost:3000/api/"))
    'http://localhost:3000/api'
    """
    shown = f'"{shorten(text)}"'
    scheme, _, rest = text.partition("://")
    secure = scheme.lower() == "https"
    if scheme.lower() not in _PORTS:
        raise UsageError(
            f"{shown} is no URL of an upstream: {scheme} is not spoken here",
            "WebSockets pass too: name it with http:// or https://",
        )
    written, slash, path = rest.partition("/")
    if "@" in written:
        raise UsageError(
            "the URL of an upstream cannot hold a user or a password",
            "leave out what stands before the @",
        )
    authority = parse_authority(written.encode("utf-8", "surrogateescape"))
    # A port was about to be typed, if there is a colon.
    if authority is None or authority.port == 0 or written.endswith(":"):
        raise UsageError(
            f'{shown} is no URL of an upstream: "{shorten(written)}" is no host and port',
            "for example http://127.0.0.1:3000",
        )
    if _PATH.fullmatch(slash + path) is None:
        raise UsageError(
            f"{shown} is no URL of an upstream: only a path can follow the host",
            f"for example {scheme}://{authority}/api",
        )
    port = authority.port or _PORTS[scheme.lower()]
    return Upstream(authority.host, port, secure, (slash + path).rstrip("/"))
