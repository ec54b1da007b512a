"""How an option is declared, so that all of them can be set in the environment too."""

from typing import Any

import typer


def option(help_text: str, *names: str, metavar: str, show: bool = False) -> Any:
    """Make an option that OPENSSL_SERVE_… sets as well."""
    variable = "OPENSSL_SERVE_" + names[0].removeprefix("--").replace("-", "_").upper()
    return typer.Option(
        *names,
        help=help_text,
        metavar=metavar,
        envvar=variable,
        show_envvar=False,
        show_default=show,
    )
