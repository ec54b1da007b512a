"""Listening sockets that cannot be had."""

import gc

import pytest

from openssl_serve.addresses import Address
from openssl_serve.errors import ListenError
from openssl_serve.server.listeners import open_tcp


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1"])
@pytest.mark.parametrize("port", [-1, 65_536, 70_000])
def test_what_is_no_port_is_said_so(host, port):
    with pytest.raises(ListenError, match=f"{port} is no port"):
        open_tcp(Address(host, port))

    # A socket that was left open would be a warning here, and that an error.
    gc.collect()
