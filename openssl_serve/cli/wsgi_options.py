"""Options of `serve` about WSGI apps: how many threads they have, and when they are loaded."""

import atexit
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from openssl_serve.cli.options import option
from openssl_serve.errors import UsageError

if TYPE_CHECKING:
    from openssl_serve.handlers.wsgi.reloading import Reloading
    from openssl_serve.server.limits import Limits
    from openssl_serve.targets import Route, Target

MAX_THREADS = 1000
"""More would only wait for each other; each has a stack of its own."""

Threads = Annotated[
    int, option("Requests that an app answers at once.", "--threads", metavar="N", show=True)
]
Reload = Annotated[bool, option("Load an app again when its code changes.", "--reload", metavar="")]


def limits(threads: int) -> "Limits":
    """Return the usual limits, with so many *threads* for apps; raises UsageError."""
    from openssl_serve.server.limits import Limits  # noqa: PLC0415  not for --help

    if not 1 <= threads <= MAX_THREADS:
        raise UsageError(f"--threads {threads}: from 1 to {MAX_THREADS} make sense")
    return replace(Limits(), app_threads=threads)


def loaded(target: "Target") -> "Target":
    """Return *target*, or the app that it names, loaded; raises UsageError and AppError."""
    if isinstance(target, Path):
        return target
    from openssl_serve.handlers.wsgi.loading import AppName  # noqa: PLC0415  not for a folder

    return target.load() if isinstance(target, AppName) else target


def loaded_late(
    target: "Target", routes: "tuple[Route, ...]"
) -> "tuple[Reloading, Target, tuple[Route, ...]]":
    """Return *target* and *routes* with apps that are loaded late, and what loads them.

    Raises UsageError when none of them is an app.
    """
    from openssl_serve.handlers.wsgi.reloading import Reloading  # noqa: PLC0415  seldom wanted

    reloading = Reloading()
    late = reloading.late(target)
    routes = tuple(replace(route, target=reloading.late(route.target)) for route in routes)
    if not reloading.apps:
        raise UsageError(
            "--reload is for WSGI apps, and none is served",
            "an app: openssl-serve app:app --reload",
            "pages of a folder: openssl-serve --live-reload",
        )
    return reloading, late, routes


def tidy_up() -> None:
    """Run what an app has left for the exit of Python: this program just leaves (__main__.py)."""
    if "openssl_serve.handlers.wsgi.call" in sys.modules:
        atexit._run_exitfuncs()  # noqa: SLF001  there is no public name for it
