"""curl, wget, git and openssl: how each is asked, and how it tells why it refuses."""

import os
import re
from pathlib import Path
from urllib.parse import urlsplit

from openssl_serve.clients.client import (
    Account,
    Client,
    Place,
    found,
    last_line,
    place_at,
    second_word,
)
from openssl_serve.tools import Output
from openssl_serve.trust.stores import Command


class Curl(Client):
    """With the user's own ~/.curlrc, as when it is typed."""

    name = "curl"
    variables = ("CURL_CA_BUNDLE", "SSL_CERT_FILE")

    _CA_FILE = re.compile(r"^\* +CAfile: (/.*)$", re.MULTILINE)
    _ERROR = re.compile(r"^curl: \(\d+\) (?:SSL certificate problem: )?(.*)$", re.MULTILINE)

    def asking(self, url: str) -> Command:
        """Verbose: only then does it tell which file it reads."""
        return (self.program, "-sSv", "--noproxy", "*", "-o", os.devnull, url)

    def account(self, output: Output, introduction: str) -> Account:
        """From the lines that begin with an asterisk, and the one with an error."""
        error, file = self._ERROR.search(output.stderr), self._CA_FILE.search(output.stderr)
        place = self.named_place()
        if file and (place is None or str(place.path) != file[1]):
            # One that ~/.curlrc names, or that it was built with.
            place = place_at(file[1])
        return Account(error[1] if error else "", second_word(introduction), place)


class Wget(Client):
    """Of GNU; it follows no variable."""

    name = "wget"

    _ERROR = re.compile(r"^ERROR: The (certificate) of \S+ (.*?)\.?$", re.MULTILINE)

    def asking(self, url: str) -> Command:
        """Without what it remembers of sites in ~/.wget-hsts."""
        quiet = ("--no-proxy", "--no-hsts", "--no-verbose", "--tries=1", "-O", os.devnull)
        return (self.program, *quiet, url)

    def account(self, output: Output, introduction: str) -> Account | None:
        """Its errors go from the general to the particular."""
        if not introduction.startswith("GNU Wget"):
            # BusyBox has one that looks at no certificate, and says so.
            return None
        errors = [" ".join(words) for words in self._ERROR.findall(output.stderr)]
        version = second_word(introduction.removeprefix("GNU "))
        return Account((errors or [last_line(output.stderr)])[-1], version)


class Git(Client):
    """Over https, with the user's own settings but none of the folder's."""

    name = "git"
    variables = ("GIT_SSL_CAINFO",)
    blinding = "GIT_SSL_NO_VERIFY"
    environment = {"GIT_TERMINAL_PROMPT": "0", "GIT_ASKPASS": "true"}  # noqa: RUF012

    def asking(self, url: str) -> Command:
        """From the root: a repository that somebody else has made may name programs to run."""
        return (self.program, "-C", "/", "-c", "http.proxy=", "ls-remote", url)

    def account(self, output: Output, introduction: str) -> Account:
        """Of "fatal: unable to access 'URL': why. CAfile: …" the middle."""
        says = last_line(output.stderr).rpartition("': ")[2].partition(". CAfile:")[0]
        return Account(says, introduction.strip().rpartition(" ")[2], self.named_place())


class OpensslClient(Client):
    """The program that certificates are made with: what it trusts, others do that use its library.

    With the system's configuration, and not ours.
    """

    name = "openssl"
    variables = ("SSL_CERT_FILE",)

    _ERROR = re.compile(r"^verify error:num=\d+:(.*)$", re.MULTILINE)
    _FOLDER = re.compile(r'^OPENSSLDIR: "(.+)"$', re.MULTILINE)

    def introducing(self) -> Command:
        """With the folder that it was built for."""
        return (self.program, "version", "-v", "-d")

    def asking(self, url: str) -> Command:
        """Unless it is asked to (-verify_return_error), it goes on with whatever it gets.

        It compares no names: LibreSSL's cannot.
        """
        peer = urlsplit(url).netloc
        return (self.program, "s_client", "-connect", peer, "-quiet", "-verify_return_error")

    def typed(self, url: str) -> bytes:
        """A request; s_client speaks no HTTP."""
        parts = urlsplit(url)
        lines = (f"GET {parts.path} HTTP/1.1", f"Host: {parts.netloc}", "Connection: close", "", "")
        return "\r\n".join(lines).encode()

    def account(self, output: Output, introduction: str) -> Account:
        """Its first error is the reason, the others are what follows from that."""
        error, folder = self._ERROR.search(output.stderr), self._FOLDER.search(introduction)
        place = self.named_place()
        if place is None and folder:
            place = _place_in(Path(folder[1]))
        return Account(error[1] if error else "", second_word(introduction), place)


def _place_in(folder: Path) -> Place:
    """What OpenSSL reads in its own folder."""
    file = folder / "cert.pem"
    return place_at(str(file if file.exists() else folder / "certs"))


def programs(openssl: str | None) -> list[Client]:
    """Those in PATH, and the program *openssl* if there is one."""
    one_each = ((Curl, "curl"), (Wget, "wget"), (Git, "git"))
    clients: list[Client] = [kind(program) for kind, name in one_each for program in found(name)]
    return [*clients, OpensslClient(openssl)] if openssl else clients
