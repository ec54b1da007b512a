"""The command `completion`, and what a shell asks us for at each Tab: which words can follow.

The scripts in completions/ put `_OPENSSL_SERVE_COMPLETE=SHELL` into the environment and the words
so far on the command line; nothing else is done then. They hold no options: those come from
here, so that a script that was installed once is always right.
"""

import os
import shlex
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, Any, NamedTuple
from urllib.parse import unquote

import typer

from openssl_serve.cli import render
from openssl_serve.cli.commands import ROOMS, complete
from openssl_serve.errors import OpensslServeError, UsageError
from openssl_serve.hosts import parse_host, shorten
from openssl_serve.paths import data_folder

SCRIPTS = {"bash": "openssl-serve.bash", "zsh": "_openssl-serve", "fish": "openssl-serve.fish"}
"""The file of each shell, by the name under which the shell finds it."""

_END = "\0"
"""Marks the end of a word that is not complete: no command line has it."""


class Answer(NamedTuple):
    """What can follow: words with their help, and `files`, `dirs` or `none` beside them."""

    words: list[tuple[str, str]]
    kind: str = "none"


def register(app: typer.Typer) -> None:
    """Add the command to *app*."""
    app.command("completion", help="Print what makes Tab complete words, for your shell.")(
        completion
    )


def completion(
    shell: Annotated[
        str | None, typer.Argument(help="The shell: bash, zsh or fish.  [default: by $SHELL]")
    ] = None,
) -> None:
    """Print the completion script for SHELL: `eval "$(openssl-serve completion bash)"`."""
    name = shell or os.path.basename(os.environ.get("SHELL", ""))
    if name not in SCRIPTS:
        raise UsageError(
            f'there is no completion for the shell "{shorten(name)}"',
            f"there is one for {', '.join(SCRIPTS)}: openssl-serve completion bash",
        )
    render.result(script(name).rstrip("\n"))


def script(shell: str) -> str:
    """The script for *shell*."""
    return Path(__file__).with_name("completions").joinpath(SCRIPTS[shell]).read_text("utf-8")


def respond(shell: str, arguments: list[str]) -> None:
    """Print what can follow *arguments*, the last of which is not complete.

    For bash it is one argument, the line up to the cursor: its own words end at every colon.
    """
    if shell == "bash":
        *words, incomplete = _split(arguments[0])
        found = suggest(words[1:], incomplete)
        # bash replaces only what comes after the last of these.
        breaks = "".join(c for c in ":=" if c in os.environ.get("COMP_WORDBREAKS", ""))
        kept = max(map(incomplete.rfind, breaks), default=-1) + 1
        lines = [word[kept:] for word, _ in found.words]
    else:
        *words, incomplete = arguments
        found = suggest(words, incomplete)
        lines = [f"{word}\t{text}" for word, text in found.words]
    render.result("\n".join([found.kind, *lines]))


def _split(line: str) -> list[str]:
    """Split *line* as a shell does; its last word may be empty, and have an open quote.

    >>> _split("openssl-serve show "), _split("serve 'my fold")
    (['openssl-serve', 'show', ''], ['serve', 'my fold'])
    """
    words: list[str] = []
    lexer = shlex.shlex(line + _END, posix=True)
    lexer.whitespace_split, lexer.commenters = True, ""
    try:
        words.extend(lexer)
    except ValueError:
        # An open quote: the rest is a word all the same.
        words.append(lexer.token)
    words[-1] = words[-1].removesuffix(_END)
    return words


def suggest(words: list[str], incomplete: str) -> Answer:
    """What can stand for *incomplete* after *words*."""
    from openssl_serve.cli.program import commands_named  # noqa: PLC0415  imports all commands

    if not words and not incomplete.startswith("-"):
        return _first_word(commands_named(sum(ROOMS.values(), ())), incomplete)
    (name, *rest), _ = complete(words or [""])
    (command,) = commands_named([name])
    ctx = command.make_context(name, [word for word in rest if word], resilient_parsing=True)
    option, equals, value = incomplete.partition("=")
    if incomplete.startswith("-") and "--" not in words:
        if equals:
            answer = _values(ctx, _option_named(command, option), value)
            return Answer([(f"{option}={word}", text) for word, text in answer.words], answer.kind)
        options = _items(command.shell_complete(ctx, incomplete))
        if incomplete in ("-", "--"):
            # Half of all words would be what is the case anyway.
            opposites = {name for param in command.params for name in param.secondary_opts}
            options = [(name, text) for name, text in options if name not in opposites]
        if not words and "--version".startswith(incomplete):
            options.append(("--version", "Show the versions, and leave."))
        return Answer(options)
    param = _option_named(command, words[-1]) if words and "--" not in words else None
    if param is None or param.is_flag:
        param = next((each for each in command.params if _can_follow(ctx, each)), None)
    return _values(ctx, param, incomplete)


def _first_word(commands: list[Any], incomplete: str) -> Answer:
    """A command, or the folder of the command that is left out."""
    found = [
        (each.name, each.get_short_help_str(80))
        for each in commands
        if each.name.startswith(incomplete) and not each.hidden
    ]
    return Answer(found, "dirs" if incomplete else "none")


def _items(items: Iterable[Any]) -> list[tuple[str, str]]:
    """What the command line's own parser suggests, without the defaults."""
    return [(item.value, (item.help or "").partition("  [")[0]) for item in items]


def _option_named(command: Any, word: str) -> Any:
    return next((each for each in command.params if word in each.opts and word[:1] == "-"), None)


def _can_follow(ctx: Any, param: Any) -> bool:
    """Whether *param* is an argument that has no value yet, or takes any number."""
    if param.param_type_name != "argument":
        return False
    source = ctx.get_parameter_source(param.name)
    return param.nargs == -1 or source is None or source.name != "COMMANDLINE"


def _values(ctx: Any, param: Any, incomplete: str) -> Answer:
    """What *param* can be."""
    if param is None:
        return Answer([])
    found = list(_known_values(ctx.command.name, param))
    found += _items(param.shell_complete(ctx, incomplete))
    metavar = param.metavar or ""
    kind = "none"
    if param.name == "target" or "DIR" in metavar:
        kind = "dirs"
    elif any(word in metavar for word in ("PATH", "FILE", "CSR", "COMMAND")):
        kind = "files"
    return Answer([each for each in found if each[0].startswith(incomplete)], kind)


def _known_values(command: str, param: Any) -> Iterator[tuple[str, str]]:
    """The words, with their help, that *param* takes, where they can be counted."""
    is_argument = param.param_type_name == "argument"
    if param.name in (HOST_ARGUMENTS if is_argument else HOST_OPTIONS):
        yield from ((host, "kept") for host in kept_hosts())
    elif command == "completion" and is_argument:
        yield from ((shell, "") for shell in SCRIPTS)
    elif command == "config" and is_argument:
        yield from ((name, "") for commands in ROOMS.values() for name in commands)
    else:
        yield from ((word, "") for word in CHOICES.get(param.name, ()))


HOST_ARGUMENTS = ("host", "hosts", "what")
HOST_OPTIONS = ("cert_host", "allow_host")
"""Parameters that can be a host of which a certificate is kept."""

CHOICES = {
    "plain_http": ("redirect", "serve", "refuse"),
    "log_format": ("text", "json", "common", "none"),
    "shell": ("sh", "fish"),
    "key_type": ("p256", "p384", "rsa2048", "rsa3072", "rsa4096", "ed25519"),
    "store": ("system", "macos", "nss", "java"),
    "form": (
        "pem", "der", "combined", "pkcs12", "pfx-legacy", "p7b", "mobileconfig", "k8s-secret",
        "cert-manager", "nginx", "haproxy", "caddy", "traefik", "apache",
    ),
}  # fmt: skip
"""What they are is decided where they are used (a test compares): importing that takes 20 ms."""


def kept_hosts() -> list[str]:
    """The hosts of kept certificates, by the names of their files: none is read."""
    try:
        names = sorted(os.listdir(data_folder()))
    except (OSError, OpensslServeError):
        return []
    return [host for name in names if name.endswith(".crt") for host in _hosts_of(name[:-4])]


def _hosts_of(stem: str) -> Iterator[str]:
    """What `Host.slug` makes of a host, backwards; nothing for a stem that is none."""
    try:
        host = parse_host(unquote(stem.replace("_", ".")))
    except UsageError:
        return
    if host.slug == stem:
        yield host.value
