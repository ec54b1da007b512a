"""All that answers, put together: hosts, preflights, password, content, fields."""

from typing import TYPE_CHECKING, Protocol

from openssl_serve.handlers.authorities import Authorities, ForAuthorities
from openssl_serve.handlers.credentials import Credentials
from openssl_serve.handlers.decorations import Decorated, Decorations, Preflighted, field_lines
from openssl_serve.handlers.files import Files
from openssl_serve.handlers.folder import Folder, FolderOptions
from openssl_serve.http1.response import FieldLines
from openssl_serve.server.handling import Handler

if TYPE_CHECKING:
    from openssl_serve.handlers.live_reload import Reloads
    from openssl_serve.server.service import Service


class Content(Protocol):
    """What a site consists of."""

    @property
    def methods(self) -> bytes | None:
        """What browsers may send from another origin, if it is known (a list as in Allow)."""

    def handler(self) -> Handler:
        """Return a handler; one that keeps responses must be a new one each time."""

    def served_by(self, server: "Service") -> None:
        """Let what happens beside the loop of *server* be told in it."""


class FolderContent:
    """The files of a folder, and pages that reload when they change, if that is asked for.

    Its top is at the path *place*.
    """

    methods = b"GET, HEAD, OPTIONS"

    def __init__(self, folder: Folder, options: FolderOptions, place: bytes = b"") -> None:
        self._folder = folder
        self._options = options
        self._place = place
        self._files: list[Files] = []
        self._reloads: Reloads | None = None
        if options.live_reload:
            # Imported here, as everything that most starts do not need.
            from openssl_serve.handlers import live_reload  # noqa: PLC0415

            self._reloads = live_reload.Reloads(folder)

    def handler(self) -> Handler:
        """Return a new handler."""
        files = Files(self._folder, self._options, self._place)
        self._files.append(files)
        handler: Handler = files
        if self._reloads is not None:
            from openssl_serve.handlers.live_reload import LiveReload  # noqa: PLC0415

            handler = LiveReload(handler, self._reloads)
        return handler

    def served_by(self, server: "Service") -> None:
        """Have the pages told of changes through the loop of *server*, and files by its clock."""
        for files in self._files:
            files.server = server
        if self._reloads is not None:
            self._reloads.server = server


class HandlerContent:
    """What one *handler* answers that keeps no responses: an upstream, an application."""

    methods = None

    def __init__(self, handler: Handler) -> None:
        self._handler = handler

    def handler(self) -> Handler:
        """Return the one handler."""
        return self._handler

    def served_by(self, server: "Service") -> None:
        """Do nothing: all that happens, happens in requests."""


class Site:
    """A content, and all that stands before it."""

    def __init__(
        self,
        content: Content,
        authorities: Authorities,
        decorations: Decorations,
        auth: Credentials | None,
    ) -> None:
        self._content = content
        self._authorities = authorities
        self._decorations = decorations
        self._auth = auth

    def handler(self, *, secure: bool) -> Handler:
        """Return a new handler for requests that come over TLS (*secure*) or without.

        Each has its own: the responses that it keeps may have other fields than the other's.
        """
        handler = self._content.handler()
        if self._auth is not None:
            # Imported here: hashing takes 3 ms to import, and most servers have no password.
            from openssl_serve.handlers.authentication import BasicAuth  # noqa: PLC0415

            handler = BasicAuth(handler, self._auth)
        if self._decorations.cors:
            handler = Preflighted(handler, self._content.methods)
        handler = ForAuthorities(self._authorities, handler)
        fields = self._decorations.fields(secure=secure)
        if not fields:
            return handler
        return Decorated(handler, field_lines(fields), self.always(secure=secure))

    def always(self, *, secure: bool) -> FieldLines | None:
        """Return what goes with errors that no handler answers, over TLS (*secure*) or without."""
        return self._decorations.always(secure=secure)

    def doorkeeper(self, handler: Handler) -> Handler:
        """Return *handler*, which keeps plain HTTP out, with the fields that go with everything."""
        always = self.always(secure=False)
        return Decorated(handler, always, always) if always else handler
