"""What can be served: a folder, a server behind this one, an app; and where (routes)."""

import os
import re
import socket
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias
from urllib.parse import unquote_to_bytes

from openssl_serve.addresses import Address
from openssl_serve.errors import InvalidHostError, UsageError
from openssl_serve.handlers.authorities import Authorities
from openssl_serve.handlers.folder import Folder, FolderOptions
from openssl_serve.handlers.site import Content, FolderContent, HandlerContent
from openssl_serve.hosts import Host, parse_host, shorten
from openssl_serve.server.listeners import address_of

if TYPE_CHECKING:
    from openssl_serve.handlers.proxy.fields import ProxyOptions
    from openssl_serve.handlers.proxy.moving import MovingUpstream
    from openssl_serve.handlers.proxy.upstream import Place as UpstreamPlace
    from openssl_serve.handlers.proxy.upstream import Upstream
    from openssl_serve.handlers.routes import Place
    from openssl_serve.handlers.wsgi.call import App
    from openssl_serve.handlers.wsgi.late import LateApp
    from openssl_serve.handlers.wsgi.loading import AppName
    from openssl_serve.server.handling import Handler
    from openssl_serve.server.service import Service

Target: TypeAlias = "Path | Upstream | MovingUpstream | AppName | LateApp | App"
"""A folder, a server behind this one, or a WSGI app: by its name, loaded late, or as it is."""

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_ROUTE_HINT = "for example --route api.dev.local=http://127.0.0.1:4000 or --route /api=http://…"


@dataclass(frozen=True, slots=True)
class Route:
    """A target for one host, for what is below one path, or for both."""

    host: Host | None
    path: str
    """Without a slash at its end; "" for all."""
    target: Target

    @property
    def place(self) -> "Place":
        """Where it begins, as requests are compared with it."""
        from openssl_serve.handlers.routes import Place  # noqa: PLC0415  seldom wanted

        segments = self.path.split("/")[1:]
        return Place(self.host, tuple(unquote_to_bytes(segment) for segment in segments))


@dataclass(frozen=True, slots=True)
class ContentOptions:
    """How the targets of a site answer."""

    folder: FolderOptions = field(default_factory=FolderOptions)
    proxy: "ProxyOptions | None" = None
    """How requests are passed on; None for the usual way."""
    routes: tuple[Route, ...] = ()
    """What is elsewhere than the rest, the most special first in effect."""
    never: tuple[Path, ...] = ()
    """Files that no folder gives out."""


def parse_target(text: str) -> "Path | Upstream | AppName":
    """Read what is to be served: an existing path always wins. Raises UsageError."""
    # Not Path.is_dir, which raises for what is too long to be a path (a URL may be); and to which
    # nothing is the current folder, as when a script's variable is not set.
    path = Path(text)
    if os.path.isdir(text):
        return path
    if os.path.exists(text):
        raise UsageError(
            f'"{shorten(text)}" is a file, and a folder is served',
            f"serve the folder it is in: openssl-serve {shorten(str(path.parent))}",
            *([f"a WSGI app in it: openssl-serve {path.stem}:app"] if path.suffix == ".py" else []),
        )
    if _URL.match(text):
        from openssl_serve.handlers.proxy.upstream import parse_upstream  # noqa: PLC0415

        return parse_upstream(text)
    module, colon, app = text.partition(":")
    if colon and not app.isdecimal() and ("/" not in module or module.endswith(".py")):
        from openssl_serve.handlers.wsgi.loading import parse_app_name  # noqa: PLC0415

        return parse_app_name(text)
    running = text if app.isdecimal() else "127.0.0.1:3000"
    raise UsageError(
        f'there is no folder "{shorten(text)}"',
        "without a name, this folder is served: openssl-serve",
        f"a server that runs already is named by its URL: openssl-serve http://{shorten(running)}",
        "a WSGI app is named by its module: openssl-serve app:app",
    )


def parse_route(text: str) -> Route:
    """Read `HOST=TARGET`, `/PATH=TARGET` or `HOST/PATH=TARGET`; raises UsageError."""
    place, equals, target = text.partition("=")
    if not equals or not place or not target:
        raise UsageError(f'--route "{shorten(text)}" is not a place and a target', _ROUTE_HINT)
    name, slash, path = place.partition("/")
    path = (slash + path).rstrip("/")
    if "?" in path or "#" in path or "//" in path:
        raise UsageError(f'--route "{shorten(text)}": "{shorten(path)}" is not a path', _ROUTE_HINT)
    try:
        host = parse_host(name, any_wildcard=True) if name else None
    except InvalidHostError as error:
        raise UsageError(f"--route {shorten(text)}: {error}", _ROUTE_HINT) from error
    return Route(host, path, parse_target(target))


def refuse_loop(targets: Iterable[Target], listeners: Iterable[socket.socket]) -> None:
    """Close *listeners* and raise UsageError if they are where one of *targets* is.

    A name is not looked up here: what leads back by one ends in a 508.
    """
    addresses = [address_of(listener) for listener in listeners]
    for target in targets:
        # Not isinstance: a start with a folder alone need not import the class.
        places: list[UpstreamPlace] | None = getattr(target, "known_places", list)()
        for place in places or ():
            if any(_is_at(place, address) for address in addresses):
                for listener in listeners:
                    listener.close()
                raise UsageError(
                    f"{target} is this server itself, which listens on {place}",
                    "name the port of the server behind it, or listen elsewhere with --port",
                )


def _is_at(place: "UpstreamPlace", address: Address | Path) -> bool:
    if not isinstance(address, Address) or address.port != place.port:
        return False
    if address.host in ("0.0.0.0", "::"):
        return ip_address(place.address).is_loopback
    return address.host == place.address


def content_of(target: Target, authorities: Authorities, options: ContentOptions) -> Content:
    """Return what answers for *target* and the routes beside it.

    Raises UsageError for what is not a target, a folder that cannot be served, an app that there
    is not, two routes at one place; AppError for an app whose code fails.
    """
    if not options.routes:
        return _content_at(target, options)
    return _RoutedContent(target, authorities, options)


def _content_at(target: Target, options: ContentOptions, place: "Place | None" = None) -> Content:
    if isinstance(target, Path):
        folder = Folder(
            target,
            hidden=options.folder.hidden,
            follow_symlinks=options.folder.follow_symlinks,
            never=(*options.never, *options.folder.never),
        )
        return FolderContent(folder, options.folder, place.path if place else b"")
    depth = len(place.segments) if place else 0
    if hasattr(target, "handler"):
        # An app that is to be imported: not with this module, since most servers have none.
        return HandlerContent(target.handler(depth))
    if callable(target):
        _refuse_asgi(target)
        from openssl_serve.handlers.wsgi.wsgi import Wsgi  # noqa: PLC0415  as above

        return HandlerContent(Wsgi(target, depth))
    from openssl_serve.handlers.proxy.fields import ProxyOptions  # noqa: PLC0415  seldom wanted
    from openssl_serve.handlers.proxy.moving import MovingProxy, MovingUpstream  # noqa: PLC0415
    from openssl_serve.handlers.proxy.proxy import Proxy  # noqa: PLC0415
    from openssl_serve.handlers.proxy.upstream import Upstream  # noqa: PLC0415

    how = options.proxy or ProxyOptions()
    if isinstance(target, MovingUpstream):
        return HandlerContent(MovingProxy(target, how, depth))
    if isinstance(target, Upstream):
        return HandlerContent(Proxy(target, how, depth))
    # Only from Python, without a type checker.
    raise UsageError(
        f"{shorten(repr(target))} is not a target",
        "a target is a folder (a path), the URL of a server, or a WSGI app",
    )


def _refuse_asgi(app: object) -> None:
    """Raise UsageError for what would only answer 500; who names an app is told by its loading."""
    from inspect import iscoroutinefunction  # noqa: PLC0415  only for apps

    if iscoroutinefunction(app) or iscoroutinefunction(getattr(app, "__call__", None)):  # noqa: B004
        raise UsageError(
            f"{shorten(repr(app))} is an ASGI app, and only WSGI is spoken here",
            "give uvicorn cert_path and key_path of a certificate, or run it behind this server "
            'by its URL: running_server("http://127.0.0.1:8000")',
        )


class _RoutedContent:
    """Several contents, each at its place."""

    methods = None

    def __init__(self, target: Target, authorities: Authorities, options: ContentOptions) -> None:
        places = [route.place for route in options.routes]
        for route, place in zip(options.routes, places, strict=True):
            if places.count(place) > 1:
                raise UsageError(
                    f"--route: two targets for {route.host or ''}{route.path or '/'}",
                    "leave out one of them",
                )
        self._authorities = authorities
        self._otherwise = _content_at(target, options)
        self._routed: Sequence[tuple[Place, bool, Content]] = [
            (place, isinstance(route.target, Path) and bool(place.segments), content)
            for route, place in zip(options.routes, places, strict=True)
            for content in [_content_at(route.target, options, place)]
        ]

    def handler(self) -> "Handler":
        """Return a new handler."""
        from openssl_serve.handlers.routes import Mounted, Routes  # noqa: PLC0415

        routes: list[tuple[Place, Handler]] = []
        for place, is_mounted, content in self._routed:
            handler = content.handler()
            routes.append((place, Mounted(place, handler) if is_mounted else handler))
        return Routes(self._authorities, routes, self._otherwise.handler())

    def served_by(self, server: "Service") -> None:
        """Tell all of them."""
        for content in (self._otherwise, *(content for *_, content in self._routed)):
            content.served_by(server)
