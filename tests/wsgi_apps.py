"""WSGI apps for tests."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

Environ = dict[str, Any]
Start = Callable[..., Callable[[bytes], object]]

TEXT = ("Content-Type", "text/plain; charset=utf-8")


def hello(environ: Environ, start_response: Start) -> Iterable[bytes]:
    """The smallest app."""
    start_response("200 OK", [TEXT])
    return [b"hello\n"]


def answering(*pieces: Any, status: str = "200 OK", headers: Iterable[Any] = (TEXT,)) -> Any:
    """An app that gives *pieces* one by one, from a generator."""

    def app(environ: Environ, start_response: Start) -> Iterator[bytes]:
        start_response(status, list(headers))
        yield from pieces

    return app


def listing(*pieces: Any, status: Any = "200 OK", headers: Iterable[Any] = (TEXT,)) -> Any:
    """An app that gives a list of all *pieces*."""

    def app(environ: Environ, start_response: Start) -> list[bytes]:
        start_response(status, list(headers))
        return list(pieces)

    return app


def echo(environ: Environ, start_response: Start) -> Iterable[bytes]:
    """Give back the content of the request."""
    start_response("200 OK", [("Content-Type", "application/octet-stream")])
    return [environ["wsgi.input"].read(1 << 30)]
