"""All that answers for one folder, put together: hosts, preflights, password, files, fields."""

from typing import TYPE_CHECKING

from openssl_serve.handlers.authorities import Authorities, ForAuthorities
from openssl_serve.handlers.credentials import Credentials
from openssl_serve.handlers.decorations import Decorated, Decorations, Preflighted
from openssl_serve.handlers.files import Files
from openssl_serve.handlers.folder import Folder, FolderOptions
from openssl_serve.server.handling import Handler

if TYPE_CHECKING:
    from openssl_serve.handlers.live_reload import Reloads
    from openssl_serve.server.polyglot import PolyglotServer


class Site:
    """A folder, and how it is served."""

    def __init__(
        self,
        folder: Folder,
        authorities: Authorities,
        options: FolderOptions,
        decorations: Decorations,
        auth: Credentials | None,
    ) -> None:
        self._folder = folder
        self._authorities = authorities
        self._options = options
        self._decorations = decorations
        self._auth = auth
        self._reloads: Reloads | None = None
        if options.live_reload:
            # Imported here, as everything that most starts do not need.
            from openssl_serve.handlers import live_reload  # noqa: PLC0415

            self._reloads = live_reload.Reloads(folder)

    def served_by(self, server: "PolyglotServer") -> None:
        """Let what happens beside the loop of *server* be told in it."""
        if self._reloads is not None:
            self._reloads.server = server

    def handler(self, *, secure: bool) -> Handler:
        """Return a new handler for requests that come over TLS (*secure*) or without.

        Each has its own: the responses that it keeps may have other fields than the other's.
        """
        handler: Handler = Files(self._folder, self._options)
        if self._reloads is not None:
            from openssl_serve.handlers.live_reload import LiveReload  # noqa: PLC0415

            handler = LiveReload(handler, self._reloads)
        if self._auth is not None:
            # Imported here: hashing takes 3 ms to import, and most servers have no password.
            from openssl_serve.handlers.authentication import BasicAuth  # noqa: PLC0415

            handler = BasicAuth(handler, self._auth)
        if self._decorations.cors:
            handler = Preflighted(handler)
        handler = ForAuthorities(self._authorities, handler)
        fields = self._decorations.fields(secure=secure)
        return Decorated(handler, fields) if fields else handler
