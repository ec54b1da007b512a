"""The applications that the recipes serve: they say hello, and over what."""

from collections.abc import Callable, Iterable
from typing import Any


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Answer everything (WSGI)."""
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [f"hello over {environ['wsgi.url_scheme']}".encode()]


async def asgi_application(scope: Any, receive: Any, send: Any) -> None:
    """Answer everything (ASGI)."""
    if scope["type"] == "lifespan":
        while (await receive())["type"] != "lifespan.shutdown":
            await send({"type": "lifespan.startup.complete"})
        await send({"type": "lifespan.shutdown.complete"})
        return
    fields = [(b"content-type", b"text/plain")]
    await send({"type": "http.response.start", "status": 200, "headers": fields})
    await send({"type": "http.response.body", "body": f"hello over {scope['scheme']}".encode()})
