"""The checks of `verify`: each a question, an answer, and the command that anybody can run.

openssl is the witness: what we read is compared with what it reads, and a difference is itself
a failure. What it cannot be asked portably (names, dates) is decided here.
"""

import datetime as dt
import hashlib
import os
import re
import shlex
import ssl
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from openssl_serve.addresses import Address
from openssl_serve.certs import pem
from openssl_serve.certs.clients import weakness
from openssl_serve.certs.facts import CertificateFacts
from openssl_serve.certs.keys import check_pair
from openssl_serve.certs.subject import CONNECT_TIMEOUT_S, Subject, handshake
from openssl_serve.errors import CertificateError, reason_of, typed
from openssl_serve.openssl.binary import Openssl, Output

ROOT = Path("/")
"""Where openssl runs: a folder that holds no openssl.cnf for it to read."""

S_CLIENT_TIMEOUT_S = 2 * CONNECT_TIMEOUT_S
"""It connects and shakes hands, and has no time limits of its own."""

_MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
_HOSTS = ("DNS:", "IP Address:")
"""Entries of a SAN; e-mail addresses, URLs and the like are nothing for a server."""

_DATE = re.compile(r"([A-Z][a-z]{2}) +(\d+) (\d\d):(\d\d):(\d\d) (\d{4}) GMT")


class Check(NamedTuple):
    """One question. `command` is what was run for it, if openssl was."""

    name: str
    good: bool
    says: str
    command: str = ""


def verify(subject: Subject, openssl: Openssl) -> Iterator[Check]:
    """Every check that *subject* allows, as each is done. Raises OpensslError."""
    _ = openssl.version  # What it says counts for nothing if it is no openssl.
    facts = subject.facts
    yield _dates(facts)
    yield _names(subject)
    yield _strength(facts)
    yield _purpose(facts)
    if subject.cert_path:
        yield from _reading(facts, subject.cert_path, openssl)
        yield _chain(subject, subject.cert_path, openssl)
    if subject.cert_path and subject.key_path:
        yield _key(facts, subject.cert_path, subject.key_path, openssl)
        yield _modes(subject.key_path)
    if subject.address:
        yield from _server(subject, subject.address, openssl)


def _dates(facts: CertificateFacts) -> Check:
    now = dt.datetime.now(dt.UTC)
    if facts.expired(now):
        return Check("dates", False, f"expired on {facts.not_after:%Y-%m-%d}")
    if facts.not_before > now:
        return Check("dates", False, f"not valid before {facts.not_before:%Y-%m-%d}")
    due = ", due for renewal" if facts.due(now) else ""
    return Check("dates", True, f"{facts.days_left(now)} days left{due}")


def _names(subject: Subject) -> Check:
    facts = subject.facts
    if not facts.names:
        return Check("names", False, "no SAN: valid for nothing")
    if subject.host and not facts.covers(subject.host):
        return Check("names", False, f"not for {subject.host}, only {', '.join(facts.names)}")
    return Check("names", True, ", ".join(facts.names))


def _strength(facts: CertificateFacts) -> Check:
    weak = weakness(facts)
    return Check("strength", not weak, weak or f"{facts.key}, {facts.signature}")


def _purpose(facts: CertificateFacts) -> Check:
    usages = ", ".join(facts.extensions.extended_key_usage)
    if facts.is_only_a_ca:
        return Check("purpose", False, "a CA's certificate, not a server's")
    if not facts.is_for_servers:
        return Check("purpose", False, f"not for servers, but for {usages}")
    return Check("purpose", True, usages or "any")


def _reading(facts: CertificateFacts, path: Path, openssl: Openssl) -> Iterator[Check]:
    """Whether openssl sees the certificate that we see."""
    arguments = _read_arguments(path)
    output = openssl.run(*arguments, folder=ROOT)
    text = output.stdout.decode("utf-8", "backslashreplace")
    command = _shown(arguments)
    differences = [
        f"{what}: {theirs} to openssl, {ours} to us"
        for what, ours, theirs in _compared(facts, text)
        if ours != theirs
    ]
    if output.exit_code != 0 or not text:
        yield Check("reading", False, _said(output), command)
    else:
        says = "; ".join(differences) or "openssl reads the same as we do"
        yield Check("reading", not differences, says, command)


def _compared(facts: CertificateFacts, text: str) -> Iterator[tuple[str, str, str]]:
    def found(pattern: str) -> str:
        match = re.search(pattern, text, re.IGNORECASE | re.MULTILINE)
        return match[1].strip() if match else "nothing"

    yield "serial", facts.serial, found(r"^serial=(\S+)")
    yield "fingerprint", facts.fingerprint, found(r"^sha256 fingerprint=(\S+)")
    yield "start", f"{facts.not_before:%F %T}", _date(found(r"^notBefore=(.+)$"))
    yield "end", f"{facts.not_after:%F %T}", _date(found(r"^notAfter=(.+)$"))
    entries = found(r"Subject Alternative Name:.*\n(.+)$").split(", ")
    theirs = sorted(_name(entry) for entry in set(entries) if entry.startswith(_HOSTS))
    ours = sorted({name.upper() for name in facts.names})
    yield "names", ", ".join(ours) or "nothing", ", ".join(theirs) or "nothing"
    keys = [block for block in pem.blocks(text.encode()) if block.label == "PUBLIC KEY"]
    digest = hashlib.sha256(keys[0].der).hexdigest() if keys else "nothing"
    yield "public key", facts.public_key_sha256, digest
    yield "CA", str(facts.is_ca).upper(), found(r"\bCA:(TRUE|FALSE)").replace("nothing", "FALSE")


def _date(text: str) -> str:
    match = _DATE.fullmatch(text)
    if not match or match[1] not in _MONTHS:
        return text
    month, day = _MONTHS.index(match[1]) + 1, int(match[2])
    return f"{match[6]}-{month:02}-{day:02} {match[3]}:{match[4]}:{match[5]}"


def _name(entry: str) -> str:
    kind, _, value = entry.partition(":")
    if kind == "IP Address" and ":" in value:
        # openssl writes 0:0:0:0:0:0:0:1.
        import ipaddress  # noqa: PLC0415

        value = ipaddress.ip_address(value).compressed
    return value.upper()


def _chain(subject: Subject, path: Path, openssl: Openssl) -> Check:
    arguments = _chain_arguments(subject, path)
    output = openssl.run(*arguments, folder=ROOT)
    # Its bytes, for it prints the path, which need not be UTF-8.
    good = output.exit_code == 0 and os.fsencode(f"{path}: OK") in output.stdout
    trusted = subject.ca_path or "this system's CAs"
    says = f"trusted by whoever trusts {trusted}" if good else _said(output)
    return Check("chain", good, says, _shown(arguments))


def _key(facts: CertificateFacts, cert: Path, key: Path, openssl: Openssl) -> Check:
    arguments = _key_arguments(key)
    try:
        check_pair(cert, key)
    except CertificateError as error:
        return Check("key", False, str(error), _shown(arguments))
    output = openssl.run(*arguments, folder=ROOT)
    found = pem.blocks(output.stdout)
    if output.exit_code != 0 or not found:
        return Check("key", False, _said(output), _shown(arguments))
    same = hashlib.sha256(found[0].der).hexdigest() == facts.public_key_sha256
    says = f"{key} belongs to it" if same else f"openssl finds another public key in {key}"
    return Check("key", same, says, _shown(arguments))


def _modes(key: Path) -> Check:
    mode = stat.S_IMODE(key.stat().st_mode)
    good, mend = not mode & 0o077, typed("chmod", "600", key)
    return Check("modes", good, f"{key} has mode {mode:04o}{'' if good else f': {mend}'}")


def _server(subject: Subject, address: Address, openssl: Openssl) -> Iterator[Check]:
    """A real handshake, as a strict client makes it; and openssl's, for the same certificate."""
    context = ssl.create_default_context(cafile=subject.ca_path)
    # What Python 3.13 does by default.
    context.verify_flags |= ssl.VERIFY_X509_STRICT | ssl.VERIFY_X509_PARTIAL_CHAIN
    trusted = subject.ca_path or "this system's CAs"
    says = refused = ""
    try:
        with handshake(address, context) as tls:
            cipher = tls.cipher()
            says = f"{tls.version()}, {cipher[0] if cipher else ''}"
    except ssl.SSLError as error:
        refused = getattr(error, "verify_message", None) or reason_of(error)
    yield Check("handshake", not refused, f"{refused or says}, trusting {trusted}")
    arguments = _server_arguments(address, subject)
    output = openssl.run(*arguments, folder=ROOT, timeout_s=S_CLIENT_TIMEOUT_S)
    fault = _other_view(output, subject.facts, trusts=not refused)
    says = fault or "openssl gets the same certificate, and says the same"
    yield Check("server", not fault, says, f"{_shown(arguments)} </dev/null")


def _other_view(output: Output, facts: CertificateFacts, *, trusts: bool) -> str:
    """What openssl saw of the server that we did not; empty when it agrees.

    Its exit code is no verdict: 0 or 1 after the same session, by who closes first.
    """
    shown = [block for block in pem.blocks(output.stdout) if block.label == "CERTIFICATE"]
    if not shown:
        return _said(output)
    if hashlib.sha256(shown[0].der).hexdigest() != facts.fingerprint.replace(":", "").lower():
        return "openssl gets another certificate"
    verdict = re.search(rb"Verify return code: (\d+)[^\n]*", output.stdout)
    if trusts and not (verdict and verdict[1] == b"0"):
        said = verdict[0].decode("ascii", "replace") if verdict else "no verdict"
        return f"we trust it, but openssl says: {said}"
    return ""


def commands_of(subject: Subject) -> list[str]:
    """What openssl is asked about *subject*, ready to paste."""
    found = []
    if subject.cert_path:
        found.append(_read_arguments(subject.cert_path))
        found.append(_chain_arguments(subject, subject.cert_path))
    if subject.key_path:
        found.append(_key_arguments(subject.key_path))
    commands = [_shown(arguments) for arguments in found]
    if subject.address:
        commands.append(f"{_shown(_server_arguments(subject.address, subject))} </dev/null")
    return commands


def _read_arguments(path: Path) -> tuple[str, ...]:
    return ("x509", "-in", str(path), "-noout", "-text", "-serial", "-startdate", "-enddate",
            "-fingerprint", "-sha256", "-pubkey")  # fmt: skip


def _chain_arguments(subject: Subject, path: Path) -> tuple[str, ...]:
    # Without the last one, nobody looks at the signature of what is trusted anyway.
    arguments = ["verify", "-x509_strict", "-purpose", "sslserver", "-check_ss_sig"]
    if subject.ca_path:
        arguments += ["-CAfile", str(subject.ca_path)]
    if len(subject.chain) > 1:
        arguments += ["-untrusted", str(path)]
    return (*arguments, str(path))


def _key_arguments(key: Path) -> tuple[str, ...]:
    return ("pkey", "-in", str(key), "-pubout")


def _server_arguments(address: Address, subject: Subject) -> tuple[str, ...]:
    name = [] if subject.host and subject.host.is_ip else ["-servername", address.host]
    trust = ["-CAfile", str(subject.ca_path)] if subject.ca_path else []
    return ("s_client", "-connect", str(address), "-showcerts", *trust, *name)


def _said(output: Output) -> str:
    """The most telling line of a failure."""
    lines = [line.strip() for line in output.stderr.splitlines() if line.strip()]
    telling = [line for line in lines if line.startswith("error ")]
    return (telling or lines or [f"openssl left with {output.exit_code}, and said nothing"])[0]


def _shown(arguments: tuple[str, ...]) -> str:
    return f"openssl {shlex.join(arguments)}"
