"""`serve`, the default command: options into values, then the server, with a banner above it."""

import functools
import itertools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Protocol

import typer

from openssl_serve.choices import choice
from openssl_serve.cli import folder_options as folder
from openssl_serve.cli import interrupts, render
from openssl_serve.cli import proxy_options as proxy
from openssl_serve.cli import response_options as response
from openssl_serve.cli import wsgi_options as wsgi
from openssl_serve.cli.address_options import (
    file_mode,
    listening_address,
    outranked,
    outranks,
    source_of,
)
from openssl_serve.cli.certificate_options import (
    PASSWORD_VARIABLE,
    explain_groups,
    host_groups,
    key_password,
    unmet,
    wanted_pairs,
)
from openssl_serve.cli.config import file_in_use
from openssl_serve.cli.options import option
from openssl_serve.errors import UsageError
from openssl_serve.hosts import parse_host

if TYPE_CHECKING:
    from openssl_serve.certs.certificate import Certificate
    from openssl_serve.handlers.proxy.moving import MovingUpstream
    from openssl_serve.server.polyglot import PolyglotServer
    from openssl_serve.targets import Target

MAX_WORKERS = 64
"""More than the cores of any machine that this is for; each costs about 20 MB."""


class Instead(Protocol):
    """What another command has served in place of a target; it is the context's `obj`."""

    content: "MovingUpstream"

    def serve(
        self,
        server: "PolyglotServer",
        certificates: "Sequence[Certificate]",
        ready: Callable[[], object],
    ) -> int:
        """Serve until the end; *ready* is called when that begins. Returns the exit code."""


def register(app: typer.Typer) -> None:
    """Add the command to *app*."""
    app.command(
        "serve",
        help="Serve TARGET over HTTPS, and send plain HTTP there.\n\n"
        "The certificate is made when there is none, and kept for the next time.",
    )(serve)


def serve(  # noqa: PLR0913, PLR0917  the one place where every option is spelled out
    ctx: typer.Context,
    target: Annotated[
        str, typer.Argument(help="A folder, the URL of a server, or module:app.", show_default=True,
                            envvar="OPENSSL_SERVE_TARGET", show_envvar=False)
    ] = ".",
    cert_host: Annotated[
        list[str] | None,
        option("A host of the certificate; repeat for more. A,B makes another certificate.  "
                "[default: localhost]",
                "--cert-host", metavar="HOST"),
    ] = None,
    cert: Annotated[
        list[str] | None,
        option("Use this certificate (PEM, leaf first); bare: generate one, the default.",
                "--cert", metavar="[PATH]"),
    ] = None,
    cert_key: Annotated[
        list[Path] | None,
        option("The private key of --cert; repeat both for more pairs.",
                "--cert-key", metavar="PATH"),
    ] = None,
    cert_key_password_file: Annotated[
        Path | None,
        option(f"A file with the password of --cert-key; else ${PASSWORD_VARIABLE}, else a prompt.",
                "--cert-key-password-file", metavar="PATH"),
    ] = None,
    bind_addr: Annotated[
        str, option("Where to listen.", "--bind-addr", metavar="HOST:PORT", show=True)
    ] = "127.0.0.1:8080",
    host: Annotated[
        str | None, option("The host of --bind-addr alone.", "--host", metavar="HOST")
    ] = None,
    port: Annotated[
        str | None,
        option("The port of --bind-addr alone; 0 for any.", "--port", "-p", metavar="PORT"),
    ] = None,
    lan: Annotated[
        bool,
        option("Listen for the whole network, and be known by its addresses.",
                "--lan", metavar=""),
    ] = False,
    qr: Annotated[
        bool,
        option("Show phones the way in a QR code, and offer them what to trust.",
                "--qr", metavar=""),
    ] = False,
    socket: Annotated[
        Path | None, option("Listen on this Unix socket instead.", "--socket", metavar="PATH")
    ] = None,
    socket_mode: Annotated[
        str | None,
        option("The permissions of --socket, in octal.", "--socket-mode", metavar="MODE"),
    ] = None,
    plain_http: Annotated[
        str, option("What plain HTTP gets: redirect, serve or refuse.",
                     "--plain-http", metavar="WHAT", show=True)
    ] = "redirect",
    allow_host: Annotated[
        list[str] | None,
        option("Answer for this host too; repeat for more.", "--allow-host", metavar="HOST"),
    ] = None,
    index: folder.Index = None,
    hidden: folder.Hidden = False,
    no_listing: folder.NoListing = False,
    follow_symlinks: folder.FollowSymlinks = False,
    spa: folder.Spa = False,
    no_compression: folder.NoCompression = False,
    cache: folder.Cache = None,
    live_reload: folder.LiveReload = False,
    route: proxy.RouteTo = None,
    trust_forwarded: proxy.TrustForwarded = False,
    forwarded: proxy.Forwarded = False,
    rewrite_host: proxy.RewriteHost = False,
    rewrite_responses: proxy.RewriteResponses = False,
    upstream_ca: proxy.UpstreamCa = None,
    upstream_insecure: proxy.UpstreamInsecure = False,
    upstream_timeout: proxy.UpstreamTimeout = 300,
    threads: wsgi.Threads = 16,
    reload: wsgi.Reload = False,
    cors: response.Cors = False,
    cross_origin_isolated: response.CrossOriginIsolated = False,
    header: response.Header = None,
    hsts: response.Hsts = False,
    auth: response.Auth = None,
    auth_file: response.AuthFile = None,
    log_format: Annotated[
        str, option("How requests are logged: text, json, common or none.",
                     "--log-format", metavar="FORMAT", show=True)
    ] = "text",
    open_browser: Annotated[
        bool, option("Open the browser at the first URL that answers.", "--open", metavar="")
    ] = False,
    verbose: Annotated[
        bool,
        option("Say more: why a certificate is kept, what openssl does, handshakes, upstreams.",
                "--verbose", "-v", metavar=""),
    ] = False,
    workers: Annotated[
        int, option("Processes that serve.", "--workers", metavar="N", show=True)
    ] = 1,
    explain: Annotated[
        bool, option("Print the openssl commands for the certificate, and do nothing.",
                     "--explain", metavar="")
    ] = False,
    openssl: Annotated[
        str | None, option("The openssl program.  [default: the first in PATH]",
                            "--openssl", metavar="PATH")
    ] = None,
) -> int | None:  # fmt: skip
    """Serve TARGET until Ctrl-C."""
    instead: Instead | None = ctx.obj
    address = listening_address(
        (bind_addr, host, port),
        {name: source_of(ctx, name) for name in ("bind_addr", "host", "port")},
    )
    if outranked(ctx, "socket", "bind_addr", "host", "port", *(["lan"] if lan else [])):
        socket = None
    pairs = wanted_pairs(cert or [], cert_key or [], outranked=outranked(ctx, "cert_key", "cert"))
    password_file = cert_key_password_file
    if not 1 <= workers <= MAX_WORKERS:
        raise UsageError(f"--workers {workers}: from 1 to {MAX_WORKERS} make sense")
    # Only now: these bring ssl and the server, and --help needs neither.
    from openssl_serve import api  # noqa: PLC0415
    from openssl_serve.cli.banner import Banner  # noqa: PLC0415
    from openssl_serve.server.lan import any_address, lan_hosts  # noqa: PLC0415
    from openssl_serve.targets import parse_target  # noqa: PLC0415

    interrupts.raise_again()
    content: Target = instead.content if instead else parse_target(target)
    routes, reloading = proxy.routes(route), None
    if reload:
        reloading, content, routes = wsgi.loaded_late(content, routes)
    if lan and outranks(ctx, "lan", "bind_addr", "host"):
        address = address._replace(host=any_address())
    options = api.ServerOptions(
        address=address,
        socket_path=socket,
        socket_mode=file_mode(socket_mode),
        plain_http=choice(api.PlainHttp, plain_http, "--plain-http"),
        allow_hosts=tuple(parse_host(name, any_wildcard=True) for name in allow_host or ()),
        offer_anchor=qr,
        routes=routes,
        proxy=proxy.proxy_options(
            trust_forwarded=trust_forwarded,
            forwarded=forwarded,
            rewrite_host=rewrite_host,
            rewrite_responses=rewrite_responses,
            upstream_ca=upstream_ca,
            upstream_insecure=upstream_insecure,
            upstream_timeout=upstream_timeout,
        )
        if routes or not isinstance(content, Path)
        else None,
        folder=folder.folder_options(
            index=index,
            hidden=hidden,
            no_listing=no_listing,
            follow_symlinks=follow_symlinks,
            spa=spa,
            no_compression=no_compression,
            cache=cache,
            live_reload=live_reload,
            never=tuple(path for path in (password_file, auth_file, file_in_use(ctx)) if path),
        ),
        decorations=response.decorations(
            cors=cors,
            cross_origin_isolated=cross_origin_isolated,
            headers=response.header_lines(header, source_of(ctx, "header")),
            hsts=hsts,
        ),
        auth=response.credentials(
            auth, auth_file, {name: source_of(ctx, name) for name in ("auth", "auth_file")}
        ),
        limits=wsgi.limits(threads),
        openssl=openssl,
        log_colour=render.wants_colour(),
        log_format=choice(api.LogFormat, log_format, "--log-format"),
        verbose=verbose,
    )
    groups = host_groups(cert_host)
    groups[0] += proxy.hosts_of(routes)
    if lan:
        groups[0] += lan_hosts()
    if explain:
        render.result(explain_groups(groups, openssl))
        return None
    # Before a certificate is made, for what cannot be served.
    served = wsgi.loaded(content)
    if pairs:
        certificates = [
            api.load_certificate(*pair, functools.partial(key_password, pair.key, password_file))
            for pair in pairs
        ]
        asked = None if outranked(ctx, "cert_host", "cert") else cert_host
        warnings = unmet(asked, certificates)
    else:
        tell = render.note if verbose else None
        certificates = [
            api.ensure_certificate(*group, openssl=openssl, tell=tell) for group in groups
        ]
        warnings = []
    for warning in itertools.chain(warnings, *(each.warnings for each in certificates)):
        render.warning(warning)
    with api.make_server(served, certificates, options, write_log=render.write_log) as server:
        banner = Banner(server, certificates, instead or content, qr=qr, opens=open_browser)
        try:
            if instead:
                return instead.serve(server, certificates, banner.start)
            api.serve_until_signal(server, banner.start, workers=workers, reloading=reloading)
        finally:
            banner.stop()
    wsgi.tidy_up()
    return None
