"""Hosts: what a certificate can be for, and what a Host field or an address option can name.

Text in, values out; nothing here resolves a name. A parsed `Host` can be written into an
openssl configuration, a file name or a Location field without further escaping: that is what
parsing is for.
"""

import contextlib
import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from urllib.parse import quote, urlsplit

from openssl_serve.errors import InvalidHostError

MAX_NAME_LENGTH = 253
"""Characters of a name in text form: 255 octets on the wire (RFC 1035 section 2.3.4)."""

MAX_LABEL_LENGTH = 63
"""RFC 1035 section 2.3.4."""

MAX_SLUG_LENGTH = 200
"""Bytes. A file name may have 255 (NAME_MAX); extensions and temporary names need the rest."""

HINT = "a host is a name (my.dev.local), a wildcard (*.my.dev.local) or an address (127.0.0.1, ::1)"

# An underscore is no host name character (RFC 952), but DNS, mkcert and every browser take it.
_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?")
_ZONE = re.compile(r"%[A-Za-z0-9._-]+\Z")
# The WHATWG URL standard, "ends in a number": browsers parse such a host as an IPv4 address.
_NUMERIC = re.compile(r"\d+|0x[0-9a-f]*")


class HostKind(Enum):
    """The type of a SAN entry, spelled as in an openssl configuration."""

    DNS = "DNS"
    IP = "IP"


@dataclass(frozen=True, slots=True)
class Host:
    """One name (lower case, A-labels) or one address (compressed), proven by `parse_host`."""

    value: str
    kind: HostKind

    def __str__(self) -> str:
        return self.value

    @property
    def is_wildcard(self) -> bool:
        """Whether the first label is `*`."""
        return self.value.startswith("*.")

    @property
    def is_ip(self) -> bool:
        """Whether this is an address and not a name."""
        return self.kind is HostKind.IP

    @property
    def in_url(self) -> str:
        """As the host of a URL: an IPv6 address in brackets (RFC 3986 section 3.2.2)."""
        return f"[{self.value}]" if ":" in self.value else self.value

    @property
    def slug(self) -> str:
        """The stem of this host's files; two hosts never share one.

        >>> parse_host("my.dev.local").slug, parse_host("a_b").slug, parse_host("::1").slug
        ('my_dev_local', 'a%5Fb', '%3A%3A1')
        """
        # A dot becomes an underscore as in code-server, so a real underscore must not stay one.
        slug = quote(self.value, safe="*-").replace("_", "%5F").replace(".", "_")
        if len(slug) > MAX_SLUG_LENGTH:
            import hashlib  # noqa: PLC0415  3 ms, for the rarest of names

            digest = hashlib.sha256(self.value.encode()).hexdigest()[:32]
            slug = f"{slug[: MAX_SLUG_LENGTH - 33]}%{digest}"
        return slug

    def covers(self, other: "Host") -> bool:
        """Whether a certificate with this entry is valid for *other* (RFC 9525 section 6.3).

        >>> parse_host("*.dev.local").covers(parse_host("a.dev.local"))
        True
        >>> parse_host("*.dev.local").covers(parse_host("a.b.dev.local"))
        False
        """
        if self == other:
            return True
        if not self.is_wildcard or other.is_ip or other.is_wildcard:
            return False
        return other.value.partition(".")[2] == self.value[2:]


def parse_host(text: str, *, any_wildcard: bool = False) -> Host:
    """Read one host as typed: an address (brackets allowed, a zone dropped) or a name (UTS 46).

    An address is tried first, since every address would also pass for odd text. A wildcard on a
    single label is for no certificate; *any_wildcard* takes it, for names to be compared with.

    Raises InvalidHostError with the reason; its hint is something to type.

    >>> parse_host("Faß.de").value, parse_host("[0000::1]").value
    ('xn--fa-hia.de', '::1')
    """
    address = parse_ip(text)
    if address is not None:
        return Host(address, HostKind.IP)
    shown = shorten(text)
    _refuse_what_is_no_host(text, shown)
    name = text.removesuffix(".").lower() if text.isascii() else text
    wildcard = name.startswith("*.")
    name = _to_ascii(name[2:] if wildcard else name, shown)
    labels = name.split(".")
    for number, label in enumerate(labels, start=2 if wildcard else 1):
        _check_label(label, number, shown)
    if _NUMERIC.fullmatch(labels[-1]):
        raise InvalidHostError(f'"{shown}" is not a host: it only looks like an address', HINT)
    if wildcard:
        if len(labels) < 2 and not any_wildcard:
            raise InvalidHostError(
                f'"{shown}" is a wildcard on a single label, which browsers and curl refuse',
                f"name each host (a.{name}, b.{name}), or go one level down (*.app.{name})",
            )
        name = f"*.{name}"
    if len(name) > MAX_NAME_LENGTH:
        raise InvalidHostError(
            f'"{shown}" is not a host: {len(name)} characters, and {MAX_NAME_LENGTH} are the most',
            HINT,
        )
    return Host(name, HostKind.DNS)


def hosts_among(names: Iterable[str]) -> list[Host]:
    """Parse those of *names* that are hosts: a certificate of the user's may hold others too."""
    found = []
    for name in names:
        with contextlib.suppress(InvalidHostError):
            found.append(parse_host(name))
    return found


Network = ipaddress.IPv4Network | ipaddress.IPv6Network

Subtree = Host | Network
"""What a CA may be confined to (RFC 5280 section 4.2.1.10): a name with all that is below it, an
address, or a network."""


def parse_subtree(text: str) -> Subtree:
    """Read a host, or a network as `10.0.0.0/8`. Raises InvalidHostError.

    >>> str(parse_subtree("10.0.0.0/8")), str(parse_subtree("Dev.test")), str(parse_subtree("::1"))
    ('10.0.0.0/8', 'dev.test', '::1')
    """
    address, slash, length = text.rpartition("/")
    if slash and length.isdecimal() and parse_ip(address) is not None:
        try:
            return ipaddress.ip_network(text)
        except ValueError as error:
            raise InvalidHostError(f'"{shorten(text)}" is not a network: {error}', HINT) from error
    return parse_host(text)


def parse_ip(text: str) -> str | None:
    """The IP address that *text* is, compressed (brackets allowed, a zone dropped); None if none.

    >>> parse_ip("[0::1%eth0]"), parse_ip("localhost")
    ('::1', None)
    """
    bare = text[1:-1] if text.startswith("[") and text.endswith("]") else text
    if ":" in bare:
        # A zone names an interface of one machine (RFC 4007); a certificate cannot hold it.
        bare = _ZONE.sub("", bare)
    try:
        return ipaddress.ip_address(bare).compressed if "%" not in bare else None
    except ValueError:
        return None


def shorten(text: str, most: int = 60) -> str:
    """*text* for a message: control characters escaped, the middle of a long one left out."""
    safe = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)
    return safe if len(safe) <= most else f"{safe[: most // 2]}…{safe[-most // 2 + 1 :]}"


def _refuse_what_is_no_host(text: str, shown: str) -> None:
    """The mistakes that have a better answer than "label 1 is bad"."""
    if not text:
        raise InvalidHostError("the host is empty", HINT)
    if "@" in text and "/" not in text:
        raise InvalidHostError(f'"{shown}" is an e-mail address, not a host', HINT)
    if "/" in text:
        try:
            host = urlsplit(text).hostname if "://" in text else None
        except ValueError:
            host = None
        what = "a URL" if "://" in text else "a path"
        raise InvalidHostError(
            f'"{shown}" is {what}, not a host', f"give the host alone: {host}" if host else HINT
        )
    name, colon, port = text.rpartition(":")
    alone = name.removeprefix("[").removesuffix("]")
    if colon and port.isdecimal() and (":" not in name or alone != name):
        raise InvalidHostError(
            f'"{shown}" has a port, and a certificate is for a host on every port',
            f"give the host alone: {shorten(alone)}",
        )
    if "*" in text.removeprefix("*."):
        raise InvalidHostError(
            f'"{shown}" is not a host: "*" stands only for the whole first label', HINT
        )


def _to_ascii(name: str, shown: str) -> str:
    """A-labels of *name*; UTS 46 non-transitional, as browsers do it.

    Labels of ASCII stay as they are: IDNA would refuse an underscore in them.
    """
    if name.isascii() and "xn--" not in name:
        return name
    # Imported here: its tables cost 10 ms, and most hosts are ASCII.
    import idna  # noqa: PLC0415

    try:
        labels = idna.uts46_remap(name, std3_rules=False).removesuffix(".").split(".")
        return ".".join(map(_to_a_label, labels))
    except (idna.IDNAError, UnicodeError) as error:
        reason = shorten(str(error), 100)
        reason = reason[:1].lower() + reason[1:]
        raise InvalidHostError(f'"{shown}" is not a host: {reason}', HINT) from error


def _to_a_label(label: str) -> str:
    import idna  # noqa: PLC0415  as above

    # An A-label has as many characters at least: one that is too long is refused later. That is
    # not left to idna, whose time grows with the square of the length.
    if len(label) > MAX_LABEL_LENGTH or (label.isascii() and not label.startswith("xn--")):
        return label
    return idna.alabel(label).decode("ascii")


def _check_label(label: str, number: int, shown: str) -> None:
    if not label:
        raise InvalidHostError(f'"{shown}" is not a host: label {number} is empty', HINT)
    if len(label) > MAX_LABEL_LENGTH:
        raise InvalidHostError(
            f'"{shown}" is not a host: label {number} has {len(label)} characters, '
            f"and {MAX_LABEL_LENGTH} are the most",
            HINT,
        )
    if not _LABEL.fullmatch(label):
        raise InvalidHostError(
            f'"{shown}" is not a host: label {number} ("{shorten(label)}") has a character '
            "that no host has, or begins or ends with a hyphen",
            HINT,
        )
