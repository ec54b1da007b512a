"""Files that the user names, none of which is in the data folder: what is read and written."""

import os
from pathlib import Path

from openssl_serve.errors import UsageError, reason_of
from openssl_serve.hosts import shorten


def read_secret(path: Path, option: str, *hints: str) -> str:
    """Read the text in a file that *option* names; its last line break does not count.

    Raises UsageError, with *hints*.
    """
    try:
        return path.read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeError) as error:
        reason = reason_of(error) if isinstance(error, OSError) else "not text in UTF-8"
        raise UsageError(f"{option} {shorten(str(path))}: {reason}", *hints) from error


def write_new(target: Path, data: bytes, mode: int, *, overwrite: bool) -> None:
    """Write a file that is *mode* from its first moment, whatever the umask."""
    if overwrite:
        target.unlink(missing_ok=True)
    try:
        descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode & 0o600)
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(descriptor, mode)
            file.write(data)
    except OSError as error:
        raise UsageError(f"{target}: cannot be written: {reason_of(error)}") from error
