"""What to type so that a client trusts what is kept here: one line, or none that would do."""

import os
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from openssl_serve.certs.bundle import ADDING, REPLACING, SYSTEM_BUNDLES
from openssl_serve.clients.asking import Verdict
from openssl_serve.clients.client import Place, Trust
from openssl_serve.clients.programs import Wget
from openssl_serve.trust.stores import Kind, TrustStore

_TRUST = "openssl-serve trust"

_OFFERED = {*REPLACING, ADDING}
"""The variables that `openssl-serve env` sets."""


class Answer(NamedTuple):
    """A verdict, and the line that mends it."""

    verdict: Verdict
    remedy: str | None


class Situation(NamedTuple):
    """What decides which of several ways leads there."""

    system: TrustStore | None
    """The system's trust store, if it can still be made to trust it."""
    anchor: Path
    """What has to be trusted."""


def remedy(verdict: Verdict, situation: Situation) -> str | None:
    """The line for a shell that mends it; None when nothing has to, or nothing is known to."""
    client, place = verdict.client, verdict.account.place
    if verdict.trust is Trust.TRUSTS:
        return None
    if verdict.trust is Trust.UNKNOWN:
        return client.remedy_if_unknown
    if verdict.trust is Trust.BLIND:
        name = client.blinding
        return _unset(name) if name and os.environ.get(name) else None
    if client.store is not Kind.SYSTEM:
        if place and place.variable:
            # It looks elsewhere, and where is the user's to say.
            return None
        return f"{_TRUST} --store {client.store}"
    if situation.system and _reads(place, situation.system):
        return f"{_TRUST} --store {Kind.SYSTEM}"
    if _OFFERED.intersection(client.variables):
        return _have_shell_read_env()
    if client.name == Wget.name:
        return f"wget --ca-certificate={shlex.quote(str(situation.anchor))}"
    return None


def remedies(answers: Sequence[Answer]) -> dict[str, list[str]]:
    """All lines to type, each with the clients that it mends; `trust` but once, for all stores."""
    found: dict[str, list[str]] = {}
    for verdict, line in answers:
        names = found.setdefault(line, []) if line else []
        if verdict.client.name not in names:
            names.append(verdict.client.name)
    trusting = [line for line in found if line.startswith(_TRUST)]
    if len(trusting) > 1:
        names = [name for line in trusting for name in found.pop(line)]
        return {_TRUST: names, **found}
    return found


def _reads(place: Place | None, system: TrustStore) -> bool:
    """Whether a client that looks into *place* looks into the *system*'s store."""
    if place is None:
        # Not told, as by those that a distribution has built to do so.
        return True
    if place.path is None:
        return False
    files = [os.path.realpath(each) for each in (system.place, *SYSTEM_BUNDLES)]
    folders = [os.path.dirname(each) for each in files]
    return os.path.realpath(place.path) in {*files, *folders}


def _have_shell_read_env() -> str:
    if _is_fish():
        return "openssl-serve env --shell fish | source"
    return 'eval "$(openssl-serve env)"'


def _unset(name: str) -> str:
    return f"set -e {name}" if _is_fish() else f"unset {name}"


def _is_fish() -> bool:
    return os.path.basename(os.environ.get("SHELL", "")) == "fish"
