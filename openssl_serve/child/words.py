"""The words of the command: `{port}` and `{host}` replaced, and flags for what ignores `PORT`.

Most servers read the variables (environment.py), and a port that was opened in spite of all is
found (sockets.py): what stands here spares the port that the framework would take by default.
"""

import re
from collections.abc import Sequence
from pathlib import PurePath
from typing import NamedTuple

from openssl_serve.addresses import Address


class Flag(NamedTuple):
    """Words that are added to a command which has none of the options *names*."""

    names: tuple[str, ...]
    words: tuple[str, ...]


class Framework(NamedTuple):
    """A program that has to be told its port in words."""

    flags: tuple[Flag, ...]
    serving: tuple[str, ...] = ()
    """The subcommands that serve; none: all but those of *others*."""
    others: tuple[str, ...] = ()


_PORT = Flag(("--port", "-p"), ("--port", "{port}"))
_HOST = Flag(("--host",), ("--host", "{host}"))
# The next free port instead would be found too, but then nobody is told that it is not this one.
_STRICT_PORT = Flag(("--port",), ("--port", "{port}", "--strictPort"))

_VITE = (_STRICT_PORT, _HOST)

FRAMEWORKS = {
    "vite": Framework(_VITE, others=("build", "optimize")),
    "vp": Framework(_VITE, serving=("dev", "preview")),
    "vitepress": Framework(_VITE, serving=("dev", "preview", "serve")),
    "react-router": Framework(_VITE, serving=("dev",)),
    "astro": Framework((_PORT, _HOST), serving=("dev", "preview")),
    "ng": Framework((_PORT, _HOST), serving=("serve", "s", "dev")),
    "rsbuild": Framework((_PORT, _HOST), others=("build", "inspect")),
    "webpack": Framework((_PORT, _HOST), serving=("serve", "server", "s")),
    "webpack-dev-server": Framework((_PORT, _HOST)),
    # Its hosts are words: localhost, lan, tunnel.
    "expo": Framework((_PORT, Flag(("--host",), ("--host", "localhost"))), serving=("start",)),
    "react-native": Framework((_PORT, _HOST), serving=("start",)),
    "hypercorn": Framework((Flag(("--bind", "-b"), ("--bind", "{host}:{port}")),)),
    "mkdocs": Framework(
        (Flag(("--dev-addr", "-a"), ("--dev-addr", "{host}:{port}")),), serving=("serve",)
    ),
    "hugo": Framework(
        (_PORT, Flag(("--bind",), ("--bind", "{host}"))), serving=("server", "serve")
    ),
    "manage.py": Framework((Flag((), ("{host}:{port}",)),), serving=("runserver",)),
    "django-admin": Framework((Flag((), ("{host}:{port}",)),), serving=("runserver",)),
    "http.server": Framework(
        (Flag((), ("{port}",)), Flag(("--bind", "-b"), ("--bind", "{host}")))
    ),
}  # fmt: skip

_RUNNERS: dict[str, tuple[str, ...]] = {
    "npx": (),
    "bunx": (),
    "pnpx": (),
    "npm": ("exec", "x"),
    "yarn": ("dlx", "exec", "run"),
    "pnpm": ("dlx", "exec", "run"),
    "bun": ("x", "run"),
    "uv": ("run",),
    "poetry": ("run",),
    "pipenv": ("run",),
    "hatch": ("run",),
}
"""Programs that run the one named after them, and the subcommands with which they do."""

# In the words of a shell, ${port} is a variable of its own.
_PLACE = re.compile(r"(?<!\$)\{(?:port|host)\}")
_PYTHON = re.compile(r"(?:python|pypy)[0-9.]*")
_MODULE = re.compile(r"-[A-Za-z]*m")
_ADDRESS = re.compile(r"(?:(?:\[[^]]*\]|[^:]+):)?[0-9]+")


def completed(words: Sequence[str], address: Address) -> list[str]:
    """Return *words* with `{port}` and `{host}` filled in, or with the framework's own flags.

    *address* is where the command is to listen. Other braces stay as they are.

    >>> completed(["php", "-S", "{host}:{port}"], Address("127.0.0.1", 4000))
    ['php', '-S', '127.0.0.1:4000']
    >>> completed(["npx", "vite"], Address("127.0.0.1", 4000))
    ['npx', 'vite', '--port', '4000', '--strictPort', '--host', '127.0.0.1']
    """
    filled = _filled(words, address)
    if filled != list(words) or "--" in words:
        # The port has its place already; what follows "--" is for somebody else.
        return filled
    return filled + _filled(_flags_for(words), address)


def _filled(words: Sequence[str], address: Address) -> list[str]:
    values = {"{port}": str(address.port), "{host}": address.host}
    return [_PLACE.sub(lambda found: values[found[0]], word) for word in words]


def _flags_for(words: Sequence[str]) -> list[str]:
    place = _place_of_program(words)
    framework = FRAMEWORKS.get(PurePath(words[place]).name) if place is not None else None
    if framework is None or place is None:
        return []
    after = words[place + 1 :]
    subcommand = next((word for word in after if not word.startswith("-")), "")
    if framework.serving and subcommand not in framework.serving:
        return []
    if subcommand in framework.others:
        return []
    return [word for flag in framework.flags if not _is_given(flag, after) for word in flag.words]


def _is_given(flag: Flag, words: Sequence[str]) -> bool:
    if not flag.names:
        return any(_ADDRESS.fullmatch(word) for word in words)
    return any(word.partition("=")[0] in flag.names for word in words)


def _place_of_program(words: Sequence[str]) -> int | None:
    """Where the program that serves stands: behind runners and their options, or Python's -m."""
    place = 0
    while place < len(words):
        name = PurePath(words[place]).name
        if _PYTHON.fullmatch(name):
            return _place_in_python(words, place + 1)
        if name not in _RUNNERS:
            return place
        place = _after_options(words, place + 1)
        if place < len(words) and words[place] in _RUNNERS[name]:
            place = _after_options(words, place + 1)
    return None


def _place_in_python(words: Sequence[str], place: int) -> int | None:
    """Where the module or the script stands in the words of a Python."""
    end = _after_options(words, place)
    if end < len(words) and (_MODULE.fullmatch(words[end - 1]) or words[end].endswith(".py")):
        return end
    return None


def _after_options(words: Sequence[str], place: int) -> int:
    while place < len(words) and words[place].startswith("-"):
        place += 1
    return place
