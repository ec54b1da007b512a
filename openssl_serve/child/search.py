"""Where the command's server really is: the port that it was given, or the one that it took."""

import threading
import time
from collections.abc import Callable

from openssl_serve.child.sockets import Listening, listening
from openssl_serve.hosts import Address

FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.05, 1.0
"""Between looks, each twice as long as the one before: a start takes a tenth of a second or ten."""

SETTLED_PAUSE_S = 2.0
"""Between looks once it was found; a server that restarts may come back on another port."""

SETTLE_S = 0.5
"""For how long another port must have been open: a helper's may come before the one given."""

PATIENCE_S = 10.0
"""After which is said that nothing was found yet; bundlers of large sites take so long."""

DEBUGGERS = frozenset({*range(9229, 9240), 5678, 5858})
"""Where Node.js (--inspect, and its workers) and debugpy wait for a debugger, which is no HTTP."""


class Search:
    """Looks for the server of a process *group* in a thread, until it is stopped.

    *found* is called with each place that is new, *missing* once, if nothing was found for long;
    both in the thread.
    """

    def __init__(
        self,
        group: int,
        given: Address,
        found: Callable[[Address], object],
        missing: Callable[[], object],
        look: Callable[[int], Listening] = listening,
    ) -> None:
        self._group = group
        self._given = given
        self._found = found
        self._missing = missing
        self._look = look
        self._place: Address | None = None
        self._seen: dict[Address, float] = {}
        """Since when, by the monotonic clock, other addresses are open."""
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="port search", daemon=True)

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def stop(self) -> None:
        """Look no more, and call nothing from now on."""
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        pause, told_at = FIRST_PAUSE_S, time.monotonic() + PATIENCE_S
        while not self._ended.wait(SETTLED_PAUSE_S if self._place else pause):
            pause = min(pause * 2, LONGEST_PAUSE_S)
            now = time.monotonic()
            place = self.choose(self._look(self._group), now)
            if self._ended.is_set():
                return
            if place not in (None, self._place):
                self._place = place
                self._found(place)
            elif self._place is None and now >= told_at:
                told_at = float("inf")
                self._missing()

    def choose(self, open_now: Listening, now: float) -> Address | None:
        """Choose among what is *open_now*: the given port whoever has it, else what stays open.

        None while there is nothing to choose; what was chosen before stays while it is open.
        """
        given = [each for each in open_now.everybody if each.port == self._given.port]
        if given:
            # A container's port is opened by another process; nobody else had this one.
            return self._given if self._given in given else min(given)
        self._seen = {each: self._seen.get(each, now) for each in open_now.group}
        if self._place in self._seen:
            return self._place
        settled = [
            each
            for each, since in self._seen.items()
            if each.port not in DEBUGGERS and now - since >= SETTLE_S
        ]
        return min(settled, key=lambda each: (self._seen[each], each.port), default=None)
