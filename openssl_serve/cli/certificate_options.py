"""Which certificate `serve` uses: --cert-host, --cert, --cert-key and the key's password."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import typer

from openssl_serve.cli.files import read_secret
from openssl_serve.errors import UsageError
from openssl_serve.hosts import Host, parse_host, shorten

if TYPE_CHECKING:
    from openssl_serve.certs.certificate import Certificate

PASSWORD_VARIABLE = "OPENSSL_SERVE_KEY_PASSWORD"  # noqa: S105  a name, not a password


class Pair(NamedTuple):
    """The files of a custom certificate."""

    cert: Path
    key: Path


def wanted_pairs(certs: list[str], keys: list[Path], *, outranked: bool = False) -> list[Pair]:
    """Return the custom pairs that were asked for; none when one is to be generated.

    `--cert=false` counts as not given, as in code-server; so do *keys* beside it that are
    *outranked*, those of a file for a bare --cert on the command line. Raises UsageError for half
    a pair.
    """
    given = [cert for cert in certs if cert and cert != "false"]
    if outranked and not given:
        return []
    if len(given) < len(keys):
        key = shorten(str(keys[len(given)]))
        raise UsageError("--cert is missing", f"name the certificate of {key}: --cert PATH")
    if len(given) > len(keys):
        raise UsageError(
            "--cert-key is missing",
            f"name the private key of {shorten(given[len(keys)])}: --cert-key PATH",
            "or leave out --cert and its path, and a pair is made",
        )
    return [Pair(Path(cert), key) for cert, key in zip(given, keys, strict=True)]


def host_groups(values: list[str] | None) -> list[list[Host]]:
    """Read --cert-host: each is a host of the first certificate, or, with commas, a group.

    A group gets a certificate of its own, which clients get that ask for one of its names.

    >>> [list(map(str, group)) for group in host_groups(["a.test", "b.test,c.test", "d.test"])]
    [['a.test', 'd.test'], ['b.test', 'c.test']]
    """
    values = values or ["localhost"]
    first = [parse_host(value) for value in values if "," not in value]
    groups = [list(map(parse_host, value.split(","))) for value in values if "," in value]
    return [first, *groups] if first else groups


def unmet(values: list[str] | None, certificates: "Sequence[Certificate]") -> list[str]:
    """Say which hosts of --cert-host (*values*) none of the user's own *certificates* is for."""
    hosts = dict.fromkeys(host for group in host_groups(values) for host in group) if values else ()
    return [
        f"--cert-host {host}: --cert is not for it, and beside --cert none is made"
        for host in hosts
        if not any(each.facts.covers(host) for each in certificates)
    ]


def explain_groups(groups: Sequence[Sequence[Host]], openssl: str | None) -> str:
    """Say how the certificates for *groups* are made, as scripts to paste into a shell."""
    from openssl_serve.certs.explain import explain  # noqa: PLC0415  serving does not need these
    from openssl_serve.certs.profile import CertificateProfile  # noqa: PLC0415
    from openssl_serve.certs.store import Store  # noqa: PLC0415
    from openssl_serve.openssl.binary import Openssl  # noqa: PLC0415
    from openssl_serve.paths import data_folder  # noqa: PLC0415

    store, program = Store(data_folder()), str(Openssl(openssl).path)
    return "\n".join(
        explain(store, CertificateProfile.for_server(group), program) for group in groups
    )


def key_password(key: Path, file: Path | None) -> str | None:
    """Find the password of *key*: in *file*, in the environment, by asking on a terminal."""
    if file is not None:
        hint = "the file holds the password as text; its last line break does not count"
        return read_secret(file, "--cert-key-password-file", hint)
    if PASSWORD_VARIABLE in os.environ:
        return os.environ[PASSWORD_VARIABLE]
    if sys.stdin.isatty() and sys.stderr.isatty():
        return str(typer.prompt(f"Password of {key}", hide_input=True, err=True))
    return None
