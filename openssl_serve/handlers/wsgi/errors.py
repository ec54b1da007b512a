"""`wsgi.errors`, and the tracebacks of an app: what its developer reads in our log."""

import importlib
import traceback
from collections.abc import Callable, Iterable
from pathlib import Path

_NOT_THEIRS = (str(Path(__file__).parent), "<frozen importlib", importlib.__file__)


class ErrorStream:
    """A text stream of one call of an app; whole lines go to *write*, from the app's thread."""

    encoding = "utf-8"

    def __init__(self, write: Callable[[str], object]) -> None:
        self._write = write
        self._line = ""

    def write(self, text: str) -> int:
        """Write *text*; what is behind its last line break waits for more, or for `flush`."""
        lines, line_break, rest = text.rpartition("\n")
        if line_break:
            self._write(self._line + lines)
            self._line = rest
        else:
            self._line += rest
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        """Write each of *lines*."""
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        """Write what waits."""
        if self._line:
            self._write(self._line)
            self._line = ""

    def isatty(self) -> bool:
        """Whether colours are welcome: they would be escaped."""
        return False


def trace_of(error: BaseException) -> str:
    """Return the traceback of *error*, from the app's first frame on."""
    where = error.__traceback__
    while where is not None and where.tb_frame.f_code.co_filename.startswith(_NOT_THEIRS):
        where = where.tb_next
    return "".join(traceback.format_exception(type(error), error, where)).rstrip("\n")
