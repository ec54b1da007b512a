"""The words, tables and JSON of the commands about certificates; what is printed is decided here.

The keys of the JSON are stable: they are only ever added to, and `schema` counts if one must go.
"""

import json
import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from openssl_serve.certs.clients import ClientVerdict
from openssl_serve.certs.facts import CertificateFacts
from openssl_serve.certs.meaning import common_name_in
from openssl_serve.certs.profile import Shape
from openssl_serve.certs.store import Kept
from openssl_serve.certs.subject import Subject
from openssl_serve.certs.verify import Check
from openssl_serve.cli import render
from openssl_serve.cli.layout import hanging
from openssl_serve.cli.render import paint
from openssl_serve.cli.tables import table
from openssl_serve.hosts import shorten

SCHEMA = 1

SHAPES = {
    Shape.SELF_SIGNED: "self-signed, for server and trust in one",
    Shape.LEAF: "a server's, issued by a CA",
    Shape.CA: "a CA",
    None: "not one of ours",
}


def as_json(value: dict[str, Any]) -> None:
    """Print *value* as JSON, with the version of its schema."""
    text = json.dumps({"schema": SCHEMA, **value}, indent=2, ensure_ascii=False)
    # JSON is UTF-8 (RFC 8259 section 8.1): what is not, in the name of a file, is escaped.
    render.result(text.encode("utf-8", "backslashreplace").decode("utf-8"))


def facts_json(facts: CertificateFacts) -> dict[str, Any]:
    """The facts of a certificate."""
    now = datetime.now(UTC)
    found = facts.extensions
    return {
        "subject": facts.subject,
        "issuer": facts.issuer,
        "serial": facts.serial,
        "fingerprint_sha256": facts.fingerprint,
        "not_before": facts.not_before.isoformat(),
        "not_after": facts.not_after.isoformat(),
        "days_left": facts.days_left(now),
        "expired": facts.expired(now),
        "due": facts.due(now),
        "dns_names": list(facts.dns_names),
        "ip_addresses": list(facts.ip_addresses),
        "key": facts.key,
        "public_key_sha256": facts.public_key_sha256,
        "signature": facts.signature,
        "shape": facts.shape.value if facts.shape else None,
        "is_self_signed": facts.is_self_signed,
        "is_ca": facts.is_ca,
        "path_length": found.path_length,
        "key_usage": list(found.key_usage),
        "extended_key_usage": list(found.extended_key_usage),
        "subject_key_id": found.subject_key_id,
        "authority_key_id": found.authority_key_id,
        "critical_extensions": list(found.critical),
        "permitted": list(found.permitted),
    }


def kept_json(kept: Kept) -> dict[str, Any]:
    """A kept pair."""
    return {
        "cert_path": str(kept.cert_path),
        "key_path": str(kept.key_path),
        "ca_path": str(kept.ca_path),
        "made_because": kept.made_because,
        **facts_json(kept.facts),
    }


def subject_json(subject: Subject, clients: Iterable[ClientVerdict]) -> dict[str, Any]:
    """What `show` tells."""
    paths = {
        "cert_path": subject.cert_path,
        "key_path": subject.key_path,
        "ca_path": subject.ca_path,
    }
    return {
        "name": subject.name,
        **{name: str(path) if path else None for name, path in paths.items()},
        "chain": [facts_json(facts) for facts in subject.chain],
        "clients": [
            {"family": v.family, "can_trust": v.because is None, "because": v.because, "how": v.how}
            for v in clients
        ],
    }


def show_subject(subject: Subject, clients: Iterable[ClientVerdict]) -> None:
    """Print what a certificate is, and who can be made to trust it."""
    for number, facts in enumerate(subject.chain, 1):
        if len(subject.chain) > 1:
            render.result(f"certificate {number} of {len(subject.chain)}")
        _definitions(_facts(facts) + (_files(subject) if number == 1 else []))
    render.result("")
    rows = [
        (
            paint("yes", "green") if v.because is None else paint("no", "red"),
            v.family,
            v.because or v.how,
        )
        for v in clients
    ]
    render.result("can it be trusted by")
    table(rows, indent="  ", header=False, wrap=True)


def show_check(check: Check) -> None:
    """Print one check, as soon as it is done."""
    verdict = paint("ok  ", "green") if check.good else paint("FAIL", "red")
    render.result(hanging(f"{verdict} {check.name:<10}", shorten(check.says, 400), sys.stdout))
    if check.command:
        render.result(paint(f"     {'':<10} $ {check.command}", "bright_black"))


def show_list(pairs: Sequence[Kept]) -> None:
    """Print a table of kept pairs."""
    now = datetime.now(UTC)
    rows = [("HOST", "OTHER NAMES", "DAYS LEFT", "KEY", "SHAPE", "ISSUED BY")]
    for kept in pairs:
        facts = kept.facts
        host = str(kept.host)
        others = ", ".join(name for name in facts.names if name != host)
        issuer = "itself" if facts.is_self_signed else common_name_in(facts.issuer) or facts.issuer
        shape = facts.shape.value if facts.shape else "foreign"
        rows.append((host, others, _days(facts, now), facts.key, shape, issuer))
    table(rows)


def _facts(facts: CertificateFacts) -> list[tuple[str, str]]:
    found = facts.extensions
    now = datetime.now(UTC)
    usages = ", ".join(found.key_usage + found.extended_key_usage)
    lines = [
        ("names", ", ".join(facts.names) or "none"),
        ("shape", SHAPES[facts.shape]),
        ("issuer", "itself" if facts.is_self_signed else facts.issuer),
        ("subject", facts.subject or "empty"),
        ("valid", f"{facts.not_before:%Y-%m-%d} to {facts.not_after:%Y-%m-%d}"),
        ("days left", _days(facts, now)),
        ("key", f"{facts.key}, signed with {facts.signature}"),
        ("for", usages or "any use"),
        ("serial", facts.serial),
        ("SHA-256", facts.fingerprint),
    ]  # fmt: skip
    if found.permitted:
        lines.append(("permitted", f"only {', '.join(found.permitted)}"))
    return lines


def _files(subject: Subject) -> list[tuple[str, str]]:
    paths = {"file": subject.cert_path, "key file": subject.key_path, "trust": subject.ca_path}
    return [(word, str(path)) for word, path in paths.items() if path]


def _definitions(lines: Iterable[tuple[str, str]]) -> None:
    for word, text in lines:
        render.result(hanging(f"{word:<10}", shorten(text, 2000), sys.stdout))


def _days(facts: CertificateFacts, now: datetime) -> str:
    days = str(facts.days_left(now))
    if facts.expired(now):
        return paint(f"{days} expired", "red")
    if facts.not_before > now:
        return paint(f"{days} not valid yet", "red")
    return paint(f"{days} due", "yellow") if facts.due(now) else days
