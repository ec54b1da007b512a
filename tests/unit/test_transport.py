"""A socket as connections use it, once TLS has ended in every order that it can."""

import contextlib
import socket
import ssl

import pytest
from server_fixtures import Pair

from openssl_serve.server.transport import WOULD_BLOCK, Transport
from openssl_serve.tls import server_context


@pytest.fixture
def ends(pair: Pair):
    """A transport that speaks TLS, and its client; neither blocks."""
    ours, theirs = socket.socketpair()
    with contextlib.ExitStack() as stack:
        ours.setblocking(False)
        theirs.setblocking(False)
        transport = Transport(ours)
        transport.start_tls(server_context(pair.cert_path, pair.key_path))
        stack.callback(transport.close)
        client = ssl.create_default_context(cafile=str(pair.cert_path)).wrap_socket(
            theirs, server_hostname="localhost", do_handshake_on_connect=False
        )
        stack.enter_context(client)
        for _ in range(3):
            for side in (client.do_handshake, transport.handshake):
                with contextlib.suppress(*WOULD_BLOCK):
                    side()
        yield transport, client


def unwrap(client):
    with contextlib.suppress(*WOULD_BLOCK):
        client.unwrap()


def test_what_both_have_ended_is_at_its_end(ends):
    transport, client = ends
    unwrap(client)
    # Finds that the client has ended, before anybody has read that.
    transport.end_sending()

    assert transport.take(100) == b""
    assert not transport.has_decrypted()


def test_what_we_have_ended_may_go_on_at_the_other_side(ends):
    transport, client = ends
    transport.end_sending()
    client.send(b"more")

    assert transport.take(100) == b"more"
