"""The commands, put together for the command line's parser."""

import importlib
import sys
from collections.abc import Iterable
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from openssl_serve.cli import config, render
from openssl_serve.cli.commands import HELP, ROOMS, SERVING
from openssl_serve.cli.version import tell
from openssl_serve.errors import UsageError


class Command(TyperCommand):
    """One command."""

    def get_help(self, ctx: Any) -> str:
        """Return what --help prints."""
        from openssl_serve.cli import help as pages  # noqa: PLC0415  for --help alone

        ctx.color = render.wants_colour(sys.stdout)
        return pages.of_command(self, ctx)

    def get_help_option(self, ctx: Any) -> Any:
        """Return --help, in our words."""
        return _in_our_words(super().get_help_option(ctx))


class Program(TyperGroup):
    """All commands; help shows the options of serve too, for most who ask want those."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        for command in self.commands.values():
            if config.options_of(command):
                command.params.append(config.config_option(command, _serving))

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

    def get_help(self, ctx: Any) -> str:
        """Return what --help prints."""
        from openssl_serve.cli import help as pages  # noqa: PLC0415  for --help alone

        ctx.color = render.wants_colour(sys.stdout)
        return pages.of_program(self, ctx)

    def get_help_option(self, ctx: Any) -> Any:
        """Return --help, in our words."""
        return _in_our_words(super().get_help_option(ctx))


def _in_our_words(option: Any) -> Any:
    option.help = "Show this, and leave."
    return option


class Commands(typer.Typer):
    """Where the rooms register their commands."""

    def command(self, name: str | None = None, **settings: Any) -> Any:
        """Take a command in, as one of ours."""
        return super().command(name, cls=Command, **settings)


def make_app(rooms: Iterable[str]) -> typer.Typer:
    """Build the program with the commands of *rooms*."""
    app = Commands(
        cls=Program,
        help="HTTPS for a folder, a local server or a WSGI app in one command, with the openssl "
        "already on the machine.",
        context_settings={"help_option_names": HELP},
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


def _serving() -> list[Any]:
    return commands_named(SERVING)


def _options(
    version: bool = typer.Option(
        False, "--version", is_eager=True, callback=lambda value: _version(asked=value),
        help="Show the versions, and leave.",
    ),
) -> None:  # fmt: skip
    _ = version


def _version(*, asked: bool) -> None:
    if asked:
        tell()
        raise typer.Exit
