"""The command `doctor`: what this machine has, and what would stand in the way. Changes nothing."""

import os
import socket
import stat
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Annotated

import typer

from openssl_serve.cli import inspection, render
from openssl_serve.cli.patient import Finding, Patient
from openssl_serve.errors import CertificateError, OpensslServeError

DEFAULT_PORT = 8080

NO_CLIENTS = Annotated[
    bool, typer.Option("--no-clients", help="Ask no curl, Python, browser … whether it trusts us.")
]


def register(app: typer.Typer) -> None:
    """Add the command to *app*."""
    app.command("doctor", help="Look for what would stand in the way.")(doctor)


def doctor(
    json: inspection.JSON = False,
    no_clients: NO_CLIENTS = False,
    openssl: inspection.OPENSSL = None,
) -> None:
    """Look at everything; leave with 1 when something is wrong."""
    from openssl_serve.cli import certificates_text as words  # noqa: PLC0415
    from openssl_serve.cli.clients_text import clients_json, show_clients  # noqa: PLC0415
    from openssl_serve.openssl.binary import Openssl  # noqa: PLC0415

    looks = [_program, _others, _python, _folder, _kept, _authority, _stores, _clock, _port]
    found = []
    with ExitStack() as stack:
        store, tool = inspection.open_store(), Openssl(openssl)
        patient = Patient(store, tool, stack, asks_clients=not no_clients)
        for look in [*looks, _clients] if patient.asks_clients else looks:
            for finding in _safely(look, patient):
                found.append(finding)
                if not json:
                    words.show_finding(*finding)
        if json:
            findings = [finding._asdict() for finding in found]
            words.as_json({"findings": findings, "clients": clients_json(patient.answers)})
        else:
            show_clients(patient.answers)
    if any(finding.good is False for finding in found):
        raise typer.Exit(1)


Look = Callable[[Patient], Iterator[Finding]]


def _safely(look: Look, patient: Patient) -> Iterator[Finding]:
    """Findings, where an error is one too: a doctor does not fall ill."""
    try:
        yield from look(patient)
    except OpensslServeError as error:
        name = look.__name__.strip("_")
        yield Finding(name, False, str(error))
        for hint in error.hints:
            yield Finding(name, None, hint)


def _program(patient: Patient) -> Iterator[Finding]:
    yield Finding("openssl", True, f"{patient.openssl.path}, {patient.openssl.version}")
    if patient.openssl.version.lacks:
        lacks = ", ".join(patient.openssl.version.lacks)
        yield Finding("lacks", None, f"{lacks}: done without, or in Python")
    if "OPENSSL_CONF" in os.environ:
        says = f"OPENSSL_CONF={os.environ['OPENSSL_CONF']} is not read: certificates have our own"
        yield Finding("config", None, says)


def _others(patient: Patient) -> Iterator[Finding]:
    """Other programs of the same name: which one is used is then no accident."""
    from openssl_serve.openssl.binary import Openssl, candidates  # noqa: PLC0415

    if patient.openssl_path is None:
        # Which `_program` has said.
        return
    seen = {patient.openssl.path.resolve()}
    for path in candidates("openssl"):
        if path.resolve() in seen:
            continue
        seen.add(path.resolve())
        try:
            yield Finding("also", None, f"{path}, {Openssl(str(path)).version}")
        except OpensslServeError as error:
            yield Finding("also", None, str(error))


def _python(_: Patient) -> Iterator[Finding]:
    import ssl  # noqa: PLC0415  10 ms, which --help and completion do not need

    version = ".".join(map(str, sys.version_info[:3]))
    yield Finding("python", True, f"{version}, serving with {ssl.OPENSSL_VERSION}")


def _folder(patient: Patient) -> Iterator[Finding]:
    path = patient.store.folder
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


def _kept(patient: Patient) -> Iterator[Finding]:
    import datetime as dt  # noqa: PLC0415

    from openssl_serve.certs.authority import STEM  # noqa: PLC0415

    now = dt.datetime.now(dt.UTC)
    pairs = patient.store.list()
    bad = [kept for kept in pairs if kept.facts.due(now)]
    count = f"{len(pairs)} certificate{'s' if len(pairs) > 1 else ''}"
    yield Finding("kept", None, count if pairs else "no certificate yet")
    whole = {kept.cert_path for kept in pairs}
    for cert in sorted(patient.store.folder.glob("*.crt")):
        if cert not in whole and cert.stem != STEM:
            yield Finding("kept", False, f"{cert} is no whole pair: openssl-serve show {cert}")
    for kept in bad:
        word = "expired" if kept.facts.expired(now) else "due"
        yield Finding("kept", None, f"{kept.cert_path} is {word}: openssl-serve renew")


def _authority(patient: Patient) -> Iterator[Finding]:
    authority = patient.store.find_authority()
    if authority is None:
        yield Finding("local CA", None, "none: certificates are self-signed")
        return
    until = f"{authority.cert_path}, until {authority.facts.not_after:%Y-%m-%d}"
    good = authority.key_path.exists() and authority.days_left() > 0
    missing = "" if authority.key_path.exists() else ", without its key: it issues nothing"
    yield Finding("local CA", good, until + missing)


def _stores(patient: Patient) -> Iterator[Finding]:
    """The stores that are no client's own; the others too, but Java's, if no client is asked."""
    from openssl_serve.trust.stores import Kind, State  # noqa: PLC0415

    if patient.target is None:
        return
    good = {State.TRUSTED: True, State.REFUSED: False}
    # Without a handshake, Java's takes seconds: that is for `trust --check`.
    kinds = [Kind.SYSTEM] if patient.asks_clients else [Kind.SYSTEM, Kind.NSS, Kind.MACOS]
    if not patient.stores:
        yield Finding("stores", None, "there is no trust store on this machine")
    for each in patient.stores:
        if each.kind in kinds:
            found = patient.check(each)
            yield Finding("stores", good.get(found.state), f"{each}: {found.state}, {found.says}")


def _clock(patient: Patient) -> Iterator[Finding]:
    import datetime as dt  # noqa: PLC0415

    now = dt.datetime.now(dt.UTC)
    ahead = [kept for kept in patient.store.list() if kept.facts.not_before > now]
    # Nothing of this program is older.
    early = now.year < 2026
    says = f"{now:%Y-%m-%d %H:%M} UTC"
    if early:
        says += ", which is long ago: every certificate will be refused"
    if ahead:
        says += f", before {ahead[0].cert_path} begins"
    yield Finding("clock", not (early or ahead), says)


def _port(_: Patient) -> Iterator[Finding]:
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


def _clients(patient: Patient) -> Iterator[Finding]:
    """Who trusts a certificate from here, by handshakes: the verdicts are the patient's answers."""
    from openssl_serve.clients.asking import ask_all  # noqa: PLC0415
    from openssl_serve.clients.browsers import browsers  # noqa: PLC0415
    from openssl_serve.clients.exhibit import HOST, exhibit_of  # noqa: PLC0415
    from openssl_serve.clients.mending import Answer, Situation, remedy  # noqa: PLC0415
    from openssl_serve.clients.programs import programs  # noqa: PLC0415
    from openssl_serve.clients.runtimes import runtimes  # noqa: PLC0415

    try:
        exhibit = exhibit_of(patient.store, patient.target)
    except CertificateError as error:
        # Whoever looked at what is kept has found that bad already.
        yield Finding("clients", None, f"not asked: {error}")
        return
    if exhibit is None:
        yield Finding(
            "clients", None, "not asked: no certificate is kept that could be shown to them"
        )
        return
    openssl, stores = patient.openssl_path, patient.stores
    clients = [*programs(openssl), *runtimes(stores), *browsers(stores, exhibit)]
    with render.progress(f"asking {len(clients)} clients"):
        verdicts = ask_all(clients, exhibit)
    situation = Situation(patient.system, exhibit.anchor)
    patient.answers = [Answer(each, remedy(each, situation)) for each in verdicts]
    yield Finding("clients", None, f"each was shown {exhibit.words}, on {HOST}")
