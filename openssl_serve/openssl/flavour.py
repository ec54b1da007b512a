"""Which openssl this is, told by its `version`; nothing here starts it."""

import re
from enum import StrEnum
from typing import NamedTuple

from openssl_serve.errors import OpensslUnusableError
from openssl_serve.hosts import shorten


class Flavour(StrEnum):
    """Who made the program."""

    OPENSSL = "OpenSSL"
    LIBRESSL = "LibreSSL"


OLDEST = {
    # The first with TLS 1.3, and the oldest that any supported system ships (Debian 11).
    Flavour.OPENSSL: (1, 1, 1),
    # What macOS 13 and later have as /usr/bin/openssl.
    Flavour.LIBRESSL: (3, 3, 0),
}

_VERSION = re.compile(r"(OpenSSL|LibreSSL) (\d+)\.(\d+)\.(\d+)([a-z]*)")


class Version(NamedTuple):
    """One release of one flavour; `text` is what to call it."""

    flavour: Flavour
    numbers: tuple[int, int, int]
    text: str

    @property
    def is_libressl(self) -> bool:
        """Whether the options that only OpenSSL has must be done without."""
        return self.flavour is Flavour.LIBRESSL

    @property
    def lacks(self) -> tuple[str, ...]:
        """What this program cannot do, of what we could use; in words."""
        if self.is_libressl:
            # Ed25519 came with LibreSSL 3.7 (November 2022).
            old = ("Ed25519 keys",) if self.numbers < (3, 7, 0) else ()
            return (*old, "pkey -check", "verify -verify_hostname", "x509 -checkhost")
        return () if self.numbers >= (3, 0, 0) else ("x509 -copy_extensions",)

    def __str__(self) -> str:
        return self.text


def parse_version(output: str, path: str) -> Version:
    """Read the output of `openssl version`; *path* is named in the error.

    Raises OpensslUnusableError when that is no openssl, or one that is too old.

    >>> parse_version("OpenSSL 3.0.19 27 Jan 2026 (Library: ...)", "openssl").text
    'OpenSSL 3.0.19'
    """
    match = _VERSION.match(output)
    if not match:
        first_line = output.strip().partition("\n")[0]
        said = f'"{shorten(first_line)}"' if first_line else "nothing"
        what = "BoringSSL, which makes no certificates" if "BoringSSL" in output else "not openssl"
        raise OpensslUnusableError(f'{path} is {what}: "version" printed {said}')
    flavour = Flavour(match[1])
    version = Version(flavour, (int(match[2]), int(match[3]), int(match[4])), match[0])
    oldest = OLDEST[flavour]
    if version.numbers < oldest:
        wanted = ".".join(map(str, oldest[: 3 if flavour is Flavour.OPENSSL else 2]))
        raise OpensslUnusableError(
            f"{path} is {version}, and {flavour} {wanted} is the oldest that works here"
        )
    return version
