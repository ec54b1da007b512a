"""A headless Chromium that tests type into: the DevTools protocol over a pair of pipes."""

import contextlib
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from select import select
from typing import Any

import pytest

PROGRAM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), ""
)

WANTED = pytest.mark.skipif(not PROGRAM, reason="no chromium in PATH (apt install chromium)")

MARKS = [pytest.mark.browser, WANTED]
"""Of a module whose tests all need it."""

OPTIONS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--no-proxy-server", "--remote-debugging-pipe",
)  # fmt: skip

DEADLINE_S = 30.0

KEYS = {"Enter": "\r", "/": "/"}
"""What a key types; letters type themselves and the rest nothing."""


class Tab:
    """A page; `complaints` has what its console got, violations of its policy among it."""

    def __init__(self, write: int, read: int) -> None:
        self._write, self._read = write, read
        self._left = b""
        self._number = 0
        self._session: str | None = None
        self._events: list[str] = []
        self.complaints: list[str] = []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        attached = self.call("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Call a method of the protocol and return its result."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._write, json.dumps(message).encode() + b"\0")
        while True:
            got = self._receive()
            if got.get("id") == self._number:
                assert "error" not in got, got
                return dict(got["result"])

    def open(self, url: str) -> None:
        """Load *url*, with all that belongs to it."""
        self.loading(lambda: self.call("Page.navigate", url=url))

    def loading(self, action: Any) -> None:
        """Do *action* and wait until the page that it leads to is loaded."""
        self._events.clear()
        action()
        while "Page.loadEventFired" not in self._events:
            self._receive()

    @contextlib.contextmanager
    def windows(self, count: int, url: str) -> Iterator[None]:
        """So many windows more, all in view, that load *url*; closed at the end."""
        opened = [
            self._browser("Target.createTarget", url=url, newWindow=True) for _ in range(count)
        ]
        try:
            yield
        finally:
            for each in opened:
                self._browser("Target.closeTarget", targetId=each["targetId"])

    def _browser(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Call a method that is the browser's, not the page's."""
        session, self._session = self._session, None
        try:
            return self.call(method, **parameters)
        finally:
            self._session = session

    def js(self, expression: str) -> Any:
        """The value of *expression* in the page; of a promise, what it is kept with."""
        options = {"returnByValue": True, "awaitPromise": True}
        found = self.call("Runtime.evaluate", expression=expression, **options)
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    def press(self, *keys: str) -> None:
        """Press and release each of *keys*."""
        for key in keys:
            text = KEYS.get(key, key if len(key) == 1 else "")
            common = {"key": key, "windowsVirtualKeyCode": 13 if key == "Enter" else 0}
            down = "keyDown" if text else "rawKeyDown"
            self.call("Input.dispatchKeyEvent", type=down, text=text, **common)
            self.call("Input.dispatchKeyEvent", type="keyUp", **common)

    def _receive(self) -> dict[str, Any]:
        while b"\0" not in self._left:
            assert select([self._read], [], [], DEADLINE_S)[0], "Chromium says nothing"
            data = os.read(self._read, 1 << 16)
            assert data, "Chromium has ended"
            self._left += data
        line, _, self._left = self._left.partition(b"\0")
        message: dict[str, Any] = json.loads(line)
        method = message.get("method", "")
        self._events.append(method)
        if method in ("Log.entryAdded", "Runtime.exceptionThrown", "Runtime.consoleAPICalled"):
            self.complaints.append(json.dumps(message["params"]))
        return message


@contextlib.contextmanager
def tab(profile: Path, home: Path | None = None) -> Iterator[Tab]:
    """A tab of a Chromium of its own, with *profile* for its folder.

    It trusts every certificate; with a *home*, those that are trusted in there.
    """
    options, environment = [*OPTIONS, "--ignore-certificate-errors"], dict(os.environ)
    if home:
        keep = (name for name in os.environ if not name.startswith("XDG_"))
        environment = {name: os.environ[name] for name in keep} | {"HOME": str(home)}
        options.pop()
    theirs_in, write = os.pipe()
    read, theirs_out = os.pipe()
    # Chromium reads from 3 and writes to 4; a shell can put the pipes there.
    process = subprocess.Popen(
        [
            "sh", "-c", f'exec "$@" 3</dev/fd/{theirs_in} 4>/dev/fd/{theirs_out}', "sh",
            PROGRAM, *options, f"--user-data-dir={profile}",
        ],
        pass_fds=(theirs_in, theirs_out), env=environment,
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    os.close(theirs_in)
    os.close(theirs_out)
    try:
        yield Tab(write, read)
    finally:
        # Closing the pipe ends it.
        os.close(write)
        os.close(read)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
