"""The program as a whole: commands, exit codes, and the one place where errors become words."""

import importlib
import itertools
import os
from collections.abc import Iterable
from typing import Any

import typer
from typer.core import TyperGroup

from openssl_serve import __version__
from openssl_serve.cli import config, render
from openssl_serve.errors import OpensslServeError, UsageError

DEFAULT_COMMAND = "serve"

ROOMS = {
    "serve": ("serve",),
    "run": ("run",),
    "certificates": ("generate", "list", "path", "renew", "remove"),
    "inspection": ("show", "verify"),
    "sign": ("sign",),
    "export": ("export",),
    "trust": ("trust", "untrust"),
    "env": ("env",),
    "doctor": ("doctor",),
    "settings": ("config",),
    "completion": ("completion",),
}
"""Which module of this package has which commands, so that a start imports only its own."""

COMPLETION_VARIABLE = "_OPENSSL_SERVE_COMPLETE"
"""Set by a shell that asks what can follow."""

EXIT_INTERRUPTED = 130
"""What shells report for SIGINT: 128 + 2."""

EXIT_BROKEN_PIPE = 141
"""And for SIGPIPE: 128 + 13."""


class Program(TyperGroup):
    """All commands; help shows the options of serve too, for most who ask want those."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        for command in self.commands.values():
            if config.options_of(command):
                command.params.append(config.config_option())

    def invoke(self, ctx: Any) -> Any:
        """Run the command; an error names the file or the variable that it came from."""
        try:
            return super().invoke(ctx)
        except UsageError as error:
            error.hints = (*error.hints, *config.origin_hints(ctx, str(error)))
            raise
        except typer.BadParameter as error:
            for hint in config.origin_hints(ctx, error.format_message()):
                error.add_note(hint)
            raise

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write the options of serve, then the program's own and the commands."""
        self.commands[DEFAULT_COMMAND].format_options(ctx, formatter)
        super().format_options(ctx, formatter)


def make_app(rooms: Iterable[str]) -> typer.Typer:
    """Build the program with the commands of *rooms*."""
    app = typer.Typer(
        cls=Program,
        help="HTTPS for a folder in one command, with the openssl already on the machine.\n\n"
        "openssl-serve [serve] [TARGET] [OPTIONS] serves TARGET (default: this folder).",
        add_completion=False,
        no_args_is_help=False,
        # rich costs 50 ms to import, at every --help and usage error.
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
    )
    app.callback()(_options)
    for room in rooms:
        importlib.import_module(f"openssl_serve.cli.{room}").register(app)
    return app


def commands_named(names: Iterable[str]) -> list[Any]:
    """Import and return those of the commands *names* that there are."""
    rooms = [room for room, commands in ROOMS.items() if set(commands) & set(names)]
    group: Any = typer.main.get_command(make_app(rooms))
    return [group.commands[name] for name in names if name in group.commands]


def _options(
    version: bool = typer.Option(
        False, "--version", is_eager=True, callback=lambda value: _version(asked=value),
        help="Show the version and leave.",
    ),
) -> None:  # fmt: skip
    _ = version


def _version(*, asked: bool) -> None:
    if asked:
        render.result(f"openssl-serve {__version__}")
        raise typer.Exit


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
    if first == "--help":
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


def run(arguments: list[str]) -> int:
    """Run the command line with *arguments*; return the exit code, with all errors told."""
    try:
        if shell := os.environ.get(COMPLETION_VARIABLE):
            from openssl_serve.cli.completion import respond  # noqa: PLC0415  at a Tab alone

            respond(shell, arguments)
            return 0
        words, rooms = complete(arguments)
        if rooms[0] in config.SERVING:
            # `path HOST --cert` takes no value.
            words = bare_cert(words)
        # A pipe that nobody reads any more (| head) ends the program as it ends others.
        code = make_app(rooms)(words, prog_name="openssl-serve", standalone_mode=False)
        return code if isinstance(code, int) else 0
    except OpensslServeError as error:
        render.error(str(error), *error.hints)
        return error.exit_code
    except typer.Abort:
        return EXIT_INTERRUPTED
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        render.drop_results()
        return EXIT_BROKEN_PIPE
    except OSError as error:
        # A full disk behind stdout; whoever opens a file says what is wrong with it.
        render.drop_results()
        why = (error.strerror or str(error)).lower()
        render.error(f"{error.filename or 'standard output'}: {why}")
        return 1
    except typer.TyperException as error:
        render.usage_error(error)
        return 2
