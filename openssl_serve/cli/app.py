"""The program as a whole: commands, exit codes, and the one place where errors become words."""

import itertools
from typing import Any

import typer
from typer.core import TyperGroup

from openssl_serve import __version__
from openssl_serve.cli import certificates, render, serve
from openssl_serve.errors import OpensslServeError

DEFAULT_COMMAND = "serve"

EXIT_INTERRUPTED = 130
"""What shells report for SIGINT: 128 + 2."""

EXIT_BROKEN_PIPE = 141
"""And for SIGPIPE: 128 + 13."""


class DefaultsToServe(TyperGroup):
    """`openssl-serve [serve] …`: without the name of a command, serve is meant."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put the default command in front of *args* where none is named."""
        if not args or (args[0] not in self.commands and args[0] not in ("--help", "--version")):
            args = [DEFAULT_COMMAND, *args]
        return list(super().parse_args(ctx, args))

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Show the options of serve too: most who ask for help want those."""
        command = self.commands[DEFAULT_COMMAND]
        command.format_options(ctx, formatter)
        super().format_options(ctx, formatter)


app = typer.Typer(
    cls=DefaultsToServe,
    help="HTTPS for a folder in one command, with the openssl already on the machine.\n\n"
    "openssl-serve [serve] [TARGET] [OPTIONS] serves TARGET (default: this folder).",
    add_completion=False,
    no_args_is_help=False,
    # rich costs 50 ms to import, at every --help and usage error.
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


def _version(*, value: bool) -> None:
    if value:
        render.result(f"openssl-serve {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: bool = typer.Option(
        False, "--version", callback=_version, is_eager=True, help="Show the version and leave."
    ),
) -> None:
    _ = version


serve.register(app)
certificates.register(app)


def bare_cert(arguments: list[str]) -> list[str]:
    """Give a bare `--cert` its empty value: it asks for a generated pair, as in code-server.

    What begins with a hyphen is never taken for its value.

    >>> bare_cert(["--cert", "--port", "0"]), bare_cert(["--cert", "a.pem"]), bare_cert([])
    (['--cert=', '--port', '0'], ['--cert', 'a.pem'], [])
    """
    return [
        "--cert=" if word == "--cert" and after.startswith("-") else word
        for word, after in itertools.zip_longest(arguments, arguments[1:], fillvalue="-")
    ]


def run(arguments: list[str]) -> int:
    """Run the command line with *arguments*; return the exit code, with all errors told."""
    try:
        # A pipe that nobody reads any more (| head) ends the program as it ends others.
        code = app(bare_cert(arguments), prog_name="openssl-serve", standalone_mode=False)
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
    except typer.TyperException as error:
        render.usage_error(error)
        return 2
