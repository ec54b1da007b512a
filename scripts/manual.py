"""Writes the manual page openssl-serve(1) from the program's own commands and options.

scripts/hatch_build.py puts it into the wheel; `python scripts/manual.py | man -l -` shows it. It is
set in man(7), which groff and mandoc both read.
"""

import inspect
import itertools
import os
import re
import sys
import textwrap
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from openssl_serve import __doc__ as SUMMARY  # noqa: N812
from openssl_serve import __version__, errors
from openssl_serve.cli.commands import DEFAULT_COMMAND, ROOMS, SERVING
from openssl_serve.cli.help import EXAMPLES, described, is_argument, metavar, sections, usage_of
from openssl_serve.cli.program import commands_named

DESCRIPTION = """
openssl-serve makes a certificate with the openssl program of this machine, keeps it for the next
time, and serves TARGET over HTTPS. Plain HTTP on the same port is sent to HTTPS. Without a command,
serve is meant.

The URLs are printed on standard output as soon as they answer, all else on standard error. Ctrl-C
ends it. It is for development only: whoever can read the private key can pose as this server.
"""

CONFIGURATION = """
Every option that has an environment variable can be set in a file too: openssl-serve.toml in the
current folder, the table [tool.openssl-serve] of its pyproject.toml, or what --config names. The
name there is that of the option without its hyphens in front; tables like [generate] are for single
commands. The command line wins over the environment, that over the file: a switch that is set there
is taken back by its opposite, --no-spa, or --listing for --no-listing. openssl-serve config shows
what holds and where it comes from.
"""

VARIABLES = (
    "Most options can be set so: --cert-host as OPENSSL_SERVE_CERT_HOST. Flags are 1 or 0; values "
    "of an option that can be repeated have spaces between them, those of --header line breaks."
)

ENVIRONMENT = {
    "OPENSSL_SERVE_HOME": "The folder of kept certificates, instead of the user's data folder.",
    "OPENSSL_SERVE_KEY_PASSWORD": "The password of --cert-key.",
    "OPENSSL_SERVE_EXPORT_PASSWORD": "The password of what export writes.",
    "NO_COLOR, CLICOLOR=0": "No colours, on a terminal either.",
    "FORCE_COLOR, CLICOLOR_FORCE": "Colours in a pipe too.",
}

FILES = {
    "~/.local/share/openssl-serve/my_dev_local.crt": "The certificate of my.dev.local (Linux).",
    "~/.local/share/openssl-serve/my_dev_local.key": "Its private key.",
    "~/Library/Application Support/openssl-serve/": "The same on macOS.",
    "openssl-serve.toml": "Options for the folder that it is in.",
}


def page() -> str:
    """The whole page."""
    commands = {command.name: command for command in commands_named(sum(ROOMS.values(), ()))}
    serve = commands.pop(DEFAULT_COMMAND)
    lines = [
        f'.TH OPENSSL\\-SERVE 1 "{_date()}" "openssl\\-serve {__version__}" "User Commands"',
        ".SH NAME",
        *_filled(f"openssl-serve \\- {(SUMMARY or '').splitlines()[0].rstrip('.')}"),
        ".SH SYNOPSIS",
        *_synopsis(serve, "\\fR[\\fBserve\\fR]\\fB"),
        *(line for command in commands.values() for line in (".br", *_synopsis(command))),
        ".SH DESCRIPTION",
        *_paragraphs(DESCRIPTION),
        ".SH OPTIONS",
        *_arguments(serve),
        *(
            line
            for heading, options in sections(serve, serve.params)
            for line in (f".SS {escaped(heading)}", *_parameters(options))
        ),
        *_definitions(
            {
                "--help, -h": "Show the options, and leave.",
                "--version": "Show the versions, and leave.",
            }
        ),
        ".SH COMMANDS",
        *(line for command in commands.values() for line in _command(command)),
        ".SH CONFIGURATION",
        *_paragraphs(CONFIGURATION),
        ".SH ENVIRONMENT",
        ".TP",
        "\\fBOPENSSL_SERVE_\\fIOPTION\\fR",
        *_filled(VARIABLES),
        *_definitions(ENVIRONMENT),
        ".SH FILES",
        *_definitions(FILES),
        ".SH EXIT STATUS",
        *_definitions({str(code): words for code, words in _exit_codes()}),
        ".SH EXAMPLES",
        *_definitions(dict(itertools.chain(*EXAMPLES.values()))),
        ".SH SEE ALSO",
        ".BR openssl (1),",
        ".BR curl (1)",
    ]
    return "\n".join(lines) + "\n"


def escaped(words: str) -> str:
    r"""*words* as they are to appear, whatever they mean to roff.

    >>> escaped("a\\b"), escaped("it's --no-x, read-only …")
    ('a\\eb', 'it\\(aqs \\-\\-no\\-x, read-only \\[u2026]')
    """
    found = re.sub(r"\\(?!-)", r"\\e", words).replace("'", "\\(aq").replace("~", "\\(ti")
    # What is typed has minus signs: a hyphen could not be searched for, nor copied.
    found = re.sub(r"(?<![\w\\-])-[\w-]*|\bopenssl-serve\b", _literal, found)
    return "".join(c if c.isascii() else f"\\[u{ord(c):04X}]" for c in found)


def _literal(match: re.Match[str]) -> str:
    return match[0].replace("-", "\\-")


def typed(words: str) -> str:
    """*words* that are typed as they are."""
    return escaped(words).replace("\\-", "-").replace("-", "\\-")


def _filled(words: str) -> Iterator[str]:
    """*words* in lines that are easy to compare, none of which is a request."""
    for line in textwrap.wrap(escaped(words), 78, break_on_hyphens=False, break_long_words=False):
        yield f"\\&{line}" if line.startswith(".") else line


def _date() -> str:
    """The day of the build; fixed by SOURCE_DATE_EPOCH, for builds that are to be the same."""
    seconds = float(os.environ.get("SOURCE_DATE_EPOCH") or time.time())
    return time.strftime("%Y-%m-%d", time.gmtime(seconds))


def _paragraphs(words: str) -> Iterator[str]:
    for number, paragraph in enumerate(words.strip().split("\n\n")):
        if number:
            yield ".PP"
        yield from _filled(" ".join(paragraph.split()))


def _definitions(entries: dict[str, str]) -> Iterator[str]:
    for term, words in entries.items():
        yield from (".TP", f"\\fB{typed(term)}\\fR", *_filled(words))


def _synopsis(command: Any, name: str | None = None) -> Iterator[str]:
    words = [f"\\fBopenssl\\-serve {name or command.name}\\fR"]
    if not all(map(is_argument, command.params)):
        words.append("[\\fIOPTIONS\\fR]")
    for argument in filter(is_argument, command.params):
        term = f"\\fI{typed(metavar(argument))}\\fR"
        is_left_out = usage_of(argument) != metavar(argument)
        words.append(f"[{term}]" if is_left_out else term)
    yield " ".join(words)


def _command(command: Any) -> Iterator[str]:
    yield f".SS {typed(command.name)}"
    yield from _filled(" ".join(command.help.split()))
    yield from _arguments(command)
    for heading, options in sections(command, command.params):
        if command.name in SERVING:
            yield from (".PP", f"{escaped(heading)}:")
        yield from _parameters(options)


def _arguments(command: Any) -> Iterator[str]:
    return _parameters(filter(is_argument, command.params))


def _parameters(params: Iterable[Any]) -> Iterator[str]:
    """Every one of *params* with its help."""
    for param in params:
        term = f"\\fI{typed(metavar(param))}\\fR"
        if not is_argument(param):
            names = ", ".join(f"\\fB{typed(name)}\\fR" for name in param.opts)
            term = f"{names} {term}" if metavar(param) else names
        yield from (".TP", term, *_filled(" ".join(described(param).split())))


def _exit_codes() -> Iterator[tuple[int, str]]:
    """The codes of all errors, with what their classes say of them."""
    yield 0, "All is done."
    found = {1: "Any other error."}
    for each in vars(errors).values():
        if not isinstance(each, type) or not issubclass(each, errors.OpensslServeError):
            continue
        if each.__base__ is errors.OpensslServeError:
            found.setdefault(each.exit_code, inspect.cleandoc(each.__doc__ or ""))
    yield from sorted(found.items())


if __name__ == "__main__":
    sys.stdout.write(page())
