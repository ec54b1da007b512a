"""The measurements: what is done to a running server, and how a figure is read from it."""

import http.client
import re
import shutil
import socket
import ssl
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import median

from benchmarks import client
from benchmarks.processes import SAMPLE_INTERVAL_S, BenchError, Server, run_load
from benchmarks.programs import Peer, Site

SMALL, SMALL_BYTES = "f.txt", 1024
LARGE, LARGE_BYTES = "big.bin", 100_000_000

CONNECTIONS = 32
IDLE = 2000
START_TIMEOUT_S = 20.0
GRACE_S = 60.0
"""What a load may take beyond its own duration: the slowest server has one download to finish."""


@dataclass(slots=True)
class Target:
    """One server that is up, and how long it is to be measured each time."""

    peer: Peer
    site: Site
    server: Server
    seconds: int
    launch: Callable[[], tuple[Site, Server, float]]
    """Starts another instance; gives its place, itself, and milliseconds to its first response."""
    starts: int
    details: list[dict[str, float | str]] = field(default_factory=list)

    @property
    def plain_port(self) -> int:
        """Where plain HTTP is answered."""
        return self.site.tls_port if self.peer.one_port else self.site.plain_port


def await_response(site: Site, server: Server, begun: float) -> float:
    """Ask over HTTPS until a complete answer has come; give the milliseconds since *begun*."""
    tls = client.context()
    buffer = bytearray(4 * SMALL_BYTES)
    while True:
        try:
            received = client.fetch(tls, site.tls_port, f"/{SMALL}", buffer)
        except OSError as error:
            server.check_alive()
            if time.monotonic() > begun + START_TIMEOUT_S:
                raise BenchError(f"no answer after {START_TIMEOUT_S:g} s: {error}") from error
            time.sleep(0.0005)
        else:
            if received <= SMALL_BYTES:
                raise BenchError(f"{received} bytes are no complete answer")
            return (time.monotonic() - begun) * 1000


def await_port(port: int, server: Server) -> None:
    """Wait until a *server* listens on *port*."""
    end = time.monotonic() + START_TIMEOUT_S
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError as error:
            server.check_alive()
            if time.monotonic() > end:
                raise BenchError(f"nothing listens after {START_TIMEOUT_S:g} s") from error
            time.sleep(0.0005)
        else:
            return


def check_answers(target: Target) -> None:
    """Raise BenchError unless certificate, file and redirect are what is to be measured."""
    site = target.site
    trusted = ssl.create_default_context(cafile=site.certificate)
    secure = http.client.HTTPSConnection("127.0.0.1", site.tls_port, timeout=10, context=trusted)
    body = _get(secure, 200).read()
    if body != (site.folder / SMALL).read_bytes():
        raise BenchError(f"https://127.0.0.1:{site.tls_port}/{SMALL} is not the file")
    secure.close()
    if target.peer.redirects:
        plain = http.client.HTTPConnection("127.0.0.1", target.plain_port, timeout=10)
        location = _get(plain, 301).getheader("Location")
        plain.close()
        if location != f"https://127.0.0.1:{site.tls_port}/{SMALL}":
            raise BenchError(f"the redirect leads to {location}")


def _get(connection: http.client.HTTPConnection, status: int) -> http.client.HTTPResponse:
    try:
        connection.request("GET", f"/{SMALL}")
        response = connection.getresponse()
    except (OSError, http.client.HTTPException) as error:
        raise BenchError(f"no answer to a GET: {error!r}") from error
    if response.status != status:
        raise BenchError(f"status {response.status} where {status} was expected")
    return response


def warm_up(target: Target) -> None:
    """Load a server that has just come up for a second: Node compiles what runs often."""
    if "keep-alive" not in missing_programs():
        keep_alive(replace(target, seconds=1, details=[]))


def keep_alive(target: Target) -> dict[str, float | None]:
    """Request the small file over connections that stay."""
    said = _wrk(target, f"https://127.0.0.1:{target.site.tls_port}/{SMALL}")
    return {
        "keep-alive": said["requests_per_s"],
        "keep-alive-p50": said.get("p50_ms"),
        "keep-alive-p99": said.get("p99_ms"),
    }


def redirects(target: Target) -> dict[str, float | None]:
    """Request it over plain HTTP, where the answer is a redirect."""
    if not target.peer.redirects:
        return {"redirects": None}
    said = _wrk(target, f"http://127.0.0.1:{target.plain_port}/{SMALL}")
    return {"redirects": said["requests_per_s"]}


def connections(target: Target) -> dict[str, float | None]:
    """Make new TLS connections with a full handshake and one request each."""
    before = target.server.cpu_seconds()
    count, seconds = _client(target, "connections", SMALL, SMALL_BYTES, target.seconds)
    after = target.server.cpu_seconds()
    if not count:
        raise BenchError("no connection was answered")
    cpu = None if before is None or after is None else (after - before) / count * 1000
    return {"connections": count / seconds, "connection-cpu": cpu or None}


def download(target: Target) -> dict[str, float | None]:
    """Fetch the large file over one connection at a time."""
    seconds = min(1, target.seconds) / 2
    received, taken = _client(target, "download", LARGE, LARGE_BYTES, seconds)
    return {"download": received / taken / 1e6}


def stuck(target: Target) -> dict[str, float | None]:
    """Ask beside 2,500 connections that are stuck in one way or another."""
    p99_ms, _ = _client(target, "stuck", SMALL, SMALL_BYTES, 0, f"/{LARGE}")
    return {"stuck": p99_ms}


def proxied(target: Target) -> dict[str, float | None]:
    """Request the small file from the server behind, over connections that stay."""
    said = keep_alive(target)
    return {"proxied": said["keep-alive"], "proxied-p99": said["keep-alive-p99"]}


def proxied_download(target: Target) -> dict[str, float | None]:
    """Fetch the large file from the server behind."""
    return {"proxied-download": download(target)["download"]}


def added(target: Target) -> dict[str, float | None]:
    """Request it over one connection, through the proxy and past it, in turns of a second."""
    through, direct = [], []
    for _ in range(2):
        through.append(_alone(target, f"https://127.0.0.1:{target.site.tls_port}/{SMALL}"))
        direct.append(_alone(target, f"http://127.0.0.1:{target.site.upstream_port}/{SMALL}"))
    return {"added": median(through) - median(direct)}


def _alone(target: Target, url: str) -> float:
    """Give the milliseconds of a request when there is never another."""
    command = ["wrk", "-t1", "-c1", "-d1s", "--latency", url]
    said = run_load(command, GRACE_S, target.server.sample_memory)
    return read_wrk(said)["p50_ms"]


def idle(target: Target) -> dict[str, float | None]:
    """Weigh a new instance before and while connections are kept open that ask for nothing."""
    site, server, _ = target.launch()
    with server:
        another = replace(target, site=site, server=server)
        # What the first connections bring along is no matter of each.
        _client(another, "idle", SMALL, SMALL_BYTES, 0, str(IDLE // 10))
        before = server.memory()
        server.forget_peak()
        # Long enough for memory to be looked at while all are open.
        _client(another, "idle", SMALL, SMALL_BYTES, 4 * SAMPLE_INTERVAL_S, str(IDLE))
        after = server.peak_memory
    if before is None or after is None:
        return {"idle": None}
    return {"idle": (after - before) / IDLE * 1000}


def start(target: Target) -> dict[str, float | None]:
    """Start further instances, one after the other."""
    return {"start": median(_start_again(target) for _ in range(target.starts))}


def _start_again(target: Target) -> float:
    _, server, milliseconds = target.launch()
    server.stop()
    return milliseconds


@dataclass(frozen=True, slots=True)
class Load:
    """A measurement, and the keys of the metrics that it gives."""

    measure: Callable[[Target], dict[str, float | None]]
    keys: tuple[str, ...]


LOADS = {
    "keep-alive": Load(keep_alive, ("keep-alive", "keep-alive-p50", "keep-alive-p99")),
    "connections": Load(connections, ("connections", "connection-cpu")),
    "redirects": Load(redirects, ("redirects",)),
    "download": Load(download, ("download",)),
    "stuck": Load(stuck, ("stuck",)),
    "idle": Load(idle, ("idle",)),
    "start": Load(start, ("start",)),
}

PROXY_LOADS = {
    "proxied": Load(proxied, ("proxied", "proxied-p99")),
    "proxied-download": Load(proxied_download, ("proxied-download",)),
    "added": Load(added, ("added",)),
}
"""Of servers that stand before another."""


def missing_programs() -> dict[str, str]:
    """Say which loads cannot run here, and for want of what."""
    if shutil.which("wrk"):
        return {}
    return dict.fromkeys(("keep-alive", "redirects", "proxied", "added"), "wrk")


def _client(
    target: Target, load: str, name: str, size: int, seconds: float, *more: str
) -> tuple[float, float]:
    script = Path(client.__file__)
    words = [load, str(target.site.tls_port), f"/{name}", str(size), str(seconds), *more]
    sample = target.server.sample_memory
    said = run_load([sys.executable, script, *words], seconds + GRACE_S, sample)
    figure, _, taken = said.partition(" ")
    return float(figure), float(taken)


def _wrk(target: Target, url: str) -> dict[str, float]:
    options = ["-t2", f"-c{CONNECTIONS}", f"-d{target.seconds}s", "--latency"]
    begun = target.server.cpu_seconds()
    sample = target.server.sample_memory
    said = run_load(["wrk", *options, url], target.seconds + GRACE_S, sample)
    ended = target.server.cpu_seconds()
    figures = read_wrk(said)
    if begun is not None and ended is not None:
        figures["server_cpu_ms"] = (ended - begun) / figures["requests"] * 1000
    target.details.append({"url": url, **figures})
    return figures


def read_wrk(said: str) -> dict[str, float]:
    """Read the report of wrk; BenchError if what it counted were not good answers."""
    if bad := re.search(r"Non-2xx or 3xx responses: (\d+)", said):
        raise BenchError(f"{bad[1]} answers were errors")
    total = re.search(r"(\d+) requests in", said)
    rate = re.search(r"Requests/sec:\s+([\d.]+)", said)
    if total is None or rate is None or int(total[1]) == 0:
        raise BenchError("wrk reports no request")
    figures = {"requests": float(total[1]), "requests_per_s": float(rate[1])}
    for percent in ("50", "99"):
        if found := re.search(rf"\b{percent}%\s+([\d.]+)(us|ms|s)", said):
            unit = {"us": 1e-3, "ms": 1.0, "s": 1e3}[found[2]]
            figures[f"p{percent}_ms"] = float(found[1]) * unit
    if errors := re.search(r"connect (\d+), read (\d+), write (\d+), timeout (\d+)", said):
        figures["socket_errors"] = float(sum(map(int, errors.groups())))
    return figures
