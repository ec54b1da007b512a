"""All clients asked side by side, and a verdict on each."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import NamedTuple

from openssl_serve.clients.client import Account, Client, Trust
from openssl_serve.clients.exhibit import Exhibit, damaged
from openssl_serve.clients.witness import Witness, witness
from openssl_serve.errors import reason_of
from openssl_serve.tools import ENGLISH, Crew, Output

DEADLINE_S = 20.0
"""For all of them. A Java takes one second where nothing else runs, and ten on a slow board."""

_ENVIRONMENT = {
    **ENGLISH,
    # A proxy would be the one who shakes hands. Only these two spellings are read by all.
    "NO_PROXY": "127.0.0.1",
    "no_proxy": "127.0.0.1",
}


class Verdict(NamedTuple):
    """Where one client stands."""

    client: Client
    trust: Trust
    proof: str
    """By what that is known."""
    account: Account


def ask_all(clients: Sequence[Client], exhibit: Exhibit) -> list[Verdict]:
    """Show *exhibit* to all *clients*, each for at most DEADLINE_S; those that are there, in order.

    Raises StoreError, ListenError or CertificateError when there is nothing to be shown.
    """
    if not clients:
        return []
    with (
        damaged(exhibit) as unsigned,
        witness(exhibit.cert_path, exhibit.key_path, len(clients)) as honest,
        witness(unsigned, exhibit.key_path, len(clients)) as impostor,
        # Ends the programs first, when that is how it ends: then the threads wait for nobody.
        ThreadPoolExecutor(max_workers=len(clients)) as threads,
        Crew(DEADLINE_S) as crew,
    ):
        asked = [
            threads.submit(Question(client, number, crew, honest, impostor).ask)
            for number, client in enumerate(clients)
        ]
        found = [verdict for question in asked if (verdict := question.result()) is not None]
    # A version manager has several names for one program.
    seen: dict[tuple[str, str], Verdict] = {}
    for verdict in found:
        identity = verdict.account.identity or verdict.client.program
        seen.setdefault((verdict.client.name, identity), verdict)
    return list(seen.values())


@dataclass(frozen=True, slots=True)
class Question:
    """One client before its two witnesses."""

    client: Client
    number: int
    crew: Crew
    honest: Witness
    impostor: Witness

    def ask(self) -> Verdict | None:
        """The verdict; None for a client that turns out not to be there."""
        client = self.client
        if foregone := client.foregone():
            return Verdict(client, foregone.trust, foregone.proof, Account(foregone.says))
        try:
            introduction = self._introduction()
            output = self._show(self.honest)
        except OSError as error:
            return self._unknown(f"it cannot be started: {reason_of(error)}")
        if output is None:
            return self._unknown(f"it did not answer within {DEADLINE_S:g} s")
        account = client.account(output, introduction)
        if account is None:
            return None
        if client.accepted(output, was_heard=self.honest.has_heard(self.number)):
            blind = client.can_be_blind and self._is_blind()
            trust = Trust.BLIND if blind else Trust.TRUSTS
            return Verdict(client, trust, client.proof, account._replace(says=""))
        if client.connects and not self.honest.has_met(self.number):
            says = f"it cannot be asked: {account.says or 'it says nothing'}"
            return Verdict(client, Trust.UNKNOWN, client.proof, account._replace(says=says))
        return Verdict(client, Trust.REFUSES, client.proof, account)

    def _introduction(self) -> str:
        command = self.client.introducing()
        output = self._run(command) if command else None
        return output.stdout if output else ""

    def _show(self, server: Witness) -> Output | None:
        url = server.url(self.number)
        return self._run(self.client.asking(url), self.client.typed(url))

    def _is_blind(self) -> bool:
        output = self._show(self.impostor)
        heard = self.impostor.has_heard(self.number)
        return output is not None and self.client.accepted(output, was_heard=heard)

    def _run(self, command: Sequence[str], typed: bytes = b"") -> Output | None:
        return self.crew.capture(command, {**_ENVIRONMENT, **self.client.environment}, typed)

    def _unknown(self, says: str) -> Verdict:
        return Verdict(self.client, Trust.UNKNOWN, self.client.proof, Account(says))
