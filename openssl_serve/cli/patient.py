"""What `doctor` looks at: the data folder, the openssl, and who trusts what is kept there."""

from contextlib import ExitStack
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from openssl_serve.errors import CertificateError, OpensslNotFoundError, TrustStoreError

if TYPE_CHECKING:
    from openssl_serve.certs.authority import Authority
    from openssl_serve.certs.store import Kept, Store
    from openssl_serve.clients.mending import Answer
    from openssl_serve.openssl.binary import Openssl
    from openssl_serve.trust.stores import Finding as StoreFinding
    from openssl_serve.trust.stores import TrustStore
    from openssl_serve.trust.target import Target

STORE_TIMEOUT_S = 20.0
"""For each program that a store has to run; `trust` has more patience."""


class Finding(NamedTuple):
    """One thing looked at; `good` None when it is neither good nor bad."""

    name: str
    good: bool | None
    says: str


class Patient:
    """One user's openssl-serve on one machine. What takes time is found once, and when asked for.

    Temporary files last as long as *stack*.
    """

    def __init__(
        self, store: "Store", openssl: "Openssl", stack: ExitStack, *, asks_clients: bool
    ) -> None:
        self.store, self.openssl, self.asks_clients = store, openssl, asks_clients
        self.answers: list[Answer] = []
        """What clients have said, once they were asked."""
        self._stack = stack
        self._checked: dict[TrustStore, StoreFinding] = {}

    @property
    def openssl_path(self) -> str | None:
        """The program; None when there is none."""
        try:
            return str(self.openssl.path)
        except OpensslNotFoundError:
            return None

    @cached_property
    def authority(self) -> "Authority | None":
        """The local CA, if there is one. Raises CertificateError."""
        return self.store.find_authority()

    @property
    def has_readable_authority(self) -> bool:
        """Whether its local CA, if there is one, can be read; which is a finding of its own."""
        try:
            _ = self.authority
        except CertificateError:
            return False
        return True

    @cached_property
    def kept(self) -> "tuple[Kept, ...]":
        """The kept pairs; none can be told without the local CA. Raises StoreError."""
        return self.store.list() if self.has_readable_authority else ()

    @cached_property
    def target(self) -> "Target | None":
        """The local CA, for those who may trust it; None without one that can be read."""
        from openssl_serve.trust.target import target_of  # noqa: PLC0415

        authority = self.authority if self.has_readable_authority else None
        return self._stack.enter_context(target_of(authority, self.openssl)) if authority else None

    @cached_property
    def stores(self) -> "list[TrustStore]":
        """The trust stores of this machine."""
        from openssl_serve.trust.machine import find_stores  # noqa: PLC0415

        try:
            stores = find_stores()
        except TrustStoreError:
            # As in many a container.
            return []
        for each in stores:
            each.timeout_s = STORE_TIMEOUT_S
        return stores

    def check(self, store: "TrustStore") -> "StoreFinding":
        """What *store* says of the target, which there is; asked once."""
        assert self.target is not None
        if store not in self._checked:
            self._checked[store] = store.check(self.target)
        return self._checked[store]

    @property
    def system(self) -> "TrustStore | None":
        """The system's store, unless it trusts the target already: what is left to be done."""
        from openssl_serve.trust.stores import Kind, State  # noqa: PLC0415

        for each in self.stores:
            if each.kind is Kind.SYSTEM:
                is_done = self.target is not None and self.check(each).state is State.TRUSTED
                return None if is_done else each
        return None
