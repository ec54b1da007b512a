"""The loop: descriptors, deadlines, and calls from other threads, one turn after another."""

import time
from collections.abc import Callable
from selectors import EVENT_READ

from openssl_serve.server.access_log import AccessLog
from openssl_serve.server.limits import Limits
from openssl_serve.server.offload import Pool
from openssl_serve.server.participant import Participant, Watcher
from openssl_serve.server.readiness import Watched, readiness


class Loop:
    """Calls participants when their time has come. One thread's, but for what `pool` takes."""

    def __init__(self, log: AccessLog, limits: Limits) -> None:
        self.log = log
        self.limits = limits
        self.clock = time.monotonic
        self.now = self.clock()
        """When this turn began, by the clock in seconds."""
        self.connections: dict[int, Participant] = {}
        """All that is in the loop, by descriptor."""
        self._open()

    def _open(self) -> None:
        self.pool = Pool(self.limits.threads, self.limits.app_threads)
        self._ready = readiness()
        self._ready.watch(self.pool.fileno(), EVENT_READ, Watcher(self.pool.deliver))

    def after_fork(self) -> None:
        """Give this process, a child, a loop of its own; only before the first turn."""
        self._ready.close()
        self.pool.close()
        self._open()

    def close_loop(self) -> None:
        """Give back what the system keeps for this."""
        self._ready.close()
        self.pool.close()

    # Turns.

    def turn(self, until: float) -> None:
        """Wait until something is ready, or until *until* by the clock, and take the steps."""
        ready = self._ready.wait(max(0.0, until - self.clock()))
        self.now = self.clock()
        self.service_actions()
        for watched in ready:
            self.guard(watched, watched.on_ready)

    def service_actions(self) -> None:
        """Do what each turn needs before its steps."""

    def guard(self, watched: Watched | None, step: Callable[[], None]) -> None:
        """Take a *step*; a fault of ours in it ends one connection, not the others."""
        try:
            step()
        except Exception as error:  # noqa: BLE001  whatever it is
            self.log.note(f"a connection or chore failed: {type(error).__name__}: {error}")
            if isinstance(watched, Participant):
                self._close_faulty(watched)

    def _close_faulty(self, participant: Participant) -> None:
        """Close a participant that may be in any state, and be rid of it whatever happens."""
        try:
            participant.close()
        except Exception as error:  # noqa: BLE001  as above
            self.log.note(f"and its end failed: {type(error).__name__}: {error}")
            self.forget(participant)

    def end_overdue(self) -> None:
        """Tell all whose deadline has passed."""
        for each in [each for each in self.connections.values() if each.deadline <= self.now]:
            self.guard(each, each.on_deadline)

    # What is in it.

    def watch(self, participant: Participant, events: int) -> None:
        """Call the participant's `on_ready` at *events* from now on; 0 for none."""
        if events == participant.watched:
            return
        if not participant.watched:
            self._ready.watch(participant.fd, events, participant)
        elif events:
            self._ready.change(participant.fd, events, participant)
        else:
            self._ready.unwatch(participant.fd)
        participant.watched = events

    def add(self, participant: Participant, events: int) -> None:
        """Put *participant*, with a descriptor that is new here, into the loop."""
        self.connections[participant.fd] = participant
        self.watch(participant, events)

    def adopt(self, heir: Participant, watched: int = EVENT_READ) -> None:
        """Put *heir* where the participant with its descriptor was, which *watched* so much."""
        self.connections[heir.fd] = heir
        heir.watched = watched
        if watched:
            self._ready.change(heir.fd, watched, heir)

    def forget(self, participant: Participant) -> None:
        """Drop a participant that closes itself."""
        self.watch(participant, 0)
        self.connections.pop(participant.fd, None)

    def listen_to(self, fd: int, on_ready: Callable[[], None]) -> None:
        """Call *on_ready* whenever the server's own descriptor *fd* can be read."""
        self._ready.watch(fd, EVENT_READ, Watcher(on_ready))

    def ignore(self, fd: int) -> None:
        """Undo `listen_to`; before *fd* is closed."""
        self._ready.unwatch(fd)
