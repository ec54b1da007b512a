"""Writing files where the user said, which is not the data folder."""

import os
from pathlib import Path

from openssl_serve.errors import UsageError


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
        reason = (error.strerror or str(error)).lower()
        raise UsageError(f"{target}: cannot be written: {reason}") from error
