"""What --help prints: usage, examples, commands, and options under their headings.

Imported when somebody asks for help; scripts/manual.py has the groups and the examples from here.
"""

import shutil
import textwrap
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from openssl_serve.cli import render
from openssl_serve.cli.commands import DEFAULT_COMMAND, SERVING

GROUPS = {
    "Command": ("--app-port",),
    "Certificate": (
        "--cert-host", "--cert", "--cert-key", "--cert-key-password-file", "--openssl", "--explain",
    ),
    "Address": ("--bind-addr", "--host", "--port", "--socket", "--socket-mode", "--lan"),
    "Plain HTTP": ("--plain-http", "--hsts"),
    "Folder": (
        "--index", "--spa", "--cache", "--hidden", "--follow-symlinks", "--no-listing",
        "--no-compression", "--live-reload",
    ),
    "Server behind this one (upstream)": (
        "--route", "--rewrite-host", "--rewrite-responses", "--forwarded", "--trust-forwarded",
        "--upstream-ca", "--upstream-insecure", "--upstream-timeout",
    ),
    "WSGI app": ("--reload", "--threads"),
    "Responses": ("--cors", "--cross-origin-isolated", "--header", "--auth", "--auth-file"),
    "Running": (
        "--workers", "--open", "--qr", "--log-format", "--allow-host", "--verbose", "--config",
        "--version", "--help",
    ),
}  # fmt: skip
"""The options of the commands that serve, and of the program, by their headings."""


class Example(NamedTuple):
    """Something to type, and what comes of it."""

    line: str
    does: str


EXAMPLES = {
    "serve": (
        Example("openssl-serve --cert-host my.dev.local",
                "Serve this folder under that name."),
        Example("openssl-serve http://127.0.0.1:3000", "Put HTTPS in front of a local server."),
        Example("openssl-serve app:app --reload", "Serve a WSGI app, and load what you change."),
        Example("openssl-serve --lan --qr", "Show a folder to phones and tablets."),
    ),
    "run": (
        Example("openssl-serve run -- npm run dev", "Start a dev server behind HTTPS."),
        Example("openssl-serve run -- php -S {host}:{port}",
                "Start one that is told where to listen."),
    ),
    "generate": (
        Example("openssl-serve generate my.dev.local '*.my.dev.local'",
                "Make a certificate for two names, or find it."),
        Example("openssl-serve generate --ca api.dev.local",
                "Make a certificate, issued by a local CA."),
    ),
    "path": (
        Example("curl --cacert $(openssl-serve path --ca) https://localhost:8080/",
                "Have curl trust a server."),
    ),
    "renew": (
        Example("openssl-serve renew --check && openssl-serve renew",
                "Renew what is due, from cron."),
    ),
    "show": (
        Example("openssl-serve show my.dev.local", "Show a kept certificate."),
        Example("openssl-serve show www.example.org:443", "Show what another server shows."),
    ),
    "verify": (
        Example("openssl-serve verify localhost:8080",
                "Check what a server shows, as openssl sees it."),
    ),
    "sign": (
        Example("openssl-serve sign device.csr --out device.crt",
                "Sign a request that was made elsewhere."),
    ),
    "export": (
        Example("openssl-serve export my.dev.local --format nginx",
                "Write a site for nginx, with the paths in it."),
        Example("openssl-serve export --format pkcs12 --out localhost.p12",
                "Write certificate and key into one file."),
    ),
    "trust": (
        Example("openssl-serve trust", "End the warnings of browsers."),
        Example("openssl-serve trust --check", "See which trust stores know the local CA."),
    ),
    "env": (
        Example('eval "$(openssl-serve env)"', "Have the programs of this shell trust it."),
    ),
    "completion": (
        Example('eval "$(openssl-serve completion bash)"', "Complete words in this shell."),
    ),
}  # fmt: skip
"""By the command."""

FIRST_EXAMPLES = (
    *EXAMPLES["serve"][:2], EXAMPLES["run"][0], EXAMPLES["trust"][0],
)  # fmt: skip
"""What most people come for."""

MAX_WIDTH = 100
"""Columns: longer lines are hard to read."""

MIN_TEXT = 28
"""Columns that a text needs beside its name; with less it stands below."""

MAX_NAMES = 24
"""Columns of a name that has its text beside it; longer ones have a line of their own."""

MAX_EXAMPLE = 44
"""The same of examples."""

Row = tuple[str, str]
"""A name, or what is typed, and its text."""


def of_program(program: Any, ctx: Any) -> str:
    """The page of the whole program, with the options of the command that can be left out."""
    serve = program.commands[DEFAULT_COMMAND]
    commands = [
        # Whole: the list has room for it.
        (each.name, each.get_short_help_str(MAX_WIDTH * 2))
        for each in program.commands.values()
        if not each.hidden
    ]
    page = Page()
    page.usage(f"openssl-serve [{DEFAULT_COMMAND}] [OPTIONS] [TARGET]", "openssl-serve COMMAND ...")
    page.text(program.help)
    page.section("Examples", FIRST_EXAMPLES, MAX_EXAMPLE)
    page.section("Commands", commands)
    page.text(f"openssl-serve COMMAND --help has the options of each. Those of {serve.name}:")
    page.parameters(serve, [*serve.params, *program.get_params(ctx)])
    return page.written()


def of_command(command: Any, ctx: Any) -> str:
    """The page of one command."""
    page = Page()
    words = [usage_of(each) for each in command.params if is_argument(each)]
    page.usage(" ".join([ctx.command_path, "[OPTIONS]", *words]))
    page.text(command.help)
    page.section("Examples", EXAMPLES.get(command.name, ()), MAX_EXAMPLE)
    page.parameters(command, command.get_params(ctx))
    return page.written()


def sections(command: Any, params: Iterable[Any]) -> list[tuple[str, list[Any]]]:
    """The options among *params*, those of *command*, by their headings and in their order."""
    options = {long_name(each): each for each in params if not is_argument(each)}
    if command.name not in SERVING:
        return [("Options", list(options.values()))]
    found = [
        (heading, [options[name] for name in names if name in options])
        for heading, names in GROUPS.items()
    ]
    return [(heading, here) for heading, here in found if here]


def is_argument(param: Any) -> bool:
    """Whether *param* is no option."""
    return bool(param.param_type_name == "argument")


def long_name(param: Any) -> str:
    """The name of an option that says what it is."""
    return str(max(param.opts, key=len))


def metavar(param: Any) -> str:
    """What stands for the value of *param*; nothing for a flag."""
    word = str(param.metavar or (param.name.upper() if is_argument(param) else ""))
    return word.replace("[", "").replace("]", "") if is_argument(param) else word


def usage_of(argument: Any) -> str:
    """How *argument* stands in the usage: in brackets if it can be left out."""
    word = metavar(argument)
    return word if argument.required else f"[{word}]"


def described(param: Any) -> str:
    """The help of *param*, with its default if that is to be shown."""
    shown = param.show_default and param.default not in (None, False)
    return f"{param.help}  [default: {param.default}]" if shown else str(param.help)


class Page:
    """One page of help, for stdout: as wide as the terminal, and plain in a pipe."""

    def __init__(self) -> None:
        self._width = min(shutil.get_terminal_size().columns, MAX_WIDTH)
        self._parts: list[str] = []

    def usage(self, *lines: str) -> None:
        """Add the ways to begin."""
        self._parts.append(render.heading("Usage:") + " " + "\n       ".join(lines))

    def text(self, words: str) -> None:
        """Add paragraphs."""
        for paragraph in words.split("\n\n"):
            self._parts.append("\n".join(_wrapped(paragraph, self._width)))

    def parameters(self, command: Any, params: Sequence[Any]) -> None:
        """Add the arguments of *command*, and the options among *params*."""
        rows = [_row(each) for each in command.params if is_argument(each)]
        self.section("Arguments", rows)
        found = [
            (heading, [_row(each) for each in options])
            for heading, options in sections(command, params)
        ]
        # Under all headings alike: the eye runs down one column.
        least = max(len(name) for _, rows in found for name, _ in rows if len(name) <= MAX_NAMES)
        for heading, rows in found:
            self.section(heading, rows, least=least)

    def section(
        self, heading: str, rows: Sequence[Row], most: int = MAX_NAMES, *, least: int = 0
    ) -> None:
        """Add *rows* under a heading: texts beside names of at the most so many columns."""
        if not rows:
            return
        column = max([least, *(len(name) for name, _ in rows if len(name) <= most)])
        if self._width - column - 4 < MIN_TEXT:
            column = 4
        lines = [render.heading(f"{heading}:")]
        for name, words in rows:
            texts = _wrapped(words, self._width - column - 4)
            beside = texts.pop(0) if texts and len(name) <= column else ""
            painted = render.paint(name, "cyan") + " " * (column - len(name))
            lines.append(f"  {painted}  {beside}".rstrip())
            lines += [f"  {'':<{column}}  {each}" for each in texts]
        self._parts.append("\n".join(lines))

    def written(self) -> str:
        """The whole page."""
        return "\n\n".join(self._parts)


def _row(param: Any) -> Row:
    """The names and the help of *param*."""
    names = [] if is_argument(param) else [", ".join(sorted(param.opts, key=len))]
    return " ".join([*names, metavar(param)]).strip(), described(param)


def _wrapped(words: str, width: int) -> list[str]:
    return textwrap.wrap(words, max(width, 20), break_on_hyphens=False, break_long_words=False)
