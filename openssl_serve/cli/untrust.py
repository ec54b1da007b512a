"""The command `untrust`: the local CA out of this machine's trust stores; its files stay.

It asks for no rights: what only root can do is printed, to be pasted.
"""

from typing import TYPE_CHECKING, Annotated

import typer

from openssl_serve.cli import inspection, render
from openssl_serve.cli.trust_options import DRY_RUN, EXIT_UNTRUSTED, STORES, kinds
from openssl_serve.errors import OpensslServeError, TrustStoreError, UsageError
from openssl_serve.hosts import shorten

if TYPE_CHECKING:
    from openssl_serve.trust.outcomes import Outcome
    from openssl_serve.trust.stores import TrustStore
    from openssl_serve.trust.target import Unwanted


def register(app: typer.Typer) -> None:
    """Add the command to *app*."""
    app.command("untrust", help="Take the local CA out of all trust stores.\n\nIts files stay.")(
        untrust
    )


def untrust(
    fingerprint: Annotated[
        str | None,
        typer.Argument(metavar="[SHA256]", help="The fingerprint of a CA whose files are gone."),
    ] = None,
    store: STORES = None,
    dry_run: DRY_RUN = False,
) -> None:
    """Take out exactly the certificates of the CA; its files stay."""
    from openssl_serve.cli import trust_text as words  # noqa: PLC0415 - not for --help
    from openssl_serve.trust import machine  # noqa: PLC0415
    from openssl_serve.trust.outcomes import planned  # noqa: PLC0415
    from openssl_serve.trust.stores import State  # noqa: PLC0415

    target = _unwanted(fingerprint)
    stores = machine.find_stores(kinds(store))
    if dry_run:
        plan = [
            planned(each, lambda store: store.uninstalling(target), follows=each.follows_removing)
            for each in stores
        ]
        if not words.show_plan(plan, "it is not there"):
            raise typer.Exit(EXIT_UNTRUSTED)
        return
    outcomes = [_uninstall(each, target) for each in stores]
    words.leave_for_root(outcomes, "openssl-serve untrust")
    if command := machine.windows_removal(target):
        render.note(f"the browsers of Windows have a store of their own: {command}")
    failed = [each for each in outcomes if each.finding.state is State.UNKNOWN or each.commands]
    if failed:
        raise TrustStoreError(f"the local CA may still be in {words.counted(failed, outcomes)}")
    words.say_when(outcomes)


def _uninstall(store: "TrustStore", target: "Unwanted") -> "Outcome":
    """Take it out if it is there; what goes wrong is told, and the next store is tried."""
    from openssl_serve.trust.outcomes import Outcome  # noqa: PLC0415
    from openssl_serve.trust.stores import Finding, State  # noqa: PLC0415

    absent = Finding(State.ABSENT, "")
    try:
        commands = store.uninstalling(target)
        if commands and store.obstacle:
            left = absent._replace(says=store.obstacle)
            return Outcome(store, left, commands, store.follows_removing)
        with render.progress(f"removing from {store}"):
            was_there = store.uninstall(target)
    except OpensslServeError as error:
        render.error(str(error), *error.hints)
        return Outcome(store, Finding(State.UNKNOWN, store.reason_of(error)))
    render.note(f"removed from {store}" if was_there else f"not in {store}")
    return Outcome(store, absent, changed=was_there)


def _unwanted(fingerprint: str | None) -> "Unwanted":
    """The local CA, or the one with this fingerprint, in any of the usual spellings."""
    from openssl_serve.trust.target import Lost, Target  # noqa: PLC0415

    if fingerprint is not None:
        digits = fingerprint.replace(":", "").upper()
        if len(digits) != 64 or not set(digits) <= set("0123456789ABCDEF"):
            raise UsageError(
                f'"{shorten(fingerprint)}" is not a SHA-256 fingerprint: 64 hexadecimal digits',
                "openssl-serve trust --check shows those of all local CAs",
            )
        return Lost(":".join(digits[at : at + 2] for at in range(0, 64, 2)))
    data = inspection.open_store()
    authority = data.find_authority()
    if authority is None:
        raise TrustStoreError(
            f"there is no local CA in {data.folder}, so nothing of it to take back",
            "one whose files are gone: openssl-serve untrust SHA256 "
            "(openssl-serve trust --check lists it)",
        )
    return Target(authority.cert_path, authority.facts)
