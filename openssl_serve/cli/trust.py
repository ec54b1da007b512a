"""The command `trust`: the local CA into this machine's trust stores, or what they say of it.

It asks for no rights: what only root can do is printed, to be pasted.
"""

import shlex
from contextlib import nullcontext
from typing import TYPE_CHECKING, Annotated

import typer

from openssl_serve.cli import inspection, render
from openssl_serve.cli.trust_options import DRY_RUN, EXIT_UNTRUSTED, STORES, kinds
from openssl_serve.errors import OpensslServeError, TrustStoreError, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractContextManager

    from openssl_serve.certs.authority import Authority
    from openssl_serve.certs.store import Store
    from openssl_serve.openssl.binary import Openssl
    from openssl_serve.trust.outcomes import Outcome
    from openssl_serve.trust.stores import Command, Finding, TrustStore
    from openssl_serve.trust.target import Target


def register(app: typer.Typer) -> None:
    """Add the command to *app*."""
    app.command(
        "trust",
        help="Have this machine trust the local CA, made if there is none.\n\n"
        "It then issues what was self-signed. What only root can do is printed, and not done.",
    )(trust)


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
    if dry_run and json:
        raise UsageError(
            "--dry-run prints a script, and not JSON", "openssl-serve trust --check --json"
        )
    data, tool = inspection.open_store(), Openssl(openssl)
    # Before anything is made for them.
    stores = machine.find_stores(kinds(store))
    if dry_run:
        _plan(data, tool, stores)
        return
    if check:
        _check(data, tool, stores, json=json)
        return
    authority = _authority(data, tool, constrain=constrain)
    with target_of(authority, tool) as target:
        found = [_ask(each, target) for each in stores]
        if not any(finding.state is State.TRUSTED for finding in found):
            words.show_danger(authority)
        outcomes = [_install(*each, target) for each in zip(stores, found, strict=True)]
    if not machine.sudo_user():
        _reissue(data, authority, tool)
    words.show_outcomes(authority.facts, outcomes, json=json)
    words.leave_for_root(outcomes, "openssl-serve trust --check")
    if command := machine.windows_command(authority.cert_path):
        render.note(f"the browsers of Windows have a store of their own: {command}")
    untrusted = [each for each in outcomes if each.finding.state is not State.TRUSTED]
    if untrusted:
        raise TrustStoreError(
            f"the local CA is not trusted by {words.counted(untrusted, outcomes)}"
        )
    words.say_when(outcomes)


def _check(data: "Store", tool: "Openssl", stores: "Sequence[TrustStore]", *, json: bool) -> None:
    from openssl_serve.cli import trust_text as words  # noqa: PLC0415
    from openssl_serve.trust.outcomes import Outcome  # noqa: PLC0415
    from openssl_serve.trust.stores import State  # noqa: PLC0415

    authority = data.find_authority()
    with _target(data, authority, tool) as target:
        outcomes = [Outcome(each, _ask(each, target)) for each in stores]
    words.show_outcomes(authority.facts if authority else None, outcomes, json=json)
    if authority is None:
        render.note(f"there is no local CA in {data.folder}: openssl-serve trust makes one")
    words.show_others(outcomes)
    if any(each.finding.state is not State.TRUSTED for each in outcomes):
        raise typer.Exit(EXIT_UNTRUSTED)


def _plan(data: "Store", tool: "Openssl", stores: "Sequence[TrustStore]") -> None:
    from openssl_serve.cli import trust_text as words  # noqa: PLC0415
    from openssl_serve.trust.outcomes import planned  # noqa: PLC0415
    from openssl_serve.trust.stores import State  # noqa: PLC0415

    authority = data.find_authority()
    with _target(data, authority, tool) as target:

        def commands_of(store: "TrustStore") -> "Sequence[Command]":
            is_done = _ask(store, target).state is State.TRUSTED
            return () if is_done else store.installing(target)

        made = "" if authority else ", made if there is none: openssl-serve generate --ca"
        render.result(f"# the local CA: {target.cert_path}{made}")
        plan = [planned(each, commands_of, follows=each.follows_installing) for each in stores]
        if not words.show_plan(plan, "trusted already"):
            raise typer.Exit(EXIT_UNTRUSTED)


def _target(
    data: "Store", authority: "Authority | None", tool: "Openssl"
) -> "AbstractContextManager[Target]":
    """The CA, or the one that would be made."""
    from openssl_serve.certs.authority import STEM  # noqa: PLC0415
    from openssl_serve.trust.target import Target, target_of  # noqa: PLC0415

    if authority:
        return target_of(authority, tool)
    return nullcontext(Target(data.folder / f"{STEM}.crt"))


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
        files = shlex.join(map(str, (authority.cert_path, authority.key_path)))
        raise UsageError(
            f"--constrain is for a new local CA, and {authority.cert_path} may issue for more",
            f"openssl-serve untrust && rm {files} && openssl-serve trust --constrain",
        )
    if not is_ours(authority.facts):
        raise TrustStoreError(
            f"{authority.cert_path}: that CA was not made here, and is trusted by other means",
            "move it and its key away, and a new one is made",
        )
    if authority.days_left() < 1:
        raise TrustStoreError(
            f"{authority.cert_path}: the local CA ends on {authority.facts.not_after:%Y-%m-%d}",
            "openssl-serve renew --ca, then openssl-serve trust",
        )
    return authority


def _ask(store: "TrustStore", target: "Target") -> "Finding":
    """What it says, with patience: a Java takes its second, and a program may not end at all."""
    with render.progress(f"asking {store}"):
        return store.check(target)


def _install(store: "TrustStore", before: "Finding", target: "Target") -> "Outcome":
    """Install unless it is there; what goes wrong is told, and the next store is tried."""
    from openssl_serve.trust.outcomes import Outcome  # noqa: PLC0415
    from openssl_serve.trust.stores import State  # noqa: PLC0415

    if store.follows_installing and before.state is not State.TRUSTED:
        # The system's store may have come to trust it just now.
        before = _ask(store, target)
    if before.state is State.TRUSTED:
        return Outcome(store, before)
    try:
        if obstacle := store.obstacle:
            left = before._replace(says=obstacle)
            return Outcome(store, left, store.installing(target), store.follows_installing)
        with render.progress(f"installing in {store}"):
            store.install(target)
        render.note(f"installed in {store}")
        return Outcome(store, store.check(target), changed=True)
    except OpensslServeError as error:
        render.error(str(error), *error.hints)
        after = store.check(target)
        return Outcome(store, after._replace(says=store.reason_of(error)))


def _reissue(data: "Store", authority: "Authority", tool: "Openssl") -> None:
    from openssl_serve.trust.leaves import reissue  # noqa: PLC0415

    for kept, because in reissue(data, authority, tool):
        if because is None:
            render.note(f"issued by the local CA now: {kept.cert_path}")
        else:
            render.warning(f"{kept.cert_path} stays as it is: {because}", *because.hints)
