"""What `serve` says when it begins: the URLs that really answer, and what the certificate is."""

import socket
import threading
import time
from datetime import UTC, datetime
from pathlib import Path

from openssl_serve.api import Certificate
from openssl_serve.cli import render
from openssl_serve.hosts import Host, parse_host
from openssl_serve.server.contexts import system_verdict
from openssl_serve.server.polyglot import PolyglotServer

RESOLVE_TIMEOUT_S = 1.0
"""For names that only a slow or absent name server could answer for."""


def show_banner(server: PolyglotServer, certificate: Certificate, root: Path) -> None:
    """Say all from a thread: looking up names must not hold up the first response."""
    threading.Thread(
        target=_say, args=(server, certificate, root), name="banner", daemon=True
    ).start()


def _say(server: PolyglotServer, certificate: Certificate, root: Path) -> None:
    facts = certificate.facts
    hosts = [parse_host(name) for name in facts.names]
    answering, absent = split_by_answer(hosts, server.address.host)
    because = certificate.made_because
    render.note(f"serving {root.resolve()}")
    for host in answering:
        render.result(f"https://{host.in_url}:{server.address.port}/")
    days = facts.days_left(datetime.now(UTC))
    lines = {
        "certificate": f"{certificate.cert_path}" + (f" (new: {because})" if because else ""),
        "names": ", ".join(facts.names),
        "expires": f"{facts.not_after:%Y-%m-%d}, {days} days left",
        "SHA-256": facts.fingerprint,
    }
    verdict = system_verdict(server.contexts.current(), str(answering[0] if answering else ""))
    if verdict is not None:
        lines["untrusted"] = (
            f"browsers will warn ({verdict}); compare the fingerprint before you go past it"
        )
    for word, text in lines.items():
        render.note(f"  {render.style(f'{word:<12}', 'blue')} {text}")
    for host in absent:
        line = f"{server.address.host} {host}"
        render.note(f'  {host} does not lead here yet: put the line "{line}" into /etc/hosts')
    render.note("Ctrl-C ends it")


def split_by_answer(hosts: list[Host], bound: str) -> tuple[list[Host], list[Host]]:
    """Split *hosts* into those that lead to the *bound* address and names that do not.

    Wildcards are in neither, nor are addresses that are not listened on.
    """
    found: dict[Host, bool] = {}

    def look_up(host: Host) -> None:
        found[host] = leads_to(host, bound)

    named = [host for host in hosts if not host.is_wildcard]
    threads = [threading.Thread(target=look_up, args=(host,), daemon=True) for host in named]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + RESOLVE_TIMEOUT_S
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
    answering = [host for host in named if found.get(host)]
    return answering, [host for host in named if not host.is_ip and host not in answering]


def leads_to(host: Host, bound: str) -> bool:
    """Whether a client on this machine that asks for *host* reaches the address *bound*."""
    try:
        infos = socket.getaddrinfo(host.value, None, type=socket.SOCK_STREAM)
    except OSError:
        return False
    addresses = {str(info[4][0]) for info in infos}
    if bound not in ("0.0.0.0", "::"):
        return bound in addresses
    # Every address of this machine; UDP connect finds out without sending anything.
    return any(_is_ours(address) for address in addresses)


def _is_ours(address: str) -> bool:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((address, 0))
        except OSError:
            return False
    return True
