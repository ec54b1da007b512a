"""Ports and descriptors: why an address cannot be had, who has it, how many files may be open."""

import contextlib
import errno
import ipaddress
import os
import resource
import sys
from pathlib import Path

from openssl_serve.addresses import Address
from openssl_serve.errors import ListenError, reason_of

_LISTEN = "0A"
"""TCP_LISTEN in the kernel's tables (include/net/tcp_states.h)."""


def listen_error(address: Address, error: OSError) -> ListenError:
    """Say why *address* could not be bound, and what to type instead."""
    if error.errno == errno.EADDRINUSE:
        holder = find_holder(address.port)
        return ListenError(
            f"port {address.port} on {address.host} is in use" + (f" ({holder})" if holder else ""),
            "--port 0 takes any free port",
        )
    if error.errno == errno.EACCES:
        return ListenError(
            f"no right to listen on {address}: ports below 1024 are kept for the administrator",
            "--port 8443, or any other from 1024 on",
        )
    if error.errno == errno.EADDRNOTAVAIL:
        return ListenError(
            f"cannot listen on {address}: {address.host} is no address of this machine",
            f"this machine only: --bind-addr 127.0.0.1:{address.port}",
            f"the whole network: --bind-addr 0.0.0.0:{address.port}",
        )
    return ListenError(f"cannot listen on {address}: {reason_of(error)}")


def find_holder(port: int) -> str | None:
    """Name the process that listens on *port* ("python3, pid 4242"), where the system tells.

    Linux does, in /proc, for processes of the same user (for root, of all).
    """
    found = {socket for socket, address in listening_sockets().items() if address.port == port}
    if not found:
        return None
    for process in Path("/proc").iterdir():
        if process.name.isdecimal() and found & sockets_of(process):
            with contextlib.suppress(OSError):
                name = (process / "comm").read_text(encoding="utf-8", errors="replace").strip()
                return f"{name}, pid {process.name}"
    return None


def listening_sockets() -> dict[str, Address]:
    """Read where TCP sockets listen (Linux); the keys are what `sockets_of` gives."""
    found = {}
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        try:
            lines = Path(table).read_text(encoding="ascii").splitlines()[1:]
        except OSError:
            continue
        for line in lines:
            words = line.split()
            if words[3] == _LISTEN:
                host, _, port = words[1].rpartition(":")
                found[f"socket:[{words[9]}]"] = Address(_address(host), int(port, 16))
    return found


def sockets_of(process: Path) -> set[str]:
    """Return what the descriptors of *process* (/proc/PID) are; none if it is another user's."""
    found = set()
    with contextlib.suppress(OSError):
        for fd in (process / "fd").iterdir():
            # One that has been closed meanwhile.
            with contextlib.suppress(FileNotFoundError):
                found.add(os.readlink(fd))
    return found


def _address(text: str) -> str:
    """Read an address as the kernel writes it: 32-bit words in this machine's byte order."""
    data = bytes.fromhex(text)
    if sys.byteorder == "little":
        data = b"".join(data[n : n + 4][::-1] for n in range(0, len(data), 4))
    address = ipaddress.ip_address(data)
    return str(getattr(address, "ipv4_mapped", None) or address)


def raise_open_files() -> int:
    """Raise this process's limit on open files as far as it may; return the limit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    # macOS refuses more than OPEN_MAX (10240) where the hard limit says infinity.
    wanted = 65_536 if hard == resource.RLIM_INFINITY else min(hard, 65_536)
    if wanted > soft:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        except (OSError, ValueError):
            return soft
        return wanted
    return soft
