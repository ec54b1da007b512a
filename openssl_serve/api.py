"""Where certificates meet the server; the command line and the Python API are built on it."""

import gc
import itertools
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from openssl_serve.addresses import Address, parse_port
from openssl_serve.certs.certificate import Certificate
from openssl_serve.certs.profile import DEFAULT_DAYS, CertificateProfile, KeyType
from openssl_serve.certs.store import Kept, Store
from openssl_serve.choices import choice
from openssl_serve.errors import UsageError
from openssl_serve.handlers.authorities import Authorities
from openssl_serve.handlers.credentials import Credentials
from openssl_serve.handlers.decorations import Decorations
from openssl_serve.handlers.folder import FolderOptions
from openssl_serve.handlers.redirect import RedirectToHttps, RefusePlain
from openssl_serve.handlers.site import Site
from openssl_serve.hosts import Host, hosts_among
from openssl_serve.live_contexts import Loadable, OnDemandContexts, choices, following
from openssl_serve.openssl.binary import Openssl
from openssl_serve.paths import data_folder
from openssl_serve.renewal import LOOK_S, Renewal
from openssl_serve.server.access_log import AccessLog, LogFormat
from openssl_serve.server.contexts import ContextProvider, SniContexts
from openssl_serve.server.handling import Handler, Handlers
from openssl_serve.server.limits import Limits
from openssl_serve.server.listeners import inherited, open_tcp, open_unix, tell_service_manager
from openssl_serve.server.offload import SWITCH_S
from openssl_serve.server.polyglot import PolyglotServer
from openssl_serve.server.signals import draining_on_signals
from openssl_serve.targets import (
    ContentOptions,
    Route,
    Target,
    content_of,
    parse_target,
    refuse_loop,
)

if TYPE_CHECKING:
    from openssl_serve.handlers.proxy.fields import ProxyOptions
    from openssl_serve.handlers.wsgi.reloading import Reloading

__all__ = [
    "Address",
    "Certificate",
    "Decorations",
    "FolderOptions",
    "Limits",
    "LogFormat",
    "PlainHttp",
    "ServerOptions",
    "ensure_certificate",
    "load_certificate",
    "make_server",
    "serve_until_signal",
]

DEFAULT_ADDRESS = Address("127.0.0.1", 8080)
"""This machine only: what is being developed is nobody else's to see."""


class PlainHttp(StrEnum):
    """What becomes of a request that comes without TLS."""

    REDIRECT = "redirect"
    SERVE = "serve"
    REFUSE = "refuse"


@dataclass(frozen=True, slots=True)
class ServerOptions:
    """How a server listens and answers."""

    address: Address | None = None
    """Port 0 takes any free one. None is DEFAULT_ADDRESS, and any free port for running_server.
    Sockets that systemd hands over come before it."""
    socket_path: Path | None = None
    """A Unix socket to listen on instead."""
    socket_mode: int | None = None
    """Its permission bits; None leaves what the umask makes."""
    plain_http: PlainHttp = PlainHttp.REDIRECT
    allow_hosts: tuple[Host, ...] = ()
    """Names to answer for besides those in the certificate."""
    offer_anchor: bool = False
    """Whether plain HTTP has a page with what clients have to trust (handlers/anchor.py)."""
    routes: tuple[Route, ...] = ()
    """What is served elsewhere than the target, by host and path."""
    folder: FolderOptions = field(default_factory=FolderOptions)
    proxy: "ProxyOptions | None" = None
    """How requests are passed on to other servers; None for the usual way."""
    decorations: Decorations = field(default_factory=Decorations)
    auth: Credentials | None = None
    """Who may come in; None for everybody. Not together with PlainHttp.SERVE."""
    log_format: LogFormat = LogFormat.TEXT
    log_colour: bool = False
    """Whether the text format colours statuses, for a terminal."""
    verbose: bool = False
    """Whether the log tells of handshakes and upstream connections too."""
    limits: Limits = field(default_factory=Limits)
    openssl: str | None = None
    """The program that renews a kept certificate which comes due; None for the first in PATH."""
    renewal_look_s: float = LOOK_S
    """Seconds between looks whether it is."""

    def __post_init__(self) -> None:
        """Refuse what contradicts itself, before anything is made; raises UsageError."""
        # From Python without a type checker they may be texts, which are none of the members.
        for name, kind in (("plain_http", PlainHttp), ("log_format", LogFormat)):
            object.__setattr__(self, name, choice(kind, getattr(self, name), name))
        if self.auth is not None and self.plain_http is PlainHttp.SERVE:
            raise UsageError(
                "--auth with --plain-http serve: everybody on the way could read the password",
                "leave out --plain-http serve: plain HTTP is then sent to https",
            )
        if self.address is not None:
            parse_port(str(self.address.port), "address")


def ensure_certificate(
    *hosts: str | Host,
    folder: str | os.PathLike[str] | None = None,
    days: int = DEFAULT_DAYS,
    key_type: KeyType | None = None,
    openssl: str | None = None,
    tell: Callable[[str], object] | None = None,
) -> Certificate:
    """Return a good certificate for *hosts* (none: localhost) and this machine's loopback names.

    The one kept in *folder* (the user's data folder) if it will do, else a new one, valid for
    *days* and made by the program *openssl* (the first in PATH). Issued by the local CA of the
    folder if it has one, else self-signed. *key_type* None is what is kept, or P-256. *tell* gets
    a line for each time that openssl is run.

    Raises UsageError for what no client would accept, StoreError when the folder cannot be used,
    OpensslError when a new one is needed and cannot be made.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as name:
    ...     made = ensure_certificate("my.dev.local", folder=name)
    ...     again = ensure_certificate("my.dev.local", folder=name)
    >>> made.cert_path.name, made.facts.names
    ('my_dev_local.crt', ('my.dev.local', 'localhost', '127.0.0.1', '::1'))
    >>> made.made_because, again.made_because
    ('no certificate yet', None)
    """
    profile = CertificateProfile.for_server(hosts, days=days, key_type=key_type)
    where = Path(folder).absolute() if folder else data_folder()
    return Store(where).ensure(profile, openssl=Openssl(openssl, tell))


def load_certificate(
    cert: Path, key: Path, password: Callable[[], str | None] = lambda: None
) -> Certificate:
    """Return a pair of the user's own; *password* is asked if the key is encrypted.

    Raises CertificateError, naming the file, for all that would keep a server from using it.
    """
    from openssl_serve.certs.custom import load_custom  # noqa: PLC0415  not on the usual way

    return load_custom(cert, key, password)


def make_server(
    target: "str | Target",
    certificate: Loadable | Sequence[Loadable],
    options: ServerOptions | None = None,
    *,
    write_log: Callable[[str], object] = lambda _text: None,
) -> PolyglotServer:
    """Return a listening server for *target*; `serve_forever` makes it answer.

    A folder is served; requests to an upstream are passed on; a WSGI app, or the name of one, is
    called. A text is read as on the command line.

    Of several certificates each client gets the one that covers the name it asks for, else the
    first. *write_log* gets whole lines.

    Raises OpensslServeError: UsageError for a target that cannot be served, or would be the server
    itself, AppError for a named app whose code fails, CertificateError for a pair that cannot be
    loaded, ListenError for the address.
    """
    options = options or ServerOptions()
    certificates = certificate if isinstance(certificate, Sequence) else [certificate]
    if not certificates:
        raise UsageError("a server needs a certificate", "the kept one: ensure_certificate()")
    target = parse_target(target) if isinstance(target, str) else target
    # The key in use is never served, whatever its name and wherever it is linked from.
    keys = tuple(each.key_path for each in certificates)
    log = AccessLog(
        write_log, options.log_format, colour=options.log_colour, verbose=options.verbose
    )
    named = hosts_among(itertools.chain(*(each.facts.names for each in certificates)))
    routed = (route.host for route in options.routes if route.host is not None)
    authorities = Authorities((*named, *options.allow_hosts, *routed))
    content = content_of(
        target,
        authorities,
        ContentOptions(options.folder, options.proxy, options.routes, never=keys),
    )
    site = Site(content, authorities, options.decorations, options.auth)
    plain: dict[PlainHttp, Handler] = {
        PlainHttp.REDIRECT: site.doorkeeper(RedirectToHttps(authorities)),
        PlainHttp.SERVE: site.handler(secure=False),
        PlainHttp.REFUSE: site.doorkeeper(RefusePlain()),
    }
    if options.offer_anchor:
        from openssl_serve.anchors import offering  # noqa: PLC0415  seldom wanted

        handler = plain[options.plain_http]
        plain[options.plain_http] = offering(handler, authorities, certificates[0], log.note)
    contexts = _contexts(certificates, options, log.note)
    listeners = inherited() or (
        open_unix(options.socket_path, options.socket_mode)
        if options.socket_path
        else open_tcp(options.address or DEFAULT_ADDRESS)
    )
    refuse_loop([target, *(each.target for each in options.routes)], listeners)
    server = PolyglotServer(
        listeners,
        contexts,
        Handlers(
            site.handler(secure=True),
            plain[options.plain_http],
            site.always(secure=True),
            site.always(secure=False),
        ),
        log=log,
        limits=options.limits,
    )
    content.served_by(server)
    server.chores = tuple(
        _renewal(each, options, log.note) for each in certificates if isinstance(each, Kept)
    )
    return server


def _contexts(
    certificates: Sequence[Loadable], options: ServerOptions, tell: Callable[[str], None]
) -> ContextProvider:
    first = certificates[0]
    if isinstance(first, Kept) and first.authority is not None and options.allow_hosts:
        # What the local CA has issued is trusted wherever the CA is, so that more can follow.
        folder = first.cert_path.parent
        return OnDemandContexts(certificates, options.allow_hosts, folder, tell)
    if len(certificates) == 1:
        return following(first, tell)
    return SniContexts(choices(certificates, tell))


def _renewal(kept: Kept, options: ServerOptions, tell: Callable[[str], None]) -> Renewal:
    hosts = hosts_among(kept.facts.names)
    # The one that names the files; any other would make a pair of its own.
    host = next((each for each in hosts if each.slug == kept.cert_path.stem), hosts[0])
    environment = {"OPENSSL_SERVE_HOME": str(kept.cert_path.parent)}
    if options.openssl:
        environment["OPENSSL_SERVE_OPENSSL"] = options.openssl
    return Renewal(
        kept.cert_path, host, environment=environment, tell=tell, look_s=options.renewal_look_s
    )


def serve_until_signal(
    server: PolyglotServer,
    ready: Callable[[], object] = lambda: None,
    *,
    workers: int = 1,
    reloading: "Reloading | None" = None,
) -> None:
    """Serve from the main thread until SIGINT or SIGTERM; responses in flight get their grace.

    *ready* is called when signals are taken care of, just before the first request can be. More
    than one of *workers* are processes of their own, and so is one that loads apps (*reloading*).
    """

    def begin() -> None:
        ready()
        tell_service_manager("READY=1")

    # What start-up made lives as long as the process: the collector need not look at it again.
    gc.freeze()
    sys.setswitchinterval(SWITCH_S)
    if workers > 1 or reloading:
        from openssl_serve.server.workers import run_workers  # noqa: PLC0415  seldom wanted

        run_workers(server, workers, begin, reloading.begin if reloading else None)
    else:
        with draining_on_signals(server):
            begin()
            server.serve_forever()
    tell_service_manager("STOPPING=1")
