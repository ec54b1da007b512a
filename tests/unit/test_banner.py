"""What the banner says of names that are none to this machine."""

import pytest

from openssl_serve.addresses import Address
from openssl_serve.cli.banner import how_to_lead
from openssl_serve.hosts import parse_host

FOUND = "is found by Chrome, Firefox and curl; for all others put the line"


@pytest.mark.parametrize(
    ("host", "bound", "says"),
    [
        (
            "my.test", "127.0.0.1",
            'my.test does not lead here yet: put the line "127.0.0.1 my.test" into /etc/hosts',
        ),
        (
            "app.localhost", "127.0.0.1",
            f'https://app.localhost:8443/ {FOUND} "127.0.0.1 app.localhost" into /etc/hosts',
        ),
        (
            "app.localhost", "::1",
            f'https://app.localhost:8443/ {FOUND} "::1 app.localhost" into /etc/hosts',
        ),
        # Everywhere is no address that a name leads to.
        (
            "my.test", "::",
            'my.test does not lead here yet: put the line "127.0.0.1 my.test" into /etc/hosts',
        ),
        (
            "app.localhost", "0.0.0.0",
            f'https://app.localhost:8443/ {FOUND} "127.0.0.1 app.localhost" into /etc/hosts',
        ),
        # Whoever knows the name without asking looks on 127.0.0.1 and ::1, and nowhere else.
        (
            "app.localhost", "192.0.2.1",
            ("app.localhost does not lead here yet: "
            'put the line "192.0.2.1 app.localhost" into /etc/hosts'),
        ),
    ],
)  # fmt: skip
def test_what_makes_a_name_lead_here(host, bound, says):
    assert how_to_lead(parse_host(host), [Address(bound, 8443)]) == says
