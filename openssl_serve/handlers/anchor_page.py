"""What the page about the trust anchor says of this one, to this client; the steps are the page's.

Those are as the makers of the devices name them in 2026; some device may have a word elsewhere.
"""

import re
from collections.abc import Iterable
from html import escape

from openssl_serve.handlers.anchor_offer import PREFIX, Offer
from openssl_serve.hosts import Host
from openssl_serve.http1.fields import Authority
from openssl_serve.pages import load

_AGENTS = {
    # An iPad calls itself a Macintosh.
    "ios": ("iPhone", "iPad", "iPod", "Macintosh"),
    "android": ("Android",),
    "macos": ("Macintosh",),
    "windows": ("Windows",),
    # Android is a Linux too.
    "linux": ("X11",),
}
"""Words in the User-Agent of a device's browsers, by which its steps are open at once."""

_FAMILIES = {"ios": "Safari, iPhone, iPad", "android": "Android"}
"""As `Offer.refusals` calls the clients of a device that has one list for all of them."""


def anchor_page(
    offer: Offer, place: Authority, agent: str
) -> tuple[tuple[tuple[bytes, bytes], ...], bytes]:
    """Return fields and content of the page for a client that came to *place*.

    *agent* is its User-Agent.
    """
    page = load("anchor")
    body = page.fill(
        host=str(place.host),
        name=escape(offer.name),
        ends=offer.ends,
        fingerprint="".join(f"<span>{part}</span>" for part in _parts(offer.fingerprint)),
        what="the CA that issued its certificate" if offer.is_shared else "its certificate",
        danger=_danger(offer),
        notices="\n".join(f'<p class="notice">{each}</p>' for each in _notices(offer, place.host)),
        places=_links(_places(offer, place)),
        base=f"http://{place}{PREFIX}",
        **_devices(offer, agent),
        **_firefox(offer),
    )
    return page.fields, body


def anchor_text(offer: Offer, place: Authority) -> bytes:
    """Return the same for programs: what it is, where its forms are, and the way to https."""
    base = f"http://{place}{PREFIX}"
    lines = [
        f"{offer.name}, until {offer.ends}",
        f"SHA-256 {offer.fingerprint}",
        "",
        *(f"{base}{name}" for name in offer.forms),
        "",
        *_places(offer, place),
        "",
    ]
    return "\n".join(lines).encode()


def _parts(fingerprint: str) -> Iterable[str]:
    """Eight bytes each: as many as a phone has room for in a line."""
    length = 8 * len("00:")
    return (fingerprint[start : start + length] for start in range(0, len(fingerprint), length))


def _danger(offer: Offer) -> str:
    if offer.permitted:
        whom = "any site of " + escape(", ".join(offer.permitted))
    elif offer.can_sign:
        whom = "any site"
    else:
        whom = "this server"
    return (
        f"Whoever has its private key can pose as {whom} to a device that trusts it. Install it "
        "only from a computer that you trust, and undo it when you no longer need it."
    )


def _notices(offer: Offer, host: Host) -> Iterable[str]:
    """What will not work, so that nobody finds out after the last step."""
    if not offer.covers(host):
        yield (
            f"The certificate of this server is not for {host}, so here "
            f"the warning will stay. Start the server with <code>--lan</code>, or with "
            f"<code>--cert-host {host}</code>."
        )
    never = [
        f"<b>{escape(family)}</b> will never accept it ({escape(because)})."
        for family, because in offer.refusals.items()
    ]
    if not offer.is_shared:
        never.insert(0, "This certificate is self-signed: there is no CA behind it.")
        never.append(
            "It has to be trusted again whenever it is made anew. After <code>openssl-serve "
            "trust</code> there, it is a CA that is offered here, to be trusted once, whose "
            "certificates all clients accept."
        )
    if never:
        yield " ".join(never)


def _devices(offer: Offer, agent: str) -> dict[str, str]:
    """Which steps are open, and which there cannot be."""
    words = {
        f"{device}_open": " open" if any(word in agent for word in agents) else ""
        for device, agents in _AGENTS.items()
    }
    for device, family in _FAMILIES.items():
        because = offer.refusals.get(family)
        never = f"<p>Not with this certificate: {escape(because)}.</p>" if because else ""
        words |= {f"{device}_never": never, f"{device}_hidden": " hidden" if because else ""}
    return words


def _firefox(offer: Offer) -> dict[str, str]:
    """How it can be had to accept it, if it can."""
    if "Firefox" in offer.refusals:
        return {"firefox": "", "firefox_linux": ""}
    return {
        # What the user has added to the system's list, it reads since then, except on Linux.
        "firefox": ", and Firefox from 120 on",
        "firefox_linux": " Firefox: Settings, Certificates, View Certificates, Authorities.",
    }


def _links(urls: list[str]) -> str:
    items = [f'<li><a href="{url}">{url}</a></li>' for url in urls]
    if len(urls) > 1:
        items.append(
            '<li class="small">The name stays when the address changes, but not every network '
            "knows it.</li>"
        )
    return "\n".join(items)


def _places(offer: Offer, place: Authority) -> list[str]:
    """Where to go on: where the client is, and the name that stays when addresses change."""
    # A name of multicast DNS has one label before its end; my.dev.local is somebody's own.
    lasting = [each for each in offer.hosts if re.fullmatch(r"[^.*]+\.local", each.value)]
    hosts = dict.fromkeys((place.host, *lasting))
    return [f"https://{place._replace(host=host)}/" for host in hosts]
