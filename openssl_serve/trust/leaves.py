"""Server certificates that a trusted CA is of no use to, made again as leaves of it."""

from collections.abc import Iterator
from typing import NamedTuple

from openssl_serve.certs.authority import Authority, was_issued_here
from openssl_serve.certs.profile import Shape
from openssl_serve.certs.store import Kept, Store
from openssl_serve.errors import OpensslServeError
from openssl_serve.hosts import parse_host
from openssl_serve.openssl.binary import Openssl


class Reissued(NamedTuple):
    """A kept pair; `because` says why it could not be made again, None: it was."""

    kept: Kept
    because: OpensslServeError | None


def reissue(store: Store, authority: Authority, openssl: Openssl) -> Iterator[Reissued]:
    """Have *authority* issue what is self-signed, or of a CA before it; names and keys stay."""
    for kept in store.list():
        foreign = was_issued_here(kept.facts) and not authority.issued(kept.facts)
        if kept.facts.shape is not Shape.SELF_SIGNED and not foreign:
            continue
        try:
            # With some of its names only, a server that runs would lose the others.
            if refusal := authority.refusal(map(parse_host, kept.facts.names)):
                yield Reissued(kept, refusal)
            else:
                yield Reissued(store.renew(kept.host, openssl=openssl), None)
        except OpensslServeError as error:
            yield Reissued(kept, error)
