"""The command `config`: what the options of a command are here and now, and who said so."""

import re
from typing import Annotated, Any, NamedTuple

import typer

from openssl_serve.cli import config as files
from openssl_serve.cli import inspection, render
from openssl_serve.cli.commands import ROOMS, SERVING
from openssl_serve.cli.response_options import header_lines
from openssl_serve.errors import UsageError
from openssl_serve.hosts import shorten

SECRET = ("auth",)
"""Options whose value is not for a screen, which others see too, nor for a log."""

_USER_IN_URL = re.compile(r"(?<=://)[^/?#]*@")
"""Name and password before the host (RFC 3986 section 3.2.1)."""


class Setting(NamedTuple):
    """What holds for one option."""

    option: str
    value: Any
    """None when nobody set it, and when it is secret."""
    secret: bool
    """Whether somebody set it, and it is not shown."""
    origin: str
    """`default`, `environment` or `file`."""
    name: str | None
    """The variable or the file."""


def register(app: typer.Typer) -> None:
    """Add the command to *app*."""
    app.command("config", help="Show the options that hold here, and where each comes from.")(
        show_config
    )


def show_config(
    command: Annotated[str, typer.Argument(help="Whose options to show.")] = "serve",
    json: inspection.JSON = False,
    config: Annotated[
        str | None,
        typer.Option("--config", metavar="FILE", help="The TOML file.  [default: as for serve]",
                     envvar=files.VARIABLE, show_envvar=False),
    ] = None,
) -> None:  # fmt: skip
    """Show what COMMAND would use; a file is checked whole, for the other commands too."""
    from openssl_serve.cli import certificates_text as words  # noqa: PLC0415
    from openssl_serve.cli.program import commands_named  # noqa: PLC0415
    from openssl_serve.cli.tables import table  # noqa: PLC0415

    every = {each.name: each for each in commands_named(sum(ROOMS.values(), ()))}
    if command not in every:
        names = ", ".join(name for name, each in every.items() if files.options_of(each))
        raise UsageError(f'there is no command "{shorten(command)}"', f"there are {names}")
    found = files.read_config(config)

    def serving() -> list[Any]:
        return [every[name] for name in SERVING]

    for name in {*SERVING, *found.tables} & set(every):
        found.values_for(every[name], serving)
    settings = settings_of(every[command], found, serving)
    if json:
        rows = [setting._asdict() for setting in settings]
        path = str(found.path) if found.path else None
        words.as_json({"command": command, "file": path, "options": rows})
        return
    if not settings:
        render.note(f"{command} has no option that a file or the environment can set")
        return
    lines = [(each.option, _shown(each), each.name or each.origin) for each in settings]
    table([("OPTION", "VALUE", "FROM"), *lines])


def settings_of(command: Any, config: files.Config, serving: files.Serving) -> list[Setting]:
    """What each option of *command* would be without a word on the command line.

    Raises UsageError, and what the command line's parser raises, for a value that cannot be.
    """
    ctx = typer.Context(command, info_name=command.name)
    ctx.default_map = config.values_for(command, serving)
    found = []
    for name, param in files.options_of(command).items():
        value, source = param.consume_value(ctx, {})
        origin = files.ORIGINS[source.name]
        if param.name == "header":
            value = header_lines(value, source.name)
        value = param.type_cast_value(ctx, value)
        where = {"environment": param.envvar, "file": str(config.path)}.get(origin)
        secret = param.name in SECRET and value is not None
        found.append(Setting(name, None if secret else _public(value), secret, origin, where))
    return found


def _public(value: Any) -> Any:
    """*value* as JSON has it, without the password of a URL."""
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, list | tuple):
        return [_public(item) for item in value]
    return _USER_IN_URL.sub("", str(value))


def _shown(setting: Setting) -> str:
    value = setting.value
    if setting.secret:
        return "set, not shown"
    if value is None or value == []:
        return "not set"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ", ".join(value) if isinstance(value, list) else str(value)
