"""The words, the table and the JSON of `trust` and `untrust`."""

import shlex
from collections.abc import Sequence
from typing import TYPE_CHECKING

from openssl_serve.certs.authority import Authority
from openssl_serve.certs.facts import CertificateFacts
from openssl_serve.cli import certificates_text, render
from openssl_serve.cli.tables import table
from openssl_serve.trust.stores import Command, State, TrustStore, find_program
from openssl_serve.trust.target import Target

if TYPE_CHECKING:
    from openssl_serve.cli.trust import Outcome

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
        "What this means: from now on, this machine believes every certificate of that CA.",
        f"Whoever has its key can pose to you as {sites}.",
        f"The key is {authority.key_path}.",
        "Never copy it, never send it, and trust no CA that somebody sends you.",
        "To take it back: openssl-serve untrust",
    ]
    if not permitted:
        lines.append("For a CA of local names and addresses alone: openssl-serve trust --constrain")
    render.note()
    for line in lines:
        render.note(f"  | {line}")
    render.note()


def show_outcomes(
    facts: CertificateFacts | None, outcomes: "Sequence[Outcome]", *, json: bool
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
    rows = [("STORE", "STATE", "WHERE", "FOUND BY, OR WHY NOT")]
    for store, finding, *_ in outcomes:
        state = render.paint(finding.state, _COLOURS[finding.state])
        rows.append((store.kind, state, str(store), finding.says))
    table(rows)


def show_others(outcomes: "Sequence[Outcome]") -> None:
    """Name the local CAs of openssl-serve that are in a store, and not the one that is kept."""
    for store, finding, *_ in outcomes:
        for facts in finding.others:
            render.note(f"also in {store}: {facts.common_name}, SHA-256 {facts.fingerprint}")
    if any(finding.others for _, finding, *_ in outcomes):
        render.note("another user's, or of a folder that is gone: openssl-serve untrust SHA256")


def show_plan(authority: Authority | None, target: Target, outcomes: "Sequence[Outcome]") -> None:
    """Print, as a script, what `trust` would run."""
    made = "" if authority else ", made if there is none: openssl-serve generate --ca"
    render.result(f"# the local CA: {target.cert_path}{made}")
    for store, finding, *_ in outcomes:
        trusted = finding.state is State.TRUSTED
        show_commands(store, () if trusted else store.installing(target), "trusted already")


def show_commands(store: TrustStore, commands: Sequence[Command], without: str) -> None:
    """Print the *commands* for one store, or the words *without* any."""
    render.result(f"# {store}" + ("" if commands else f": {without}"))
    for command in commands:
        render.result(as_root(command) if store.obstacle else shlex.join(command))


def as_root(command: Command) -> str:
    """*command* for a shell that is not root's, where there is sudo."""
    prefix = "sudo " if find_program("sudo") else ""
    return prefix + shlex.join(command)


def _store_json(outcome: "Outcome") -> dict[str, object]:
    store, finding, commands, _ = outcome
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
