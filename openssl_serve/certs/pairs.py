"""A certificate and its key as two files in a data folder: where they are, how they get there."""

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from openssl_serve.certs.folder import Folder
from openssl_serve.errors import StoreError, typed

CERTIFICATE_SUFFIX, KEY_SUFFIX = ".crt", ".key"


class Pairs:
    """The pairs in one folder, each named by a stem."""

    def __init__(self, folder: Folder) -> None:
        self.folder = folder

    def paths(self, stem: str) -> tuple[Path, Path]:
        """Where the certificate and the key of *stem* are, or would be."""
        path = self.folder.path
        return path / (stem + CERTIFICATE_SUFFIX), path / (stem + KEY_SUFFIX)

    def stems(self) -> list[str]:
        """The stems that have a certificate, sorted. Raises OSError."""
        try:
            names = sorted(os.listdir(self.folder.path))
        except FileNotFoundError:
            return []
        return [
            name.removesuffix(CERTIFICATE_SUFFIX)
            for name in names
            if name.endswith(CERTIFICATE_SUFFIX) and not name.startswith(".")
        ]

    def make(
        self,
        stem: str,
        make: Callable[[Path], object],
        *,
        keep_key: bool = False,
        unusable: tuple[Path, ...] = (),
    ) -> str:
        """Have *make* fill a stage, and put its pair into place; while writing.

        With *keep_key*, the key is in the stage already, and stays as it is. The files
        *unusable* are moved aside; says in words where to.
        """
        from openssl_serve.openssl.commands import CERTIFICATE, KEY  # noqa: PLC0415 - rarely needed

        cert, key = self.paths(stem)
        moved = ""
        with self.folder.stage() as stage:
            if keep_key:
                _copy_private(key, stage / KEY)
            make(stage)
            (stage / CERTIFICATE).chmod(0o644)
            (stage / CERTIFICATE).rename(stage / cert.name)
            (stage / KEY).rename(stage / key.name)
            for path in unusable:
                moved += f"; {path.name} is now {self.folder.set_aside(path).name}"
            self.folder.publish(stage, [cert.name] if keep_key else [cert.name, key.name])
        return moved

    def remove(self, stem: str) -> tuple[Path, ...]:
        """Delete both files, the key first: a certificate alone is no secret. While writing."""
        there = tuple(path for path in reversed(self.paths(stem)) if os.path.lexists(path))
        for path in there:
            path.unlink()
        return there


def check_readable(*paths: Path) -> None:
    """Refuse files that are there and may not be read: nobody knows what is in them.

    Raises StoreError.
    """
    for path in paths:
        try:
            path.stat()
            may = os.access(path, os.R_OK)
        except OSError as error:
            may = not isinstance(error, PermissionError)
        if not may:
            raise StoreError(
                f"{path}: permission denied", f"look at it: {typed('ls', '-ld', path)}"
            )


def keep_private(key: Path) -> None:
    """Take the right to read *key* from others, if they have it and it is ours to take."""
    status = key.stat()
    if status.st_mode & 0o077 and status.st_uid == os.geteuid():
        with suppress(OSError):
            key.chmod(0o600)


def _copy_private(source: Path, target: Path) -> None:
    descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(source.read_bytes())
