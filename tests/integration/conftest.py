"""What several rooms of integration tests share."""

from collections.abc import Callable
from typing import Any
from wsgiref.validate import validator

import pytest
from server_fixtures import Running, Serve

ServeApp = Callable[..., Running]


@pytest.fixture
def serve_app(serve: Serve) -> ServeApp:
    """Start a server that answers with an app, which wsgiref's validator looks at unless asked.

    `serve_app(app, validated=False, limits=…)`: all else is as for `serve`.
    """
    from openssl_serve.handlers.wsgi.wsgi import Wsgi  # noqa: PLC0415 - few tests need it

    def start(app: Any, *, validated: bool = True, **options: Any) -> Running:
        handler = Wsgi(validator(app) if validated else app)
        return serve(**{"secure": handler, "plain": handler} | options)

    return start
