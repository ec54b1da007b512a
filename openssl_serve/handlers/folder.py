"""A folder as seen through targets: what a target names in it, and what is never shown.

The decision is taken on the decoded name and on the opened file, never on the raw target, so
that no spelling of a name gets past it. Forbidden and missing are told apart by nobody.
"""

import errno
import os
import stat
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote_to_bytes

from openssl_serve.errors import HttpError, UsageError, reason_of
from openssl_serve.hosts import shorten

SECRET_SUFFIXES = (b".key", b".pem", b".p12", b".pfx", b".jks", b".keystore")
"""Of names that hold keys as a rule, in lower case."""

SECRET_NAME = b"openssl-serve.toml"
"""Our own configuration, in lower case: it may hold a password."""

_ATTEMPTS = 8
"""To open a file that is being replaced. The moment in which another can come is a few
microseconds; one that comes every time is somebody's game with a link."""

_PUBLIC_DOT_NAME = b".well-known"
"""RFC 8615: the one name with a dot that is there to be asked for."""


def not_found() -> HttpError:
    """Return a 404 in always the same words, for what is missing and for what is not shown.

    A new one each time: an exception that is raised again keeps the frames of every time before.
    """
    return HttpError(404, "there is nothing here")


class Opened(NamedTuple):
    """A regular file, opened and found to be inside the folder; whoever has it closes `fd`."""

    fd: int
    path: bytes
    status: os.stat_result


@dataclass(frozen=True, slots=True)
class FolderOptions:
    """What of a folder is shown, and how."""

    index: tuple[str, ...] = ("index.html", "index.htm")
    """File names that stand for their folder, first found first."""
    hidden: bool = False
    """Whether dotfiles and key files are shown."""
    listing: bool = True
    """Whether a folder without an index file is listed."""
    compression: bool = True
    """Whether clients that take it get compressed siblings, and text as gzip."""
    spa: bool = False
    """Whether a page that is not there is the root's index: its script knows the page."""
    cache_s: int | None = None
    """How long a file may be used again without asking, in seconds; None to ask each time."""
    follow_symlinks: bool = False
    """Whether links may lead out of the folder; not to dotfiles and keys, unless `hidden`."""
    live_reload: bool = False
    """Whether pages get a script that reloads them when a file changes."""
    never: tuple[Path, ...] = ()
    """Files that are never served, whatever their name, besides the key in use."""


class Folder:
    """The tree below *root*. Raises UsageError when that is no folder that can be read."""

    def __init__(
        self,
        root: Path,
        *,
        hidden: bool = False,
        follow_symlinks: bool = False,
        never: Iterable[Path] = (),
    ) -> None:
        self._hidden = hidden
        self._follows = follow_symlinks
        try:
            self.root = os.fsencode(os.path.realpath(root, strict=True))
            os.scandir(self.root).close()
        except OSError as error:
            raise UsageError(
                f'cannot serve "{shorten(str(root))}": {reason_of(error)}',
                "name a folder: openssl-serve path/to/folder",
            ) from error
        self._prefix = self.root.rstrip(b"/") + b"/"
        self._never = [os.path.abspath(path) for path in never]

    def segments(self, target: bytes) -> list[bytes]:
        """Decode the path of *target*, once, into names. Raises HttpError 400 or 404.

        An empty last name means that the path ended with a slash.
        """
        path = target.partition(b"?")[0]
        if b"%" in path:
            path = unquote_to_bytes(path)
            if b"\0" in path:
                raise HttpError(400, "the target has a NUL")
        names = path.split(b"/")
        last = names[-1]
        names = [name for name in names if name not in (b"", b".")]
        if b".." in names or not all(map(self.shows, names)):
            raise not_found()
        if last in (b"", b"."):
            names.append(b"")
        return names

    def shows(self, name: bytes) -> bool:
        """Whether a file or folder of this *name* may be seen."""
        if self._hidden:
            return True
        if name.startswith(b"."):
            return name == _PUBLIC_DOT_NAME
        name = name.lower()
        return name != SECRET_NAME and not name.endswith(SECRET_SUFFIXES)

    def path_of(self, names: Iterable[bytes]) -> bytes:
        """Return the path of what *names* lead to; nothing is resolved."""
        return self._prefix + b"/".join(names)

    def contains(self, path: bytes) -> bool:
        """Whether *path*, with all its links followed, is inside the folder and may be seen."""
        real = os.path.realpath(path)
        return real == self.root or self._may_be_seen(real)

    def is_key(self, status: os.stat_result) -> bool:
        """Whether *status* is that of a file which is never shown, whatever its name."""
        # Asked each time: a key that was renewed is another file than at the start.
        return any(_is_at(path, status) for path in self._never)

    def _may_be_seen(self, real: bytes) -> bool:
        # A link may have a harmless name and lead to what is not shown.
        if real.startswith(self._prefix):
            inner = real.removeprefix(self._prefix)
        elif self._follows:
            # What it has in common with the root was the user's own choice, dots and all.
            shared = os.path.commonpath((real, self.root))
            inner = real.removeprefix(shared).lstrip(b"/")
        else:
            return False
        return not inner or all(map(self.shows, inner.split(b"/")))

    def is_folder(self, path: bytes) -> bool:
        """Whether *path* is a folder inside this one."""
        return os.path.isdir(path) and self.contains(path)

    def open(self, path: bytes) -> Opened:
        """Open the regular file *path*; raises HttpError 404 for anything else.

        The file is opened first and judged after, so that a link that changes in between gains
        nothing: what `realpath` finds must be the very file that is open. One that was replaced
        meanwhile, as builds and editors do all the time, is opened again. 503 where the system has
        no descriptor left: that is no word about the file.
        """
        for _ in range(_ATTEMPTS):
            opened = self._open_once(path)
            if opened is not None:
                return opened
        raise not_found()

    def _open_once(self, path: bytes) -> Opened | None:
        """Open *path*; None when another file that may be seen has come to be there meanwhile."""
        try:
            # O_NONBLOCK: opening a FIFO would wait for its writer.
            fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
        except (OSError, ValueError) as error:
            if isinstance(error, OSError) and error.errno in (errno.EMFILE, errno.ENFILE):
                raise HttpError(503, "too many files are open here") from error
            raise not_found() from error
        status = os.fstat(fd)
        is_same = allowed = False
        try:
            real = os.path.realpath(path)
            is_same = os.path.samestat(status, os.stat(real))
            allowed = (
                stat.S_ISREG(status.st_mode) and not self.is_key(status) and self._may_be_seen(real)
            )
        except OSError:
            allowed = False
        if allowed and is_same:
            return Opened(fd, path, status)
        os.close(fd)
        if allowed:
            return None
        raise not_found()


def _is_at(path: str, status: os.stat_result) -> bool:
    try:
        return os.path.samestat(os.stat(path), status)
    except OSError:
        return False
