"""Media types by file name: our own table first, then Python's, then a look at the content.

The system's table is never asked: where it is wrong, browsers refuse module scripts and
WebAssembly (cpython 106900).
"""

import codecs
import functools
import re

_SOURCE_CODE = (
    "bat c cc cfg conf cpp cs diff glsl go graphql h hpp ini java json5 jsonc jsonl jsx kt less "
    "log lua ndjson patch php pl properties proto ps1 py pyi r rb rs rst sass scss sh sql srt "
    "svelte swift tex text tsx txt vue wat wgsl zig"
)
"""What is there to be read: many have types of their own, which browsers only save. No `ts`, which
is TypeScript or a video, as its content shows."""

TEXT = {
    "cjs": "text/javascript",
    "css": "text/css",
    "csv": "text/csv",
    "htm": "text/html",
    "html": "text/html",
    "ics": "text/calendar",
    "js": "text/javascript",
    "markdown": "text/markdown",
    "md": "text/markdown",
    "mjs": "text/javascript",
    "toml": "application/toml",
    "tsv": "text/tab-separated-values",
    "vtt": "text/vtt",
    "xht": "application/xhtml+xml",
    "xhtml": "application/xhtml+xml",
    "xml": "application/xml",
    "yaml": "application/yaml",
    "yml": "application/yaml",
    **dict.fromkeys(_SOURCE_CODE.split(), "text/plain"),
}
"""Types that are text, and so are sent as UTF-8."""

BINARY = {
    "3gp": "video/3gpp",
    "7z": "application/x-7z-compressed",
    "aac": "audio/aac",
    "apk": "application/vnd.android.package-archive",
    "appcache": "text/cache-manifest",
    "atom": "application/atom+xml",
    "avif": "image/avif",
    "bmp": "image/bmp",
    "bz2": "application/x-bzip2",
    "crx": "application/x-chrome-extension",
    "cur": "image/x-icon",
    "dmg": "application/x-apple-diskimage",
    "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "eot": "application/vnd.ms-fontobject",
    "epub": "application/epub+zip",
    "flac": "audio/flac",
    "geojson": "application/geo+json",
    "gif": "image/gif",
    "glb": "model/gltf-binary",
    "gltf": "model/gltf+json",
    "gpx": "application/gpx+xml",
    "gz": "application/gzip",
    "heic": "image/heic",
    "heif": "image/heif",
    "ico": "image/x-icon",
    "jpeg": "image/jpeg",
    "jpg": "image/jpeg",
    "json": "application/json",
    "jsonld": "application/ld+json",
    "jxl": "image/jxl",
    "kml": "application/vnd.google-earth.kml+xml",
    "ktx2": "image/ktx2",
    "m3u8": "application/vnd.apple.mpegurl",
    "m4a": "audio/mp4",
    "m4s": "video/iso.segment",
    "m4v": "video/mp4",
    "map": "application/json",
    "mid": "audio/midi",
    "mkv": "video/x-matroska",
    "mobileconfig": "application/x-apple-aspen-config",
    "mov": "video/quicktime",
    "mp3": "audio/mpeg",
    "mp4": "video/mp4",
    "mpd": "application/dash+xml",
    "oga": "audio/ogg",
    "ogg": "audio/ogg",
    "ogv": "video/ogg",
    "opus": "audio/ogg",
    "otf": "font/otf",
    "parquet": "application/vnd.apache.parquet",
    "pdf": "application/pdf",
    "png": "image/png",
    "pptx": "application/vnd.openxmlformats-officedocument.presentationml.presentation",
    "rar": "application/vnd.rar",
    "rss": "application/rss+xml",
    "rtf": "application/rtf",
    "stl": "model/stl",
    "svg": "image/svg+xml",
    "tar": "application/x-tar",
    "tgz": "application/gzip",
    "topojson": "application/json",
    "ttc": "font/collection",
    "ttf": "font/ttf",
    "usdz": "model/vnd.usdz+zip",
    "wasm": "application/wasm",
    "wav": "audio/wav",
    "weba": "audio/webm",
    "webm": "video/webm",
    "webmanifest": "application/manifest+json",
    "webp": "image/webp",
    "woff": "font/woff",
    "woff2": "font/woff2",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "xpi": "application/x-xpinstall",
    "xslt": "application/xslt+xml",
    "xz": "application/x-xz",
    "zip": "application/zip",
    "zst": "application/zstd",
}

UNKNOWN = b"application/octet-stream"

BEGINNING = 512
"""Bytes of a file by which it is judged, as browsers take for their own guess."""

_NO_TEXT = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f]")
"""Control characters that no text has: all but white space and escape (MIME Sniffing 5.2)."""

_OTHER_CODINGS = {"gzip": b"application/gzip", "bzip2": b"application/x-bzip2"}


def media_type(name: str) -> bytes | None:
    """Return the value of Content-Type for a file called *name*; None where that says nothing.

    >>> media_type("app.MJS"), media_type("a.wasm"), media_type("README")
    (b'text/javascript; charset=utf-8', b'application/wasm', None)
    """
    return _type_of(name.rpartition(".")[2].lower() if "." in name else "")


@functools.lru_cache(maxsize=256)
def _type_of(extension: str) -> bytes | None:
    kind = TEXT.get(extension) or BINARY.get(extension)
    if kind is None and extension:
        import mimetypes  # noqa: PLC0415  needed for the rare ones only

        # An own instance: the module's functions would read the system's files.
        kind, coding = mimetypes.MimeTypes().guess_type(f"x.{extension}")
        if coding is not None:
            # What is meant is what is inside (a .tbz is a tar there); we send the file.
            return _OTHER_CODINGS.get(coding, UNKNOWN)
    if kind is None:
        return None
    is_text = extension in TEXT or kind.startswith("text/")
    return (f"{kind}; charset=utf-8" if is_text else kind).encode("ascii")


def type_of_beginning(beginning: bytes) -> bytes:
    """Return the type of content of which only the *beginning* is known: text, or UNKNOWN.

    >>> type_of_beginning(b"MIT License"), type_of_beginning(bytes(4))
    (b'text/plain; charset=utf-8', b'application/octet-stream')
    """
    if not beginning or _NO_TEXT.search(beginning):
        return UNKNOWN
    try:
        # A character may be cut in two at the end.
        codecs.getincrementaldecoder("utf-8")().decode(beginning)
    except UnicodeDecodeError:
        return UNKNOWN
    return b"text/plain; charset=utf-8"
