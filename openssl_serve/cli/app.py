"""The program as a whole: exit codes, and the one place where errors become words.

How the commands are put together for the parser is in program.py, which not every start needs.
"""

import gc
import os

from openssl_serve.cli import interrupts, render
from openssl_serve.cli.commands import SERVING, bare_cert, complete
from openssl_serve.errors import AppError, OpensslServeError, UsageError, reason_of

COMPLETION_VARIABLE = "_OPENSSL_SERVE_COMPLETE"
"""Set by a shell that asks what can follow."""

EXIT_INTERRUPTED = 130
"""What shells report for SIGINT: 128 + 2."""

EXIT_BROKEN_PIPE = 141
"""And for SIGPIPE: 128 + 13."""


def run(arguments: list[str]) -> int:
    """Run the command line with *arguments*; return the exit code, with all errors told."""
    try:
        if arguments == ["--version"]:
            from openssl_serve.cli.version import tell  # noqa: PLC0415  needs no parser

            tell()
            return 0
        if shell := os.environ.get(COMPLETION_VARIABLE):
            from openssl_serve.cli.completion import respond  # noqa: PLC0415  at a Tab alone

            respond(shell, arguments)
            return 0
        return _parse_and_run(arguments)
    except OpensslServeError as error:
        if isinstance(error, AppError):
            render.passage(error.trace)
        render.error(str(error), *_meant(error, arguments), *error.hints)
        return error.exit_code
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        # A pipe that nobody reads any more (| head) ends the program as it ends others.
        render.drop_results()
        return EXIT_BROKEN_PIPE
    except OSError as error:
        # A full disk behind stdout; whoever opens a file says what is wrong with it.
        render.drop_results()
        render.error(f"{error.filename or 'standard output'}: {reason_of(error)}")
        return 1


def _meant(error: OpensslServeError, arguments: list[str]) -> list[str]:
    if not isinstance(error, UsageError):
        return []
    from openssl_serve.cli.usage import meant_command  # noqa: PLC0415  seldom needed

    return meant_command(arguments)


def _parse_and_run(arguments: list[str]) -> int:
    # 45 ms, more than all else that --version and a Tab take.
    import typer  # noqa: PLC0415

    from openssl_serve.cli.program import make_app  # noqa: PLC0415

    words, rooms = complete(arguments)
    if rooms[0] in SERVING:
        # `path HOST --cert` takes no value.
        words = bare_cert(words)
    app = make_app(rooms)
    if rooms[0] not in SERVING:
        # Those have the server to import, and say for themselves when they begin.
        interrupts.raise_again()
    if not gc.isenabled():
        # It was off for the imports. To look at what they brought again and again would take time
        # from every server.
        gc.freeze()
        gc.enable()
    try:
        code = app(words, prog_name="openssl-serve", standalone_mode=False)
    except typer.Abort:
        return EXIT_INTERRUPTED
    except typer.TyperException as error:
        from openssl_serve.cli.usage import error_of  # noqa: PLC0415  seldom needed

        raise error_of(error) from error
    except SystemExit as leaving:
        # The parser's answer to a pipe that nobody reads any more is to leave with 1.
        if isinstance(leaving.__context__, BrokenPipeError):
            raise leaving.__context__ from None
        raise
    return code if isinstance(code, int) else 0
