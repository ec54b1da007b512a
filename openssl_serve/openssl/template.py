"""openssl.cnf.template: find it, fill it in; no value can add a line or a variable to it."""

import ipaddress
import re
from collections.abc import Iterable
from pathlib import Path
from string import Template

from openssl_serve.errors import OpensslServeError
from openssl_serve.hosts import Host, Subtree

# Inside the package in a wheel (pyproject.toml puts it there), at the top level in a checkout.
_PLACES = (
    Path(__file__).parent.parent / "openssl.cnf.template",
    Path(__file__).parent.parent.parent / "openssl.cnf.template",
)

# What may stand in a value as it is. Not among them: $ (a variable), # and ; (comments),
# backslash, quotes, brackets, a comma (next item of a list), a line break.
_SAFE = re.compile(r"[A-Za-z0-9 .:/*@_()+-]{1,253}")

MAX_COMMON_NAME_LENGTH = 64
"""ub-common-name, RFC 5280 appendix A.1; openssl refuses longer ones."""


def render(
    *,
    common_name: str | None,
    organization: str | None = None,
    names: Iterable[Host] = (),
    key_is_rsa: bool = False,
    permitted: Iterable[Subtree] = (),
) -> str:
    """The configuration for one certificate; its section is chosen by the command line.

    *permitted* are the only names, addresses and networks that a CA may issue for; none: all.

    Raises ValueError for a value that cannot stand in a configuration, which would be a mistake
    of the caller: hosts are proven by `parse_host`.
    """
    subject = {"organizationName": organization, "commonName": common_name}
    subtrees = [_constraint(subtree) for subtree in permitted]
    return Template(_read()).substitute(
        subject=_lines((name, value) for name, value in subject.items() if value),
        names=_lines(_numbered((host.kind.value, host.value) for host in names)),
        # RSA key exchange (TLS 1.2 without ECDHE) encrypts with the key; an EC key only signs.
        leaf_key_usage="digitalSignature" + (", keyEncipherment" if key_is_rsa else ""),
        # RFC 5280 section 4.2.1.6: then the SAN is the only name there is.
        names_critical="" if common_name else "critical, ",
        name_constraints="nameConstraints = critical, @permitted" if subtrees else "",
        permitted=_lines((f"permitted;{name}", value) for name, value in _numbered(subtrees)),
    )


def _read() -> str:
    for place in _PLACES:
        if place.is_file():
            return place.read_text("utf-8")
    raise OpensslServeError(f"{_PLACES[0]} is missing", "install openssl-serve again")


def _lines(pairs: Iterable[tuple[str, str]]) -> str:
    lines = []
    for name, value in pairs:
        if not _SAFE.fullmatch(value):
            raise ValueError(f"no value for an openssl configuration: {value!r}")
        lines.append(f"{name} = {value}")
    return "\n".join(lines)


def _numbered(pairs: Iterable[tuple[str, str]]) -> Iterable[tuple[str, str]]:
    """Each (kind, value) with its kind numbered: DNS.1, DNS.2, IP.1."""
    count: dict[str, int] = {}
    for kind, value in pairs:
        count[kind] = count.get(kind, 0) + 1
        yield f"{kind}.{count[kind]}", value


def _constraint(subtree: Subtree) -> tuple[str, str]:
    """A name and all below it, or a network with its mask; one address is the smallest network."""
    if isinstance(subtree, Host) and not subtree.is_ip:
        return subtree.kind.value, subtree.value
    network = ipaddress.ip_network(str(subtree))
    return "IP", f"{network.network_address}/{network.netmask}"
