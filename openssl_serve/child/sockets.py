"""Where a process group listens: asked of /proc on Linux, of lsof elsewhere."""

import errno
import socket
import sys
from collections.abc import Iterable
from pathlib import Path

from openssl_serve import tools
from openssl_serve.addresses import Address
from openssl_serve.child.processes import family
from openssl_serve.server.ports import listening_sockets, sockets_of

LSOF = ("lsof", "-nP", "-iTCP", "-sTCP:LISTEN", "-Fgtn")
"""No names, no looking up; for each process its group, for each socket its type and name."""

LSOF_TIMEOUT_S = 5.0
"""It takes a twentieth of a second, and hangs where a network file system does."""

_ANY = {"0.0.0.0": "127.0.0.1", "::": "::1"}


def free_address() -> Address:
    """Return 127.0.0.1 with a port that is free there and on ::1, where a name may lead too."""
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = int(probe.getsockname()[1])
        if is_free(port):
            return Address("127.0.0.1", port)


def is_free(port: int) -> bool:
    """Whether nobody listens on *port* of 127.0.0.1 or ::1."""
    for kind, host in (socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1"):
        try:
            with socket.socket(kind) as probe:
                # Connections that have been there may still wait for their last segments.
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind((host, port))
        except OSError as error:
            # Any other: there is no IPv6 here, or no right to that port, as the command will say.
            if error.errno == errno.EADDRINUSE:
                return False
    return True


def listening(group: int | None = None) -> set[Address]:
    """Find where TCP connections are taken at this moment, as addresses to connect to.

    By whomever, or by the process *group* and what descends from it; nowhere when the system does
    not tell. Takes up to a tenth of a second: not for the loop.
    """
    found = _by_proc(group) if sys.platform == "linux" else _by_lsof(group)
    return {address._replace(host=_ANY.get(address.host, address.host)) for address in found}


def _by_proc(group: int | None) -> Iterable[Address]:
    table = listening_sockets()
    if group is None:
        return table.values()
    own: set[str] = set()
    for pid in family(group):
        own |= sockets_of(Path("/proc", str(pid)))
    return (table[name] for name in own if name in table)


def _by_lsof(group: int | None) -> Iterable[Address]:
    try:
        output = tools.capture(LSOF, {"LC_ALL": "C"}, LSOF_TIMEOUT_S)
    except OSError:
        output = None
    return read_lsof(output.stdout if output else "", group)


def read_lsof(text: str, group: int | None) -> list[Address]:
    """Read the output of lsof's -F: in each line a letter for the field, then its value."""
    found = []
    its_group, kind = 0, ""
    for line in text.splitlines():
        letter, value = line[:1], line[1:]
        if letter == "g":
            its_group = int(value)
        elif letter == "t":
            kind = value
        elif letter == "n":
            host, _, port = value.rpartition(":")
            host = {"*": "::" if kind == "IPv6" else "0.0.0.0"}.get(host, host.strip("[]"))
            if port.isdecimal() and group in (None, its_group):
                found.append(Address(host, int(port)))
    return found
