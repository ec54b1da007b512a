"""All that answers for one folder, put together: hosts, preflights, password, files, fields."""

from typing import NamedTuple

from openssl_serve.handlers.authorities import Authorities, ForAuthorities
from openssl_serve.handlers.credentials import Credentials
from openssl_serve.handlers.decorations import Decorated, Decorations, Preflighted
from openssl_serve.handlers.files import Files
from openssl_serve.handlers.folder import Folder, FolderOptions
from openssl_serve.server.handling import Handler


class Site(NamedTuple):
    """A folder, and how it is served."""

    folder: Folder
    authorities: Authorities
    options: FolderOptions
    decorations: Decorations
    auth: Credentials | None

    def handler(self, *, secure: bool) -> Handler:
        """Return a new handler for requests that come over TLS (*secure*) or without.

        Each has its own: the responses that it keeps may have other fields than the other's.
        """
        handler: Handler = Files(self.folder, self.options)
        if self.auth is not None:
            # Imported here: hashing takes 3 ms to import, and most servers have no password.
            from openssl_serve.handlers.authentication import BasicAuth  # noqa: PLC0415

            handler = BasicAuth(handler, self.auth)
        if self.decorations.cors:
            handler = Preflighted(handler)
        handler = ForAuthorities(self.authorities, handler)
        fields = self.decorations.fields(secure=secure)
        return Decorated(handler, fields) if fields else handler
