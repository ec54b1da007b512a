"""Name constraints (RFC 5280 section 4.2.1.10): what a local CA is confined to, and what fits."""

import ipaddress
from collections.abc import Iterable

from openssl_serve.certs.profile import LOOPBACK
from openssl_serve.hosts import Host, Network, Subtree, parse_host, parse_subtree

LOCAL = (
    # Never delegated in the DNS: RFC 6761, RFC 6762 (mDNS), and ICANN's word on "internal".
    *("localhost", "test", "internal", "local"),
    # Private, link-local and loopback addresses: RFC 1918, RFC 3927, RFC 1122.
    *("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16", "127.0.0.0/8"),
    # The same of IPv6: RFC 4193, RFC 4291.
    *("fc00::/7", "fe80::/10", "::1"),
)
"""What nobody on the Internet can own: a CA for these alone can impersonate no public site."""


def local_subtrees() -> tuple[Subtree, ...]:
    """LOCAL, parsed."""
    return tuple(map(parse_subtree, LOCAL))


def with_loopback(permitted: tuple[Subtree, ...]) -> tuple[Subtree, ...]:
    """*permitted*, if there is any, with what every server certificate names."""
    if not permitted:
        return ()
    # A constraint covers all that is below a name: it has no wildcards.
    bases: list[Subtree] = [
        parse_host(each.value.removeprefix("*.")) if isinstance(each, Host) else each
        for each in permitted
    ]
    for name in LOOPBACK:
        host = parse_host(name)
        if not is_within(host, map(str, bases)):
            bases.append(host)
    return tuple(dict.fromkeys(bases))


def is_within(host: Host, permitted: Iterable[str]) -> bool:
    """Whether *host* is in one of the subtrees *permitted*.

    >>> names, networks = ["test"], ["10.0.0.0/8"]
    >>> is_within(parse_host("a.b.test"), names), is_within(parse_host("10.1.2.3"), networks)
    (True, True)
    >>> is_within(parse_host("contest"), names), is_within(parse_host("11.0.0.1"), networks)
    (False, False)
    """
    name = host.value.removeprefix("*.")
    if host.is_ip:
        address = ipaddress.ip_address(name)
        return any(address in network for network in map(_network, permitted) if network)
    return any(name == base or name.endswith(f".{base}") for base in permitted)


def _network(text: str) -> Network | None:
    """The network *text*; None for a name, and for a mask with holes, which nobody here makes."""
    try:
        return ipaddress.ip_network(text)
    except ValueError:
        return None
