"""The data folder: private, locked, and changed so that a crash at any point leaves it whole.

It knows nothing of certificates. How files come to be there together:

1. Everything is made in a stage, a hidden folder inside, under the exclusive lock.
2. The stage is synced and renamed to "ready". That is the commit.
3. The files are renamed into place, and the ready folder goes.

Whoever takes the lock next finishes step 3 for a ready folder, and deletes a stage: its maker
is dead, since it would hold the lock.
"""

import errno
import fcntl
import os
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from openssl_serve.errors import StoreError, reason_of

LOCK_TIMEOUT_S = 120
"""Twice the time limit of one call of openssl: whoever holds the lock longer does not work."""

_LOCK, _STAGE, _READY = ".lock", ".stage-", ".ready-"


class Folder:
    """One data folder, which need not exist yet."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @contextmanager
    def reading(self) -> Iterator[None]:
        """While this lasts, nobody changes the folder. Writes nothing, and needs no right to."""
        try:
            lock = os.open(self.path / _LOCK, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            # No lock file: nobody has written here, or somebody who no longer can.
            yield
            return
        with self._held(lock, fcntl.LOCK_SH, optional=True):
            yield

    @contextmanager
    def writing(self) -> Iterator[None]:
        """While this lasts, the folder is ours alone, and what a crash left has been mended.

        Makes the folder. Raises StoreError, also for an OSError within.
        """
        with self._explained():
            _make_private(self.path)
            lock = os.open(self.path / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            with self._held(lock, fcntl.LOCK_EX):
                self._recover()
                yield

    def has_leftovers(self) -> bool:
        """Whether a crash left something to mend; ask while reading."""
        try:
            return any(_is_leftover(name) for name in os.listdir(self.path))
        except OSError:
            return False

    @contextmanager
    def stage(self) -> Iterator[Path]:
        """A private folder to work in, gone at the end; only while writing."""
        stage = self.path / f"{_STAGE}{os.urandom(8).hex()}"
        stage.mkdir(0o700)
        try:
            yield stage
        finally:
            _remove(stage)

    def publish(self, stage: Path, names: list[str]) -> None:
        """Make the files *names* in *stage* visible, all or none, over what has these names."""
        for name in os.listdir(stage):
            if name not in names:
                (stage / name).unlink()
        for name in names:
            _sync(stage / name)
        _sync(stage)
        ready = stage.with_name(stage.name.replace(_STAGE, _READY))
        stage.rename(ready)
        _sync(self.path)
        self._finish(ready)

    def set_aside(self, path: Path) -> Path:
        """Rename what is at *path* so that its name is free; the new path."""
        for number in range(1, 1000):
            aside = path.with_name(f"{path.name}.aside-{number}")
            if not os.path.lexists(aside):
                path.rename(aside)
                return aside
        raise StoreError(f"{path}: a thousand files were set aside here", "remove some of them")

    @contextmanager
    def _held(self, lock: int, how: int, *, optional: bool = False) -> Iterator[None]:
        try:
            try:
                self._wait_for(lock, how)
            except OSError:
                # A file system without locks (some of NFS): reading does without.
                if not optional:
                    raise
            yield
        finally:
            os.close(lock)

    def _wait_for(self, lock: int, how: int) -> None:
        """Take the lock. Polled, because a blocking flock has no time limit."""
        pause, deadline = 0.001, time.monotonic() + LOCK_TIMEOUT_S
        while True:
            try:
                fcntl.flock(lock, how | fcntl.LOCK_NB)
            except BlockingIOError as error:
                if time.monotonic() > deadline:
                    raise StoreError(
                        f"{self.path / _LOCK}: another process has held the lock for "
                        f"{LOCK_TIMEOUT_S} s",
                        f"is it stopped? fuser {self.path / _LOCK} names it",
                    ) from error
                time.sleep(pause)
                pause = min(pause * 2, 0.05)
            else:
                return

    def _recover(self) -> None:
        for name in filter(_is_leftover, os.listdir(self.path)):
            if name.startswith(_READY):
                self._finish(self.path / name)
            else:
                _remove(self.path / name)

    def _finish(self, ready: Path) -> None:
        # A key before its certificate (.key, .crt): whoever sees the certificate can use it.
        for name in sorted(os.listdir(ready), reverse=True):
            (ready / name).replace(self.path / name)
        ready.rmdir()
        _sync(self.path)

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            path = Path(str(error.filename or self.path))
            if any(map(_is_leftover, path.parts)):
                # Of which only we know the name.
                path = self.path
            why = reason_of(error)
            hint = "use another folder: OPENSSL_SERVE_HOME=/path/to/folder"
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                hint = f"make room, or {hint}"
            raise StoreError(f"{path}: cannot be written: {why}", hint) from error


def _is_leftover(name: str) -> bool:
    return name.startswith((_STAGE, _READY))


def _make_private(path: Path) -> None:
    """Make the folder and its parents 0700, as the XDG base directories ask for."""
    if not path.is_dir():
        missing = [path, *(p for p in path.parents if not p.exists())]
        for folder in reversed(missing):
            with suppress(FileExistsError):
                folder.mkdir(0o700)
    if not path.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(path))
    status = path.stat()
    shared = status.st_mode & stat.S_ISVTX or str(path) == os.path.expanduser("~")
    # Not /tmp and not the home: somebody named them, but they are not ours alone.
    if status.st_mode & 0o077 and status.st_uid == os.geteuid() and not shared:
        path.chmod(0o700)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _remove(folder: Path) -> None:
    """Remove a stage, as far as possible.

    An openssl whose parent was killed may still write there; the next start removes the rest.
    """
    with suppress(FileNotFoundError):
        for name in os.listdir(folder):
            with suppress(OSError):
                (folder / name).unlink()
        with suppress(OSError):
            folder.rmdir()
