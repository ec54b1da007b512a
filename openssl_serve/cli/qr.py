"""`--qr`: where a phone finds this server, what it is to trust there, and that as a QR code."""

import ipaddress
import sys
from collections.abc import Iterable, Sequence
from contextlib import suppress
from itertools import zip_longest
from typing import NamedTuple

from openssl_serve.addresses import Address
from openssl_serve.anchors import offer_for
from openssl_serve.cli import render
from openssl_serve.errors import CertificateError
from openssl_serve.handlers.anchor_offer import PREFIX, Offer
from openssl_serve.hosts import Host, parse_host, shorten
from openssl_serve.live_contexts import Loadable
from openssl_serve.server.lan import lan_hosts

_EVERYWHERE = ("::", "0.0.0.0")

# Light modules are drawn and dark ones are left: the upper one of a character, and the lower.
_BLOCKS = {(0, 0): "█", (0, 1): "▀", (1, 0): "▄", (1, 1): " "}

_WHITE_ON_BLACK = "\x1b[38;5;231;48;5;16m"
"""Of the 256 colours, those that no theme changes: the sixteen before them are swapped by some
light ones, and scanners that read an inverted code are not everybody's."""


class Invitation(NamedTuple):
    """What to say, in lines of a word and a text, and the URL for the code; None for no code."""

    lines: list[tuple[str, str]]
    url: str | None = None


def invitation(addresses: Sequence[Address], certificate: Loadable) -> Invitation:
    """Say how a phone gets to a server that listens on *addresses* with *certificate*."""
    place = _seen_from_outside(addresses)
    if place is None:
        return Invitation([("phone", _why_not(addresses))])
    host, port = place
    where = f"{host.in_url}:{port}"
    offer = None
    with suppress(CertificateError):
        offer = offer_for(certificate)
    if offer is None:
        # Issued by somebody whom the phone knows, or is told about elsewhere.
        url = f"https://{where}/"
        return Invitation([("phone", url)], url)
    url = f"http://{where}{PREFIX}"
    lines = [("phone", url)]
    if offer.is_shared:
        lines += [("to trust", shorten(offer.name)), ("its SHA-256", offer.fingerprint)]
    else:
        lines.append(("to trust", f"the certificate above; devices call it {shorten(offer.name)}"))
    return Invitation([*lines, *(("but", line) for line in _doubts(offer, host))], url)


def code(text: str) -> list[str]:
    """Return *text* as lines of a QR code for stderr; none if that is no place for one.

    It is none when it is not a terminal, is too narrow, or has no block characters.
    """
    if not sys.stderr.isatty():
        return []
    # Imported here: nobody else needs it.
    import segno  # noqa: PLC0415

    # Four light modules around it: ISO/IEC 18004 section 5.3.8, and a dark terminal begins there.
    rows = [tuple(row) for row in segno.make(text, micro=False).matrix_iter(border=4)]
    width = len(rows[0])
    if width > render.columns(sys.stderr) or not _can_write("".join(_BLOCKS.values())):
        return []
    begin, end = (_WHITE_ON_BLACK, "\x1b[0m") if render.wants_colour() else ("", "")
    pairs = zip_longest(rows[::2], rows[1::2], fillvalue=(0,) * width)
    return [
        begin + "".join(_BLOCKS[pair] for pair in zip(*both, strict=True)) + end for both in pairs
    ]


def _seen_from_outside(addresses: Iterable[Address]) -> tuple[Host, int] | None:
    """Where another machine of the network reaches one of *addresses*; IPv4 if it can."""
    found = []
    for bound, port in addresses:
        if bound in _EVERYWHERE:
            found += [(host, port) for host in lan_hosts() if host.is_ip]
        elif not ipaddress.ip_address(bound).is_loopback:
            found.append((parse_host(bound), port))
    if all(bound == "0.0.0.0" for bound, _ in addresses):
        found = [(host, port) for host, port in found if ":" not in host.value]
    return min(found, key=lambda place: ":" in place[0].value, default=None)


def _why_not(addresses: Sequence[Address]) -> str:
    if not addresses:
        return "none reaches a Unix socket: leave out --socket"
    if any(bound in _EVERYWHERE for bound, _ in addresses):
        return "none reaches this machine: it is not in a network"
    return f"only this machine reaches http://{addresses[0]}{PREFIX}; --lan --qr lets others in"


def _doubts(offer: Offer, host: Host) -> Iterable[str]:
    if not offer.covers(host):
        yield f"the certificate is not for {host}: --lan puts it in"
    never = ", ".join(offer.refusals)
    if never:
        remedy = (
            "" if offer.is_shared else "; all accept what a local CA issues: openssl-serve trust"
        )
        yield f"{never} will never accept it{remedy}"


def _can_write(text: str) -> bool:
    try:
        text.encode(sys.stderr.encoding)
    except UnicodeError:
        return False
    return True
