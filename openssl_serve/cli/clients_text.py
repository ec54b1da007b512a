"""The words and the JSON of what clients have answered to `doctor`."""

import os
import sys
from collections.abc import Sequence
from typing import Any

from openssl_serve.cli import render
from openssl_serve.cli.layout import hanging
from openssl_serve.cli.render import paint
from openssl_serve.clients.asking import Verdict
from openssl_serve.clients.client import Trust
from openssl_serve.clients.mending import Answer, remedies
from openssl_serve.hosts import shorten

_TRUSTS = {Trust.TRUSTS: True, Trust.REFUSES: False, Trust.BLIND: True, Trust.UNKNOWN: None}

_MIN_WIDTH = 10
"""Of the names, as doctor's findings have it."""


def show_clients(answers: Sequence[Answer]) -> None:
    """Print a line for each client, and then what to type."""
    words = {
        Trust.TRUSTS: paint("yes ", "green"),
        Trust.REFUSES: paint("no  ", "yellow"),
        Trust.BLIND: paint("BAD ", "red"),
        Trust.UNKNOWN: "    ",
    }
    width = max([_MIN_WIDTH, *(len(verdict.client.name) for verdict, _ in answers)])
    for verdict, _ in answers:
        client, account = verdict.client, verdict.account
        which = ", ".join(filter(None, (account.version, client.program)))
        says = "; ".join(_says(verdict))
        line = f"{which}: {says}" if says else which
        head = f"{words[verdict.trust]} {client.name:<{width}}"
        render.result(hanging(head, shorten(line, 400), sys.stdout))
    for line, names in remedies(answers).items():
        render.result(hanging(f"     {'to mend':<{width}}", ", ".join(names), sys.stdout))
        render.result(paint(f"     {'':<{width}} $ {shorten(line, 400)}", "bright_black"))


def clients_json(answers: Sequence[Answer]) -> list[dict[str, Any]]:
    """The same; `trusts` null: it could not be asked."""
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
