"""The words, the table and the JSON of `trust` and `untrust`."""

import shlex
import sys
from collections.abc import Iterable, Sequence

from openssl_serve.certs.authority import Authority
from openssl_serve.certs.facts import CertificateFacts
from openssl_serve.cli import certificates_text, render
from openssl_serve.cli.layout import hanging
from openssl_serve.cli.tables import table
from openssl_serve.programs import find_program
from openssl_serve.trust.outcomes import Outcome, left_to_run
from openssl_serve.trust.stores import Command, State

_COLOURS = {
    State.TRUSTED: "green",
    State.ABSENT: "yellow",
    State.REFUSED: "red",
    State.UNKNOWN: "red",
}


def show_danger(authority: Authority) -> None:
    """Tell, before anybody trusts it for the first time, what that means."""
    permitted = authority.facts.extensions.permitted
    sites = f"any site in {', '.join(permitted)}" if permitted else "any site: your bank, your mail"
    lines = [
        "What this means: this machine will believe every certificate of that CA.",
        f"Whoever has its key can pose to you as {sites}.",
        f"The key is {authority.key_path}.",
        "Never copy it, never send it, and trust no CA that somebody sends you.",
        "To take it back: openssl-serve untrust",
    ]
    if not permitted:
        lines.append("For local names and addresses alone: openssl-serve trust --constrain")
    render.note()
    for line in lines:
        render.note(hanging("  |", line, sys.stderr))
    render.note()


def show_outcomes(
    facts: CertificateFacts | None, outcomes: Sequence[Outcome], *, json: bool
) -> None:
    """Print the stores and what they say, for people or as JSON."""
    if json:
        certificates_text.as_json(
            {
                "local_ca": certificates_text.facts_json(facts) if facts else None,
                "stores": [_store_json(each) for each in outcomes],
            }
        )
        return
    rows = [("STORE", "STATE", "WHERE", "PROOF, OR WHY NOT")]
    for store, finding, *_ in outcomes:
        state = render.paint(finding.state, _COLOURS[finding.state])
        rows.append((store.kind, state, str(store), finding.says))
    table(rows, wrap=True)


def show_others(outcomes: Sequence[Outcome]) -> None:
    """Name the local CAs of openssl-serve that are in stores, and not the one that is kept."""
    places: dict[CertificateFacts, list[str]] = {}
    for store, finding, *_ in outcomes:
        for facts in finding.others:
            places.setdefault(facts, []).append(str(store))
    for facts, stores in places.items():
        says = (
            f"{facts.common_name} is in {'; '.join(stores)}: another user's, or its files are gone"
        )
        render.note(hanging("also:", says, sys.stderr))
        # In one piece: it is to be pasted.
        render.note(f"      openssl-serve untrust {facts.fingerprint}")


def show_plan(plan: Sequence[Outcome], without: str) -> bool:
    """Print a *plan* as a script, the words *without* where there is nothing to do.

    Whether all stores could be planned for.
    """
    left = left_to_run(plan)
    good = True
    for each in plan:
        store = each.store
        if each.finding.state is State.UNKNOWN:
            good = False
            render.result(f"# {store}: {each.finding.says}")
            render.error(f"{store}: {each.finding.says}", *each.hints)
        elif each in left:
            render.result(f"# {store}")
            for command in each.commands:
                render.result(_as_root(command) if store.obstacle else shlex.join(command))
        else:
            render.result(f"# {store}: {'follows the system' if each.commands else without}")
    return good


def leave_for_root(outcomes: Iterable[Outcome], then: str) -> None:
    """Print what this user has no right to do, and *then*."""
    left = left_to_run(outcomes)
    if not left:
        return
    for each in left:
        render.note(f"{each.finding.says}: {each.store.name} is left to root")
    render.note("paste this where you may become root:")
    for each in left:
        for command in each.commands:
            render.note(f"  {_as_root(command)}")
    render.note(f"  {then}")


def say_when(outcomes: Iterable[Outcome]) -> None:
    """Tell from when on a change is seen."""
    if any(each.changed for each in outcomes):
        render.note("browsers and other programs that run see it when they are started again")


def counted(some: Sequence[Outcome], outcomes: Sequence[Outcome]) -> str:
    """Say how many *some* are of all *outcomes*, and name them."""
    names = "; ".join(str(each.store) for each in some)
    return f"{len(some)} of {len(outcomes)} trust stores: {names}"


def _as_root(command: Command) -> str:
    """*command* for a shell that is not root's, where there is sudo."""
    prefix = "sudo " if find_program("sudo") else ""
    return prefix + shlex.join(command)


def _store_json(outcome: Outcome) -> dict[str, object]:
    store, finding, commands, *_ = outcome
    return {
        "kind": store.kind.value,
        "name": store.name,
        "place": str(store.place),
        "trusted": finding.state is State.TRUSTED,
        "state": finding.state.value,
        "says": finding.says,
        "left_for_root": [list(command) for command in commands],
        "others": [
            {"common_name": facts.common_name, "fingerprint_sha256": facts.fingerprint}
            for facts in finding.others
        ],
    }
