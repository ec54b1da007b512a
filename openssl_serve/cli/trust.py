"""The commands `trust` and `untrust`: the local CA into this machine's trust stores, and out again.

Neither asks for rights: what only root can do is printed, to be pasted.
"""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from openssl_serve.cli import inspection, render
from openssl_serve.cli.options import option
from openssl_serve.errors import OpensslServeError, TrustStoreError, UsageError
from openssl_serve.hosts import shorten

if TYPE_CHECKING:
    from openssl_serve.certs.authority import Authority
    from openssl_serve.certs.store import Store
    from openssl_serve.openssl.binary import Openssl
    from openssl_serve.trust.stores import Command, Finding, Kind, TrustStore
    from openssl_serve.trust.target import Target, Unwanted

STORES = Annotated[
    list[str] | None,
    option("Only these: system, nss (browsers), java or macos (login keychain); repeat for more.",
           "--store", metavar="STORE"),
]  # fmt: skip
DRY_RUN = Annotated[
    bool, typer.Option("--dry-run", help="Print what would be run, and change nothing.")
]

EXIT_UNTRUSTED = TrustStoreError.exit_code


class Outcome(NamedTuple):
    """What became of one store; `commands` are left for root."""

    store: "TrustStore"
    finding: "Finding"
    commands: "Sequence[Command]" = ()
    changed: bool = False


def register(app: typer.Typer) -> None:
    """Add the commands to *app*."""
    app.command(
        "trust",
        help="Have this machine trust the local CA, made if there is none.\n\n"
        "It then issues what was self-signed. What only root can do is printed, and not done.",
    )(trust)
    app.command("untrust", help="Take the local CA out of all trust stores.\n\nIts files stay.")(
        untrust
    )


def trust(  # noqa: PLR0913, PLR0917 - every option is spelled out once, here
    store: STORES = None,
    check: Annotated[
        bool, typer.Option("--check", help="Change nothing; leave with 0 if all stores trust it.")
    ] = False,
    dry_run: DRY_RUN = False,
    constrain: Annotated[
        bool, typer.Option("--constrain", help="Make a CA for local names and addresses alone.")
    ] = False,
    json: inspection.JSON = False,
    openssl: inspection.OPENSSL = None,
) -> None:
    """Make the CA, install it, issue certificates with it, and prove that it is trusted."""
    from openssl_serve.cli import trust_text as words  # noqa: PLC0415 - not for --help
    from openssl_serve.openssl.binary import Openssl  # noqa: PLC0415
    from openssl_serve.trust import machine  # noqa: PLC0415
    from openssl_serve.trust.stores import State  # noqa: PLC0415
    from openssl_serve.trust.target import target_of  # noqa: PLC0415

    if check + dry_run + constrain > 1:
        raise UsageError(
            "--check, --dry-run and --constrain exclude each other", "leave out all but one"
        )
    kinds = _kinds(store)
    data, tool = inspection.open_store(), Openssl(openssl)
    if check or dry_run:
        _look(data, tool, machine.find_stores(kinds), dry_run=dry_run, json=json)
        return
    authority = _authority(data, tool, constrain=constrain)
    with target_of(authority, tool) as target:
        stores = machine.find_stores(kinds)
        found = [each.check(target) for each in stores]
        if not any(finding.state is State.TRUSTED for finding in found):
            words.show_danger(authority)
        outcomes = [_install(*each, target) for each in zip(stores, found, strict=True)]
    if not machine.sudo_user():
        _reissue(data, authority, tool)
    words.show_outcomes(authority.facts, outcomes, json=json)
    _leave_for_root(outcomes, "openssl-serve trust --check")
    if command := machine.windows_command(authority.cert_path):
        render.note(f"the browsers of Windows have a store of their own: {command}")
    untrusted = [each for each in outcomes if each.finding.state is not State.TRUSTED]
    if untrusted:
        raise TrustStoreError(
            f"{len(untrusted)} of {len(outcomes)} trust stores do not trust the local CA: "
            + "; ".join(str(each.store) for each in untrusted)
        )
    _say_when(outcomes)


def untrust(
    fingerprint: Annotated[
        str | None,
        typer.Argument(metavar="[SHA256]", help="The fingerprint of a CA whose files are gone."),
    ] = None,
    store: STORES = None,
    dry_run: DRY_RUN = False,
) -> None:
    """Take out exactly the certificates of the CA; its files stay."""
    from openssl_serve.trust import machine  # noqa: PLC0415

    target = _unwanted(fingerprint)
    stores = machine.find_stores(_kinds(store))
    outcomes = [_uninstall(each, target, dry_run=dry_run) for each in stores]
    if dry_run:
        return
    _leave_for_root(outcomes, "openssl-serve untrust")
    if failed := [each for each in outcomes if each.finding.state == "unknown" or each.commands]:
        raise TrustStoreError(
            f"{len(failed)} of {len(outcomes)} trust stores may have it still: "
            + "; ".join(str(each.store) for each in failed)
        )
    _say_when(outcomes)


def _look(
    data: "Store", tool: "Openssl", stores: "Sequence[TrustStore]", *, dry_run: bool, json: bool
) -> None:
    """Do --check or --dry-run."""
    from contextlib import nullcontext  # noqa: PLC0415

    from openssl_serve.certs.authority import STEM  # noqa: PLC0415
    from openssl_serve.cli import trust_text as words  # noqa: PLC0415
    from openssl_serve.trust.stores import State  # noqa: PLC0415
    from openssl_serve.trust.target import Target, target_of  # noqa: PLC0415

    authority = data.find_authority()
    absent = Target(data.folder / f"{STEM}.crt")
    with target_of(authority, tool) if authority else nullcontext(absent) as target:
        outcomes = [Outcome(each, each.check(target)) for each in stores]
        if dry_run:
            words.show_plan(authority, target, outcomes)
            return
    words.show_outcomes(authority.facts if authority else None, outcomes, json=json)
    if authority is None:
        render.note(f"there is no local CA in {data.folder}: openssl-serve trust makes one")
    words.show_others(outcomes)
    if any(each.finding.state is not State.TRUSTED for each in outcomes):
        raise typer.Exit(EXIT_UNTRUSTED)


def _authority(data: "Store", tool: "Openssl", *, constrain: bool) -> "Authority":
    from openssl_serve.certs.constraints import LOCAL, local_subtrees  # noqa: PLC0415
    from openssl_serve.trust.machine import refuse_second_authority  # noqa: PLC0415
    from openssl_serve.trust.stores import is_ours  # noqa: PLC0415

    authority = data.find_authority()
    if authority is None:
        refuse_second_authority(data.folder)
        permitted = local_subtrees() if constrain else ()
        authority = data.ensure_authority(permitted=permitted, openssl=tool)
        render.note(f"made a local CA: {authority.cert_path}")
    elif constrain and not set(authority.facts.extensions.permitted or "*") <= set(LOCAL):
        raise UsageError(
            f"--constrain is for a new local CA, and {authority.cert_path} may issue for more",
            f"openssl-serve untrust; rm {authority.cert_path} {authority.key_path}",
        )
    if not is_ours(authority.facts):
        raise TrustStoreError(
            f"{authority.cert_path}: that CA was not made here, and is trusted by other means",
            "move it and its key away, and a new one is made",
        )
    return authority


def _install(store: "TrustStore", before: "Finding", target: "Target") -> Outcome:
    """Install unless it is there; what goes wrong is told, and the next store is tried."""
    from openssl_serve.trust.stores import State  # noqa: PLC0415

    if before.state is State.TRUSTED:
        return Outcome(store, before)
    try:
        if obstacle := store.obstacle:
            return Outcome(store, before._replace(says=obstacle), store.installing(target))
        with render.progress(f"installing in {store}"):
            store.install(target)
        render.note(f"installed in {store}")
        return Outcome(store, store.check(target), changed=True)
    except OpensslServeError as error:
        render.error(str(error), *error.hints)
        after = store.check(target)
        return Outcome(store, after._replace(says=str(error)))


def _uninstall(store: "TrustStore", target: "Unwanted", *, dry_run: bool) -> Outcome:
    from openssl_serve.cli import trust_text as words  # noqa: PLC0415
    from openssl_serve.trust.stores import Finding, State  # noqa: PLC0415

    absent = Finding(State.ABSENT, "")
    try:
        commands = store.uninstalling(target)
        if dry_run:
            words.show_commands(store, commands, "it is not there")
        elif commands and store.obstacle:
            return Outcome(store, absent._replace(says=store.obstacle), commands)
        elif store.uninstall(target):
            render.note(f"removed from {store}")
            return Outcome(store, absent, changed=True)
        else:
            render.note(f"not in {store}")
    except OpensslServeError as error:
        render.error(str(error), *error.hints)
        return Outcome(store, Finding(State.UNKNOWN, str(error)))
    return Outcome(store, absent)


def _unwanted(fingerprint: str | None) -> "Unwanted":
    """The local CA, or the one with this fingerprint, in any of the usual spellings."""
    from openssl_serve.trust.target import Lost, Target  # noqa: PLC0415

    if fingerprint is not None:
        digits = fingerprint.replace(":", "").upper()
        if len(digits) != 64 or not set(digits) <= set("0123456789ABCDEF"):
            raise UsageError(
                f'"{shorten(fingerprint)}" is no SHA-256 fingerprint: 64 hexadecimal digits',
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


def _reissue(data: "Store", authority: "Authority", tool: "Openssl") -> None:
    from openssl_serve.trust.leaves import reissue  # noqa: PLC0415

    for kept, because in reissue(data, authority, tool):
        if because is None:
            render.note(f"issued by the local CA now: {kept.cert_path}")
        else:
            render.warning(f"{kept.cert_path} stays as it is: {because}", *because.hints)


def _leave_for_root(outcomes: Iterable[Outcome], then: str) -> None:
    """Print what this user has no right to do."""
    from openssl_serve.cli import trust_text as words  # noqa: PLC0415

    left = [each for each in outcomes if each.commands]
    if not left:
        return
    for each in left:
        render.note(f"{each.finding.says}: {each.store.name} is left to root")
    render.note("paste this where you may become root:")
    for each in left:
        for command in each.commands:
            render.note(f"  {words.as_root(command)}")
    render.note(f"  {then}")


def _say_when(outcomes: Iterable[Outcome]) -> None:
    if any(each.changed for each in outcomes):
        render.note("browsers and other programs that run see it when they are started again")


def _kinds(names: Sequence[str] | None) -> "list[Kind]":
    from openssl_serve.trust.stores import Kind  # noqa: PLC0415

    try:
        return [Kind(name) for name in dict.fromkeys(names or ())]
    except ValueError as error:
        bad = next(name for name in names or () if name not in list(Kind))
        raise UsageError(
            f'--store "{shorten(bad)}" is none of {", ".join(Kind)}', "without --store, all of them"
        ) from error
