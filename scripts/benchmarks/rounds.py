"""The order of work: one folder for everything, all servers up, then each metric round by round.

All servers stay up, idle but for the one that is being measured, so that each is warm and their
turns are seconds apart. The order of turns moves on by one each round.
"""

import os
import shutil
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from benchmarks.loads import (
    LARGE,
    LARGE_BYTES,
    LOADS,
    PROXY_LOADS,
    SMALL,
    SMALL_BYTES,
    Target,
    await_port,
    await_response,
    check_answers,
    warm_up,
)
from benchmarks.processes import BenchError, Server, Word, free_port, output
from benchmarks.programs import Peer, Site
from benchmarks.proxies import upstream

OPENSSL_CONFIG = """\
[req]
prompt = no
distinguished_name = name
x509_extensions = extensions
[name]
CN = localhost
[extensions]
basicConstraints = critical, CA:TRUE
subjectKeyIdentifier = hash
subjectAltName = DNS:localhost, IP:127.0.0.1
extendedKeyUsage = serverAuth
"""

Figures = dict[str, dict[str, list[float | None]]]
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is measured: `loads` are keys of LOADS, or all of them of PROXY_LOADS."""

    loads: Sequence[str]
    rounds: int
    seconds: int
    starts: int


class Workspace:
    """A temporary folder with the certificate and the files; leaving the context removes it."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="openssl-serve-bench-"))
        self._launches = 0
        self._upstream_port = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)

    def fill(self) -> None:
        """Make a P-256 certificate, a small file and a large one that no file system can shrink."""
        config = self.folder / "openssl.cnf"
        config.write_text(OPENSSL_CONFIG)
        curve = ["-name", "prime256v1", "-genkey", "-noout"]
        output(["openssl", "ecparam", *curve, "-out", self.folder / "key.pem"])
        subject: list[Word] = ["-config", config, "-key", self.folder / "key.pem", "-days", "30"]
        output(["openssl", "req", "-x509", *subject, "-out", self.folder / "certificate.pem"])
        served = self.folder / "files"
        served.mkdir()
        (served / SMALL).write_text(os.urandom(SMALL_BYTES // 2).hex())
        with (served / LARGE).open("wb") as large:
            for _ in range(100):
                large.write(os.urandom(LARGE_BYTES // 100))

    def bring_up_upstream(self) -> Server:
        """Start the server that proxies are to stand before; raises BenchError without one."""
        scratch = self.folder / "upstream"
        scratch.mkdir()
        self._upstream_port = free_port()
        command = upstream(self._site(scratch))
        if command is None:
            raise BenchError("no nginx in PATH to stand before")
        server = Server(command, scratch / "output.log", {})
        try:
            await_port(self._upstream_port, server)
        except BaseException:
            server.stop()
            raise
        return server

    def _site(self, scratch: Path) -> Site:
        return Site(
            folder=self.folder / "files",
            certificate=self.folder / "certificate.pem",
            key=self.folder / "key.pem",
            scratch=scratch,
            tls_port=free_port(),
            plain_port=free_port(),
            upstream_port=self._upstream_port,
        )

    def launch(self, peer: Peer) -> tuple[Site, Server, float]:
        """Start *peer*; give its place, itself, and the milliseconds to its first response."""
        self._launches += 1
        scratch = self.folder / f"{peer.name}-{self._launches}"
        scratch.mkdir()
        site = self._site(scratch)
        command = peer.command(site)
        homes = ("OPENSSL_SERVE_HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME")
        environment = dict.fromkeys(homes, str(scratch))
        begun = time.monotonic()
        server = Server(command, scratch / "output.log", environment)
        try:
            return site, server, await_response(site, server, begun)
        except BaseException:
            server.stop()
            raise


def run(peers: Sequence[Peer], plan: Plan, say: Say) -> tuple[Figures, list[Target]]:
    """Measure all *peers*; one that fails is said so and has None for figures."""
    figures: Figures = {}
    with Workspace() as workspace, ExitStack() as servers:
        workspace.fill()
        if not LOADS.keys() & set(plan.loads):
            servers.enter_context(workspace.bring_up_upstream())
        targets = []
        for peer in peers:
            try:
                targets.append(_bring_up(workspace, peer, plan, servers))
            except (BenchError, OSError) as error:
                say(f"{peer.name} is left out: {error}")
        for target in targets:
            figures[target.peer.name] = {}
        for load in plan.loads:
            _measure(load, targets, plan, figures, say)
        for target in targets:
            target.server.sample_memory()
            if LOADS.keys() & set(plan.loads):
                figures[target.peer.name]["memory"] = [target.server.peak_memory]
    return figures, targets


def _bring_up(workspace: Workspace, peer: Peer, plan: Plan, servers: ExitStack) -> Target:
    site, server, _ = workspace.launch(peer)
    servers.enter_context(server)

    target = Target(peer, site, server, plan.seconds, lambda: workspace.launch(peer), plan.starts)
    check_answers(target)
    warm_up(target)
    return target


def _measure(load: str, targets: list[Target], plan: Plan, figures: Figures, say: Say) -> None:
    for turn in range(plan.rounds):
        say(f"{load}, round {turn + 1} of {plan.rounds}")
        first = turn % max(len(targets), 1)
        for target in targets[first:] + targets[:first]:
            found: dict[str, float | None] = {}
            try:
                target.server.check_alive()
                found = (LOADS | PROXY_LOADS)[load].measure(target)
            except BenchError as error:
                say(f"{target.peer.name}, {load}: {error}")
                target.details.append({"load": load, "error": str(error)})
            target.server.sample_memory()
            for key in (LOADS | PROXY_LOADS)[load].keys:
                figures[target.peer.name].setdefault(key, []).append(found.get(key))
