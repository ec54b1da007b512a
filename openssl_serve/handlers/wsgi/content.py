"""The content of a request on its way to an app: in memory, or in a file if there is much of it."""

import io
from collections.abc import Callable
from typing import IO, TYPE_CHECKING, NamedTuple

from openssl_serve.errors import HttpError

if TYPE_CHECKING:
    from concurrent.futures import Future

    from openssl_serve.server.exchange import Exchange

IN_MEMORY = 262_144
"""Bytes of one request; more goes to a file. All forms and nearly all JSON fit, and a thousand
clients that never finish theirs hold 256 MB."""

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class Content(NamedTuple):
    """Content that is complete: what is in *file*, if that much had come, and then *parts*."""

    parts: list[bytes]
    file: IO[bytes] | None
    size: int
    """Bytes in all."""

    def open(self) -> IO[bytes]:
        """Return a stream from which all of it can be read, once; it may block on the disk."""
        if self.file is None:
            return io.BytesIO(b"".join(self.parts))
        self.file.writelines(self.parts)
        self.file.seek(0)
        return self.file

    def close(self) -> None:
        """Give back what nobody has opened."""
        if self.file is not None:
            self.file.close()


NOTHING = Content([], None, 0)


class Intake:
    """Collects the content of *exchange*, then calls *then*; all in the loop.

    Writing to the file is a thread's, and the client waits meanwhile.
    """

    __slots__ = (
        "_exchange", "_file", "_held", "_is_complete", "_is_over", "_is_writing", "_most", "_parts",
        "_size", "_then",
    )  # fmt: skip

    def __init__(self, exchange: "Exchange", then: "Callable[[Exchange, Content], None]") -> None:
        self._exchange = exchange
        self._then = then
        self._most = exchange.server.limits.max_app_content
        self._parts: list[bytes] = []
        self._held = 0
        self._size = 0
        self._file: IO[bytes] | None = None
        self._is_writing = False
        self._is_complete = False
        # Whether nobody wants the rest: answered already, or the client has gone.
        self._is_over = False

    def begin(self) -> None:
        """Ask for the content if the client waits for that; raises HttpError 413 instead."""
        exchange = self._exchange
        request = exchange.request
        if int(request.get(b"content-length") or 0) > self._most:
            raise self._too_much()
        expects = (request.get(b"expect") or b"").lower() == b"100-continue"
        if expects and request.version != "1.0" and not (request.arrived or request.complete):
            exchange.interim(CONTINUE)
        exchange.on_gone = self._gone
        exchange.receive(self._came, self._ended)

    def _too_much(self) -> HttpError:
        return HttpError(413, f"more than {self._most} bytes are not taken")

    def _came(self, data: bytes) -> None:
        if self._is_over:
            return
        self._size += len(data)
        if self._size > self._most:
            self._fail(self._too_much())
            return
        self._parts.append(data)
        self._held += len(data)
        if self._held > IN_MEMORY and not self._is_writing:
            self._write_down()

    def _ended(self) -> None:
        self._is_complete = True
        if not self._is_writing and not self._is_over:
            self._finish()

    def _finish(self) -> None:
        self._is_over = True
        self._then(self._exchange, Content(self._parts, self._file, self._size))

    def _gone(self) -> None:
        self._is_over = True
        self._parts.clear()
        if self._file is not None and not self._is_writing:
            self._file.close()

    def _fail(self, error: HttpError) -> None:
        self._gone()
        self._exchange.fail(error)

    # The file.

    def _write_down(self) -> None:
        parts, self._parts, self._held = self._parts, [], 0
        file = self._file
        self._is_writing = True
        self._exchange.pause()

        def write() -> IO[bytes]:
            # Imported here: 5 ms that only large uploads need.
            from tempfile import TemporaryFile  # noqa: PLC0415

            made = file or TemporaryFile(prefix="openssl-serve-")  # noqa: SIM115
            made.writelines(parts)
            return made

        self._exchange.server.pool.submit(write, self._written)

    def _written(self, future: "Future[IO[bytes]]") -> None:
        self._is_writing = False
        try:
            self._file = future.result()
        except OSError as error:
            if not self._is_over:
                self._exchange.server.log.note(f"no content for the app: {error}")
                self._fail(HttpError(503, "there is no room for the content"))
            return
        if self._is_over:
            self._file.close()
        elif self._is_complete:
            self._finish()
        elif self._held > IN_MEMORY:
            self._write_down()
        else:
            self._exchange.resume()
