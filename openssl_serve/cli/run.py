"""`run`: start a development server, and serve it over HTTPS, with the options of `serve`."""

import inspect
import os
import shlex
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from openssl_serve.addresses import Address, parse_port
from openssl_serve.cli.env import trust_variables
from openssl_serve.cli.options import option
from openssl_serve.cli.serve import serve
from openssl_serve.errors import ListenError
from openssl_serve.hosts import parse_host, shorten

if TYPE_CHECKING:
    from openssl_serve.certs.certificate import Certificate
    from openssl_serve.handlers.proxy.upstream import Upstream
    from openssl_serve.server.polyglot import PolyglotServer

NOT_HERE = ("target", "workers", "reload")
"""Parameters of `serve` that make no sense here: the target is the command, and a command beside
several processes would have several parents."""

MAX_SHOWN = 200
"""Characters of the command, where it is named: two lines of a terminal."""


def register(app: typer.Typer) -> None:
    """Add the command to *app*."""
    app.command(
        "run",
        help="Run COMMAND, a development server, and serve it over HTTPS.\n\n"
        "It gets a free port in PORT, and trusts local HTTPS. When it ends, so does the server.",
        # Without "--", the first word that is no option begins the command, and all that follows
        # is its own.
        context_settings={"allow_interspersed_args": False},
    )(run)


def run(
    ctx: typer.Context,
    command: Annotated[
        list[str],
        typer.Argument(
            metavar="COMMAND...", help="Its words; {port} and {host} are where it is to listen."
        ),
    ],
    app_port: Annotated[
        str | None,
        option("Where the command is to listen.  [default: any free port]",
               "--app-port", metavar="PORT"),
    ] = None,
    **options: Any,
) -> int:  # fmt: skip
    """Serve COMMAND until it ends, or a signal ends both."""
    ctx.obj = Beside(command, parse_port(app_port, "--app-port") if app_port else 0)
    return serve(ctx, **options) or 0


def _with_options_of_serve() -> inspect.Signature:
    """What typer reads: an option that `serve` gets is one of `run` as well."""
    own = list(inspect.signature(run).parameters.values())[:-1]
    shared = inspect.signature(serve).parameters.values()
    names = {parameter.name for parameter in own}
    return inspect.Signature(
        [*own, *(each for each in shared if each.name not in {*names, *NOT_HERE})]
    )


run.__signature__ = _with_options_of_serve()  # type: ignore[attr-defined]


class Beside:
    """What is served in place of a target: the server that the command *words* is.

    *port* is where it is to listen; 0 for any that is free.
    """

    def __init__(self, words: Sequence[str], port: int) -> None:
        # Not with the module: --help needs no proxy.
        from openssl_serve.child.sockets import free_address  # noqa: PLC0415
        from openssl_serve.handlers.proxy.moving import MovingUpstream  # noqa: PLC0415

        self._words = words
        self._address = Address("127.0.0.1", port) if port else free_address()
        self.content = MovingUpstream(_upstream(self._address))

    def __str__(self) -> str:
        return shorten(shlex.join(self._words), MAX_SHOWN)

    def serve(
        self,
        server: "PolyglotServer",
        certificates: Sequence["Certificate"],
        ready: Callable[[], object],
    ) -> int:
        """Run the command while *server* serves; return its exit status."""
        from openssl_serve.child.beside import Job, run_beside  # noqa: PLC0415
        from openssl_serve.child.words import completed  # noqa: PLC0415

        self._refuse_taken_port()

        def found(place: Address) -> None:
            self.content.upstream = _upstream(place)

        words = completed(self._words, self._address)
        job = Job(words, self._environment(server, certificates), self._address)
        if server.log.verbose:
            changed = job.environment.items() - os.environ.items()
            server.log.note(f"runs {shlex.join(words)}")
            for name, value in sorted(changed):
                server.log.note(f"  with {name}={value}")
        return run_beside(server, job, found=found, ready=ready)

    def _refuse_taken_port(self) -> None:
        """Raise ListenError if somebody listens already where the command is to."""
        from openssl_serve.child.sockets import is_free  # noqa: PLC0415
        from openssl_serve.server.ports import find_holder  # noqa: PLC0415

        if not is_free(self._address.port):
            holder = find_holder(self._address.port)
            raise ListenError(
                f"--app-port {self._address.port}: the port is in use"
                + (f" ({holder})" if holder else ""),
                "without --app-port, the command gets a free one",
            )

    def _environment(
        self, server: "PolyglotServer", certificates: Sequence["Certificate"]
    ) -> dict[str, str]:
        from openssl_serve.child import environment  # noqa: PLC0415

        environ = environment.without_ours(os.environ)
        places = (place.port for place in server.addresses if isinstance(place, Address))
        return (
            environ
            | environment.listening_variables(self._address, environ)
            | environment.public_variables(certificates[0].facts.names, next(places, None))
            | trust_variables(environ, [each.cert_path for each in certificates])
        )


def _upstream(place: Address) -> "Upstream":
    from openssl_serve.handlers.proxy.upstream import Upstream  # noqa: PLC0415  as above

    return Upstream(parse_host(place.host), place.port)
