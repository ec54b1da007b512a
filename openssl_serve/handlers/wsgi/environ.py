"""What an app is told of a request: the CGI variables of its environ (RFC 3875, PEP 3333)."""

from typing import Any
from urllib.parse import unquote_to_bytes

from openssl_serve.http1.request import Request
from openssl_serve.http1.targets import authority_asked, origin_form

_CACHE_SIZE = 512
"""Names of fields remembered; browsers send fewer, and the bound is against an attacker's."""

_DROPPED = frozenset({b"proxy", b"transfer-encoding"})
"""HTTP_PROXY would become a setting of HTTP clients that the app uses (httpoxy, CVE-2016-5385); and
content is no longer chunked when an app gets it."""

_keys: dict[bytes, str | None] = {}


def environ_of(request: Request, depth: int = 0) -> dict[str, Any]:
    """Return the variables for *request*, without those that begin with `wsgi.`.

    The first *depth* segments of the path lead to the app, the rest is its own. Text is bytes of
    the wire as latin-1, as PEP 3333 wants it. Raises HttpError 400 for a target that has no path.
    """
    peer = request.peer
    path, _, query = origin_form(request.target).partition(b"?")
    script = b""
    if depth:
        script = b"/".join(path.split(b"/")[: 1 + depth])
        path = path[len(script) :]
    environ: dict[str, Any] = {
        "REQUEST_METHOD": request.method.decode("latin-1"),
        "SCRIPT_NAME": unquote_to_bytes(script).decode("latin-1"),
        "PATH_INFO": unquote_to_bytes(path).decode("latin-1"),
        "QUERY_STRING": query.decode("latin-1"),
        # No standard has it, and all servers: the only way to tell %2F from a slash.
        "REQUEST_URI": request.target.decode("latin-1"),
        # On a Unix socket there is neither, and both have to be something.
        "SERVER_NAME": peer.local or "localhost",
        "SERVER_PORT": str(peer.port or (443 if peer.secure else 80)),
        "SERVER_PROTOCOL": f"HTTP/{request.version}",
        "SERVER_SOFTWARE": "openssl-serve",
        "REMOTE_ADDR": peer.client,
    }
    if peer.secure:
        environ["HTTPS"] = "on"
    for name, value in request.fields:
        try:
            key = _keys[name]
        except KeyError:
            key = _remember(name)
        if key is None:
            continue
        text = value.decode("latin-1")
        if key in environ:
            # RFC 9110 section 5.3, and RFC 6265 section 5.4 for the one field that has no commas.
            text = environ[key] + ("; " if key == "HTTP_COOKIE" else ", ") + text
        environ[key] = text
    asked = authority_asked(request.target, None)
    if asked is not None:
        environ["HTTP_HOST"] = asked.decode("latin-1")
    return environ


def _remember(name: bytes) -> str | None:
    if len(_keys) >= _CACHE_SIZE:
        _keys.clear()
    key = _keys[name] = _key_of(name)
    return key


def _key_of(name: bytes) -> str | None:
    """The variable for the field *name*; None for one that an app must not see.

    With an underscore it would be taken for the field with a hyphen, which whoever stands in front
    of an app may have removed.
    """
    if b"_" in name or name.lower() in _DROPPED:
        return None
    key = name.decode("latin-1").upper().replace("-", "_")
    return key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{key}"
