"""Which handler a request is for, by its host and by what its path begins with."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from urllib.parse import quote_from_bytes, unquote_to_bytes

from openssl_serve.handlers.authorities import Authorities
from openssl_serve.hosts import Host
from openssl_serve.http1.request import Request
from openssl_serve.http1.response import Response
from openssl_serve.http1.targets import encode_target, origin_form
from openssl_serve.server.handling import Answer, Deferred, Handler, Offload


@dataclass(frozen=True, slots=True)
class Place:
    """Where a route begins: a host, or any; and the first segments of a path, or none."""

    host: Host | None
    segments: tuple[bytes, ...]
    """Without percent-encoding."""

    @property
    def path(self) -> bytes:
        """The path as it stands in a URL, without a slash at its end."""
        return b"".join(b"/" + quote_from_bytes(each).encode() for each in self.segments)

    def covers(self, host: Host | None, segments: list[bytes]) -> bool:
        """Whether a request for *host*, with a path of *segments*, belongs here."""
        if self.host is not None and (host is None or not self.host.covers(host)):
            return False
        return tuple(segments[: len(self.segments)]) == self.segments


class Routes:
    """Asks the first handler whose place covers a request, the most special place first."""

    def __init__(
        self,
        authorities: Authorities,
        routes: Sequence[tuple[Place, Handler]],
        otherwise: Handler,
    ) -> None:
        self._of = authorities.of
        self._routes = sorted(routes, key=lambda route: _rank(route[0]))
        self._otherwise = otherwise

    def __call__(self, request: Request) -> Answer:
        """Answer *request*; raises HttpError."""
        authority = self._of(request)
        host = authority.host if authority else None
        # Decoded, as whoever answers will read them: /%61pi is /api, and %2F is no slash.
        segments = [unquote_to_bytes(each) for each in _path(request.target).split(b"/")[1:]]
        for place, handler in self._routes:
            if place.covers(host, segments):
                return handler(request)
        return self._otherwise(request)


def _rank(place: Place) -> tuple[bool, bool, int]:
    """Sort key: a host before none, a whole name before a wildcard, a longer path first."""
    host = place.host
    return (host is None, host is not None and host.is_wildcard, -len(place.segments))


def _path(target: bytes) -> bytes:
    return b"*" if target == b"*" else origin_form(target).partition(b"?")[0]


def below(target: bytes, depth: int) -> bytes:
    """Return *target*, in origin form, without the first *depth* segments of its path.

    Empty, or only a query, when there are no more.

    >>> below(b"/api/v1/x?a=b", 2), below(b"/api", 1)
    (b'/x?a=b', b'')
    """
    path, mark, query = target.partition(b"?")
    return b"".join(b"/" + each for each in path.split(b"/")[1 + depth :]) + mark + query


class Mounted:
    """Has *handler* answer as if its top were not at *place* but at `/`; for folders."""

    def __init__(self, place: Place, handler: Handler) -> None:
        self._depth = len(place.segments)
        self._prefix = place.path
        self._handler = handler

    def __call__(self, request: Request) -> Answer:
        """Answer *request*, which is below the place; raises HttpError."""
        inner = below(origin_form(request.target), self._depth)
        if inner[:1] != b"/":
            return self._to_folder(self._prefix + b"/" + encode_target(inner))
        asked = Request(request.method, inner, request.fields, request.peer, request.version)
        asked.upgrade = request.upgrade
        answer = self._handler(asked)
        if isinstance(answer, Offload):
            return Offload(self._then(answer.work))
        if isinstance(answer, Deferred):
            return answer
        return self._put_back(answer)

    def _to_folder(self, location: bytes) -> Response:
        return Response(301, ((b"Location", location), (b"Cache-Control", b"no-store")))

    def _then(self, work: Callable[[], Response]) -> Callable[[], Response]:
        return lambda: self._put_back(work())

    def _put_back(self, response: Response) -> Response:
        if response.status == 301:
            response.head = response.head.replace(
                b"\r\nLocation: /", b"\r\nLocation: %b/" % self._prefix, 1
            )
        return response
