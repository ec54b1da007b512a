"""The end under load, and several workers: who may die, who must, and what a client sees of it."""

import os
import random
import signal
import socket
import ssl
import struct
import time

import pytest
from server_fixtures import eventually

from robustness.service import DEADLINE_S, children, is_alive

LARGE = 8_000_000


@pytest.fixture
def large(root):
    content = random.Random(1).randbytes(LARGE)
    (root / "large.bin").write_bytes(content)
    return content


@pytest.mark.parametrize("workers", ["1", "2"])
def test_every_response_that_began_is_complete_at_the_end(start, large, workers):
    service = start.command("--log-format", "none", "--workers", workers)
    crowd = start.crowd("load", service, "kept", "kept", "new", "plain", "large", "large")
    crowd.report()
    with service.tls() as client:
        # A download that is under way for sure, and whose client takes its time.
        client.sock.sendall(b"GET /large.bin HTTP/1.1\r\nHost: localhost\r\n\r\n")
        client.left = client.sock.recv(1000)
        service.signal(signal.SIGTERM)
        answer = client.answer()
        assert answer.body == large
        assert client.is_ended()

    assert service.wait() == 0
    told = crowd.leave()
    print(told["counts"], {text.partition(":")[0] for text in told["failures"]})
    assert told["counts"]["new 200"]
    # Refused and unanswered there are, for nobody is there any more. Cut there must be none.
    assert not [text for text in told["failures"] if text.endswith("cut")]


@pytest.fixture
def pool(start):
    """A server of two workers; ends with it, whatever a test does to them."""
    service = start.command("--workers", "2")
    assert service.port
    eventually(lambda: len(children(service.pid)) == 2)
    return service


def test_a_killed_worker_is_replaced_and_the_other_serves_meanwhile(pool):
    killed, other = children(pool.pid)
    pool.assert_well()

    os.kill(killed, signal.SIGKILL)

    for _ in range(20):
        with pool.tls() as client:
            assert client.get("/a.txt").status == 200
    pool.wait_for(f"worker {killed} ended with -9; another takes its place")
    eventually(lambda: len(children(pool.pid)) == 2, "there are two again", DEADLINE_S)
    assert other in children(pool.pid)
    assert killed not in children(pool.pid)
    # The new one works: it is left alone with the listener.
    (new,) = set(children(pool.pid)) - {other}
    with stopped(other), pool.tls() as client:
        assert client.get("/a.txt").status == 200
    assert is_alive(new)
    pool.assert_well()


def test_workers_that_cannot_live_are_not_replaced_faster_than_one_a_second(pool):
    began = time.monotonic()
    for _ in range(2):
        one, other = children(pool.pid)
        os.kill(one, signal.SIGKILL)
        eventually(
            lambda: other in (now := children(pool.pid)) and one not in now and len(now) == 2,  # noqa: B023
            "there are two again",
            DEADLINE_S,
        )

    assert time.monotonic() - began >= 2
    assert pool.log.count("ended with -9") == 2
    pool.assert_well()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_one_signal_to_the_parent_ends_all(pool, number):
    workers = children(pool.pid)

    pool.signal(number)

    assert pool.wait() == 0
    assert not any(map(is_alive, workers))


def test_a_parent_that_is_killed_takes_its_workers_along(pool):
    workers = children(pool.pid)
    with pool.tls() as idle:
        assert idle.get("/a.txt").status == 200

        pool.signal(signal.SIGKILL)

        assert pool.wait() == -signal.SIGKILL
        eventually(lambda: not any(map(is_alive, workers)), "the workers have ended", DEADLINE_S)
        assert idle.is_ended()


class stopped:  # noqa: N801  a context manager, not a thing
    """A process that does nothing within this."""

    def __init__(self, pid):
        self._pid = pid

    def __enter__(self):
        os.kill(self._pid, signal.SIGSTOP)

    def __exit__(self, *_):
        os.kill(self._pid, signal.SIGCONT)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_ticket_of_one_worker_resumes_in_the_other(pool, version):
    one, other = children(pool.pid)
    pool.context.minimum_version = pool.context.maximum_version = version

    with stopped(other), pool.tls() as client:
        # In TLS 1.3 the ticket comes after the handshake, with the first response at the latest.
        assert client.get("/a.txt").status == 200
        session = client.sock.session
        assert not client.sock.session_reused
    with stopped(one), pool.tls(session) as client:
        assert client.get("/a.txt").status == 200
        assert client.sock.session_reused


def test_all_that_reset_at_the_moment_of_the_end_hold_it_up_no_longer(start, large):
    service = start.command("--log-format", "none")
    clients = [service.tls() for _ in range(30)]
    for client in clients:
        client.sock.sendall(b"GET /large.bin HTTP/1.1\r\nHost: localhost\r\n\r\n")
    service.signal(signal.SIGTERM)
    for client in clients:
        client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.sock.close()

    assert service.wait() == 0
