"""Options of `serve` about the folder: what of it is shown, and what goes with each response."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from openssl_serve.cli.options import option
from openssl_serve.errors import UsageError

if TYPE_CHECKING:
    from openssl_serve.handlers.folder import FolderOptions

MAX_CACHE_S = 31_536_000
"""A year: longer than any browser keeps a file that is not used."""

Index = Annotated[
    list[str] | None,
    option("The file that stands for its folder.  [default: index.html, index.htm]",
           "--index", metavar="NAME"),
]  # fmt: skip
Hidden = Annotated[
    bool, option("Show dotfiles and files that look like keys.", "--hidden", metavar="")
]
NoListing = Annotated[bool, option("Do not list folders.", "--no-listing", metavar="")]
FollowSymlinks = Annotated[
    bool, option("Let links lead out of the folder.", "--follow-symlinks", metavar="")
]
Spa = Annotated[bool, option("A page that is not there is the root's index.", "--spa", metavar="")]
NoCompression = Annotated[
    bool, option("Send everything as it is on disk.", "--no-compression", metavar="")
]
Cache = Annotated[
    int | None,
    option("How long browsers may use a file without asking.  [default: they ask]",
           "--cache", metavar="SECONDS"),
]  # fmt: skip
LiveReload = Annotated[
    bool, option("Reload pages when a file changes.", "--live-reload", metavar="")
]


def folder_options(  # noqa: PLR0913  one for each option
    *,
    index: list[str] | None,
    hidden: bool,
    no_listing: bool,
    follow_symlinks: bool,
    spa: bool,
    no_compression: bool,
    cache: int | None,
    live_reload: bool,
    never: tuple[Path, ...],
) -> "FolderOptions":
    """Return what the words of the command line mean; raises UsageError."""
    # Not with the module: --help needs no server.
    from openssl_serve.handlers.folder import FolderOptions  # noqa: PLC0415

    if cache is not None and not 0 <= cache <= MAX_CACHE_S:
        raise UsageError(f"--cache {cache}: from 0 to {MAX_CACHE_S} seconds make sense")
    return FolderOptions(
        index=tuple(index or FolderOptions().index),
        hidden=hidden,
        listing=not no_listing,
        compression=not no_compression,
        spa=spa,
        cache_s=cache,
        live_reload=live_reload,
        follow_symlinks=follow_symlinks,
        never=never,
    )
