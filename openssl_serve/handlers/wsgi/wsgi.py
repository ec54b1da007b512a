"""The handler: sees to it that an app is called once the content of a request is here."""

from typing import TYPE_CHECKING

from openssl_serve.handlers.wsgi.call import App, Call
from openssl_serve.handlers.wsgi.content import NOTHING, Content, Intake
from openssl_serve.http1.request import Request
from openssl_serve.http1.targets import origin_form
from openssl_serve.server.handling import Deferred

if TYPE_CHECKING:
    from openssl_serve.server.exchange import Exchange


class Wsgi:
    """Has every request answered by *app*, in one of the threads that the server has for apps.

    The first *depth* segments of a path are those that lead to it.
    """

    def __init__(self, app: App, depth: int = 0) -> None:
        self._app = app
        self._depth = depth

    def __call__(self, request: Request) -> Deferred:
        """Answer *request* later; raises HttpError for one that no app can understand."""
        if not request.target.startswith(b"/"):
            origin_form(request.target)
        return Deferred(self._begin)

    def _begin(self, exchange: "Exchange") -> None:
        if exchange.request.has_content:
            Intake(exchange, self._run).begin()
        else:
            self._run(exchange, NOTHING)

    def _run(self, exchange: "Exchange", content: Content) -> None:
        exchange.server.pool.run_app(Call(self._app, exchange, content, self._depth).run)
