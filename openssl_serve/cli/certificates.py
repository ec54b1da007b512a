"""The commands that make and keep certificates: generate, list, path, renew, remove."""

from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from openssl_serve.cli import inspection, render
from openssl_serve.cli.files import check_out, write_new
from openssl_serve.cli.options import choice, option
from openssl_serve.errors import UsageError, typed
from openssl_serve.hosts import Host, parse_host

if TYPE_CHECKING:
    from openssl_serve.certs.authority import Authority
    from openssl_serve.certs.profile import KeyType
    from openssl_serve.certs.store import Kept, Store
    from openssl_serve.openssl.binary import Openssl

KEY_TYPE_HELP = (
    "The type of key: p256, p384, rsa2048, rsa3072, rsa4096 or ed25519.  [default: p256]"
)


def register(app: typer.Typer) -> None:
    """Add all commands about certificates to *app*."""
    app.command(
        "generate",
        help="Make a certificate, or use the kept one; print its files.\n\n"
        "localhost, 127.0.0.1 and ::1 are in each of them.",
    )(generate)
    app.command("list", help="List the kept certificates.")(list_)
    app.command("path", help="Print the path of a kept certificate, for $(...).")(path)
    app.command(
        "renew",
        help="Make kept certificates anew, with their names and keys.\n\n"
        "Those of the HOSTs, or --all of them; without either, those that are due.",
    )(renew)
    app.command("remove", help="Delete kept certificates and their keys.")(remove)


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
               "--permit", metavar="HOST"),
    ] = None,
    key_type: Annotated[
        str | None, option(KEY_TYPE_HELP, "--key-type", metavar="TYPE")
    ] = None,
    days: Annotated[
        int | None, option("Days that it is valid.  [default: 397]", "--days", metavar="N")
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
    profile = CertificateProfile.for_server(
        hosts or ["localhost"], days=days or DEFAULT_DAYS, key_type=kind, shape=shape
    )
    if days is not None and days < 1:
        raise UsageError(f"a certificate cannot be valid for {days} days")
    permitted = tuple(map(parse_host, permit or ()))
    store, tool = inspection.open_store(), Openssl(openssl)
    if out is not None:
        _check_copies(out, store.paths(profile.hosts[0]), overwrite=force)
    if explain:
        from openssl_serve.certs.explain import explain as script  # noqa: PLC0415

        render.result(script(store, profile, str(tool.path), ca=ca, permitted=permitted))
        return
    if ca:
        authority = _make_authority(store, permitted, tool)
        if not hosts:
            render.result(str(authority.cert_path))
            return
    kept = store.find(profile.hosts[0])
    with _progress(kind):
        if force or (days and kept and kept.lifetime_days != days):
            kept = store.issue_anew(profile, openssl=tool)
        else:
            kept = store.ensure(profile, openssl=tool)
    _tell(kept)
    paths = kept.cert_path, kept.key_path
    for found in _copy(paths, out, overwrite=force) if out else paths:
        render.result(str(found))


def list_(json: inspection.JSON = False) -> None:
    """List the kept certificates."""
    from openssl_serve.cli import certificates_text as words  # noqa: PLC0415

    store = inspection.open_store()
    pairs, authority = store.list(), store.find_authority()
    if json:
        ca = words.facts_json(authority.facts) if authority else None
        words.as_json({"certificates": [words.kept_json(kept) for kept in pairs], "local_ca": ca})
    elif pairs:
        words.show_list(pairs)
    else:
        render.note(f"nothing is kept in {store.folder}")


def path(
    host: Annotated[str, typer.Argument(help="A kept host.")] = "localhost",
    cert: Annotated[bool, typer.Option("--cert", help="The certificate (the default).")] = False,
    key: Annotated[bool, typer.Option("--key", help="The private key.")] = False,
    chain: Annotated[
        bool, typer.Option("--chain", help="What a server sends: the same as --cert.")
    ] = False,
    ca: Annotated[bool, typer.Option("--ca", help="What a client has to trust.")] = False,
) -> None:
    """Print one path."""
    if cert + key + chain + ca > 1:
        raise UsageError(
            "--cert, --key, --chain and --ca exclude each other", "leave out all but one"
        )
    kept = inspection.open_store().get(parse_host(host))
    chosen = kept.key_path if key else kept.ca_path if ca else kept.cert_path
    render.result(str(chosen))


def renew(  # noqa: PLR0913, PLR0917 - every option is spelled out once, here
    hosts: Annotated[
        list[str] | None, typer.Argument(metavar="[HOST]...", help="Kept hosts.")
    ] = None,
    all_: Annotated[
        bool, typer.Option("--all", help="Renew every kept certificate, due or not.")
    ] = False,
    ca: Annotated[bool, typer.Option("--ca", help="Renew the local CA; its key stays.")] = False,
    check: Annotated[
        bool, typer.Option("--check", help="Do nothing; leave with 0 when one is due, else with 1.")
    ] = False,
    new_key: Annotated[bool, typer.Option("--new-key", help="Make a new private key.")] = False,
    explain: inspection.EXPLAIN = False,
    openssl: inspection.OPENSSL = None,
) -> None:
    """Renew the named HOSTs or --all now; without either, what is due."""
    import datetime as dt  # noqa: PLC0415

    from openssl_serve.certs.judgement import is_ours  # noqa: PLC0415
    from openssl_serve.certs.profile import KeyType  # noqa: PLC0415
    from openssl_serve.openssl.binary import Openssl  # noqa: PLC0415

    if bool(hosts) + all_ + ca > 1:
        raise UsageError("HOST, --all and --ca exclude each other", "leave out all but one")
    if ca and new_key:
        raise UsageError("--new-key with --ca: the local CA keeps its key", "leave out --new-key")
    store, tool = inspection.open_store(), Openssl(openssl)
    now = dt.datetime.now(dt.UTC)
    if ca:
        _renew_authority(store, tool, check=check, explain=explain)
        return
    pairs = [store.get(parse_host(host)) for host in hosts or ()] or list(store.list())
    due = [kept for kept in pairs if kept.facts.due(now)]
    if check:
        for kept in due:
            render.result(str(kept.host))
        raise typer.Exit(0 if due else 1)
    for kept in pairs if hosts or all_ else due:
        if explain:
            from openssl_serve.certs.explain import explain_renewal  # noqa: PLC0415

            render.result(explain_renewal(store, kept, str(tool.path)))
        elif not hosts and not is_ours(kept.facts):
            render.note(f"left alone: {kept.cert_path} was not made here")
        else:
            with _progress(KeyType.described(kept.facts.key) if new_key else None):
                renewed = store.renew(kept.host, new_key=new_key, openssl=tool)
            _tell(renewed)
            render.result(str(renewed.cert_path))
    if not due and not hosts and not all_:
        render.note("nothing is due")


def remove(
    hosts: Annotated[list[str], typer.Argument(metavar="HOST...", help="Kept hosts.")],
) -> None:
    """Delete the files of HOSTs."""
    store = inspection.open_store()
    for host in [parse_host(host) for host in hosts]:
        for found in store.remove(host):
            render.note(f"removed {found}")


def _renew_authority(store: "Store", tool: "Openssl", *, check: bool, explain: bool) -> None:
    import datetime as dt  # noqa: PLC0415

    now = dt.datetime.now(dt.UTC)
    before = store.find_authority()
    if check:
        raise typer.Exit(0 if before and before.facts.due(now) else 1)
    if before and explain:
        from openssl_serve.certs.explain import explain_authority_renewal  # noqa: PLC0415

        render.result(explain_authority_renewal(before, str(tool.path)))
        return
    authority = store.renew_authority(tool)
    until = before.facts.not_after if before else now
    render.note(f"the local CA is renewed until {authority.facts.not_after:%Y-%m-%d}")
    render.note(f"trust it anew before {until:%Y-%m-%d}; on this machine: openssl-serve trust")
    render.result(str(authority.cert_path))


def _make_authority(store: "Store", permitted: tuple[Host, ...], tool: "Openssl") -> "Authority":
    had = store.find_authority()
    authority = store.ensure_authority(permitted=permitted, openssl=tool)
    allowed = authority.facts.extensions.permitted
    if had and permitted and not {str(host) for host in permitted} <= set(allowed):
        raise UsageError(
            "--permit is for a new local CA, and there is one already",
            f"it may issue for {', '.join(allowed) or 'every host'}: {authority.cert_path}",
        )
    word = "the local CA is" if had else "made a local CA:"
    render.note(f"{word} {authority.cert_path}")
    if not had:
        render.note("nothing trusts it yet; on this machine: openssl-serve trust")
    return authority


def _tell(kept: "Kept") -> None:
    """Say on stderr what became of it."""
    if kept.made_because is None:
        render.note(f"kept: good until {kept.facts.not_after:%Y-%m-%d}")
    else:
        render.note(f"made: {kept.made_because}")
    if kept.facts.key == "Ed25519":
        render.warning("no browser accepts an Ed25519 key", "leave out --key-type")


def _progress(key_type: "KeyType | None") -> AbstractContextManager[None]:
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
