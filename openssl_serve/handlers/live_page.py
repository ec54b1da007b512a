"""What live reload adds to a page. What answers the added script is in live_reload.py."""

PREFIX = b"/.openssl-serve/"
"""A name with a dot, which is no file's that is served."""

CHANGES, SCRIPT = PREFIX + b"reload", PREFIX + b"reload.js"

MAX_PAGE = 1_048_576
"""Bytes of the largest page that gets the script: it is read whole, which takes 0.2 ms."""

VARIANT = b"live"
"""In the tag of such a page: a browser that knows the page without the script has another."""

_TAG = b'<script src="%b%b" async></script>\n'


def is_page(kind: bytes, size: int) -> bool:
    """Whether content of the media type *kind* gets the script."""
    return kind.startswith(b"text/html") and size <= MAX_PAGE


def with_script(page: bytes, place: bytes) -> bytes:
    """Return *page* with the script, which stands below *place* as the page does.

    At the very end, where no comment of the page's or string of its scripts can be hit; a parser
    puts what follows `</html>` into the body (HTML standard section 13.2.6.4.22).
    """
    return page + _TAG % (place, SCRIPT)
