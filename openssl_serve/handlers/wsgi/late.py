"""An app that a serving process loads, instead of the one that made the server: for `--reload`."""

from typing import TYPE_CHECKING

from openssl_serve.errors import AppError, HttpError, OpensslServeError
from openssl_serve.handlers.wsgi.loading import AppName
from openssl_serve.handlers.wsgi.wsgi import Wsgi
from openssl_serve.http1.request import Request
from openssl_serve.server.faults import DOWN
from openssl_serve.server.handling import Deferred, Handler

if TYPE_CHECKING:
    from openssl_serve.server.access_log import AccessLog


class LateApp:
    """The app called *name*, once it is loaded, or a page that says why it cannot be."""

    def __init__(self, name: AppName) -> None:
        self._name = name
        self._handlers: list[_LateHandler] = []
        self.error: OpensslServeError | None = None
        """Why there is no app, after `load`."""

    def __str__(self) -> str:
        return str(self._name)

    def handler(self, depth: int) -> Handler:
        """Return a handler for what is below *depth* segments of a path."""
        handler = _LateHandler(depth)
        self._handlers.append(handler)
        return handler

    def load(self, log: "AccessLog") -> None:
        """Load the app; *log* gets what is wrong with it."""
        try:
            app = self._name.load()
        except OpensslServeError as error:
            self.error = error
            if isinstance(error, AppError):
                log.passage(error.trace)
            log.note(str(error))
            for hint in error.hints:
                log.note(hint)
            log.note(f"{self._name} is loaded again when a file has changed")
            for handler in self._handlers:
                handler.reason = str(error)
            return
        for handler in self._handlers:
            handler.answer = Wsgi(app, handler.depth)


class _LateHandler:
    """Answers once it is told how."""

    def __init__(self, depth: int) -> None:
        self.depth = depth
        self.answer: Wsgi | None = None
        self.reason = "the app is not loaded yet"

    def __call__(self, request: Request) -> Deferred:
        """Answer *request*; raises HttpError 500 while there is no app."""
        if self.answer is None:
            raise HttpError(500, self.reason, DOWN)
        return self.answer(request)
