"""Files that the user names, none of which is in the data folder: what is read and written."""

import os
from pathlib import Path

from openssl_serve.errors import UsageError, reason_of, typed
from openssl_serve.hosts import shorten


def read_secret(path: Path, option: str, *hints: str) -> str:
    """Read the line of text in a file that *option* names; its line break does not count.

    Raises UsageError, with *hints*.
    """
    try:
        text = path.read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeError) as error:
        reason = reason_of(error) if isinstance(error, OSError) else "not text in UTF-8"
        raise UsageError(f"{option} {shorten(str(path))}: {reason}", *hints) from error
    if "\n" in text:
        # Or its first line would be the password for some programs, and all of it for others.
        raise UsageError(f"{option} {shorten(str(path))} has more than one line", *hints)
    return text


def check_out(target: Path, *hints: str, overwrite: bool = False) -> None:
    """Refuse a place for --out before anything is made: one that is taken, or is nowhere.

    Raises UsageError, with *hints* for a file that is there.
    """
    shown, folder = f"--out {target}", target.parent
    if not folder.is_dir():
        raise UsageError(f"{shown}: there is no folder {folder}", typed("mkdir", "-p", folder))
    if os.path.lexists(target):
        if not target.is_file():
            # A device, the end of a pipe: to replace it would be no use to anybody.
            what = "a folder" if target.is_dir() else "not a regular file"
            raise UsageError(f"{shown} is {what}", "leave out --out for stdout, or name a file")
        if not overwrite:
            raise UsageError(f"{shown} exists already", *hints)


def write_new(target: Path, data: bytes, mode: int, *, overwrite: bool) -> None:
    """Write a file that is *mode* from its first moment, whatever the umask; whole or not at all.

    Raises UsageError; what was there is then as before.
    """
    written = target.with_name(f".{os.urandom(8).hex()}.tmp") if overwrite else target
    try:
        descriptor = os.open(written, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode & 0o600)
        try:
            with os.fdopen(descriptor, "wb") as file:
                os.fchmod(descriptor, mode)
                file.write(data)
            written.rename(target)
        except BaseException:
            written.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise UsageError(f"{target}: cannot be written: {reason_of(error)}") from error
