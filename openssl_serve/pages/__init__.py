"""Pages: what a person sees in a browser. HTML, style and script as data, filled with escaped text.

A page is read, and its hashes are computed, when it is first needed: a start needs none.
"""

from functools import cache
from typing import TYPE_CHECKING, NamedTuple

from openssl_serve.errors import HttpError
from openssl_serve.http1.response import PHRASES, Response

if TYPE_CHECKING:
    from string import Template

_NOSNIFF = (b"X-Content-Type-Options", b"nosniff")
_NO_STORE = (b"Cache-Control", b"no-store")

_TOP = '<a href="/">the top folder</a>'
_ADVICE = {
    400: "What was sent cannot be answered as it is.",
    401: "Reload the page, and enter the name and password that the server was started with.",
    404: f"Check the address, or start again from {_TOP}.",
    405: f"See what there is to read in {_TOP}.",
    408: "Reload the page to try again.",
    412: "Reload the page to get the file as it is now.",
    414: "Use a shorter address.",
    416: "Start the download again from its beginning.",
    421: "If this name should lead here, start the server with <code>{option}</code>.",
    426: "Put https:// in front of the address.",
    431: "Clearing the cookies of this site often helps: a browser sends them with every request.",
    500: "The log of the server, where it was started, says more.",
    502: "Start the server behind this one, then reload the page.",
    503: "Wait a moment, then reload the page.",
    504: "See that the server behind this one still works, then reload the page.",
}
"""What to do, by status, where we know; HTML. `{option}` is the one that the message names."""


class Page(NamedTuple):
    """A template with its own style and script in it, and the fields to send with it."""

    template: "Template"
    fields: tuple[tuple[bytes, bytes], ...]
    """Content-Type, and a policy that allows this very style and script and nothing else."""

    def fill(self, **values: str) -> bytes:
        """Return the page with *values* (already escaped) in place of `${...}`."""
        return self.template.substitute(values).encode()


@cache
def load(name: str) -> Page:
    """Return the page *name*: its `.html`, with `base.css` and its own `.css` and `.js`."""
    # Imported here: 10 ms that a start need not spend.
    from importlib.resources import files  # noqa: PLC0415
    from string import Template  # noqa: PLC0415

    def read(file: str) -> str:
        found = files(__name__).joinpath(file)
        return found.read_text(encoding="utf-8") if found.is_file() else ""

    # One style for both: a page that waits is an error page.
    look = "error" if name == "waiting" else name
    style, script = read("base.css") + read(f"{look}.css"), read(f"{name}.js")
    policy = content_policy(style, script, asks=name == "waiting")
    parts = {"style": style.replace("$", "$$"), "script": script.replace("$", "$$")}
    return Page(
        Template(Template(read(f"{name}.html")).safe_substitute(parts)),
        (
            (b"Content-Type", b"text/html; charset=utf-8"),
            (b"Content-Security-Policy", policy.encode()),
        ),
    )


@cache
def read_script(name: str) -> bytes:
    """Return the script *name*, for pages that are not ours."""
    from importlib.resources import files  # noqa: PLC0415  as above

    return files(__name__).joinpath(f"{name}.js").read_bytes()


def content_policy(style: str, script: str = "", *, asks: bool = False) -> str:
    """Return the policy of a page with just this inline *style* and *script*, and data: images.

    A page that *asks* may fetch from its own origin.
    """
    from base64 import b64encode  # noqa: PLC0415  with the first page
    from hashlib import sha256  # noqa: PLC0415

    def source(text: str) -> str:
        return (
            f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'" if text else "'none'"
        )

    own = "connect-src 'self'; " if asks else ""
    return (
        f"default-src 'none'; script-src {source(script)}; style-src {source(style)}; "
        f"img-src data:; {own}form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
    )


def error_page(
    error: HttpError, *, html: bool, close: bool = False, waits: bool = False
) -> Response:
    """Make the response for *error*: a page when the client wants *html*, else one line.

    A page that *waits* asks again by itself, and is loaded again when there is another answer.
    """
    status, phrase = error.status, PHRASES[error.status]
    if html:
        page = load("waiting" if waits else "error")
        fields = page.fields
        body = page.fill(**_words(status, phrase, str(error)))
    else:
        fields = ((b"Content-Type", b"text/plain; charset=utf-8"),)
        body = f"{status} {phrase}: {error}\n".encode()
    return Response(status, (*fields, _NOSNIFF, _NO_STORE, *error.fields), body, close=close)


def _words(status: int, phrase: str, message: str) -> dict[str, str]:
    """What the error page says, as HTML: a title, what happened, and what to do if we know."""
    import re  # noqa: PLC0415  with the first page
    from html import escape  # noqa: PLC0415

    # Our messages have what to type behind a semicolon; a page has a sentence for it.
    happened, _, _ = message.partition("; --")
    if status != 421 and "://" not in happened.partition(" ")[0]:
        # Hosts and URLs stay as they are written.
        happened = happened[:1].upper() + happened[1:]
    option = re.search(r"--[a-z-]+(?: [^\s;]+)?", message)
    advice = _ADVICE.get(status, "").replace(
        "{option}", escape(option[0] if option else "--allow-host")
    )
    return {
        "status": str(status),
        "phrase": escape(phrase),
        "message": escape(happened) + ("" if happened.endswith(".") else "."),
        "advice": f"<p>{advice}</p>" if advice else "",
    }
