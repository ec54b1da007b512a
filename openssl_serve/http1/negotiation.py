"""Which form of an answer a client wants, by its Accept field (RFC 9110 section 12.5.1)."""

import re
from collections.abc import Sequence

_WEIGHT = re.compile(rb"(?:0(?:\.\d{0,3})?|1(?:\.0{0,3})?)\Z")

MAX_VALUES = 64
"""Of one field: a browser sends 8. Sixty thousand, which is what a head has room for, would keep
the loop from everybody else for a tenth of a second."""

MAX_PARAMETERS = 8
"""Of one value: a media type has one or two, and then its weight."""

TEXT, HTML, JSON = b"text/plain", b"text/html", b"application/json"


def prefers(accept: bytes | None, offers: Sequence[bytes]) -> bytes:
    """Return the one of *offers* that a client with this Accept field wants most.

    The weight decides, then the more exact range, then the place in the field: so a client that
    writes `application/json, */*` gets JSON. Without a wish, the first offer. Never fails: where
    nothing is acceptable the first offer is better than a 406.

    >>> prefers(b"text/html, */*;q=0.8", (TEXT, HTML, JSON))
    b'text/html'
    >>> prefers(b"text/html;q=0.5, application/json", (TEXT, HTML, JSON))
    b'application/json'
    >>> prefers(b"*/*", (TEXT, HTML, JSON)), prefers(None, (TEXT, HTML, JSON))
    (b'text/plain', b'text/plain')
    """
    if accept is None:
        return offers[0]
    ranges = weights(accept)
    best, best_rank = offers[0], (0.0, 0, 0)
    for offer in offers:
        # The most exact range that fits an offer gives its weight, even if that is 0.
        exactness, weight, place = max(
            (
                (exactness, weight, place)
                for name, weight, place in ranges
                if (exactness := _exactness(name, offer))
            ),
            default=(0, 0.0, 0),
        )
        rank = (weight, exactness, place)
        if weight and rank > best_rank:
            best, best_rank = offer, rank
    return best


def wants_html(accept: bytes | None) -> bool:
    """Whether a page is better than plain text for a client with this Accept field.

    >>> wants_html(b"text/html,application/xml;q=0.9"), wants_html(b"text/html;q=0, */*")
    (True, False)
    """
    return prefers(accept, (TEXT, HTML)) == HTML


def weights(accept: bytes) -> list[tuple[bytes, float, int]]:
    """Read a field of weighted values (RFC 9110 section 12.4.2), as Accept and Accept-Encoding are.

    Each value in lower case, its weight, and a number that falls from the first to the last. What
    is beyond MAX_VALUES is not read, nor a weight behind MAX_PARAMETERS.
    """
    if b'"' in accept:
        # A comma in a quoted parameter separates nothing; no offer has such parameters.
        accept = b"".join(accept.split(b'"')[::2])
    ranges = []
    for place, item in enumerate(accept.split(b",", MAX_VALUES)[:MAX_VALUES]):
        name, *parameters = item.split(b";", MAX_PARAMETERS)
        weight = b"1"
        for parameter in parameters:
            key, _, value = parameter.partition(b"=")
            if key.strip().lower() == b"q":
                weight = value.strip()
        # A weight that is none spoils its range, and no more.
        if _WEIGHT.match(weight):
            ranges.append((name.strip().lower(), float(weight), -place))
    return ranges


def _exactness(name: bytes, offer: bytes) -> int:
    """3 for the type itself, 2 for its family, 1 for anything, 0 for another."""
    if name == offer:
        return 3
    if name.endswith(b"/*") and offer.startswith(name[:-1]):
        return 2
    return int(name == b"*/*")
