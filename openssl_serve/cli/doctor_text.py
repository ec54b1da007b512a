"""The words and the JSON of `doctor`: what it has found, and what clients have answered."""

import os
import sys
from collections.abc import Sequence
from typing import Any

from openssl_serve.cli import render
from openssl_serve.cli.layout import hanging
from openssl_serve.cli.patient import Finding
from openssl_serve.cli.render import paint
from openssl_serve.clients.asking import Verdict
from openssl_serve.clients.client import Trust
from openssl_serve.clients.mending import Answer, remedies
from openssl_serve.hosts import shorten

_GOOD = {True: ("ok  ", "green"), False: ("BAD ", "red"), None: ("    ", None)}

_TRUST = {
    Trust.TRUSTS: ("yes ", "green"),
    Trust.REFUSES: ("no  ", "yellow"),
    Trust.BLIND: ("BAD ", "red"),
    Trust.UNKNOWN: ("    ", None),
}

_TRUSTS = {Trust.TRUSTS: True, Trust.REFUSES: False, Trust.BLIND: True, Trust.UNKNOWN: None}

_NAME_WIDTH = 10
"""Columns of what findings are about; names of clients may need more."""


def show_finding(finding: Finding) -> None:
    """Print one thing that was looked at."""
    _show(_GOOD[finding.good], finding.name, finding.says)


def show_clients(answers: Sequence[Answer]) -> None:
    """Print a line for each client, and then what to type."""
    width = max([_NAME_WIDTH, *(len(verdict.client.name) for verdict, _ in answers)])
    for verdict, _ in answers:
        client, account = verdict.client, verdict.account
        which = ", ".join(filter(None, (account.version, client.program)))
        says = "; ".join(_says(verdict))
        _show(_TRUST[verdict.trust], client.name, f"{which}: {says}" if says else which, width)
    for line, names in remedies(answers).items():
        _show(_GOOD[None], "to mend", ", ".join(names), width)
        # In one piece: it is to be pasted.
        render.result(paint(f"     {'':<{width}} $ {shorten(line, 400)}", "bright_black"))


def _show(word: tuple[str, str | None], name: str, says: str, width: int = _NAME_WIDTH) -> None:
    text, colour = word
    head = f"{paint(text, colour) if colour else text} {name:<{width}}"
    render.result(hanging(head, shorten(says, 400), sys.stdout))


def clients_json(answers: Sequence[Answer]) -> list[dict[str, Any]]:
    """The answers; `trusts` null: it could not be asked."""
    return [
        {
            "name": verdict.client.name,
            "program": verdict.client.program,
            "version": verdict.account.version or None,
            "trusts": _TRUSTS[verdict.trust],
            "state": verdict.trust.value,
            "proof": verdict.proof,
            "says": verdict.account.says or None,
            "reads": verdict.account.place.words if verdict.account.place else None,
            "remedy": remedy,
        }
        for verdict, remedy in answers
    ]


def _says(verdict: Verdict) -> list[str]:
    client, account = verdict.client, verdict.account
    if verdict.trust is Trust.BLIND:
        value = os.environ.get(client.blinding or "")
        because = f"{client.blinding}={value}" if value else "its settings say so"
        return [f"takes any certificate, signed or not: {because}"]
    says = [account.says] if account.says else []
    if verdict.trust is Trust.REFUSES and not says:
        says = ["refuses it, and does not say why"]
    return [*says, f"reads {account.place.words}"] if account.place else says
