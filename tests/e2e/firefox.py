"""A headless Firefox with a home of its own: Marionette, the protocol that geckodriver speaks."""

import contextlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from e2e.command import Stream

PROGRAM = next(filter(None, map(shutil.which, ("firefox-esr", "firefox"))), "")

DEADLINE_S = 30.0

PREFERENCES = {
    "marionette.port": 0,
    # It need not phone home before it shows a page, nor while Python waits for its end.
    "app.normandy.enabled": False,
    "app.update.disabledForTesting": True,
    "browser.startup.page": 0,
    "browser.safebrowsing.update.enabled": False,
    "datareporting.policy.dataSubmissionEnabled": False,
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
    "network.proxy.type": 0,
    "services.settings.server": "data:,#remote-settings-dummy/v1",
    "toolkit.telemetry.server": "",
}


class FirefoxError(Exception):
    """What Firefox answered instead of a result: the W3C name of the error, and its words."""


class Window:
    """The one window; `call` has the WebDriver commands."""

    def __init__(self, connection: socket.socket, *, trusting: bool = False) -> None:
        self._connection = connection
        self._stream = connection.makefile("rb")
        self._number = 0
        assert self._receive()["marionetteProtocol"] == 3
        self.call("WebDriver:NewSession", acceptInsecureCerts=trusting)

    def call(self, name: str, **parameters: Any) -> Any:
        """Call a command and return its result. Raises FirefoxError."""
        self._number += 1
        data = json.dumps([0, self._number, name, parameters]).encode()
        self._connection.sendall(b"%d:%b" % (len(data), data))
        _, number, error, result = self._receive()
        assert number == self._number
        if error:
            raise FirefoxError(error["error"], error["message"])
        return result

    def open(self, url: str) -> None:
        """Load *url*. Raises FirefoxError for a page of Firefox's own, such as a warning."""
        self.call("WebDriver:Navigate", url=url)

    def js(self, expression: str) -> Any:
        """The value of *expression* in the page; of a promise, what it is kept with."""
        result = self.call("WebDriver:ExecuteScript", script=f"return {expression}", args=[])
        return result["value"]

    def close(self) -> None:
        self._stream.close()
        self._connection.close()

    def _receive(self) -> Any:
        length = b""
        while not length.endswith(b":"):
            byte = self._stream.read(1)
            assert byte, "Firefox has ended"
            length += byte
        return json.loads(self._stream.read(int(length[:-1])))


def environment(home: Path) -> dict[str, str]:
    """For a Firefox that knows nothing but *home*."""
    keep = {k: v for k, v in os.environ.items() if not k.startswith(("XDG_", "MOZ_", "DISPLAY"))}
    return keep | {"HOME": str(home)}


def make_profile(home: Path) -> Path:
    """A profile where this Firefox puts it by itself."""
    done = subprocess.run(
        [PROGRAM, "--headless", "--createprofile", "tester"],
        env=environment(home), capture_output=True, timeout=DEADLINE_S, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    (profiles,) = home.glob("**/profiles.ini")
    (name,) = re.findall(r"^Path=(.*\.tester)$", profiles.read_text(), re.MULTILINE)
    lines = [
        f"user_pref({json.dumps(name)}, {json.dumps(value)});\n"
        for name, value in PREFERENCES.items()
    ]
    folder = profiles.parent / str(name)
    (folder / "user.js").write_text("".join(lines))
    return folder


@contextlib.contextmanager
def window(home: Path, *, trusting: bool = False) -> Iterator[Window]:
    """A window of a Firefox with the profile in *home*; *trusting* takes every certificate."""
    process = subprocess.Popen(
        [PROGRAM, "--headless", "--marionette", "-P", "tester"], env=environment(home), text=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        # Its helpers outlive it otherwise.
        start_new_session=True,
    )  # fmt: skip
    assert process.stdout
    said = Stream(process.stdout)
    try:
        port = int(said.wait_for(r"Marionette\s+INFO\s+Listening on port (\d+)")[1])
        connection = socket.create_connection(("127.0.0.1", port), DEADLINE_S)
        found = Window(connection, trusting=trusting)
        try:
            yield found
            with contextlib.suppress(AssertionError, FirefoxError):
                found.call("Marionette:Quit", flags=["eForceQuit"])
        finally:
            found.close()
        process.wait(DEADLINE_S)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        said.close()
