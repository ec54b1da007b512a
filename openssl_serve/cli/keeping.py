"""The commands about certificates that are kept: list, path, renew, remove."""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from openssl_serve.cli import inspection, render
from openssl_serve.cli.generate import progress, tell
from openssl_serve.errors import CertificateError, UsageError
from openssl_serve.hosts import parse_host

if TYPE_CHECKING:
    from openssl_serve.certs.store import Kept, Store
    from openssl_serve.openssl.binary import Openssl


def register(app: typer.Typer) -> None:
    """Add the commands to *app*."""
    app.command("list", help="List the kept certificates.")(list_)
    app.command("path", help="Print the path of a kept certificate, for $(...).")(path)
    app.command(
        "renew",
        help="Make kept certificates anew, with their names and keys.\n\n"
        "Those of the HOSTs, or --all of them; without either, those that are due.",
    )(renew)
    app.command("remove", help="Delete kept certificates and their keys.")(remove)


def list_(json: inspection.JSON = False) -> None:
    """List the kept certificates."""
    from openssl_serve.cli import certificates_text as words  # noqa: PLC0415

    store = inspection.open_store()
    (pairs, faults), authority = store.survey(), store.find_authority()
    if json:
        words.as_json(
            {
                "certificates": [words.kept_json(kept) for kept in pairs],
                "broken": [str(fault) for fault in faults],
                "local_ca": words.facts_json(authority.facts) if authority else None,
            }
        )
        return
    if pairs:
        words.show_list(pairs)
    _tell_of_faults(faults)
    if not pairs and not faults:
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
    named = tuple(store.get(parse_host(host)) for host in hosts or ())
    pairs, faults = (named, ()) if named else store.survey()
    due = [kept for kept in pairs if kept.facts.due(now)]
    if check:
        for kept in due:
            render.result(str(kept.host))
        raise typer.Exit(0 if due else 1)
    _tell_of_faults(faults)
    if not pairs and not faults:
        render.note(f"nothing is kept in {store.folder}")
    elif not due and not hosts and not all_:
        render.note("nothing is due")
    wanted = pairs if hosts else _made_here(pairs if all_ else due)
    _renew_each(store, wanted, tool, new_key=new_key, explain=explain)


def remove(
    hosts: Annotated[list[str], typer.Argument(metavar="HOST...", help="Kept hosts.")],
) -> None:
    """Delete the files of HOSTs."""
    store = inspection.open_store()
    for found in store.remove(*map(parse_host, hosts)):
        render.note(f"removed {found}")


def _tell_of_faults(faults: Iterable[CertificateError]) -> None:
    for fault in faults:
        render.warning(f"left out: {fault}", *fault.hints)


def _made_here(pairs: "Iterable[Kept]") -> "Iterator[Kept]":
    from openssl_serve.certs.judgement import is_ours  # noqa: PLC0415

    for kept in pairs:
        if is_ours(kept.facts):
            yield kept
        else:
            render.note(f"left alone: {kept.cert_path} was not made here")


def _renew_each(
    store: "Store", pairs: "Iterable[Kept]", tool: "Openssl", *, new_key: bool, explain: bool
) -> None:
    """Renew them all; one that cannot be must not have the others expire. Raises CertificateError.

    That is for the last that could not be; of the others it is told before.
    """
    errors = {}
    for kept in pairs:
        try:
            _renew(store, kept, tool, new_key=new_key, explain=explain)
        except CertificateError as error:
            # A folder that cannot be written has one message for all of them.
            errors[str(error)] = error
    if errors:
        *others, last = errors.values()
        for each in others:
            render.error(str(each), *each.hints)
        raise last


def _renew(store: "Store", kept: "Kept", tool: "Openssl", *, new_key: bool, explain: bool) -> None:
    from openssl_serve.certs.profile import KeyType  # noqa: PLC0415

    if explain:
        from openssl_serve.certs.explain import explain_renewal  # noqa: PLC0415

        render.result(explain_renewal(store, kept, str(tool.path), new_key=new_key))
        return
    with progress(KeyType.described(kept.facts.key) if new_key else None):
        renewed = store.renew(kept.host, new_key=new_key, openssl=tool)
    tell(renewed)
    render.result(str(renewed.cert_path))


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
