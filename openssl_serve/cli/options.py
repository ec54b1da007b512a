"""How an option is declared, so that all of them can be set in the environment too, and read."""

from typing import Any

import typer


def option(help_text: str, *names: str, metavar: str, show: bool = False) -> Any:
    """Make an option that OPENSSL_SERVE_… sets as well; a switch has no *metavar*.

    What a file or a variable switches on, the command line can switch off (`opposite`).
    """
    first, *others = names
    variable = "OPENSSL_SERVE_" + first.removeprefix("--").replace("-", "_").upper()
    return typer.Option(
        first if metavar else f"{first}/{opposite(first)}",
        *others,
        help=help_text,
        metavar=metavar,
        envvar=variable,
        show_envvar=False,
        show_default=show,
    )


def opposite(switch: str) -> str:
    """The name of what takes a switch back.

    >>> opposite("--spa"), opposite("--no-listing")
    ('--no-spa', '--listing')
    """
    name = switch.removeprefix("--")
    return f"--{name.removeprefix('no-')}" if name.startswith("no-") else f"--no-{name}"
