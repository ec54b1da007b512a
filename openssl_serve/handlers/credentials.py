"""A name and a password, as they are typed. What compares them is in authentication.py."""

from dataclasses import dataclass, field

from openssl_serve.errors import UsageError


@dataclass(frozen=True, slots=True)
class Credentials:
    """Who may come in. Neither half is ever shown."""

    user: str = field(repr=False)
    password: str = field(repr=False)


def parse_credentials(text: str, source: str) -> Credentials:
    """Read `user:password`, split at the first colon; raises UsageError, which names *source* only.

    >>> parse_credentials("me:a:b", "--auth").password
    'a:b'
    """
    user, colon, password = text.partition(":")
    hint = "a name, a colon and a password: --auth me:secret, or in a file: --auth-file PATH"
    if not colon:
        raise UsageError(f"{source} has no colon between name and password", hint)
    if not user or not password:
        # As when a variable in a script was not set: everybody would know the password.
        raise UsageError(f"{source} has an empty {'password' if user else 'name'}", hint)
    if not text.isprintable():
        # RFC 7617 section 2: control characters cannot be sent.
        raise UsageError(f"{source} has a character that cannot be typed", hint)
    return Credentials(user, password)
