"""What became of stores that were to be changed, or would; and what of it is left to be run."""

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from openssl_serve.errors import TrustStoreError
from openssl_serve.trust.stores import Command, Finding, Kind, State, TrustStore


class Outcome(NamedTuple):
    """What became of one store, or would; `commands` are those left to be run."""

    store: TrustStore
    finding: Finding
    commands: Sequence[Command] = ()
    follows: bool = False
    """Whether those for the system's store do what these would."""
    changed: bool = False
    hints: tuple[str, ...] = ()
    """What to do when it could not be looked into."""


def planned(
    store: TrustStore, commands_of: Callable[[TrustStore], Sequence[Command]], *, follows: bool
) -> Outcome:
    """What would be run for *store*; its state is UNKNOWN when that cannot be told."""
    try:
        return Outcome(store, Finding(State.ABSENT, ""), commands_of(store), follows)
    except TrustStoreError as error:
        return Outcome(store, Finding(State.UNKNOWN, store.reason_of(error)), hints=error.hints)


def left_to_run(outcomes: Iterable[Outcome]) -> list[Outcome]:
    """Those with commands that have to be run: who follows the system's store has no need then."""
    left = [each for each in outcomes if each.commands]
    if any(each.store.kind is Kind.SYSTEM for each in left):
        left = [each for each in left if not each.follows]
    return left
