"""`--open`: the user's own browser, shown where the server answers."""

import os
import shlex
import sys
import threading
from collections.abc import Iterator, Mapping

from openssl_serve import tools
from openssl_serve.child.environment import without_ours
from openssl_serve.errors import reason_of
from openssl_serve.programs import candidates

PATIENCE_S = 3.0
"""For the program that opens it to fail: it has the browser take the URL over, or is the browser
itself and stays."""

STEP_S = 0.05
"""Between looks whether it has ended."""

OPENERS = {"darwin": ("open",), "linux": ("xdg-open", "wslview", "gio open")}
"""What hands a URL to the browser that the user has chosen; wslview is for WSL."""


class NoBrowserError(Exception):
    """No browser could be opened; the message is why, in half a sentence."""


def open_url(url: str, ended: threading.Event) -> tools.Child:
    """Open *url* in a browser, which goes on without us; gives up waiting once *ended* is set.

    Returns the program that was started, which may still run. Raises NoBrowserError.
    """
    environ = without_ours(os.environ)
    words = command(url, environ, sys.platform)
    try:
        child = tools.start_apart(words, environ)
    except OSError as error:
        raise NoBrowserError(f"{words[0]}: {reason_of(error)}") from error
    for _ in range(round(PATIENCE_S / STEP_S)):
        if child.poll() is not None or ended.wait(STEP_S):
            break
    code = child.poll()
    if code:
        how = f"left with {code}" if code > 0 else f"was killed by signal {-code}"
        raise NoBrowserError(f"{words[0]} {how}")
    return child


def command(url: str, environ: Mapping[str, str], platform: str) -> list[str]:
    """Return what opens *url*: by the user's BROWSER, else by the system. Raises NoBrowserError."""
    if named := environ.get("BROWSER"):
        # Said in so many words, it is good in a session over SSH as well: editors put a program
        # there that opens the browser at the other end.
        choices = list(_choices(named, url))
        where = f"BROWSER={named}"
    else:
        _need_display(environ, platform)
        choices = [[*opener.split(), url] for opener in OPENERS.get(platform, ())]
        where = " or ".join(words[0] for words in choices) or platform
    for first, *rest in choices:
        # A bare name is not looked for in the folder that is served.
        found = [first] if "/" in first else candidates(first)[:1]
        if found:
            return [str(found[0]), *rest]
    raise NoBrowserError(f"{where}: there is no such program")


def _choices(named: str, url: str) -> Iterator[list[str]]:
    """The commands in BROWSER: one after another, with %s for the URL or without."""
    for each in named.split(os.pathsep):
        try:
            words = shlex.split(each.strip().removesuffix("&"))
        except ValueError as error:
            raise NoBrowserError(f"BROWSER={named}: {str(error).lower()}") from error
        if words:
            placed = [word.replace("%s", url) for word in words]
            yield placed if placed != words else [*words, url]


def _need_display(environ: Mapping[str, str], platform: str) -> None:
    has_display = bool(environ.get("DISPLAY") or environ.get("WAYLAND_DISPLAY"))
    if has_display:
        return
    if environ.get("SSH_CONNECTION") or environ.get("SSH_TTY"):
        raise NoBrowserError("this session over SSH has no display")
    # macOS and WSL have one that no variable names.
    if platform == "linux" and not environ.get("WSL_DISTRO_NAME"):
        raise NoBrowserError("there is no display")
