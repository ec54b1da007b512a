"""aiohttp takes a context."""

from aiohttp import web

from openssl_serve import ensure_certificate

certificate = ensure_certificate("my.dev.local")


async def hello(request: web.Request) -> web.Response:
    """Say it."""
    return web.Response(text=f"hello over {request.scheme}")


app = web.Application()
app.router.add_get("/", hello)
web.run_app(app, host="127.0.0.1", port=8443, ssl_context=certificate.ssl_context())
