"""What becomes of the fields of a request and of a response on their way through a proxy."""

import secrets
from dataclasses import dataclass

from openssl_serve.errors import HttpError
from openssl_serve.handlers.proxy.upstream import Upstream
from openssl_serve.http1.request import Request
from openssl_serve.http1.response_parser import ResponseHead
from openssl_serve.http1.targets import authority_asked, origin_form

_HOP_BY_HOP = frozenset(
    b"connection keep-alive proxy-connection te trailer transfer-encoding upgrade http2-settings"
    b" proxy-authenticate proxy-authorization proxy-authentication-info".split()
)
"""For one connection only (RFC 9110 section 7.6.1, and what its forerunners named)."""

_FORWARDED = frozenset(
    b"forwarded x-forwarded-for x-forwarded-host x-forwarded-port x-forwarded-proto"
    b" x-forwarded-server x-forwarded-ssl x-forwarded-prefix x-forwarded-scheme x-real-ip".split()
)
"""What tells an application who its client is: a client's own word for it is worth nothing."""

# Proxy: CGI programs take it for the variable HTTP_PROXY (CVE-2016-1000110).
_OURS = _HOP_BY_HOP | {b"host", b"via", b"proxy"}

_NOT_NAMED = _FORWARDED | {b"content-length", b"date", b"host"}
"""What nobody can have removed by naming it in Connection: another request would begin, or who
asked would be hidden."""


_ALIKE = _OURS | _FORWARDED | {b"content-length", b"content-type"}
"""What a field with underscores could pass for: to CGI and WSGI X_Forwarded_For and X-Forwarded-For
are one."""


@dataclass(frozen=True, slots=True)
class ProxyOptions:
    """How requests are passed on."""

    trust_forwarded: bool = False
    """Whether what a client says of Forwarded and X-Forwarded-* is passed on, as by a proxy in
    front of this one."""
    forwarded: bool = False
    """Whether the upstream gets Forwarded (RFC 7239) too."""
    rewrite_host: bool = False
    """Whether the upstream is told its own name in Host, instead of the one the client used."""
    rewrite_responses: bool = False
    """Whether Location leads here instead of to the upstream, and cookies become Secure."""
    ca_file: str | None = None
    """The certificates, PEM, that an upstream's https is checked with; None for the system's."""
    insecure: bool = False
    """Whether an upstream's https is not checked at all."""
    timeout_s: float = 300.0
    """Seconds until an upstream has to begin its response: someone may sit in its debugger."""


class Rewriting:
    """Writes the heads of the requests to one *upstream*, and of its responses.

    Its path, if it has one, stands there for the first *depth* segments here.
    """

    def __init__(self, upstream: Upstream, options: ProxyOptions, depth: int = 0) -> None:
        self._upstream = upstream
        self._depth = depth
        self._options = options
        self._authority = upstream.authority.encode()
        self._origins = tuple(origin.encode() for origin in upstream.origins)
        # Those that a trusted client's own is put in front of are written anew.
        rewritten = {b"x-forwarded-for"} | ({b"forwarded"} if options.forwarded else set())
        self._dropped = _OURS | (rewritten if options.trust_forwarded else _FORWARDED)
        # Not the name of this machine: who gets it is nobody's business.
        self._via = b"1.1 openssl-serve-" + secrets.token_hex(4).encode()

    def refuse_loop(self, request: Request) -> None:
        """Raise HttpError 508 for a *request* that has come through here before."""
        if self._via in request.values.get(b"via", b""):
            raise HttpError(508, f"{self._upstream} leads back here")

    def request_head(
        self, request: Request, target: bytes, host: bytes | None, upgrade: bytes | None
    ) -> bytes:
        """Write *request*, which is for *host*, for the upstream, with *target* as its own."""
        values = request.values
        told = self._authority if self._options.rewrite_host or host is None else host
        lines = [b"%b %b HTTP/1.1\r\nHost: %b\r\n" % (request.method, target, told)]
        dropped = self._dropped
        if b"connection" in values:
            dropped |= _named(values[b"connection"])
        if request.version == "1.0":
            # RFC 9110 section 10.1.1: to be ignored, and here it would be taken seriously.
            dropped |= {b"expect"}
        for name, value in request.fields:
            key = name.lower()
            if key in dropped or (b"_" in key and key.replace(b"_", b"-") in _ALIKE):
                continue
            lines.append(b"%b: %b\r\n" % (name, value))
        lines.append(self._forwarded(request, host))
        lines.append(b"Via: %b\r\n" % _after(values.get(b"via"), self._via))
        if b"transfer-encoding" in values:
            lines.append(b"Transfer-Encoding: chunked\r\n")
        if upgrade is not None:
            lines.append(b"Connection: Upgrade\r\nUpgrade: %b\r\n" % upgrade)
        lines.append(b"\r\n")
        return b"".join(lines)

    def _forwarded(self, request: Request, host: bytes | None) -> bytes:
        """Write who the client is: after what a trusted one has said, or instead of it."""
        peer, values = request.peer, request.values if self._options.trust_forwarded else {}
        client = peer.client.encode()
        proto = b"https" if peer.secure else b"http"
        chain = _after(values.get(b"x-forwarded-for"), client or b"unknown")
        lines = [b"X-Forwarded-For: %b\r\n" % chain]
        if b"x-forwarded-proto" not in values:
            lines.append(b"X-Forwarded-Proto: %b\r\n" % proto)
        if host and b"x-forwarded-host" not in values:
            lines.append(b"X-Forwarded-Host: %b\r\n" % host)
        if peer.port and b"x-forwarded-port" not in values:
            lines.append(b"X-Forwarded-Port: %d\r\n" % peer.port)
        if self._options.forwarded:
            ours = _forwarded(client, host or b"", proto)
            lines.append(b"Forwarded: %b\r\n" % _after(values.get(b"forwarded"), ours))
        return b"".join(lines)

    def response_head(self, request: Request, head: ResponseHead, extra: bytes = b"") -> bytes:
        """Write *head*, status line and fields, for the client of *request*; *extra* goes last."""
        lines = [b"HTTP/1.1 %d %b\r\n" % (head.status, head.reason)]
        dropped = _HOP_BY_HOP
        for name, value in head.fields:
            key = name.lower()
            if key == b"connection":
                dropped |= _named(value)
        if head.status == 204 or head.status < 200:
            # RFC 9110 section 8.6: these have none.
            dropped |= {b"content-length"}
        rewrites = self._options.rewrite_responses
        for name, value in head.fields:
            key = name.lower()
            if key not in dropped:
                if rewrites:
                    value = self._rewrite(request, key, value)  # noqa: PLW2901
                lines.append(b"%b: %b\r\n" % (name, value))
        lines.append(extra)
        return b"".join(lines)

    def _rewrite(self, request: Request, key: bytes, value: bytes) -> bytes:
        if key in (b"location", b"content-location"):
            return self._location(request, value)
        if key != b"set-cookie":
            return value
        pair, *attributes = value.split(b";")
        for number, attribute in enumerate(attributes):
            name, _, path = (part.strip(b" \t") for part in attribute.partition(b"="))
            if name.lower() == b"path" and path[:1] == b"/":
                attributes[number] = b" Path=" + (self._here(request, path) or path)
        names = {attribute.strip().lower() for attribute in attributes}
        if request.peer.secure and b"secure" not in names:
            attributes.append(b" Secure")
        return b";".join((pair, *attributes))

    def _location(self, request: Request, value: bytes) -> bytes:
        if value[:1] == b"/" and value[:2] != b"//":
            return self._here(request, value) or value
        host = authority_asked(request.target, request.values.get(b"host"))
        for origin in self._origins:
            rest = value.removeprefix(origin)
            if rest != value and rest[:1] in b"/?#" and host is not None:
                here = self._here(request, rest if rest[:1] == b"/" else b"/" + rest)
                if here is not None:
                    return (b"https://" if request.peer.secure else b"http://") + host + here
        return value

    def _here(self, request: Request, path: bytes) -> bytes | None:
        """Return what leads here to the absolute *path* of the upstream; None if nothing does."""
        theirs = self._upstream.path.encode()
        rest = path.removeprefix(theirs)
        if (theirs and rest == path) or rest[:1] not in b"/?#":
            return None
        above = b""
        if self._depth and request.target != b"*":
            segments = origin_form(request.target).partition(b"?")[0].split(b"/")
            above = b"/".join(segments[: 1 + self._depth])
        return above + rest if above or rest[:1] == b"/" else b"/" + rest


def upgrade_of(request: Request) -> bytes | None:
    """Return what *request* wants to upgrade to, if that can be passed on.

    Not h2c: it would bring requests past every check here (and browsers never ask for it).
    """
    if not request.upgrade or request.method == b"CONNECT" or request.version != "1.1":
        return None
    wanted = request.values.get(b"upgrade", b"")
    names = [each.strip(b" \t").partition(b"/")[0].lower() for each in wanted.split(b",")]
    if not wanted or b"h2c" in names or b"tls" in names:
        return None
    return wanted


def _named(value: bytes) -> frozenset[bytes]:
    """Return the fields that a Connection field names, but for those that nobody can."""
    return frozenset(each.strip(b" \t").lower() for each in value.split(b",")) - _NOT_NAMED


def _after(before: bytes | None, value: bytes) -> bytes:
    """Put *value* at the end of a list that may have begun before."""
    return b"%b, %b" % (before, value) if before else value


def _forwarded(client: bytes, host: bytes, proto: bytes) -> bytes:
    """Write an element of Forwarded (RFC 7239 section 4); IPv6 in brackets (section 6)."""
    who = b'"[%b]"' % client if b":" in client else client or b"unknown"
    quoted = host.replace(b"\\", b"\\\\").replace(b'"', b'\\"')
    return b'for=%b;host="%b";proto=%b' % (who, quoted, proto)
