"""`serve`, the default command: options into values, then the server, with a banner above it."""

import functools
import itertools
import os
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated, NamedTuple, TypeVar

import typer

from openssl_serve.cli import folder_options as folder
from openssl_serve.cli import render
from openssl_serve.cli.options import option
from openssl_serve.errors import UsageError
from openssl_serve.hosts import Address, Host, parse_address, parse_host, parse_port, shorten

MAX_WORKERS = 64
"""More than the cores of any machine that this is for; each costs about 20 MB."""

Choice = TypeVar("Choice", bound=StrEnum)

PASSWORD_VARIABLE = "OPENSSL_SERVE_KEY_PASSWORD"  # noqa: S105  a name, not a password


def register(app: typer.Typer) -> None:
    """Add the command to *app*."""
    app.command("serve", help="Serve TARGET over HTTPS, and send plain HTTP there.")(serve)


def serve(  # noqa: PLR0913, PLR0917  the one place where every option is spelled out
    ctx: typer.Context,
    target: Annotated[str, typer.Argument(help="The folder to serve.", show_default=True)] = ".",
    cert_host: Annotated[
        list[str] | None,
        option("A host of the certificate; repeat for more; A,B for another.  [localhost]",
                "--cert-host", metavar="HOST"),
    ] = None,
    cert: Annotated[
        list[str] | None,
        option("Use this certificate (PEM, leaf first). Bare: generate one, the default.",
                "--cert", metavar="[PATH]"),
    ] = None,
    cert_key: Annotated[
        list[Path] | None,
        option("The private key of --cert; repeat both for more pairs.",
                "--cert-key", metavar="PATH"),
    ] = None,
    cert_key_password_file: Annotated[
        Path | None,
        option(f"Where the key's password is; else ${PASSWORD_VARIABLE}, else a prompt.",
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
    log_format: Annotated[
        str, option("How requests are logged: text, json, common or none.",
                     "--log-format", metavar="FORMAT", show=True)
    ] = "text",
    workers: Annotated[
        int, option("Processes that serve.", "--workers", metavar="N", show=True)
    ] = 1,
    openssl: Annotated[
        str | None, option("The openssl program.  [default: the first in PATH]",
                            "--openssl", metavar="PATH")
    ] = None,
) -> None:  # fmt: skip
    """Serve TARGET until Ctrl-C."""
    address = listening_address(
        (bind_addr, host, port),
        {name: source_of(ctx, name) for name in ("bind_addr", "host", "port")},
    )
    pairs = wanted_pairs(cert or [], cert_key or [])
    password_file = cert_key_password_file
    if not 1 <= workers <= MAX_WORKERS:
        raise UsageError(f"--workers {workers}: from 1 to {MAX_WORKERS} can serve")
    root = folder_named(target)

    # Only now: these bring ssl and the server, and --help needs neither.
    from openssl_serve import api  # noqa: PLC0415
    from openssl_serve.cli.banner import Banner  # noqa: PLC0415
    from openssl_serve.server.lan import any_address, lan_hosts  # noqa: PLC0415

    if lan and host is None and source_of(ctx, "bind_addr") == "DEFAULT":
        address = address._replace(host=any_address())
    options = api.ServerOptions(
        address=address,
        socket_path=socket,
        socket_mode=file_mode(socket_mode),
        plain_http=choice(api.PlainHttp, plain_http, "--plain-http"),
        allow_hosts=tuple(parse_host(name) for name in allow_host or ()),
        folder=folder.folder_options(
            index=index,
            hidden=hidden,
            no_listing=no_listing,
            follow_symlinks=follow_symlinks,
            spa=spa,
            no_compression=no_compression,
            cache=cache,
            never=(password_file,) if password_file else (),
        ),
        openssl=openssl,
        log_format=choice(api.LogFormat, log_format, "--log-format"),
    )
    if pairs:
        certificates = [
            api.load_certificate(*pair, functools.partial(key_password, pair.key, password_file))
            for pair in pairs
        ]
    else:
        groups = host_groups(cert_host)
        if lan:
            groups[0] = [*(groups[0] or [parse_host("localhost")]), *lan_hosts()]
        certificates = [api.ensure_certificate(*group, openssl=openssl) for group in groups]
    for warning in itertools.chain(*(each.warnings for each in certificates)):
        render.warning(warning)
    with api.make_server(root, certificates, options, write_log=render.write_log) as server:
        banner = Banner(server, certificates, root)
        try:
            api.serve_until_signal(server, banner.start, workers=workers)
        finally:
            banner.stop()


def file_mode(text: str | None) -> int | None:
    """Read permission bits in octal; raises UsageError.

    >>> file_mode("660") == 0o660
    True
    """
    if text is None:
        return None
    if not (text.isascii() and text.isdecimal() and 3 <= len(text) <= 4 and max(text) <= "7"):
        raise UsageError(f'--socket-mode "{shorten(text)}" is no mode', "three octal digits: 660")
    return int(text, 8)


class Pair(NamedTuple):
    """The files of a custom certificate."""

    cert: Path
    key: Path


def wanted_pairs(certs: list[str], keys: list[Path]) -> list[Pair]:
    """Return the custom pairs that were asked for; none when one is to be generated.

    `--cert=false` counts as not given, as in code-server. Raises UsageError for half a pair.
    """
    given = [cert for cert in certs if cert and cert != "false"]
    if len(given) < len(keys):
        key = shorten(str(keys[len(given)]))
        raise UsageError("--cert is missing", f"name the certificate of {key}: --cert PATH")
    if len(given) > len(keys):
        raise UsageError(
            "--cert-key is missing",
            f"name the private key of {shorten(given[len(keys)])}: --cert-key PATH",
            "or leave out --cert and its path, and a pair is made",
        )
    return [Pair(Path(cert), key) for cert, key in zip(given, keys, strict=True)]


def host_groups(values: list[str] | None) -> list[list[Host]]:
    """Read --cert-host: each is a host of the first certificate, or, with commas, a group.

    A group gets a certificate of its own, which clients get that ask for one of its names.

    >>> [list(map(str, group)) for group in host_groups(["a.test", "b.test,c.test", "d.test"])]
    [['a.test', 'd.test'], ['b.test', 'c.test']]
    """
    first = [parse_host(value) for value in values or () if "," not in value]
    groups = [list(map(parse_host, value.split(","))) for value in values or () if "," in value]
    return [first, *groups] if first or not groups else groups


def source_of(ctx: typer.Context, name: str) -> str:
    """Where the value of the parameter *name* came from: COMMANDLINE, ENVIRONMENT, DEFAULT."""
    source = ctx.get_parameter_source(name)
    return source.name if source is not None else "DEFAULT"


def listening_address(
    values: tuple[str, str | None, str | None], sources: dict[str, str]
) -> Address:
    """Combine --bind-addr, --host and --port (*values*); raises UsageError.

    A value from the command line beats any from the environment; from the same source, --host
    and --port are the more precise word.
    """
    bind_addr, host, port = values
    chosen = parse_address("127.0.0.1:8080")
    for source in ("DEFAULT", "ENVIRONMENT", "COMMANDLINE"):
        if sources["bind_addr"] == source:
            chosen = parse_address(bind_addr)
        if host is not None and sources["host"] == source:
            chosen = chosen._replace(host=parse_host(host).value)
        if port is not None and sources["port"] == source:
            chosen = chosen._replace(port=parse_port(port))
    return chosen


def folder_named(target: str) -> Path:
    """Return the folder *target*; raises UsageError, with what else it may have been."""
    path = Path(target)
    if path.is_dir():
        return path
    if path.exists():
        raise UsageError(
            f'"{shorten(target)}" is a file, and a folder is served',
            f"serve the folder it is in: openssl-serve {shorten(str(path.parent))}",
        )
    raise UsageError(
        f'there is no folder "{shorten(target)}"',
        "without a name, this folder is served: openssl-serve",
    )


def choice(kind: type[Choice], text: str, option: str) -> Choice:
    """Return the member of the enumeration *kind* that *text* names; raises UsageError."""
    try:
        return kind(text)
    except ValueError as error:
        names = ", ".join(kind)
        hint = f"{option} {next(iter(kind))} is the default"
        raise UsageError(f'{option} "{shorten(text)}" is none of {names}', hint) from error


def key_password(key: Path, file: Path | None) -> str | None:
    """Find the password of *key*: in *file*, in the environment, by asking on a terminal."""
    if file is not None:
        try:
            return file.read_text(encoding="utf-8").rstrip("\r\n")
        except (OSError, UnicodeError) as error:
            reason = (getattr(error, "strerror", None) or "is no text").lower()
            raise UsageError(
                f"--cert-key-password-file {shorten(str(file))}: {reason}",
                "the file holds the password as text; its last line break does not count",
            ) from error
    if PASSWORD_VARIABLE in os.environ:
        return os.environ[PASSWORD_VARIABLE]
    if sys.stdin.isatty() and sys.stderr.isatty():
        return str(typer.prompt(f"Password of {key}", hide_input=True, err=True))
    return None
