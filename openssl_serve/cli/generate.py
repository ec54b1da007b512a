"""The command `generate`: a certificate, or the local CA, made or used again."""

from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from openssl_serve.choices import choice
from openssl_serve.cli import inspection, render
from openssl_serve.cli.files import check_out, write_new
from openssl_serve.cli.options import option
from openssl_serve.errors import UsageError, typed
from openssl_serve.hosts import Subtree, parse_subtree

if TYPE_CHECKING:
    from openssl_serve.certs.authority import Authority
    from openssl_serve.certs.facts import CertificateFacts
    from openssl_serve.certs.profile import CertificateProfile, KeyType
    from openssl_serve.certs.store import Kept, Store
    from openssl_serve.openssl.binary import Openssl

KEY_TYPE_HELP = (
    "The type of key: p256, p384, rsa2048, rsa3072, rsa4096 or ed25519.  [default: p256]"
)


def register(app: typer.Typer) -> None:
    """Add the command to *app*."""
    app.command(
        "generate",
        help="Make a certificate, or use the kept one; print its files.\n\n"
        "localhost, 127.0.0.1 and ::1 are in each of them.",
    )(generate)


def generate(  # noqa: PLR0913, PLR0917 - every option is spelled out once, here
    hosts: Annotated[
        list[str] | None,
        typer.Argument(metavar="[HOST]...", help="Names or addresses.  [default: localhost]"),
    ] = None,
    ca: Annotated[
        bool, typer.Option("--ca", help="Issue it with the local CA, made if there is none.")
    ] = False,
    self_signed: Annotated[
        bool, typer.Option("--self-signed", help="Make it without a CA, even if there is one.")
    ] = False,
    permit: Annotated[
        list[str] | None,
        option("With --ca: all that a new CA may issue for; repeat for more.",
               "--permit", metavar="HOST|NETWORK"),
    ] = None,
    key_type: Annotated[
        str | None, option(KEY_TYPE_HELP, "--key-type", metavar="TYPE")
    ] = None,
    days: Annotated[
        int | None, option("Days that it is valid.  [default: 365]", "--days", metavar="N")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="DIR", help="Copy the files there too.")
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Make it anew, and overwrite files in --out.")
    ] = False,
    explain: inspection.EXPLAIN = False,
    openssl: inspection.OPENSSL = None,
) -> None:  # fmt: skip
    """Make a certificate for HOSTs (default: localhost)."""
    from openssl_serve.certs.profile import (  # noqa: PLC0415
        DEFAULT_DAYS,
        CertificateProfile,
        KeyType,
        Shape,
    )
    from openssl_serve.openssl.binary import Openssl  # noqa: PLC0415

    if ca and self_signed:
        raise UsageError("--ca and --self-signed exclude each other", "leave out one of them")
    if permit and not ca:
        raise UsageError("--permit is for a new local CA", "add --ca")
    shape = Shape.LEAF if ca else Shape.SELF_SIGNED if self_signed else None
    kind = choice(KeyType, key_type, "--key-type") if key_type else None
    wanted_days = DEFAULT_DAYS if days is None else days
    profile = CertificateProfile.for_server(
        hosts or ["localhost"], days=wanted_days, key_type=kind, shape=shape
    )
    permitted = tuple(map(parse_subtree, permit or ()))
    store, tool = inspection.open_store(), Openssl(openssl)
    if out is not None:
        _check_copies(out, store.paths(profile.hosts[0]), overwrite=force)
    if explain:
        _explain(store, None if ca and not hosts else profile, tool, permitted, ca=ca)
        return
    if ca:
        authority = _make_authority(store, permitted, tool)
        if not hosts:
            render.result(str(authority.cert_path))
            return
    kept = store.find(profile.hosts[0])
    with progress(kind):
        if force or (days and kept and kept.lifetime_days != days):
            kept = store.issue_anew(profile, openssl=tool)
        else:
            kept = store.ensure(profile, openssl=tool)
    tell(kept)
    paths = kept.cert_path, kept.key_path
    for found in _copy(paths, out, overwrite=force) if out else paths:
        render.result(str(found))


def _explain(
    store: "Store",
    profile: "CertificateProfile | None",
    tool: "Openssl",
    permitted: tuple[Subtree, ...],
    *,
    ca: bool,
) -> None:
    """Print how a certificate for *profile* is made; without one, the local CA alone."""
    from openssl_serve.certs.explain import explain, explain_authority  # noqa: PLC0415

    program = str(tool.path)
    if profile:
        render.result(explain(store, profile, program, ca=ca, permitted=permitted))
    elif authority := store.find_authority():
        render.note(f"the local CA is {authority.cert_path}, and stays")
    else:
        render.result(explain_authority(program, permitted))


def _make_authority(store: "Store", permitted: tuple[Subtree, ...], tool: "Openssl") -> "Authority":
    from openssl_serve.certs.constraints import with_loopback  # noqa: PLC0415

    had = store.find_authority()
    authority = store.ensure_authority(permitted=permitted, openssl=tool)
    allowed = authority.facts.extensions.permitted
    if had and not set(map(str, with_loopback(permitted))) <= set(allowed):
        raise UsageError(
            "--permit is for a new local CA, and there is one already",
            f"it may issue for {', '.join(allowed) or 'every host'}: {authority.cert_path}",
        )
    word = "the local CA is" if had else "made a local CA:"
    render.note(f"{word} {authority.cert_path}")
    if not had:
        render.note("nothing trusts it yet; on this machine: openssl-serve trust")
    return authority


def tell(kept: "Kept") -> None:
    """Say on stderr what became of it."""
    if kept.made_because is None:
        render.note(f"kept: good until {kept.facts.not_after:%Y-%m-%d}")
    else:
        render.note(f"made: {kept.made_because}")
    warn_of_key(kept.facts, typed("openssl-serve", "generate", "--key-type", "p256", kept.host))


def warn_of_key(facts: "CertificateFacts", *hints: str) -> None:
    """Say that browsers do not take a key that all other clients take."""
    if facts.key == "Ed25519":
        render.warning("no browser accepts an Ed25519 key", *hints)


def progress(key_type: "KeyType | None") -> AbstractContextManager[None]:
    """Say that a key is being made, if it may take seconds: primes are found by trying."""
    if key_type is None or not key_type.is_rsa:
        return nullcontext()
    return render.progress(f"making an {key_type.description} key")


def _check_copies(folder: Path, paths: tuple[Path, Path], *, overwrite: bool) -> None:
    """Refuse to copy to *folder* what cannot be copied there, before anything is made."""
    if not folder.is_dir():
        raise UsageError(f"--out {folder} is not a folder", typed("mkdir", "-p", folder))
    for path in paths:
        check_out(folder / path.name, "--force overwrites it", overwrite=overwrite)


def _copy(paths: tuple[Path, Path], folder: Path, *, overwrite: bool) -> list[Path]:
    """Copy a certificate and its key to *folder*."""
    targets = [folder / found.name for found in paths]
    for found, target, mode in zip(paths, targets, (0o644, 0o600), strict=True):
        write_new(target, found.read_bytes(), mode, overwrite=overwrite)
    return targets
