"""Where the command's server really is: the port that it was given, or the one that it took."""

import threading
import time
from collections.abc import Callable

from openssl_serve.addresses import Address
from openssl_serve.child.sockets import listening

FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.05, 1.0
"""Between looks, each twice as long as the one before: a start takes a tenth of a second or ten."""

TIRED_PAUSE_S = 5.0
"""Between looks once it was said that nothing was found: a look takes 20 ms."""

SETTLED_PAUSE_S = 2.0
"""Between looks once it was found, 5 ms each; who restarts may come back on another port."""

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
        look: Callable[[int | None], set[Address]] = listening,
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
        while not self._ended.wait(pause):
            now = time.monotonic()
            place = self.choose(now)
            if self._ended.is_set():
                return
            if place not in (None, self._place):
                self._place, pause = place, SETTLED_PAUSE_S
                self._found(place)
            elif self._place is None and now < told_at:
                pause = min(pause * 2, LONGEST_PAUSE_S)
            elif self._place is None and pause != TIRED_PAUSE_S:
                pause = TIRED_PAUSE_S
                self._missing()

    def choose(self, now: float) -> Address | None:
        """Choose among what is open: the given port whoever has it, else what stays open.

        None while there is nothing to choose; what was chosen before stays while it is open.
        """
        everybody = self._look(None)
        given = [each for each in everybody if each.port == self._given.port]
        if given:
            # A container's port is opened by another process; nobody else had this one.
            return self._given if self._given in given else min(given)
        if self._place in everybody:
            return self._place
        self._seen = {each: self._seen.get(each, now) for each in self._look(self._group)}
        settled = [
            each
            for each, since in self._seen.items()
            if each.port not in DEBUGGERS and now - since >= SETTLE_S
        ]
        return min(settled, key=lambda each: (self._seen[each], each.port), default=None)
