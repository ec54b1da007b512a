"""What `serve` says when it begins: the URLs that really answer, and what the certificate is."""

import socket
import sys
import threading
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from openssl_serve.addresses import Address
from openssl_serve.api import Certificate
from openssl_serve.certs.store import Kept
from openssl_serve.cli import render
from openssl_serve.cli.layout import hanging
from openssl_serve.hosts import Host, hosts_among, shorten
from openssl_serve.server.access_log import MAX_LINE
from openssl_serve.server.lan import mdns_name
from openssl_serve.server.polyglot import PolyglotServer
from openssl_serve.trust.handshake import system_refusal

RESOLVE_TIMEOUT_S = 1.0
"""For names that only a slow or absent name server could answer for."""


class Banner:
    """Says all from a thread: looking up names must not hold up the first response."""

    def __init__(
        self,
        server: PolyglotServer,
        certificates: Sequence[Certificate],
        target: object,
        *,
        qr: bool = False,
        opens: bool = False,
    ) -> None:
        self._server = server
        self._certificates = certificates
        self._target = target.resolve() if isinstance(target, Path) else target
        self._qr = qr
        self._opens = opens
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._say, name="banner", daemon=True)

    def start(self) -> None:
        """Begin to look up names, and say what was found."""
        self._thread.start()

    def stop(self) -> None:
        """Say no more, and wait until that is so: a thread must not write while Python ends."""
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join()

    def _say(self) -> None:
        names = dict.fromkeys(name for each in self._certificates for name in each.facts.names)
        hosts = hosts_among(names)
        addresses = [where for where in self._server.addresses if isinstance(where, Address)]
        answering, absent = split_by_answer(hosts, addresses, self._ended)
        places = ", ".join(map(str, self._server.addresses))
        # A folder may be called anything, an escape sequence of the terminal too.
        self._write([shorten(f"serving {self._target} on {places}", MAX_LINE)])
        urls = [f"https://{host.in_url}:{port}/" for host, port in answering]
        self._print(urls)
        for each in self._certificates:
            self._write(_describe(each, verbose=self._server.log.verbose))
        if self._ended.is_set():
            return
        # Any name of the certificate will do: whether it leads here is another question.
        name = next((host.value for host in hosts if not host.is_wildcard), "any.invalid")
        verdict = system_refusal(self._server.contexts.current(), name)
        lines = []
        if verdict is not None:
            lines.append(_line("untrusted", _what_to_do(self._certificates[0], verdict)))
        for host in absent:
            if host == mdns_name(socket.gethostname()):
                # For the others on the network, whom it leads here; this machine need not know.
                continue
            lines.append(hanging(" ", how_to_lead(host, addresses), sys.stderr))
        if self._qr:
            lines += _invite(addresses, self._certificates[0])
        self._write([*lines, "Ctrl-C ends it"])
        if self._opens:
            self._open(urls)

    def _print(self, urls: Sequence[str]) -> None:
        try:
            for url in urls:
                if not self._ended.is_set():
                    render.result(url)
        except BrokenPipeError:
            # `| head -1` has what it wanted, and the server goes on.
            render.drop_results()

    def _open(self, urls: Sequence[str]) -> None:
        """Show the first of *urls* in the user's browser, or say why not."""
        from openssl_serve.cli import browser  # noqa: PLC0415  seldom wanted

        if not urls:
            self._write(["no browser is opened: no URL leads here"])
        elif not self._ended.is_set():
            try:
                browser.open_url(urls[0], self._ended)
            except browser.NoBrowserError as error:
                self._write([f"no browser is opened ({error}); it would show {urls[0]}"])

    def _write(self, lines: list[str]) -> None:
        for line in lines:
            if not self._ended.is_set():
                render.note(line)


def _describe(certificate: Certificate, *, verbose: bool) -> list[str]:
    facts, because = certificate.facts, certificate.made_because
    days = facts.days_left(datetime.now(UTC))
    why = f" (new: {because})" if because else f" ({_why_used(certificate)})" if verbose else ""
    return [
        _line("certificate", f"{certificate.cert_path}{why}"),
        _line("names", ", ".join(facts.names)),
        _line("expires", f"{facts.not_after:%Y-%m-%d}, {days} days left"),
        _line("SHA-256", facts.fingerprint),
    ]


def _why_used(certificate: Certificate) -> str:
    """Say why *certificate* did not have to be made."""
    if not isinstance(certificate, Kept):
        return f"yours, with {certificate.key_path}"
    due = certificate.facts.due_from
    return f"kept: it has all names, its key belongs to it, and it is not due before {due:%Y-%m-%d}"


def _what_to_do(certificate: Certificate, verdict: str) -> str:
    """Say who refuses a certificate because of *verdict*, and what ends that."""
    if certificate.authority is not None:
        # Browsers may have stores of their own that know it; asking them takes too long here.
        return f"this system refuses it ({verdict}); who trusts it: openssl-serve trust --check"
    warning = f"browsers will warn ({verdict})"
    if isinstance(certificate, Kept):
        return f"{warning} until openssl-serve trust; or compare the fingerprint"
    return f"{warning}; compare the fingerprint before you go on"


def how_to_lead(host: Host, addresses: Sequence[Address]) -> str:
    """Say what makes *host*, which is no name to this machine, lead to one of *addresses*."""
    bound, port = addresses[0]
    here = "127.0.0.1" if bound in ("::", "0.0.0.0") else bound
    line = f'put the line "{here} {host}" into /etc/hosts'
    # RFC 6761 section 6.3: these know it without asking; Safari and most programs ask.
    if host.value.endswith(".localhost") and here in ("127.0.0.1", "::1"):
        url = f"https://{host.in_url}:{port}/"
        return f"{url} is found by Chrome, Firefox and curl; for all others {line}"
    return f"{host} does not lead here yet: {line}"


def _invite(addresses: Sequence[Address], certificate: Certificate) -> list[str]:
    """Say how a phone gets here; the code in one piece, with no line of the log in it."""
    from openssl_serve.cli import qr  # noqa: PLC0415  seldom wanted

    found = qr.invitation(addresses, certificate)
    code = qr.code(found.url) if found.url else []
    return [*(_line(*each) for each in found.lines), *(["\n".join(code)] if code else [])]


def _line(word: str, text: str) -> str:
    return hanging(f"  {render.style(f'{word:<12}', 'blue')}", text, sys.stderr)


def split_by_answer(
    hosts: Sequence[Host], addresses: Sequence[Address], ended: threading.Event
) -> tuple[list[tuple[Host, int]], list[Host]]:
    """Split *hosts* into those that lead to one of *addresses*, with the port, and other names.

    Wildcards are in neither, nor are addresses that are not listened on. Gives up early once
    *ended* is set.
    """
    named = [host for host in hosts if not host.is_wildcard]
    ports: dict[Host, int | None] = {}
    complete = threading.Event()

    def look_up(host: Host) -> None:
        ports[host] = port_of(host, addresses)
        if len(ports) == len(named):
            complete.set()

    if addresses:
        for host in named:
            threading.Thread(target=look_up, args=(host,), daemon=True).start()
        step_s = 0.05
        for _ in range(round(RESOLVE_TIMEOUT_S / step_s)):
            if complete.wait(step_s) or ended.is_set():
                break
    found = dict(ports)
    answering = [(host, port) for host in named if (port := found.get(host)) is not None]
    absent = [host for host in named if not host.is_ip and found.get(host) is None]
    return answering, absent if addresses else []


def port_of(host: Host, addresses: Sequence[Address]) -> int | None:
    """On which port a client on this machine that asks for *host* reaches one of *addresses*."""
    try:
        # As bytes, for which no codec is imported: it is in ASCII, as every Host.
        infos = socket.getaddrinfo(host.value.encode(), None, type=socket.SOCK_STREAM)
    except OSError:
        return None
    for info in infos:
        found = str(info[4][0])
        for bound, port in addresses:
            wildcard = bound == "::" or (bound == "0.0.0.0" and ":" not in found)
            if found == bound or (wildcard and _is_ours(found)):
                return port
    return None


def _is_ours(address: str) -> bool:
    """Whether *address* is one of this machine's; binding tells, and sends nothing."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((address, 0))
        except OSError:
            return False
    return True
