"""One line per request, and one per thing worth knowing about the server's life.

Lines are collected and written once per turn of the loop: a write is a system call.
"""

import contextlib
import time
from collections.abc import Callable
from enum import StrEnum
from typing import NamedTuple

from openssl_serve.hosts import shorten


class LogFormat(StrEnum):
    """How requests are logged."""

    TEXT = "text"
    JSON = "json"
    COMMON = "common"
    NONE = "none"


_TIMES = {
    LogFormat.TEXT: "%H:%M:%S",
    LogFormat.JSON: "%Y-%m-%dT%H:%M:%S%z",
    LogFormat.COMMON: "%d/%b/%Y:%H:%M:%S %z",
    LogFormat.NONE: "%H:%M:%S",
}


class Access(NamedTuple):
    """What is known of a request once its response was sent; bytes are of the wire."""

    client: str
    secure: bool
    method: bytes
    target: bytes
    version: str
    status: int
    """0 when the end came before any response, as to somebody who did not wait for it."""
    length: int
    seconds: float
    cut: bool = False
    """Whether there was more to send: its client has gone, or the content has."""


_COLOURS = {
    2: ("\x1b[32m", "\x1b[0m"),
    3: ("\x1b[36m", "\x1b[0m"),
    4: ("\x1b[33m", "\x1b[0m"),
    5: ("\x1b[31m", "\x1b[0m"),
}
"""SGR sequences (ECMA-48) by the class of a status: green, cyan, yellow, red."""

MAX_TOLD = 1000
"""Messages remembered by `note_once`: a hostile crowd of addresses must not fill the memory."""


MAX_LINE = 4000
"""Characters of a line that is not ours; a terminal shows 40 rows of it."""


class AccessLog:
    """Formats lines and hands them to *write*, which should not block for long."""

    def __init__(
        self,
        write: Callable[[str], object],
        style: LogFormat = LogFormat.TEXT,
        *,
        colour: bool = False,
        verbose: bool = False,
    ) -> None:
        self._write = write
        self._paint = _COLOURS if colour else {}
        self._lines: list[str] = []
        self._told: set[str] = set()
        self.style = style
        self.verbose = verbose
        """Whether to `note` what helps to find out why something does not work, too."""
        self.tick(int(time.time()))
        self.access = {
            LogFormat.TEXT: self._text,
            LogFormat.JSON: self._json,
            LogFormat.COMMON: self._common,
            LogFormat.NONE: self._none,
        }[style]
        """Logs one `Access`."""

    def note(self, message: str) -> None:
        """Log something that is no request; *message* may hold what a client sent."""
        line = shorten(message, 500)
        if self.style is LogFormat.JSON:
            self._write_json({"time": self._time(), "message": line})
        else:
            self._lines.append(f"{self._time()} {line}\n")

    def passage(self, text: str) -> None:
        """Log lines that are not ours, as a traceback is, and as they are."""
        if self.style is LogFormat.JSON:
            self._write_json({"time": self._time(), "message": text})
            return
        for line in text.splitlines():
            # Tabs are all that an indented line needs of what could harm a terminal.
            safe = "\t".join(shorten(part, MAX_LINE) for part in line.split("\t"))
            self._lines.append(f"{safe}\n")

    def note_once(self, message: str) -> None:
        """Log *message* unless it was logged so before."""
        if message not in self._told and len(self._told) < MAX_TOLD:
            self._told.add(message)
            self.note(message)

    def flush(self) -> None:
        """Write what has been collected."""
        count = len(self._lines)
        if count:
            text = "".join(self._lines[:count])
            # Only those: a thread may have added another meanwhile.
            del self._lines[:count]
            # A full disk or a reader that has gone must not end the service.
            with contextlib.suppress(OSError, ValueError):
                self._write(text)

    def tick(self, now: int) -> None:
        """Learn that it is *now*, in POSIX seconds; for requests that is precise enough."""
        self._now = time.strftime(_TIMES[self.style], time.localtime(now))

    def _time(self) -> str:
        self.tick(int(time.time()))
        return self._now

    # The parser passes no control character in a method or target, so both can stand as they are.

    def _text(self, access: Access) -> None:
        scheme = "https" if access.secure else "http"
        on, off = self._paint.get(access.status // 100, ("", "")) if self._paint else ("", "")
        self._lines.append(
            f"{self._now} {access.client or 'unix'} {scheme} {access.method.decode()} "
            f"{access.target.decode('latin-1')} {on}{access.status or '-'}{off} {access.length} B "
            f"{'cut off ' if access.cut else ''}{access.seconds * 1000:.1f} ms\n"
        )

    def _common(self, access: Access) -> None:
        """Log as Apache's mod_log_config does by default, for tools that read that."""
        target = access.target.decode("latin-1").replace("\\", "\\\\").replace('"', '\\"')
        self._lines.append(
            f"{access.client or '-'} - - [{self._now}] "
            f'"{access.method.decode()} {target} HTTP/{access.version}" '
            f"{access.status or '-'} {access.length or '-'}\n"
        )

    def _json(self, access: Access) -> None:
        record = access._asdict() | {
            "time": self._now,
            "method": access.method.decode(),
            "target": access.target.decode("latin-1"),
            "seconds": round(access.seconds, 6),
        }
        self._write_json(record)

    def _write_json(self, record: dict[str, object]) -> None:
        import json  # noqa: PLC0415  5 ms that a start without --log-format json does not need

        self._lines.append(json.dumps(record) + "\n")

    def _none(self, access: Access) -> None:
        """Log nothing."""
