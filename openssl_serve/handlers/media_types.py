"""Media types by file name: our own table first, then Python's.

The system's table is never asked: where it is wrong, browsers refuse module scripts and
WebAssembly (cpython 106900).
"""

TEXT = {
    "css": "text/css",
    "csv": "text/csv",
    "htm": "text/html",
    "html": "text/html",
    "ics": "text/calendar",
    "js": "text/javascript",
    "markdown": "text/markdown",
    "md": "text/markdown",
    "mjs": "text/javascript",
    "cjs": "text/javascript",
    "log": "text/plain",
    "text": "text/plain",
    "toml": "application/toml",
    "ts": "text/plain",
    "tsx": "text/plain",
    "jsx": "text/plain",
    "txt": "text/plain",
    "vtt": "text/vtt",
    "xhtml": "application/xhtml+xml",
    "xml": "application/xml",
    "yaml": "application/yaml",
    "yml": "application/yaml",
}
"""Types that are text, and so are sent as UTF-8."""

BINARY = {
    "appcache": "text/cache-manifest",
    "avif": "image/avif",
    "bmp": "image/bmp",
    "gif": "image/gif",
    "glb": "model/gltf-binary",
    "gltf": "model/gltf+json",
    "gz": "application/gzip",
    "ico": "image/x-icon",
    "jpeg": "image/jpeg",
    "jpg": "image/jpeg",
    "json": "application/json",
    "jsonld": "application/ld+json",
    "m4a": "audio/mp4",
    "map": "application/json",
    "mp3": "audio/mpeg",
    "mp4": "video/mp4",
    "mobileconfig": "application/x-apple-aspen-config",
    "oga": "audio/ogg",
    "ogg": "audio/ogg",
    "ogv": "video/ogg",
    "otf": "font/otf",
    "pdf": "application/pdf",
    "png": "image/png",
    "svg": "image/svg+xml",
    "tar": "application/x-tar",
    "ttf": "font/ttf",
    "wasm": "application/wasm",
    "wav": "audio/wav",
    "weba": "audio/webm",
    "webm": "video/webm",
    "webmanifest": "application/manifest+json",
    "webp": "image/webp",
    "woff": "font/woff",
    "woff2": "font/woff2",
    "zip": "application/zip",
}

UNKNOWN = "application/octet-stream"


def media_type(name: str) -> bytes:
    """Return the value of Content-Type for a file called *name*.

    >>> media_type("app.MJS"), media_type("a.wasm"), media_type("README")
    (b'text/javascript; charset=utf-8', b'application/wasm', b'application/octet-stream')
    """
    extension = name.rpartition(".")[2].lower() if "." in name else ""
    if extension in TEXT:
        return f"{TEXT[extension]}; charset=utf-8".encode("ascii")
    kind = BINARY.get(extension)
    if kind is None and extension:
        import mimetypes  # noqa: PLC0415  needed for the rare ones only

        # An own instance: the module's functions would read the system's files.
        kind = mimetypes.MimeTypes().guess_type(f"x.{extension}")[0]
    return (kind or UNKNOWN).encode("ascii")
