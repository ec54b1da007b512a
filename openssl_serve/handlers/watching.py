"""What changes in a folder, found by looking: one thread, and only while somebody wants to know.

Looking works on every file system and on those of containers and virtual machines, where the
system's own notices (inotify, FSEvents) often do not arrive.
"""

import os
import stat
import threading
import time
from collections import deque
from collections.abc import Callable
from hashlib import blake2b

from openssl_serve.handlers.folder import Folder

Snapshot = dict[bytes, tuple[int, int, int]]
"""Files by path below the root: time of content, size, inode."""

LOOK_EVERY_S = 0.5
"""Between two looks: a page reloads before one has turned to it."""

MAX_SHARE = 20
"""A look is followed by a rest this many times as long: at the most 5 % of one core."""

MAX_WATCHED = 10_000
"""Files and folders that are looked at, those near the root first: a look then takes 50 ms."""

_NOT_WATCHED = frozenset({b"node_modules", b"__pycache__"})
"""Folders of thousands of files that nobody edits."""


def look(folder: Folder) -> Snapshot:
    """Return what is in *folder* now, of what it shows. Links to folders are not followed."""
    found: Snapshot = {}
    waiting = deque([b""])
    left = MAX_WATCHED
    while waiting:
        below = waiting.popleft()
        try:
            with os.scandir(os.path.join(folder.root, below)) as items:
                for item in items:
                    if not left:
                        return found
                    left -= 1
                    if not folder.shows(item.name):
                        continue
                    path = os.path.join(below, item.name)
                    try:
                        if item.is_dir(follow_symlinks=False):
                            if item.name not in _NOT_WATCHED:
                                waiting.append(path)
                            continue
                        status = item.stat()
                    except OSError:
                        # A dangling link, or gone since.
                        continue
                    if stat.S_ISREG(status.st_mode):
                        found[path] = (status.st_mtime_ns, status.st_size, status.st_ino)
        except OSError:
            continue
    return found


def name_of(snapshot: Snapshot) -> str:
    """Return a name for this state of the folder: the same in every process, and after a restart.

    Without inodes and with nothing of this process: pages compare it with the one they knew.
    """
    digest = blake2b(digest_size=12)
    for path, (modified, size, _) in sorted(snapshot.items()):
        digest.update(b"%b\0%d %d\0" % (path, modified, size))
    return digest.hexdigest()


class Watcher:
    """Looks at *folder* while it is wanted, and calls *tell* (from its thread) with each look.

    *tell* gets the state's name and the paths that have changed since the look before; none in the
    first look, and in those that found no change.
    """

    def __init__(self, folder: Folder, tell: Callable[[str, list[bytes]], None]) -> None:
        self._folder = folder
        self._tell = tell
        self._lock = threading.Lock()
        self._wanted = threading.Event()
        self._thread: threading.Thread | None = None
        self._look_now = threading.Event()

    def want(self) -> None:
        """Look from now on, and at once."""
        with self._lock:
            self._wanted.set()
            self._look_now.set()
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(
                    target=self._watch, name="openssl-serve watcher", daemon=True
                )
                self._thread.start()

    def unwant(self) -> None:
        """Look no more; the thread ends."""
        self._wanted.clear()
        self._look_now.set()

    def _watch(self) -> None:
        before: Snapshot | None = None
        while True:
            self._look_now.clear()
            with self._lock:
                if not self._wanted.is_set():
                    self._thread = None
                    return
            began = time.monotonic()
            now = look(self._folder)
            changed = [] if before is None else sorted(
                path for path in now.keys() | before.keys() if now.get(path) != before.get(path)
            )  # fmt: skip
            before = now
            self._tell(name_of(now), changed)
            self._look_now.wait(max(LOOK_EVERY_S, MAX_SHARE * (time.monotonic() - began)))
