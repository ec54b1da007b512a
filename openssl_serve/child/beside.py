"""A command beside a server: started, searched for its port, and ended with the server."""

import contextlib
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from openssl_serve.addresses import Address
from openssl_serve.child.command import Command
from openssl_serve.child.search import Search
from openssl_serve.child.supervisor import Supervisor
from openssl_serve.child.terminal import Terminal
from openssl_serve.server.listeners import tell_service_manager
from openssl_serve.server.polyglot import PolyglotServer


@dataclass(frozen=True, slots=True)
class Job:
    """What is run beside a server."""

    words: Sequence[str]
    environment: Mapping[str, str]
    """All that it gets."""
    address: Address
    """Where it has been told to listen."""


def run_beside(
    server: PolyglotServer,
    job: Job,
    *,
    found: Callable[[Address], object],
    ready: Callable[[], object] = lambda: None,
) -> int:
    """Run *job* while *server* serves; return its exit status, as a shell has it.

    *found* is called in the loop with the place where it listens, as often as that changes. When
    the command ends, or a signal asks for the end, both end, with what is left of the command's
    process group. *ready* is called when signals are taken care of, just before the first request
    can be. Only for the main thread. Raises CommandError.
    """
    terminal = Terminal.controlling()
    with contextlib.ExitStack() as stack:
        if terminal is not None:
            stack.callback(terminal.close)

        def begin(command: Command) -> None:
            ready()
            tell_service_manager("READY=1")
            search = _search(server, command.group, job.address, found)
            search.start()
            stack.callback(search.stop)

        status = Supervisor(server, terminal).run(
            lambda: Command(job.words, job.environment), begin
        )
        tell_service_manager("STOPPING=1")
        return status


def _search(
    server: PolyglotServer, group: int, given: Address, found: Callable[[Address], object]
) -> Search:
    began, missed = time.monotonic(), False

    def moved(place: Address) -> None:
        nonlocal missed
        instead = f", not on port {given.port} as told" if place.port != given.port else ""
        after = f" after {time.monotonic() - began:.0f} s" if missed else ""
        if instead or after or server.log.verbose:
            server.log.note(f"the command listens on {place}{instead}{after}")
        missed = False
        found(place)

    def missing() -> None:
        nonlocal missed
        missed = True
        server.log.note(
            f"the command listens nowhere after {time.monotonic() - began:.0f} s; it was given "
            f"PORT={given.port}, and {{port}} in its words stands for that"
        )

    return Search(
        group,
        given,
        lambda place: server.pool.call(lambda: moved(place)),
        lambda: server.pool.call(missing),
    )
