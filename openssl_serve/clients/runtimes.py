"""Python, requests, Node.js and Java: what programs that are written for them trust by default."""

import json
import os
import re
from abc import abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

from openssl_serve.clients.client import (
    Account,
    Client,
    Place,
    found,
    last_line,
    place_at,
)
from openssl_serve.tools import Output
from openssl_serve.trust.java import JavaStore
from openssl_serve.trust.stores import Command, Kind, TrustStore

_HERE = Path(__file__).parent


class _Probed(Client):
    """A runtime that runs a program of ours, which tells of it in JSON."""

    def introducing(self) -> None:
        """The program tells the version."""

    def account(self, output: Output, introduction: str) -> Account | None:  # noqa: ARG002
        """The program's last line; what comes before is the runtime's own."""
        line = last_line(output.stdout)
        try:
            told = json.loads(line)
            return Account(told["says"] or "", told["version"], self.place(told), self.same(told))
        except (ValueError, KeyError, TypeError):
            return Account(last_line(output.stderr) or line)

    @abstractmethod
    def place(self, told: dict[str, Any]) -> Place | None:
        """Where its CAs are, by what it told."""

    @abstractmethod
    def same(self, told: dict[str, Any]) -> str:
        """What two names of it have in common."""


class Python(_Probed):
    """Its default context: urllib, http.client, asyncio."""

    name = "Python"
    variables: ClassVar[tuple[str, ...]] = ("SSL_CERT_FILE",)
    environment = {"PYTHONDONTWRITEBYTECODE": "1"}  # noqa: RUF012

    def asking(self, url: str) -> Command:
        """As a file, so that nothing in the folder that we are in has a part in it."""
        return (self.program, str(_HERE / "probe.py"), url)

    def place(self, told: dict[str, Any]) -> Place:
        """What a variable names is told with the variable."""
        reads = told["reads"]
        if not reads:
            # As python.org's on macOS, until its own script has been run.
            return Place(None, "no CAs: it finds none")
        named = self.named_place()
        return named if named and reads == str(named.path) else place_at(reads)

    def same(self, told: dict[str, Any]) -> str:
        """An environment of Python, with its packages."""
        return str(told["prefix"])


class Requests(Python):
    """The library, which brings CAs of its own (certifi)."""

    name = "requests"
    variables = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")

    def asking(self, url: str) -> Command:
        """The same program."""
        return (*super().asking(url), "requests")

    def account(self, output: Output, introduction: str) -> Account | None:
        """Silence means that there is none."""
        if output.exit_code == 0 and not output.stdout.strip():
            return None
        return super().account(output, introduction)


class Node(_Probed):
    """It has CAs of its own in the program."""

    name = "Node.js"
    variables = ("NODE_EXTRA_CA_CERTS",)
    blinding = "NODE_TLS_REJECT_UNAUTHORIZED"

    _SYSTEM = re.compile(r"--use-(?:openssl|system)-ca")

    def asking(self, url: str) -> Command:
        """A file, for the same reason."""
        return (self.program, str(_HERE / "probe.cjs"), url)

    def place(self, told: dict[str, Any]) -> Place | None:  # noqa: ARG002
        """The system's only if it is told to."""
        if named := self.named_place():
            return named
        options = os.environ.get("NODE_OPTIONS", "")
        if self._SYSTEM.search(options) or os.environ.get("NODE_USE_SYSTEM_CA") == "1":
            return None
        return Place(None, "its own CAs; NODE_EXTRA_CA_CERTS is not set")

    def same(self, told: dict[str, Any]) -> str:
        """The program behind a version manager's."""
        return str(told["program"])


class Java(Client):
    """What a program gets from Java's own HTTPS client; keytool is one that every Java has.

    It reads a list of revoked certificates from the URL, with the defaults of its Java.
    """

    name = "Java"
    store = Kind.JAVA
    # Only a program can be written so.
    can_be_blind = False

    # Starts in half the time, in English, and with no file of its own in /tmp.
    _OPTIONS = (
        "-J-XX:TieredStopAtLevel=1", "-J-XX:+UseSerialGC", "-J-XX:-UsePerfData",
        "-J-Duser.language=en",
    )  # fmt: skip
    _VERSION = re.compile(r'^JAVA_VERSION="([^"]*)"', re.MULTILINE)
    _OTHER_STORE = re.compile(r"-Djavax\.net\.ssl\.trustStore=(\S+)")

    def __init__(self, keytool: str, keystore: Path) -> None:
        super().__init__(keytool)
        self._keystore = keystore

    def introducing(self) -> None:
        """A Java takes half a second to tell; there is a file with it."""

    def asking(self, url: str) -> Command:
        """It prints what is not there."""
        return (self.program, *self._OPTIONS, "-printcrl", "-file", url)

    def account(self, output: Output, introduction: str) -> Account:  # noqa: ARG002
        """Of a line "keytool error: exception: exception: reason", the end."""
        says = last_line(output.stdout).rpartition("Exception: ")[2]
        options = os.environ.get("JAVA_TOOL_OPTIONS", "")
        if other := self._OTHER_STORE.search(options):
            name = "JAVA_TOOL_OPTIONS"
            place = Place(Path(other[1]), f"{other[1]} ({name})", name)
        else:
            place = place_at(str(self._keystore))
        return Account(says, self._version(), place)

    def _version(self) -> str:
        release = Path(os.path.realpath(self.program)).parent.parent / "release"
        try:
            told = self._VERSION.search(release.read_text("utf-8", "replace"))
        except OSError:
            return ""
        return told[1] if told else ""


def runtimes(stores: Sequence[TrustStore]) -> list[Client]:
    """Those in PATH, and the Javas of *stores*."""
    pythons = found("python3")
    return [
        *map(Python, pythons),
        *map(Requests, pythons),
        *map(Node, found("node", "nodejs")),
        *(Java(each.keytool, each.place) for each in stores if isinstance(each, JavaStore)),
    ]
