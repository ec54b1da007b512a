"""Apps that are loaded again when their code changes: each time by a new process.

Nothing less forgets all of the old code. The process that made the server keeps its listeners
(server/workers.py), so that clients only wait while the next one loads the app.
"""

import atexit
import importlib.util
import os
import sys
import sysconfig
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from importlib.machinery import SourceFileLoader
from typing import TYPE_CHECKING, Any, TypeVar

from openssl_serve.handlers.watching import LOOK_EVERY_S, MAX_SHARE
from openssl_serve.handlers.wsgi.late import LateApp
from openssl_serve.handlers.wsgi.loading import AppName

if TYPE_CHECKING:
    from openssl_serve.server.service import Service

T = TypeVar("T")

_PYTHONS_OWN = tuple({sysconfig.get_path(name) for name in ("stdlib", "platstdlib")})
_INSTALLED = tuple({sysconfig.get_path(name) for name in ("purelib", "platlib")})


class Reloading:
    """The apps of one server that are loaded late, and the look-out for changes of their code."""

    def __init__(self) -> None:
        self.apps: list[LateApp] = []

    def late(self, target: T) -> T | LateApp:
        """Return *target*, if it is an app's name as an app that is loaded late.

        Raises UsageError for a module that there is not.
        """
        if not isinstance(target, AppName):
            return target
        target.find()
        app = LateApp(target)
        self.apps.append(app)
        return app

    def begin(self, server: "Service", changed: Callable[[], None]) -> Callable[[], object]:
        """Load the apps for *server*, in its process; *changed*, in its loop, when code changes.

        Called once in each process, before its loop. Returns what is to be called after that.
        """
        # What another process has left for its exit is not for this one's.
        atexit._clear()  # noqa: SLF001  there is no public name for it, nor for the other

        def tell(path: str) -> None:
            shown = os.path.relpath(path)
            server.log.note(f"{'this folder' if shown == '.' else shown} has changed")
            changed()

        watch = ModuleWatch(lambda path: server.pool.call(lambda: tell(path)))
        watch.follow_imports()
        watch.start()
        for app in self.apps:
            app.load(server.log)
        server.log.flush()
        errors = [app.error for app in self.apps if app.error is not None]
        watch.loaded(*(error.__cause__ for error in errors if error.__cause__ is not None))
        return atexit._run_exitfuncs  # noqa: SLF001


State = tuple[object, ...]


class ModuleWatch:
    """Looks at the files of all modules from a thread; calls *tell* once, with what has changed."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell = tell
        self._known: dict[str, State] = {}
        # Where an app that could not be loaded may be mended.
        self._more: list[str] = []

    def follow_imports(self) -> None:
        """Have a look at each module right before it is read, for the rest of this process.

        What is saved while a module is imported would otherwise be taken for what was imported.
        """
        path_stats = SourceFileLoader.path_stats

        def look_and_stat(loader: SourceFileLoader, path: str) -> Mapping[str, Any]:
            state = _state_of(path)
            if state is not None:
                self._known.setdefault(path, state)
            return path_stats(loader, path)

        SourceFileLoader.path_stats = look_and_stat  # type: ignore[assignment, method-assign]

    def start(self) -> None:
        """Begin to look."""
        self.look()
        threading.Thread(target=self._watch, name="openssl-serve reload", daemon=True).start()

    def loaded(self, *errors: BaseException) -> None:
        """Look also at where *errors* came from, and at what may be put beside that."""
        for error in errors:
            self._more += _files_of(error)
        if errors:
            own = {os.path.dirname(path) for path in (*self._more, *_paths())}
            self._more += {os.getcwd(), *(path for path in own if not path.startswith(_INSTALLED))}
        self.look()

    def look(self) -> str | None:
        """Return a file that is another than at the last look, if there is one."""
        changed = None
        for path in (*_paths(), *self._more):
            state = _state_of(path)
            # An editor may be about to put the new file there.
            if state is None:
                continue
            if self._known.setdefault(path, state) != state:
                changed = changed or path
        return changed

    def _watch(self) -> None:
        while True:
            began = time.monotonic()
            path = self.look()
            if path is not None:
                _forget_compiled(path)
                self._tell(path)
                return
            time.sleep(max(LOOK_EVERY_S, MAX_SHARE * (time.monotonic() - began)))


def _paths() -> Iterator[str]:
    """All files of modules that somebody might edit."""
    # A copy: the app imports more meanwhile.
    for module in list(sys.modules.values()):
        # Not by the attribute: to ask some modules for one is to have them imported.
        path = getattr(module, "__dict__", {}).get("__file__")
        if isinstance(path, str) and (
            not path.startswith(_PYTHONS_OWN) or path.startswith(_INSTALLED)
        ):
            yield path


def _files_of(error: BaseException | None) -> Iterable[str]:
    """The files that *error* and those before it came through."""
    found: dict[str, None] = {}
    while error is not None:
        where = error.__traceback__
        while where is not None:
            found[where.tb_frame.f_code.co_filename] = None
            where = where.tb_next
        if isinstance(error, SyntaxError) and error.filename:
            found[error.filename] = None
        error = error.__cause__ or error.__context__
    return [path for path in found if os.path.isabs(path)]


def _state_of(path: str) -> State | None:
    """What *path* is now; of a folder, which modules may be in it. None when it is not there."""
    with suppress(OSError):
        if os.path.isdir(path):
            return tuple(sorted(name for name in os.listdir(path) if _may_be_imported(name)))
        status = os.stat(path)
        return (status.st_mtime_ns, status.st_size, status.st_ino)
    return None


def _may_be_imported(name: str) -> bool:
    return name.endswith(".py") or ("." not in name and name != "__pycache__")


def _forget_compiled(path: str) -> None:
    """Remove what Python keeps of *path* in __pycache__.

    It is compared by size and whole seconds, so two versions of one second could be taken for one.
    """
    if path.endswith(".py"):
        with suppress(OSError, NotImplementedError):
            os.unlink(importlib.util.cache_from_source(path))
