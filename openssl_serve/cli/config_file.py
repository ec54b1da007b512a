"""Finding and reading a configuration file; what its keys mean is config.py's."""

import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from openssl_serve.errors import UsageError, reason_of
from openssl_serve.hosts import shorten
from openssl_serve.paths import expand

FILE_NAME = "openssl-serve.toml"
PROJECT_FILE = "pyproject.toml"
TABLE = "openssl-serve"
"""Below `tool` in pyproject.toml."""

Keys = Mapping[str, Any]


def read_file(named: str) -> Keys:
    """Read the file that the user named: a pipe as well, `--config <(...)`. Raises UsageError."""
    path = expand(named)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UsageError(f"--config {shorten(named)}: {reason_of(error)}") from error
    return _parse(path, content) or {}


def find_file() -> tuple[Path | None, Keys]:
    """Read the file in the current folder, if there is any; costs two calls of stat if not.

    Raises UsageError for one that cannot be read, is not TOML, or is a stranger's.
    """
    for name in (FILE_NAME, PROJECT_FILE):
        try:
            status = os.stat(name)
        except OSError:
            continue
        if not stat.S_ISREG(status.st_mode):
            continue
        path = Path(name)
        try:
            content = path.read_bytes()
        except OSError as error:
            if name == PROJECT_FILE:
                # Nobody said that it has anything for us.
                continue
            raise UsageError(f"{name}: {reason_of(error)}") from error
        # Most projects have a pyproject.toml; few of them have our table in it.
        if name == PROJECT_FILE and TABLE.encode() not in content:
            continue
        keys = _parse(path, content)
        if keys is not None:
            _refuse_strangers(name, status.st_uid)
            return path, keys
    return None, {}


def _refuse_strangers(name: str, owner: int) -> None:
    # As git does: in a folder that all can write to (/tmp), somebody else would choose what is
    # served to whom. After sudo, the user who called it is no stranger.
    if owner not in {0, os.geteuid(), int(os.environ.get("SUDO_UID") or 0)}:
        raise UsageError(
            f"{name} here belongs to another user ({owner})",
            f"if its options are yours: --config {name}; if not: --config {os.devnull}",
        )


def _parse(path: Path, content: bytes) -> Keys | None:
    """Return what *content* says; None for a pyproject.toml without our table."""
    # A start without a file does without it: 5 ms.
    import tomllib  # noqa: PLC0415

    try:
        keys = tomllib.loads(content.decode("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        reason = "nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise UsageError(f"{shorten(str(path))}: {reason[:1].lower()}{reason[1:]}") from error
    if path.name != PROJECT_FILE:
        return keys
    tools = keys.get("tool", {})
    found = tools.get(TABLE) if isinstance(tools, dict) else None
    if found is not None and not isinstance(found, dict):
        raise UsageError(f"{path}: tool.{TABLE} is {described(found)}, and a table is wanted")
    return found


def described(value: Any) -> str:
    """What *value* is in TOML, without showing it: it may be a password in the wrong place."""
    kinds = {bool: "true or false", int: "a number", float: "a number with a point", str: "text",
             list: "a list", dict: "a table"}  # fmt: skip
    return kinds.get(type(value), "a date or time")
