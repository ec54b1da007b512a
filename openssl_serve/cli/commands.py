"""Which commands there are, which module has them, and which one is meant by some words."""

import itertools

DEFAULT_COMMAND = "serve"

ROOMS = {
    "serve": ("serve",),
    "run": ("run",),
    "generate": ("generate",),
    "keeping": ("list", "path", "renew", "remove"),
    "inspection": ("show", "verify"),
    "sign": ("sign",),
    "export": ("export",),
    "trust": ("trust",),
    "untrust": ("untrust",),
    "env": ("env",),
    "doctor": ("doctor",),
    "settings": ("config",),
    "completion": ("completion",),
}
"""Which module of this package has which commands, so that a start imports only its own."""

SERVING = ("serve", "run")
"""The commands that serve: they have nearly all options in common."""

HELP = ["--help", "-h"]
"""What asks for help, of the program and of each command."""


def complete(arguments: list[str]) -> tuple[list[str], list[str]]:
    """Put `serve` in front of *arguments* that name no command; return the rooms needed too.

    >>> complete(["--port", "0"])
    (['serve', '--port', '0'], ['serve'])
    >>> complete(["verify", "localhost"])
    (['verify', 'localhost'], ['inspection'])
    """
    first = arguments[0] if arguments else DEFAULT_COMMAND
    if first == "--version":
        return arguments, [DEFAULT_COMMAND]
    if first in HELP:
        return arguments, list(ROOMS)
    for room, commands in ROOMS.items():
        if first in commands:
            return arguments or [first], [room]
    return [DEFAULT_COMMAND, *arguments], [DEFAULT_COMMAND]


def bare_cert(arguments: list[str]) -> list[str]:
    """Give a bare `--cert` its empty value: it asks for a generated pair, as in code-server.

    What begins with a hyphen is never taken for its value, and after `--` are the words of
    another program.

    >>> bare_cert(["--cert", "--port", "0"]), bare_cert(["--cert", "a.pem"]), bare_cert([])
    (['--cert=', '--port', '0'], ['--cert', 'a.pem'], [])
    >>> bare_cert(["run", "--cert", "--", "x", "--cert"])
    ['run', '--cert=', '--', 'x', '--cert']
    """
    end = arguments.index("--") if "--" in arguments else len(arguments)
    return [
        "--cert=" if word == "--cert" and after.startswith("-") and place < end else word
        for place, (word, after) in enumerate(
            itertools.zip_longest(arguments, arguments[1:], fillvalue="-")
        )
    ]
