"""The command `doctor`: what this machine has, and what would stand in the way. Changes nothing."""

import os
import shlex
import socket
import stat
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Annotated

import typer

from openssl_serve.cli import inspection, render
from openssl_serve.cli.patient import Finding, Patient
from openssl_serve.errors import CertificateError, OpensslServeError, StoreError, reason_of

NO_CLIENTS = Annotated[
    bool,
    typer.Option(
        "--no-clients", help="Leave out asking curl, Python, browsers whether they trust us."
    ),
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
    from openssl_serve.cli.doctor_text import (  # noqa: PLC0415
        clients_json,
        show_clients,
        show_finding,
    )
    from openssl_serve.openssl.binary import Openssl  # noqa: PLC0415

    found = []
    with ExitStack() as stack:
        store, tool = inspection.open_store(), Openssl(openssl)
        patient = Patient(store, tool, stack, asks_clients=not no_clients)
        for name, look in LOOKS.items():
            if look is _clients and no_clients:
                continue
            for finding in _safely(name, look, patient):
                found.append(finding)
                if not json:
                    show_finding(finding)
        if json:
            findings = [finding._asdict() for finding in found]
            words.as_json({"findings": findings, "clients": clients_json(patient.answers)})
        else:
            show_clients(patient.answers)
    if any(finding.good is False for finding in found):
        raise typer.Exit(1)


Look = Callable[[Patient], Iterator[Finding]]


def _safely(name: str, look: Look, patient: Patient) -> Iterator[Finding]:
    """Findings, where an error is one too, called *name*: a doctor does not fall ill."""
    try:
        yield from look(patient)
    except OpensslServeError as error:
        yield Finding(name, False, str(error))
        for hint in error.hints:
            yield Finding(name, None, hint)
    except OSError as error:
        yield Finding(name, False, f"{error.filename}: {reason_of(error)}")


def _openssl(patient: Patient) -> Iterator[Finding]:
    yield Finding("openssl", True, f"{patient.openssl.path}, {patient.openssl.version}")
    if patient.openssl.version.lacks:
        lacks = ", ".join(patient.openssl.version.lacks)
        says = f"{lacks}: what needs them is done another way, or refused"
        yield Finding("lacks", None, says)
    if "OPENSSL_CONF" in os.environ:
        says = f"OPENSSL_CONF={os.environ['OPENSSL_CONF']} is not read for certificates"
        yield Finding("config", None, says)


def _others(patient: Patient) -> Iterator[Finding]:
    """Other programs of the same name: which one is used is then no accident."""
    from openssl_serve.openssl.binary import Openssl  # noqa: PLC0415
    from openssl_serve.programs import candidates  # noqa: PLC0415

    if patient.openssl_path is None:
        # Which `_openssl` has said.
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
    if not path.is_dir():
        yield Finding("folder", False, f"{path} is not a folder")
        return
    status = path.stat()
    mode = stat.S_IMODE(status.st_mode)
    faults = []
    if status.st_uid != os.geteuid():
        faults.append(f"belongs to user {status.st_uid}, and you are user {os.geteuid()}")
    elif mode & 0o077:
        faults.append(f"has mode {mode:04o}: chmod 700 {_quoted(path)}")
    if not os.access(path, os.W_OK):
        faults.append("is not writable")
    yield Finding("folder", not faults, f"{path} {', '.join(faults) or 'is private and writable'}")
    for key in sorted(path.glob("*.key")):
        if stat.S_IMODE(key.stat().st_mode) & 0o077:
            yield Finding("folder", False, f"{key} can be read by others: chmod 600 {_quoted(key)}")
    for aside in sorted(path.glob("*.aside-*")):
        says = f"{aside} was in the way, and was moved aside: delete it if nobody needs it"
        yield Finding("aside", None, says)


def _kept(patient: Patient) -> Iterator[Finding]:
    import datetime as dt  # noqa: PLC0415

    from openssl_serve.certs.authority import STEM  # noqa: PLC0415
    from openssl_serve.certs.keys import check_pair  # noqa: PLC0415
    from openssl_serve.certs.pairs import check_readable  # noqa: PLC0415

    folder = patient.store.folder
    if not patient.has_readable_authority or (folder.exists() and not folder.is_dir()):
        # Which is said there.
        return
    now = dt.datetime.now(dt.UTC)
    pairs = patient.kept
    bad = [kept for kept in pairs if kept.facts.due(now)]
    count = f"{len(pairs)} certificate{'s' if len(pairs) > 1 else ''}"
    yield Finding("kept", None, count if pairs else "no certificate yet")
    whole = {kept.cert_path for kept in pairs}
    for cert in sorted(folder.glob("*.crt")):
        if cert not in whole and cert.stem != STEM:
            says = f"{cert} is not part of a whole pair: openssl-serve show {_quoted(cert)}"
            yield Finding("kept", False, says)
    for kept in pairs:
        try:
            check_readable(kept.key_path)
            check_pair(kept.cert_path, kept.key_path)
        except CertificateError as error:
            yield Finding("kept", False, "; ".join((str(error), *error.hints)))
    for kept in bad:
        word = "expired" if kept.facts.expired(now) else "due"
        yield Finding("kept", None, f"{kept.cert_path} is {word}: openssl-serve renew")


def _authority(patient: Patient) -> Iterator[Finding]:
    authority = patient.authority
    if authority is None:
        says = "none, so certificates are self-signed: openssl-serve trust makes one"
        yield Finding("local CA", None, says)
        return
    if refusal := authority.refusal(()):
        raise refusal
    until = f"{authority.facts.not_after:%Y-%m-%d}"
    yield Finding("local CA", True, f"{authority.cert_path}, until {until}")


def _stores(patient: Patient) -> Iterator[Finding]:
    """The stores that are no client's own; the others too, but Java's, if no client is asked."""
    from openssl_serve.trust.stores import Kind, State  # noqa: PLC0415

    if patient.target is None:
        return
    good = {State.TRUSTED: True, State.REFUSED: False}
    words = {
        State.TRUSTED: "trusts the local CA",
        State.ABSENT: "does not trust the local CA",
        State.REFUSED: "has the local CA, and does not trust it",
        State.UNKNOWN: "cannot be asked",
    }
    # Without a handshake, Java's takes seconds: that is for `trust --check`.
    kinds = [Kind.SYSTEM] if patient.asks_clients else [Kind.SYSTEM, Kind.NSS, Kind.MACOS]
    if not patient.stores:
        yield Finding("stores", None, "there is no trust store on this machine")
    for each in patient.stores:
        if each.kind in kinds:
            found = patient.check(each)
            says = f": {found.says}"
            if found.state is State.ABSENT:
                says = f": openssl-serve trust --store {each.kind}"
            yield Finding("stores", good.get(found.state), f"{each} {words[found.state]}{says}")


def _clock(patient: Patient) -> Iterator[Finding]:
    import datetime as dt  # noqa: PLC0415

    now = dt.datetime.now(dt.UTC)
    ahead = []
    # Why they cannot be listed is said elsewhere.
    with suppress(StoreError):
        ahead = [kept for kept in patient.kept if kept.facts.not_before > now]
    # Nothing of this program is older.
    early = now.year < 2026
    says = f"{now:%Y-%m-%d %H:%M} UTC"
    if early:
        says += ", which is long ago: every certificate will be refused"
    if ahead:
        says += f", before {ahead[0].cert_path} begins"
    yield Finding("clock", not (early or ahead), says)


def _port(_: Patient) -> Iterator[Finding]:
    from openssl_serve.api import DEFAULT_ADDRESS  # noqa: PLC0415
    from openssl_serve.server.ports import listen_error  # noqa: PLC0415

    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(DEFAULT_ADDRESS)
        except OSError as error:
            says = listen_error(DEFAULT_ADDRESS, error)
            yield Finding("port", None, f"{says}; {says.hints[0] if says.hints else ''}")
            return
    yield Finding("port", True, f"{DEFAULT_ADDRESS.port}, the default, is free")


def _clients(patient: Patient) -> Iterator[Finding]:
    """Who trusts a certificate from here, by handshakes: the verdicts are the patient's answers."""
    from openssl_serve.clients.asking import ask_all  # noqa: PLC0415
    from openssl_serve.clients.browsers import browsers  # noqa: PLC0415
    from openssl_serve.clients.exhibit import HOST, exhibit_of  # noqa: PLC0415
    from openssl_serve.clients.mending import Answer, Situation, remedy  # noqa: PLC0415
    from openssl_serve.clients.programs import programs  # noqa: PLC0415
    from openssl_serve.clients.runtimes import runtimes  # noqa: PLC0415

    exhibit = None
    # Whoever looked at what is kept has found that bad already.
    with suppress(CertificateError):
        exhibit = exhibit_of(patient.store, patient.target)
    if exhibit is None:
        yield Finding("clients", None, "not asked: there is no good certificate to show to them")
        return
    openssl, stores = patient.openssl_path, patient.stores
    clients = [*programs(openssl), *runtimes(stores), *browsers(stores, exhibit)]
    with render.progress(f"asking {len(clients)} clients"):
        verdicts = ask_all(clients, exhibit)
    situation = Situation(patient.system, exhibit.anchor)
    patient.answers = [Answer(each, remedy(each, situation)) for each in verdicts]
    yield Finding("clients", None, f"each was shown {exhibit.words}, on {HOST}")


def _quoted(path: Path) -> str:
    return shlex.quote(str(path))


LOOKS: dict[str, Look] = {
    "openssl": _openssl,
    "also": _others,
    "python": _python,
    "folder": _folder,
    "kept": _kept,
    "local CA": _authority,
    "stores": _stores,
    "clock": _clock,
    "port": _port,
    "clients": _clients,
}
"""What is looked at, in this order, by the name that its findings have."""
