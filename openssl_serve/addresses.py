"""Addresses: where to listen or connect, and how an option names that.

Text in, values out; nothing here resolves a name.
"""

from typing import NamedTuple

from openssl_serve.errors import InvalidHostError, UsageError
from openssl_serve.hosts import parse_host, parse_ip, shorten


class Address(NamedTuple):
    """Where to listen or connect: a host as typed (not resolved) and a TCP port."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def parse_address(text: str, option: str = "--bind-addr") -> Address:
    """Read `HOST:PORT`; an IPv6 address stands in brackets.

    Raises UsageError for all that is not exactly that, naming *option*.

    >>> parse_address("[::1]:8080")
    Address(host='::1', port=8080)
    """
    shown = shorten(text)
    host, colon, port = text.rpartition(":")
    if "/" in text:
        raise UsageError(
            f'{option} "{shown}" is a URL or a path, HOST:PORT is wanted',
            f"{option} localhost:8080",
        )
    bare = shown.removeprefix("[").removesuffix("]")
    # "::1" has no port, though "::1:80" is an address as well.
    if not colon or (parse_ip(text) and not parse_ip(host)):
        hint = f"{option} {Address(bare or '127.0.0.1', 8080)}"
        if text.isdecimal() and option == "--bind-addr":
            hint = f"for the port alone: --port {text}"
        raise UsageError(f'{option} "{shown}" has no port, HOST:PORT is wanted', hint)
    if not host:
        everybody = f"; the whole network: 0.0.0.0:{port}" if option == "--bind-addr" else ""
        raise UsageError(
            f'{option} "{shown}" names no host', f"this machine only: 127.0.0.1:{port}{everybody}"
        )
    if ":" in host and not (host.startswith("[") and host.endswith("]")):
        raise UsageError(
            f'{option} "{shown}" has an IPv6 address without brackets', f"[{host}]:{port}"
        )
    try:
        value = parse_host(host).value
    except InvalidHostError as error:
        raise UsageError(f"{option}: {error}", *error.hints) from error
    return Address(value, parse_port(port, option))


def parse_port(text: str, option: str = "--port") -> int:
    """Read a TCP port, 0 for any free one. Raises UsageError."""
    # isdecimal: int() would also take "+8", " 8", "8_0" and Arabic digits pass isdigit().
    if not (text.isascii() and text.isdecimal() and len(text) <= 5 and int(text) <= 65535):
        raise UsageError(
            f'{option}: "{shorten(text)}" is not a port', "a port is a number from 0 (any) to 65535"
        )
    return int(text)
