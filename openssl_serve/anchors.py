"""The trust anchor of a running server, read from its files whenever a device asks for it."""

import threading
from collections.abc import Callable
from contextlib import suppress

from openssl_serve.certs.anchor import Anchor, anchor_of
from openssl_serve.certs.certificate import Certificate
from openssl_serve.certs.clients import client_verdicts
from openssl_serve.certs.store import Kept
from openssl_serve.errors import CertificateError
from openssl_serve.handlers.anchor import OffersAnchor
from openssl_serve.handlers.anchor_offer import CERTIFICATE, PEM, PROFILE, Offer
from openssl_serve.handlers.authorities import Authorities
from openssl_serve.hosts import hosts_among
from openssl_serve.live_contexts import Loadable
from openssl_serve.paths import data_folder
from openssl_serve.server.handling import Handler

_ON_DEVICES = ("Chrome, Edge", "Firefox", "Safari, iPhone, iPad", "Android")
"""Of the families that are judged, those that somebody opens the page with."""


class LiveOffer:
    """What is to be trusted for *certificate*, whose files may be renewed or replaced.

    When it has become another than at first, *tell* is told its fingerprint, for whoever compares
    it. Raises CertificateError when it cannot be read now.
    """

    def __init__(self, certificate: Loadable, tell: Callable[[str], None]) -> None:
        self._certificate = certificate
        self._tell = tell
        self._last = _find(certificate)
        # Several devices may ask at once, each by a thread of its own.
        self._lock = threading.Lock()

    def __call__(self) -> Offer | None:
        """Return it as it is now; blocks for as long as it takes to read some small files."""
        # Files that cannot be read are being replaced, or were broken by hand: what was offered
        # before still is what the server uses.
        with self._lock, suppress(CertificateError):
            found = _find(self._certificate)
            if found and self._last and found.der != self._last.der:
                sha256 = found.facts.fingerprint
                self._tell(f"there is another certificate to trust now, SHA-256 {sha256}")
            self._last = found
        last = self._last
        return offer_of(last) if last else None


def offering(
    handler: Handler, authorities: Authorities, certificate: Loadable, tell: Callable[[str], None]
) -> Handler:
    """Return *handler* with what is to be trusted for *certificate* offered before it.

    Raises CertificateError when that cannot be read now.
    """
    return OffersAnchor(handler, authorities, LiveOffer(certificate, tell))


def offer_for(certificate: Loadable) -> Offer | None:
    """Return what is to be trusted for *certificate*; None when that is not here.

    Raises CertificateError when it cannot be read.
    """
    anchor = _find(certificate)
    return offer_of(anchor) if anchor else None


def offer_of(anchor: Anchor) -> Offer:
    """Return *anchor* in all its forms, with what is true of it."""
    facts, server = anchor.facts, anchor.server
    return Offer(
        name=anchor.name,
        fingerprint=facts.fingerprint,
        ends=f"{facts.not_after:%Y-%m-%d}",
        forms={CERTIFICATE: anchor.der, PEM: anchor.pem, PROFILE: anchor.mobileconfig},
        hosts=tuple(hosts_among(server.names)),
        is_shared=server != facts,
        can_sign=facts.is_ca,
        permitted=facts.extensions.permitted,
        refusals={
            verdict.family: verdict.because
            for verdict in client_verdicts(server, facts)
            if verdict.because and verdict.family in _ON_DEVICES
        },
    )


def _find(certificate: Loadable) -> Anchor | None:
    """Look where its local CA is, or would be if there came to be one."""
    if isinstance(certificate, Certificate) and certificate.authority:
        data = certificate.authority.cert_path.parent
    elif isinstance(certificate, Kept):
        data = certificate.cert_path.parent
    else:
        # A pair of the user's may have been copied from there.
        data = data_folder()
    return anchor_of(certificate.cert_path, data)
