"""Options of `serve` about servers behind this one: which, and how requests are passed on."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from openssl_serve.cli.options import option
from openssl_serve.errors import UsageError

if TYPE_CHECKING:
    from openssl_serve.handlers.proxy.fields import ProxyOptions
    from openssl_serve.hosts import Host
    from openssl_serve.targets import Route

MAX_TIMEOUT_S = 86_400
"""A day: longer than anybody sits at a breakpoint."""

RouteTo = Annotated[
    list[str] | None,
    option("Serve TARGET for a host, a path or both; repeat for more.",
           "--route", metavar="HOST/PATH=TARGET"),
]  # fmt: skip
TrustForwarded = Annotated[
    bool, option("Pass on what clients say in X-Forwarded-*.", "--trust-forwarded", metavar="")
]
Forwarded = Annotated[
    bool, option("Tell the upstream in Forwarded (RFC 7239) too.", "--forwarded", metavar="")
]
RewriteHost = Annotated[
    bool, option("Tell the upstream its own name in Host.", "--rewrite-host", metavar="")
]
RewriteResponses = Annotated[
    bool,
    option("Have Location lead here, and cookies be Secure.", "--rewrite-responses", metavar=""),
]
UpstreamCa = Annotated[
    Path | None,
    option("Trust these certificates (PEM) of an https upstream.", "--upstream-ca", metavar="PATH"),
]
UpstreamInsecure = Annotated[
    bool, option("Trust any https upstream.", "--upstream-insecure", metavar="")
]
UpstreamTimeout = Annotated[
    int,
    option("How long an upstream may take to begin its response.",
           "--upstream-timeout", metavar="SECONDS", show=True),
]  # fmt: skip


def proxy_options(  # noqa: PLR0913  one for each option
    *,
    trust_forwarded: bool,
    forwarded: bool,
    rewrite_host: bool,
    rewrite_responses: bool,
    upstream_ca: Path | None,
    upstream_insecure: bool,
    upstream_timeout: int,
) -> "ProxyOptions":
    """Return what the words of the command line mean; raises UsageError."""
    # Not with the module: --help needs no server, and a folder no proxy.
    from openssl_serve.handlers.proxy.fields import ProxyOptions  # noqa: PLC0415

    if not 1 <= upstream_timeout <= MAX_TIMEOUT_S:
        raise UsageError(
            f"--upstream-timeout {upstream_timeout}: from 1 to {MAX_TIMEOUT_S} seconds make sense"
        )
    if upstream_ca is not None and upstream_insecure:
        raise UsageError(
            "--upstream-ca with --upstream-insecure: one says whom to trust, the other everybody",
            "leave out --upstream-insecure",
        )
    return ProxyOptions(
        trust_forwarded=trust_forwarded,
        forwarded=forwarded,
        rewrite_host=rewrite_host,
        rewrite_responses=rewrite_responses,
        ca_file=str(upstream_ca) if upstream_ca else None,
        insecure=upstream_insecure,
        timeout_s=upstream_timeout,
    )


def hosts_of(routes: "Iterable[Route]") -> "list[Host]":
    """Return the hosts of *routes* that a certificate can hold: they need one as well."""
    named = [route.host for route in routes if route.host is not None]
    return [host for host in named if not host.is_wildcard or host.value.count(".") > 1]


def routes(texts: list[str] | None) -> "tuple[Route, ...]":
    """Return the routes that *texts* name; raises UsageError."""
    if not texts:
        return ()
    from openssl_serve.targets import parse_route  # noqa: PLC0415  seldom wanted

    return tuple(parse_route(text) for text in texts)
