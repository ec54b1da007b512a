"""The command `doctor`: what this machine has, and what would stand in the way. Changes nothing."""

import os
import socket
import stat
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import typer

from openssl_serve.cli import inspection
from openssl_serve.errors import OpensslServeError, TrustStoreError

if TYPE_CHECKING:
    from openssl_serve.certs.store import Store
    from openssl_serve.openssl.binary import Openssl

DEFAULT_PORT = 8080


class Finding(NamedTuple):
    """One thing looked at; `good` None when it is neither good nor bad."""

    name: str
    good: bool | None
    says: str


def register(app: typer.Typer) -> None:
    """Add the command to *app*."""
    app.command("doctor", help="Look for what would stand in the way.")(doctor)


def doctor(json: inspection.JSON = False, openssl: inspection.OPENSSL = None) -> None:
    """Look at everything; leave with 1 when something is wrong."""
    from openssl_serve.cli import certificates_text as words  # noqa: PLC0415
    from openssl_serve.openssl.binary import Openssl  # noqa: PLC0415

    store, tool = inspection.open_store(), Openssl(openssl)
    found = []
    for look in (_program, _others, _python, _folder, _kept, _authority, _stores, _clock, _port):
        for finding in _safely(look, store, tool):
            found.append(finding)
            if not json:
                words.show_finding(finding.name, finding.good, finding.says)
    if json:
        words.as_json({"findings": [finding._asdict() for finding in found]})
    if any(finding.good is False for finding in found):
        raise typer.Exit(1)


Look = Callable[["Store", "Openssl"], Iterator[Finding]]


def _safely(look: Look, store: "Store", tool: "Openssl") -> Iterator[Finding]:
    """Findings, where an error is one too: a doctor does not fall ill."""
    try:
        yield from look(store, tool)
    except OpensslServeError as error:
        name = look.__name__.strip("_")
        yield Finding(name, False, str(error))
        for hint in error.hints:
            yield Finding(name, None, hint)


def _program(_: "Store", tool: "Openssl") -> Iterator[Finding]:
    yield Finding("openssl", True, f"{tool.path}, {tool.version}")
    if tool.version.lacks:
        lacks = ", ".join(tool.version.lacks)
        yield Finding("lacks", None, f"{lacks}: done without, or in Python")
    if "OPENSSL_CONF" in os.environ:
        says = f"OPENSSL_CONF={os.environ['OPENSSL_CONF']} is not read: certificates have our own"
        yield Finding("config", None, says)


def _others(_: "Store", tool: "Openssl") -> Iterator[Finding]:
    """Other programs of the same name: which one is used is then no accident."""
    from openssl_serve.openssl.binary import Openssl, candidates  # noqa: PLC0415

    seen = {tool.path.resolve()}
    for path in candidates("openssl"):
        if path.resolve() in seen:
            continue
        seen.add(path.resolve())
        try:
            yield Finding("also", None, f"{path}, {Openssl(str(path)).version}")
        except OpensslServeError as error:
            yield Finding("also", None, str(error))


def _python(_: "Store", _tool: "Openssl") -> Iterator[Finding]:
    import ssl  # noqa: PLC0415  10 ms, which --help and completion do not need

    version = ".".join(map(str, sys.version_info[:3]))
    yield Finding("python", True, f"{version}, serving with {ssl.OPENSSL_VERSION}")


def _folder(store: "Store", _: "Openssl") -> Iterator[Finding]:
    path = store.folder
    if not path.exists():
        parent = next(folder for folder in path.parents if folder.exists())
        good = os.access(parent, os.W_OK)
        word = "is made when needed" if good else f"cannot be made: {parent} is not writable"
        yield Finding("folder", good, f"{path} {word}")
        return
    status = path.stat()
    mode = stat.S_IMODE(status.st_mode)
    faults = []
    if not path.is_dir():
        faults.append("is no folder")
    if status.st_uid != os.geteuid():
        faults.append(f"belongs to user {status.st_uid}")
    if mode & 0o077:
        faults.append(f"has mode {mode:04o}, and 0700 is private")
    if not os.access(path, os.W_OK):
        faults.append("is not writable")
    yield Finding("folder", not faults, f"{path} {', '.join(faults) or 'is private and writable'}")
    for key in sorted(path.glob("*.key")):
        if stat.S_IMODE(key.stat().st_mode) & 0o077:
            yield Finding("folder", False, f"{key} can be read by others: chmod 600 {key}")
    for aside in sorted(path.glob("*.aside-*")):
        yield Finding("aside", None, f"{aside} was in the way once; delete it if it is not yours")


def _kept(store: "Store", _: "Openssl") -> Iterator[Finding]:
    import datetime as dt  # noqa: PLC0415

    from openssl_serve.certs.authority import STEM  # noqa: PLC0415

    now = dt.datetime.now(dt.UTC)
    pairs = store.list()
    bad = [kept for kept in pairs if kept.facts.due(now)]
    yield Finding("kept", None, f"{len(pairs)} certificates" if pairs else "no certificate yet")
    whole = {kept.cert_path for kept in pairs}
    for cert in sorted(store.folder.glob("*.crt")):
        if cert not in whole and cert.stem != STEM:
            yield Finding("kept", False, f"{cert} is no whole pair: openssl-serve show {cert}")
    for kept in bad:
        word = "expired" if kept.facts.expired(now) else "due"
        yield Finding("kept", None, f"{kept.cert_path} is {word}: openssl-serve renew")


def _authority(store: "Store", tool: "Openssl") -> Iterator[Finding]:
    authority = store.find_authority()
    if authority is None:
        yield Finding("local CA", None, "none: certificates are self-signed")
        return
    until = f"{authority.cert_path}, until {authority.facts.not_after:%Y-%m-%d}"
    good = authority.key_path.exists() and authority.days_left() > 0
    missing = "" if authority.key_path.exists() else ", without its key: it issues nothing"
    yield Finding("local CA", good, until + missing)
    _ = tool.version
    output = tool.run("verify", str(authority.cert_path), folder=Path("/"))
    trusted = output.exit_code == 0 and b": OK" in output.stdout
    says = "openssl trusts the local CA" if trusted else "openssl does not trust the local CA"
    yield Finding("trust", True if trusted else None, says)


def _stores(store: "Store", tool: "Openssl") -> Iterator[Finding]:
    """The trust stores of this machine, but Java's: they take seconds, for `trust --check`."""
    from openssl_serve.trust.machine import find_stores  # noqa: PLC0415
    from openssl_serve.trust.stores import Kind, State  # noqa: PLC0415
    from openssl_serve.trust.target import target_of  # noqa: PLC0415

    authority = store.find_authority()
    if authority is None:
        return
    good = {State.TRUSTED: True, State.REFUSED: False}
    try:
        stores = find_stores()
    except TrustStoreError as error:
        # As in many a container.
        yield Finding("stores", None, str(error))
        return
    with target_of(authority, tool) as target:
        for each in stores:
            if each.kind is not Kind.JAVA:
                found = each.check(target)
                says = f"{each}: {found.state}, {found.says}"
                yield Finding("stores", good.get(found.state), says)


def _clock(store: "Store", _: "Openssl") -> Iterator[Finding]:
    import datetime as dt  # noqa: PLC0415

    now = dt.datetime.now(dt.UTC)
    ahead = [kept for kept in store.list() if kept.facts.not_before > now]
    # Nothing of this program is older.
    early = now.year < 2026
    says = f"{now:%Y-%m-%d %H:%M} UTC"
    if early:
        says += ", which is long ago: every certificate will be refused"
    if ahead:
        says += f", before {ahead[0].cert_path} begins"
    yield Finding("clock", not (early or ahead), says)


def _port(_: "Store", _tool: "Openssl") -> Iterator[Finding]:
    from openssl_serve.hosts import Address  # noqa: PLC0415
    from openssl_serve.server.ports import listen_error  # noqa: PLC0415

    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", DEFAULT_PORT))
        except OSError as error:
            says = listen_error(Address("127.0.0.1", DEFAULT_PORT), error)
            yield Finding("port", None, f"{says}; {says.hints[0] if says.hints else ''}")
            return
    yield Finding("port", True, f"{DEFAULT_PORT} is free")
