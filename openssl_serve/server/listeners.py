"""Listening sockets: opened on an address or a path, or inherited from the service manager."""

import contextlib
import os
import socket
import stat
from collections.abc import Sequence
from pathlib import Path

from openssl_serve.addresses import Address
from openssl_serve.errors import ListenError, reason_of
from openssl_serve.server.ports import listen_error

BACKLOG = 1024
"""Connections waiting to be accepted: with socketserver's 5 a burst waits a second for its SYN."""

MAX_PORT = 65_535

FIRST_INHERITED = 3
"""SD_LISTEN_FDS_START, sd_listen_fds(3)."""


class UnixListener(socket.socket):
    """A listening socket with a path that was made here, and is to be removed from here."""

    def __init__(self) -> None:
        super().__init__(socket.AF_UNIX)
        self._path = ""
        self._made: object = None

    def made_at(self, path: Path) -> None:
        """Remember what *path* is now: the name that this socket has just been bound to."""
        self._path, self._made = str(path), _identity(path)

    def remove(self) -> None:
        """Remove the path, unless it is another's by now."""
        with contextlib.suppress(OSError):
            if self._made == _identity(Path(self._path)):
                os.unlink(self._path)


def open_tcp(address: Address) -> list[socket.socket]:
    """Listen on *address*; "localhost" and other names on each of their addresses.

    With port 0, a name's addresses all get the same free port. `::` takes IPv4 clients too.
    Raises ListenError.
    """
    if not 0 <= address.port <= MAX_PORT:
        # The system would take other bits of it, or Python raise what nobody expects of a socket.
        raise ListenError(
            f"cannot listen on {address}: {address.port} is no port", "--port 0 takes any free port"
        )
    # As bytes, for a name in ASCII needs no codec: importing Python's takes a millisecond.
    host = address.host.encode() if address.host.isascii() else address.host
    try:
        found = socket.getaddrinfo(
            host, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
    except OSError as error:
        raise ListenError(
            f"cannot listen on {address}: {reason_of(error)}",
            f"this machine only: --bind-addr 127.0.0.1:{address.port}",
        ) from error
    # IPv4 first: it is what "localhost" means to most clients.
    found.sort(key=lambda info: info[0] != socket.AF_INET)
    port = address.port
    listeners: list[socket.socket] = []
    for family, _, _, _, where in dict.fromkeys(found):
        try:
            listener = _listen(family, (where[0], port, *where[2:]))
        except OSError as error:
            if listeners and family == socket.AF_INET6:
                # A name may have an IPv6 address that this machine has not been given.
                continue
            for opened in listeners:
                opened.close()
            raise listen_error(address, error) from error
        listeners.append(listener)
        port = listener.getsockname()[1]
    return listeners


def open_unix(path: Path, mode: int | None = None) -> list[socket.socket]:
    """Listen on the Unix socket *path*, with these permission bits if given.

    A socket that nobody listens on any more is replaced; anything else at *path* is left alone.
    Raises ListenError.
    """
    try:
        _remove_stale(path)
        listener = UnixListener()
        try:
            listener.bind(str(path))
            listener.made_at(path)
            if mode is not None:
                path.chmod(mode)
            listener.listen(BACKLOG)
        except OSError:
            listener.close()
            raise
    except OSError as error:
        raise ListenError(f"cannot listen on {path}: {reason_of(error)}") from error
    listener.setblocking(False)
    return [listener]


def inherited() -> list[socket.socket]:
    """Take over the sockets that systemd has opened for this process, if any (sd_listen_fds(3)).

    The variables are removed, so that no child takes them for its own.
    """
    pid, count = os.environ.get("LISTEN_PID"), os.environ.get("LISTEN_FDS", "")
    if pid != str(os.getpid()) or not count.isdecimal():
        return []
    for name in ("LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"):
        os.environ.pop(name, None)
    listeners = []
    for fd in range(FIRST_INHERITED, FIRST_INHERITED + int(count)):
        os.set_inheritable(fd, False)
        try:
            listener = socket.socket(fileno=fd)
        except OSError as error:
            raise ListenError(f"descriptor {fd} of LISTEN_FDS is no socket") from error
        listener.setblocking(False)
        listeners.append(listener)
    return listeners


def tell_service_manager(state: str) -> None:
    """Send *state* ("READY=1") to the service manager, if one wants to know (sd_notify(3))."""
    path = os.environ.get("NOTIFY_SOCKET")
    if not path:
        return
    # A leading @ stands for the NUL of an abstract socket.
    where = "\0" + path[1:] if path.startswith("@") else path
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        sender.sendto(state.encode(), where)


def address_of(listener: socket.socket) -> Address | Path:
    """Where *listener* listens."""
    name = listener.getsockname()
    if listener.family == socket.AF_UNIX:
        return Path(os.fsdecode(name))
    return Address(name[0], name[1])


def only_address(addresses: Sequence[Address | Path]) -> Address | None:
    """Return the address that every client connects to, if there is one and it is a real one."""
    if len(addresses) == 1 and isinstance(addresses[0], Address):
        return None if addresses[0].host in ("0.0.0.0", "::") else addresses[0]
    return None


def connected_address(connection: socket.socket) -> Address:
    """Return the address that the client of *connection* connected to; empty on a Unix socket."""
    try:
        name = connection.getsockname()
    except OSError:
        name = ""
    if not isinstance(name, tuple):
        return Address("", 0)
    # Without the zone of a link-local address, and IPv4 as such where a dual stack maps it into
    # IPv6 (RFC 4291 section 2.5.5.2).
    return Address(name[0].partition("%")[0].removeprefix("::ffff:"), name[1])


def _listen(family: int, where: tuple[object, ...]) -> socket.socket:
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        # Without it, a restart would wait for the last connections' TIME_WAIT to pass.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            # Dual stack for the wildcard; for one address the option means nothing.
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, int(where[0] != "::"))
        listener.bind(where)
        listener.listen(BACKLOG)
    except OSError:
        listener.close()
        raise
    listener.setblocking(False)
    return listener


def _identity(path: Path) -> object:
    status = path.lstat()
    # The number of a file that is gone is soon given to another.
    return status.st_dev, status.st_ino, status.st_mtime_ns


def _remove_stale(path: Path) -> None:
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise ListenError(
            f"cannot listen on {path}: something that is no socket is already there",
            "move it away, or name another path",
        )
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(1)
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            path.unlink()
            return
    raise ListenError(f"cannot listen on {path}: another process is listening there")
