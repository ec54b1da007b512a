"""The user's own `--cert` and `--cert-key`: everything wrong with them, said before serving."""

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from openssl_serve.certs.certificate import Certificate
from openssl_serve.certs.clients import weakness
from openssl_serve.certs.facts import CertificateFacts, read_chain_file
from openssl_serve.certs.keys import check_pair, read_key_block
from openssl_serve.errors import CertificateError, KeyMismatchError, typed
from openssl_serve.paths import expand


@dataclass(frozen=True, slots=True)
class Custom(Certificate):
    """A pair of the user's, proven to load."""

    chain: tuple[CertificateFacts, ...] = ()
    """What the file holds after the leaf."""


def load_custom(cert: Path, key: Path, password: Callable[[], str | None] = lambda: None) -> Custom:
    """Prove that a server can use *cert* (leaf first, then its chain) with *key*.

    *password* is asked only for an encrypted key. Raises CertificateError: one line with the file.
    """
    cert, key = expand(cert), expand(key)
    try:
        facts, *chain = read_chain_file(cert)
    except CertificateError as error:
        hints = error.hints or ("a certificate in PEM form is wanted, the server's own first",)
        raise CertificateError(str(error), *hints) from error
    try:
        block = read_key_block(key)
    except CertificateError as error:
        hints = error.hints or ("its private key is wanted, in PEM form",)
        raise CertificateError(str(error), *hints) from error
    secret = password() if block.is_encrypted else None
    try:
        check_pair(cert, key, secret)
    except KeyMismatchError as error:
        number = _place_of_leaf([facts, *chain])
        if number is None:
            raise
        raise KeyMismatchError(
            f"{cert}: the server's certificate comes first, and here it is number {number} "
            f"of {len(chain) + 1}",
            "put it first; the certificates of its issuers follow",
        ) from error
    warnings = tuple(_warnings(cert, key, facts))
    return Custom(cert, key, facts, None, secret, warnings, chain=tuple(chain))


def _place_of_leaf(found: list[CertificateFacts]) -> int | None:
    """Where the leaf is, counted from 1, if another certificate is before it."""
    if not found[0].is_ca:
        return None
    return next((n for n, facts in enumerate(found, 1) if not facts.is_ca), None)


def _warnings(cert: Path, key: Path, facts: CertificateFacts) -> list[str]:
    now = dt.datetime.now(dt.UTC)
    found = []
    if facts.expired(now):
        found.append(f"{cert} expired on {facts.not_after:%Y-%m-%d}, and clients will refuse it")
    elif facts.not_before > now:
        found.append(f"{cert} is not valid before {facts.not_before:%Y-%m-%d}")
    if not facts.names:
        found.append(f"{cert} has no SAN: browsers accept it for no host at all")
    if facts.is_only_a_ca:
        found.append(f"{cert} is a CA's certificate, not a server's: Firefox will refuse it")
    if not facts.is_for_servers:
        usages = ", ".join(facts.extensions.extended_key_usage)
        found.append(f"{cert} is not for servers, but for {usages}")
    if weak := weakness(facts):
        found.append(f"{cert}: {weak}")
    if key.stat().st_mode & 0o077:
        found.append(f"{key} can be read by others: {typed('chmod', '600', key)}")
    return found
