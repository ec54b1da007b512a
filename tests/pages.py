"""A page that listens to changes, as one in a browser does; its frames are websockets' doing."""

import contextlib
import json
import logging
from typing import TYPE_CHECKING, Any

from server_fixtures import Client
from websockets.client import ClientProtocol
from websockets.frames import Frame, Opcode
from websockets.typing import Origin, Subprotocol
from websockets.uri import parse_uri

if TYPE_CHECKING:
    from websockets.protocol import Event

CHANGES = "/.openssl-serve/reload"

QUIET = logging.getLogger(f"{__name__}.quiet")
QUIET.setLevel(logging.CRITICAL)


class Page:
    """The WebSocket of a page on *client*; raises InvalidStatus when it gets none."""

    def __init__(
        self,
        client: Client,
        *fields: tuple[str, str],
        place: str = "",
        origin: str | None = "https://localhost",
        protocol: str | None = None,
    ) -> None:
        self.client = client
        self.protocol = ClientProtocol(
            parse_uri(f"wss://localhost{place}{CHANGES}"),
            origin=None if origin is None else Origin(origin),
            subprotocols=None if protocol is None else [Subprotocol(protocol)],
            logger=QUIET,
        )
        self._frames: list[Frame] = []
        self._is_over = False
        request = self.protocol.connect()
        request.headers.update(fields)
        self.protocol.send_request(request)
        self.flush()
        events: list[Event] = []
        while not events:
            self._receive()
            events = self.protocol.events_received()
        # What is told at once may have come with the response.
        self._frames += [each for each in events if isinstance(each, Frame)]
        if self.protocol.handshake_exc:
            raise self.protocol.handshake_exc

    def flush(self) -> None:
        """Send what the protocol has to say, pongs among it."""
        for data in self.protocol.data_to_send():
            self.client.send(data)

    def _receive(self) -> None:
        data = b""
        with contextlib.suppress(ConnectionResetError):
            data = self.client.sock.recv(65536)
        if data:
            self.protocol.receive_data(data)
            self.flush()
        else:
            self._is_over = True
            self.protocol.receive_eof()

    def frame(self) -> Frame:
        """The next frame; raises ConnectionClosed, with the reason, when there is none."""
        while not self._frames:
            if self._is_over:
                raise self.protocol.close_exc
            self._receive()
            events = self.protocol.events_received()
            self._frames += [each for each in events if isinstance(each, Frame)]
        return self._frames.pop(0)

    def next(self) -> Any:
        """What is told next."""
        while (frame := self.frame()).opcode is not Opcode.TEXT:
            pass
        return json.loads(bytes(frame.data))

    def state(self) -> str:
        """The state, which is told at first."""
        said = self.next()
        assert said.keys() == {"state"}
        return str(said["state"])
