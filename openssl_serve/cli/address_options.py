"""Where `serve` listens: --bind-addr, --host, --port and --socket-mode, put together."""

import typer

from openssl_serve.addresses import Address, parse_address, parse_port
from openssl_serve.errors import UsageError
from openssl_serve.hosts import parse_host, shorten

SOURCES = ("DEFAULT", "DEFAULT_MAP", "ENVIRONMENT", "COMMANDLINE")
"""Who can set an option, the last word last; DEFAULT_MAP is a configuration file."""


def source_of(ctx: typer.Context, name: str) -> str:
    """Where the value of the parameter *name* came from: one of `SOURCES`."""
    source = ctx.get_parameter_source(name)
    return source.name if source is not None else "DEFAULT"


def outranks(ctx: typer.Context, name: str, *others: str) -> bool:
    """Whether the parameter *name* was set by a later word in `SOURCES` than all *others*."""
    rank = SOURCES.index(source_of(ctx, name))
    return all(rank > SOURCES.index(source_of(ctx, other)) for other in others)


def outranked(ctx: typer.Context, name: str, *others: str) -> bool:
    """Whether one of *others* was set by a later word in `SOURCES` than the parameter *name*."""
    rank = SOURCES.index(source_of(ctx, name))
    return any(rank < SOURCES.index(source_of(ctx, other)) for other in others)


def listening_address(
    values: tuple[str, str | None, str | None], sources: dict[str, str]
) -> Address:
    """Combine --bind-addr, --host and --port (*values*); raises UsageError.

    A value from the command line beats any from the environment, and that any from a file; from
    the same source, --host and --port are the more precise word.
    """
    bind_addr, host, port = values
    chosen = parse_address("127.0.0.1:8080")
    for source in SOURCES:
        if sources["bind_addr"] == source:
            chosen = parse_address(bind_addr)
        if host is not None and sources["host"] == source:
            chosen = chosen._replace(host=parse_host(host).value)
        if port is not None and sources["port"] == source:
            chosen = chosen._replace(port=parse_port(port))
    return chosen


def file_mode(text: str | None) -> int | None:
    """Read permission bits in octal; raises UsageError.

    >>> file_mode("660") == 0o660
    True
    """
    if text is None:
        return None
    if not (text.isascii() and text.isdecimal() and 3 <= len(text) <= 4 and max(text) <= "7"):
        raise UsageError(
            f'--socket-mode "{shorten(text)}" is not a mode', "three octal digits: 660"
        )
    return int(text, 8)
