"""One call of an app, from environ to close(): everything that happens in its thread."""

from collections.abc import Callable, Iterable
from types import TracebackType
from typing import TYPE_CHECKING, Any

from openssl_serve.errors import HttpError
from openssl_serve.handlers.wsgi.content import Content
from openssl_serve.handlers.wsgi.environ import environ_of
from openssl_serve.handlers.wsgi.errors import ErrorStream, trace_of
from openssl_serve.handlers.wsgi.files import FileWrapper
from openssl_serve.handlers.wsgi.head import WITHOUT_CONTENT, Head, make_head
from openssl_serve.handlers.wsgi.outlet import ClientGoneError, Outlet
from openssl_serve.http1.bodies import Body
from openssl_serve.http1.response import Response

if TYPE_CHECKING:
    from openssl_serve.server.exchange import Exchange

App = Callable[..., Iterable[bytes]]
"""A WSGI application: called with the environ and start_response (PEP 3333)."""

ExcInfo = tuple[type[BaseException], BaseException, TracebackType | None]

_SAFE = frozenset({b"GET", b"HEAD"})


class Call:
    """Calls *app* for the request of *exchange*, whose content is complete; `run` is its thread's.

    What is the loop's is done by the loop: the thread only hands it over.
    """

    __slots__ = (
        "_app", "_content", "_depth", "_errors", "_exchange", "_head", "_is_gone", "_is_over",
        "_is_sent", "_left", "_outlet", "_tell",
    )  # fmt: skip

    def __init__(self, app: App, exchange: "Exchange", content: Content, depth: int = 0) -> None:
        self._app = app
        self._depth = depth
        self._exchange = exchange
        self._content = content
        self._tell = exchange.server.pool.call
        self._errors = ErrorStream(self._log)
        self._head: Head | None = None
        self._outlet: Outlet | None = None
        self._left: int | None = None
        # Whether the loop has the head, and whether it has all of the content.
        self._is_sent = False
        self._is_over = False
        self._is_gone = False
        exchange.on_gone = self._gone

    def _gone(self) -> None:
        self._is_gone = True

    def run(self) -> None:
        """Call the app and send what it gives; no error gets out of here."""
        if self._is_gone and self._exchange.request.method in _SAFE:
            # Gone while it waited for a thread, as at a reload; there is nothing to be done.
            self._content.close()
            return
        try:
            with self._content.open() as stream:
                try:
                    self._answer(self._environ(stream))
                finally:
                    self._errors.flush()
        except BaseException as error:  # noqa: BLE001  sys.exit() in an app ends its call alone
            self._failed(error)

    def _environ(self, stream: Any) -> dict[str, Any]:
        exchange = self._exchange
        request = exchange.request
        environ = environ_of(request, self._depth)
        if request.has_content:
            # Also for what came in chunks: its length is known by now.
            environ["CONTENT_LENGTH"] = str(self._content.size)
        environ.update({
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "https" if request.peer.secure else "http",
            "wsgi.input": stream,
            "wsgi.input_terminated": True,
            "wsgi.errors": self._errors,
            "wsgi.multithread": True,
            "wsgi.multiprocess": exchange.server.processes > 1,
            "wsgi.run_once": False,
            "wsgi.file_wrapper": FileWrapper,
        })  # fmt: skip
        return environ

    def _answer(self, environ: dict[str, Any]) -> None:
        result = self._app(environ, self._start_response)
        try:
            if type(result) is FileWrapper and not self._is_sent and self._send_file(result):
                return
            self._send_all(result)
        finally:
            close = getattr(result, "close", None)
            if close is not None:
                close()

    # What the app calls.

    def _start_response(
        self, status: str, headers: list[tuple[str, str]], exc_info: ExcInfo | None = None, /
    ) -> Callable[[bytes], None]:
        if exc_info is not None:
            try:
                if self._is_sent:
                    raise exc_info[1].with_traceback(exc_info[2])
            finally:
                # A frame that holds its own traceback waits for the cycle collector.
                exc_info = None
        elif self._head is not None:
            raise AssertionError("start_response was called before, and there is no exc_info")
        self._head = make_head(status, headers)
        return self._write

    def _write(self, data: bytes, /) -> None:
        if not isinstance(data, bytes):
            raise TypeError(f"write() takes bytes, not {type(data).__name__}")
        if data:
            self._send(data)

    # What it gives.

    def _send_all(self, result: Any) -> None:
        if result is None or isinstance(result, bytes):
            kind = type(result).__name__
            raise TypeError(f"the app returned {kind}, not an iterable of bytes")
        if type(result) in {list, tuple}:
            data = b"".join(map(_checked, result))
            if self._is_sent:
                self._send(data)
            else:
                self._begin(data, is_all=True)
        else:
            for data in result:
                if _checked(data):
                    self._send(data)
                if self._is_over:
                    break
        if not self._is_sent:
            self._begin(b"", is_all=True)
        if not self._is_over:
            self._end()

    def _send(self, data: bytes) -> None:
        if not self._is_sent:
            self._begin(data, is_all=False)
            return
        if self._outlet is None or self._is_over:
            self._refuse_surplus()
            return
        if self._left is not None:
            if len(data) > self._left:
                self._refuse_surplus()
                data = data[: self._left]
            self._left -= len(data)
        self._outlet.send(data)
        if self._left == 0:
            self._end()

    def _begin(self, data: bytes, *, is_all: bool) -> None:
        """Send the head, with *data*, the first of the content or all of it."""
        head = self._known_head()
        if self._is_bare(head):
            length = 0 if head.status == 205 else head.length
            if length is None and is_all and head.status not in WITHOUT_CONTENT:
                length = len(data)
            self._respond(head, b"", length)
        elif head.length is not None and len(data) >= head.length:
            if len(data) > head.length:
                self._refuse_surplus()
            self._respond(head, data[: head.length], head.length)
        elif is_all:
            self._refuse_lack(head, len(data))
            self._respond(head, data, len(data))
        elif self._is_gone:
            raise ClientGoneError("the client has gone")
        else:
            self._outlet = Outlet(self._tell, head.length)
            self._left = head.length
            self._respond(head, self._outlet.body, head.length, is_all=False)
            self._send(data)

    def _send_file(self, result: FileWrapper) -> bool:
        """Send a file without this thread; whether it is one that allows that."""
        head = self._known_head()
        body = result.body(head.length)
        if body is None:
            return False
        if self._is_bare(head):
            body.close()
            self._begin(b"", is_all=False)
            return True
        if body.length < (head.length or 0):
            body.close()
            self._refuse_lack(head, body.length)
        self._respond(head, body, body.length)
        return True

    def _end(self) -> None:
        assert self._outlet is not None
        if self._left:
            head = self._known_head()
            self._refuse_lack(head, (head.length or 0) - self._left)
        self._is_over = True
        self._outlet.end()

    def _known_head(self) -> Head:
        if self._head is None:
            raise AssertionError("the app gave content, or ended, without calling start_response")
        return self._head

    def _is_bare(self, head: Head) -> bool:
        return self._exchange.request.method == b"HEAD" or head.status in WITHOUT_CONTENT

    def _respond(
        self, head: Head, body: bytes | Body, length: int | None, *, is_all: bool = True
    ) -> None:
        exchange = self._exchange
        response = Response.relayed(
            head.status, head.lines_for(length), body, length, dated=head.is_dated
        )
        self._is_sent, self._is_over = True, is_all
        self._tell(lambda: exchange.respond(response))

    # What it does wrong.

    def _refuse_lack(self, head: Head, given: int) -> None:
        if head.length is not None and given < head.length:
            raise ValueError(f"Content-Length is {head.length}, and the app gave {given} bytes")

    def _refuse_surplus(self) -> None:
        head = self._known_head()
        if not self._is_bare(head):
            what = f"more than its Content-Length, {head.length}; the rest was dropped"
            self._note(f"{self._target}: the app gave {what}")

    def _failed(self, error: BaseException) -> None:
        if _is_about_the_client(error):
            return
        trace = trace_of(error)
        exchange, what = self._exchange, type(error).__name__
        if not self._is_sent:
            self._note(f"500 for {self._target}: the app failed with {what}")
            self._log(trace)
            self._tell(lambda: exchange.fail(HttpError(500, "the app failed")))
            return
        if self._is_over:
            self._note(f"{self._target} was answered, and then the app failed with {what}")
        else:
            self._note(f"{self._target} is cut off: the app failed with {what}")
        self._log(trace)
        if self._outlet is not None and not self._is_over:
            self._outlet.abort()

    # What is said about it.

    @property
    def _target(self) -> str:
        return self._exchange.request.target.decode("latin-1")

    def _note(self, message: str) -> None:
        log = self._exchange.server.log
        self._tell(lambda: log.note(message))

    def _log(self, text: str) -> None:
        log = self._exchange.server.log
        self._tell(lambda: log.passage(text))


def _checked(data: bytes) -> bytes:
    if not isinstance(data, bytes):
        raise TypeError(f"the app gave {type(data).__name__}, not bytes: {data!r:.60}")
    return data


def _is_about_the_client(error: BaseException | None) -> bool:
    """Whether *error* is what we raise when the client has gone, or what an app made of that."""
    while error is not None and not isinstance(error, ClientGoneError):
        error = error.__cause__ or error.__context__
    return error is not None
