"""A proxy for an upstream that may come to be somewhere else: a development server's next port."""

from openssl_serve.handlers.proxy.fields import ProxyOptions
from openssl_serve.handlers.proxy.proxy import Proxy
from openssl_serve.handlers.proxy.upstream import Upstream
from openssl_serve.http1.request import Request
from openssl_serve.server.handling import Deferred


class MovingUpstream:
    """Where an upstream is at present; set `upstream` in the loop when that has changed."""

    def __init__(self, upstream: Upstream) -> None:
        self.upstream = upstream


class MovingProxy:
    """Passes every request on to where *moving* is when it comes."""

    def __init__(self, moving: MovingUpstream, options: ProxyOptions, depth: int = 0) -> None:
        self._moving = moving
        self._options = options
        self._depth = depth
        self._follow()

    def __call__(self, request: Request) -> Deferred:
        """Pass *request* on; raises HttpError as Proxy does."""
        if self._upstream != self._moving.upstream:
            # What is under way goes on where it began, and its links end when they have rested.
            self._follow()
        return self._proxy(request)

    def _follow(self) -> None:
        self._upstream = self._moving.upstream
        self._proxy = Proxy(self._upstream, self._options, self._depth)
