"""The machine as its network sees it: the addresses and the name that others can use."""

import socket

from openssl_serve.errors import InvalidHostError
from openssl_serve.hosts import Host, parse_host

# Documentation addresses (RFC 5737, RFC 3849): routed like the rest of the world, used by nobody.
_ELSEWHERE = ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1"))


def lan_hosts() -> list[Host]:
    """Return the addresses by which this machine reaches its network, then its mDNS name.

    Empty on a machine without a network.
    """
    addresses = [address for family, there in _ELSEWHERE if (address := _towards(family, there))]
    hosts = [parse_host(address) for address in addresses]
    if hosts and (name := mdns_name(socket.gethostname())):
        hosts.append(name)
    return hosts


def mdns_name(hostname: str) -> Host | None:
    """Return the name under which *hostname* answers by multicast DNS (RFC 6762), if it can.

    >>> str(mdns_name("Annas-Laptop.example.org"))
    'annas-laptop.local'
    """
    try:
        return parse_host(f"{hostname.partition('.')[0]}.local")
    except InvalidHostError:
        return None


def any_address() -> str:
    """Return the address that stands for all of this machine's, of both families where it can."""
    return "::" if socket.has_dualstack_ipv6() else "0.0.0.0"


def _towards(family: socket.AddressFamily, there: str) -> str | None:
    """Return our address on the way *there*; connecting a datagram socket sends nothing."""
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((there, 9))
            address = str(probe.getsockname()[0])
        except OSError:
            return None
    unusable = address.startswith(("127.", "fe80:")) or address in ("::1", "0.0.0.0", "::")
    return None if unusable else address
