"""The handler: decides how a request is passed on, and leaves the rest to a Relay."""

import re
from urllib.parse import unquote_to_bytes

from openssl_serve.errors import HttpError
from openssl_serve.handlers.proxy.fields import ProxyOptions, Rewriting, upgrade_of
from openssl_serve.handlers.proxy.links import Links
from openssl_serve.handlers.proxy.relay import Relay
from openssl_serve.handlers.proxy.upstream import Upstream
from openssl_serve.handlers.routes import below
from openssl_serve.http1.request import Request
from openssl_serve.http1.targets import authority_asked, origin_form
from openssl_serve.server.handling import Deferred

# A segment that leads upwards, as any server may read it: Tomcat drops what follows a semicolon,
# and Windows takes a backslash for a slash.
_UPWARDS = re.compile(rb"(?:^|[/\\])\.\.(?:[/\\;]|$)")


class Proxy:
    """Passes every request on to *upstream*.

    An upstream with a path gets it in place of the first *depth* segments, which led here; one
    without gets the target as it is.
    """

    def __init__(self, upstream: Upstream, options: ProxyOptions, depth: int = 0) -> None:
        # Without a path of its own, an upstream gets the target whole.
        self._depth = depth if upstream.path else 0
        self._rewriting = Rewriting(upstream, options, self._depth)
        self._links = Links(upstream, options)
        self._timeout_s = options.timeout_s
        self._path = upstream.path.encode()

    def __call__(self, request: Request) -> Deferred:
        """Pass *request* on; raises HttpError for one that no upstream shall see."""
        if request.method in (b"CONNECT", b"TRACE"):
            # TRACE would show a script the cookies that it must not see.
            what = f"{request.method.decode()} is not passed on"
            raise HttpError(405, what, ((b"Allow", b"GET, HEAD, POST, PUT, PATCH, DELETE"),))
        self._rewriting.refuse_loop(request)
        host = authority_asked(request.target, request.values.get(b"host"))
        upgrade = upgrade_of(request)
        head = self._rewriting.request_head(request, self._there(request), host, upgrade)
        relay = Relay(self._links, self._rewriting, head, self._timeout_s, upgrades=bool(upgrade))
        return Deferred(relay.begin)

    def _there(self, request: Request) -> bytes:
        """Return the target of *request* as the upstream has it; raises HttpError 400."""
        if request.target == b"*" and request.method == b"OPTIONS":
            return b"*"
        target = origin_form(request.target)
        if not self._path:
            return target
        rest = below(target, self._depth)
        if _UPWARDS.search(unquote_to_bytes(rest.partition(b"?")[0])):
            raise HttpError(400, "the path leads out of what is served here")
        return self._path + rest
