"""Options from a file: openssl-serve.toml, or [tool.openssl-serve] of pyproject.toml.

A file is a weaker word than the environment and a stronger one than an option's default; the
command line's parser ranks them (`default_map`), so that every option behaves alike. What can be
set in the environment can be set in a file, under the same name.
"""

import functools
import os
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import typer
from typer.core import TyperOption

from openssl_serve.cli import render
from openssl_serve.cli.commands import ROOMS, SERVING
from openssl_serve.cli.config_file import FILE_NAME, described, find_file, read_file
from openssl_serve.errors import UsageError
from openssl_serve.hosts import shorten
from openssl_serve.paths import expand

VARIABLE = "OPENSSL_SERVE_CONFIG"

COMMON = ("openssl",)
"""Keys outside of all tables that not only the commands that serve follow."""

CHOOSES_PROGRAM = ("openssl",)
"""Keys that only a file named by the user may have: a folder that was cloned or unpacked must not
choose what is run, just because somebody serves it. Nor may it name an app (`module:callable`)."""

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")

ORIGINS = {
    "DEFAULT": "default",
    "DEFAULT_MAP": "file",
    "ENVIRONMENT": "environment",
    "COMMANDLINE": "command line",
}
"""The names that the command line's parser has for where a value comes from, and ours."""

Serving: TypeAlias = Callable[[], Iterable[Any]]
"""Imports the commands that serve: program.py, which is above this module, has them all."""

_CONTEXT = f"{__name__}.context"
_CONFIG = f"{__name__}.config"


class Config(NamedTuple):
    """What a file says, not yet compared with any option; without a `path` there is no file."""

    path: Path | None = None
    named: bool = False
    """Whether the user named it, and it was not just lying there."""
    keys: Mapping[str, Any] = {}

    def values_for(self, command: Any, serving: Serving) -> dict[str, Any]:
        """Return the values of parameters of *command*, by their names in Python.

        Raises UsageError for a key that is not an option of it, and a value that its option cannot
        have; the tables of other commands are theirs, and so is what only another of *serving* has.
        """
        tables = self.tables
        known = options_of(command)
        found = {}
        for key, value in self.keys.items():
            if key in tables:
                continue
            if key in known and (command.name in SERVING or key in COMMON):
                found[known[key].name] = self._converted(key, known[key], value)
            elif command.name in SERVING:
                theirs = [name for each in serving() for name in options_of(each)]
                if key not in theirs:
                    raise self._unknown(key, [*theirs, *_command_names()])
        for key, value in tables.get(command.name, {}).items():
            if key not in known:
                raise self._unknown(key, known, f"[{command.name}] ")
            found[known[key].name] = self._converted(key, known[key], value)
        return found

    @property
    def tables(self) -> dict[str, Any]:
        """The tables of single commands, by their names."""
        names = _command_names()
        return {
            key: value
            for key, value in self.keys.items()
            if isinstance(value, dict) and key in names
        }

    def _unknown(self, key: str, known: Iterable[str], table: str = "") -> UsageError:
        # Everybody's start would pay for it.
        from difflib import get_close_matches  # noqa: PLC0415

        # 0.5 finds "port" for "prto"; below, anything is like anything.
        nearest = get_close_matches(key, list(known), 1, 0.5)
        hint = f'did you mean "{nearest[0]}"?' if nearest else "all there are: openssl-serve config"
        return UsageError(f'{self.path}: {table}there is no option "{shorten(key)}"', hint)

    def _converted(self, key: str, param: Any, value: Any) -> Any:
        """Return *value* as *param* takes it; paths are relative to the file."""
        if key in CHOOSES_PROGRAM and not self.named:
            raise self._chooses_program(key, f"the variable {param.envvar}")
        if param.multiple:
            items = value if isinstance(value, list) else [value]
            return [self._scalar(key, param, item, " or a list of them") for item in items]
        return self._scalar(key, param, value, "")

    def _chooses_program(self, key: str, instead: str) -> UsageError:
        return UsageError(
            f"{self.path}: {key} chooses a program, which only a file that you name may do",
            f"openssl-serve --config {self.path}, or {instead}",
        )

    def _scalar(self, key: str, param: Any, value: Any, or_more: str) -> Any:
        wanted = _wanted(param)
        if isinstance(value, bool):
            if wanted is bool:
                return value
            if param.name == "cert":
                # As in code-server's own file: true generates a pair, false counts as not given.
                return "" if value else "false"
        elif isinstance(value, int) and wanted is int:
            return value
        elif isinstance(value, int) and param.metavar == "PORT":
            return str(value)
        elif isinstance(value, str) and wanted is str:
            return self._located(key, param, value)
        raise UsageError(
            f"{self.path}: {key} is {described(value)}, and {_WORDS[wanted]}{or_more} is wanted"
        )

    def _located(self, key: str, param: Any, value: str) -> str:
        """Return *value* with the path in it, if any, as seen from the current folder."""
        assert self.path is not None
        # Without an "=", all of it is the last part.
        place, equals, name = value.rpartition("=") if key == "route" else ("", "", value)
        # No shell has replaced a tilde here.
        path = str(self.path.parent / expand(name)) if name else ""
        if key in ("target", "route"):
            exists = os.path.exists(path)
            if not self.named and not exists and _URL.match(name) is None and ":" in name:
                raise self._chooses_program(key, f"openssl-serve {name}")
            return f"{place}{equals}{path if exists else name}"
        names_file = str(param.metavar).strip("[]") == "PATH" and value not in ("", "false")
        # A bare name is looked up in PATH.
        return path if names_file and (key != "openssl" or "/" in value) else value


_WORDS = {bool: "true or false", int: "a number", str: "text"}


def _wanted(param: Any) -> type:
    if getattr(param, "is_flag", False):
        return bool
    return int if param.type.name.startswith("int") else str


def options_of(command: Any) -> dict[str, Any]:
    """Return the parameters of *command* that a file can set, by their names there."""
    found = {}
    for param in command.params:
        if param.envvar and param.envvar != VARIABLE:
            found[_long_name(param)] = param
    return found


def _long_name(param: Any) -> str:
    return str(param.opts[0]).removeprefix("--")


def _command_names() -> list[str]:
    return [command for commands in ROOMS.values() for command in commands]


def read_config(named: str | None) -> Config:
    """Read the file *named*, else the one in the current folder, if any; raises UsageError."""
    if named:
        return Config(expand(named), True, read_file(named))
    path, keys = find_file()
    return Config(path, False, keys)


def config_option(command: Any, serving: Serving) -> Any:
    """Return the option --config for *command*, which has other options with variables."""
    # The opposites of switches are in no list: one word of them has to do.
    has_spa = any(param.name == "spa" for param in command.params)
    more = "; --no-spa takes its spa back, and so on" if has_spa else ""
    return TyperOption(
        param_decls=["--config"],
        metavar="FILE",
        help=f"Options from this TOML file{more}.  [default: {FILE_NAME} here, or pyproject.toml]",
        envvar=VARIABLE,
        # Before all others: it has their values.
        is_eager=True,
        expose_value=False,
        callback=functools.partial(_apply, serving),
    )


def _apply(serving: Serving, ctx: typer.Context, _: Any, named: str | None) -> None:
    ctx.meta[_CONTEXT] = ctx
    if ctx.resilient_parsing:
        return
    config = read_config(named)
    ctx.default_map = config.values_for(ctx.command, serving)
    ctx.meta[_CONFIG] = config
    if config.keys and ctx.command.name in SERVING:
        render.note(f"options from {config.path}")


def file_in_use(ctx: typer.Context) -> Path | None:
    """The file that options were read from, if any."""
    config: Config = ctx.meta.get(_CONFIG, Config())
    return config.path


def origin_hints(program: typer.Context, message: str) -> list[str]:
    """Return a hint for each option in *message* that was not said on the command line.

    Whoever set it once in a file or a variable may look for it in vain.
    """
    ctx = program.meta.get(_CONTEXT)
    if ctx is None:
        return []
    hints = []
    for key, param in options_of(ctx.command).items():
        source = ctx.get_parameter_source(param.name)
        origin = ORIGINS[source.name] if source is not None else "default"
        said = re.search(rf"(?<![\w-])--{re.escape(key)}(?![\w-])", message)
        if said and origin == "environment":
            hints.append(f"--{key} was set by the variable {param.envvar}")
        elif said and origin == "file":
            hints.append(f"--{key} was set in {ctx.meta[_CONFIG].path}")
    return hints
