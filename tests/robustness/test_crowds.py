"""Crowds: thousands at once, a hundred thousand in a row, and one more than there is room for."""

import itertools

import pytest
from server_fixtures import Client, answers, eventually, request

from robustness.service import LONG, MAX_OPEN_FILES, milliseconds, percentile

pytestmark = pytest.mark.timeout(180)  # seconds, when the machine has other work

LARGE = 50_000_000

REQUESTS = 200

STUCK = 500
"""Connections in each of the five ways to be stuck."""

IDLE = 10_000 if LONG else 2000

OURS_KB = 0.5 if LONG else 2
"""What an idle connection may take beyond its TLS socket: at rest there are 0.3 KB of ours, and the
socket takes 0.2 less than the one beside it. Of a few, most were awake at the same time before,
with 1.5 KB each, which the system does not get back."""

CHURN = 100_000 if LONG else 20_000
"""Connections in a row, one in twenty over TLS."""


@pytest.fixture
def large(root):
    """A large file that takes no room on the disk."""
    with (root / "large.bin").open("wb") as file:
        file.truncate(LARGE)


def latencies(service):
    """Milliseconds of REQUESTS on connections of their own, and of as many on one that is kept."""

    def new():
        with service.tls() as client:
            assert client.get("/a.txt").status == 200

    with service.tls() as kept:
        return [
            duration
            for pair in zip(
                milliseconds(new, REQUESTS),
                milliseconds(lambda: kept.get("/a.txt"), REQUESTS),
                strict=True,
            )
            for duration in pair
        ]


def test_a_client_beside_thousands_that_are_stuck_is_served_in_no_time(start, large):
    service = start.command("--log-format", "none")
    service.assert_well()
    alone, before = percentile(latencies(service), 0.99), service.usage

    crowd = start.crowd("stuck", service, STUCK)
    total = crowd.report()["open"]
    eventually(lambda: service.usage.files - before.files >= total, "all are connected")
    beside = percentile(latencies(service), 0.99)
    after = service.usage

    print(f"p99 {alone:.1f} ms alone, {beside:.1f} beside {total}; {before} {after}")
    # They stand at the end as at the beginning: who was dropped has come again.
    assert after.files - before.files >= total * 0.95
    assert beside < 100, f"{alone:.1f} ms without them"
    assert after.threads == before.threads
    # Per connection: OpenSSL's objects and ours, 24 KB at the most; for who does not read, the
    # piece of the file that was read for him (PIECE in http1/response.py) on top.
    assert after.anonymous_kb - before.anonymous_kb < total * 24 + STUCK * 262
    crowd.leave()
    eventually(lambda: service.usage.files <= before.files + 2, "all are gone")
    service.assert_well()


def test_idle_connections_by_the_thousand_cost_little_and_no_thread(start):
    """Beside them stands a server that keeps TLS sockets and nothing else: what is ours is small.

    OpenSSL 3.0 alone takes 13 KB for a connection and Python's ssl another, so that the most
    part of the cost is decided elsewhere, and differs between versions.
    """
    # As many as this system lets one process have, less what the server reserves.
    count = min(IDLE, MAX_OPEN_FILES - 1000)
    service = start.limited(idle_timeout_s=600, rest_s=0.1, max_connections=count + 10)
    service.assert_well()
    before = service.usage

    crowds = [start.crowd("idle", service, count // 2) for _ in range(2)]
    opened = sum(crowd.report()["open"] for crowd in crowds)
    after = service.usage

    each = (after.anonymous_kb - before.anonymous_kb) / opened
    least = bare_cost(start)
    print(f"{opened} idle: {each:.2f} KB each, {least:.2f} at the least; {before} {after}")
    # The first two, which made sure that it works, may have lingered on until it was weighed.
    assert after.files - before.files >= opened - 2
    assert after.threads == before.threads
    assert each < least + OURS_KB
    service.assert_well()
    assert [crowd.leave()["ended"] for crowd in crowds] == [0, 0]


def bare_cost(start):
    """KB for each idle TLS connection of a server that does nothing for it."""
    service = start.bare()
    start.crowd("idle", service, 100).report()
    before = service.usage
    opened = start.crowd("idle", service, 600).report()["open"]
    return (service.usage.anonymous_kb - before.anonymous_kb) / opened


def test_connections_in_a_row_leave_nothing_behind(start):
    service = start.limited()
    assert service.port
    at_rest = service.usage.files

    def rest():
        # The last connections linger.
        eventually(lambda: service.usage.files <= at_rest, "the descriptors are given back", 20)
        return service.usage

    # Warm: arenas, caches, session tickets and the log's buffers have their size.
    start.crowd("churn", service, 3000, 300).report()
    before = rest()

    done = start.crowd("churn", service, CHURN, CHURN // 20).report()
    after = rest()

    print(f"{done}: {before} {after}")
    assert after.threads == before.threads
    # Not a byte for each: the slack is the allocator's, and does not grow with the count.
    assert after.anonymous_kb - before.anonymous_kb < 1000
    service.assert_well()


MOST = 20
CROWD = 256
"""How many above the most are told 503; see MAX_CROWD in polyglot.py."""


@pytest.mark.parametrize("over", ["plain", "tls"])
def test_who_is_too_many_is_told_to_come_again(start, over):
    service = start.limited(max_connections=MOST)
    connect = getattr(service, over)
    kept = [connect() for _ in range(MOST)]
    assert {client.get("/a.txt").status for client in kept} == {200}

    for other in (service.plain, service.tls):
        with other() as refused:
            answer = refused.get("/a.txt")
            assert (answer.status, answer.get(b"retry-after")) == (503, b"1")
            assert answer.get(b"connection") == b"close"
            assert refused.is_ended()
    assert {client.get("/a.txt").status for client in kept} == {200}

    # Each that goes makes room for one.
    for client in kept[:5]:
        client.sock.close()
    others: list[Client] = []
    for _ in range(5):
        eventually(lambda: works(connect, others), "there is room again")
    with connect() as refused:
        assert refused.get("/a.txt").status == 503
    for client in itertools.chain(kept, others):
        client.sock.close()
    eventually(lambda: service.usage.files < MOST, "all are gone")
    service.assert_well()


def works(connect, others):
    client = connect()
    if client.get("/a.txt").status == 200:
        others.append(client)
        return True
    client.sock.close()
    return False


def test_who_comes_after_the_crowd_is_closed_unheard(start):
    service = start.limited(max_connections=MOST)
    kept = [service.plain() for _ in range(MOST)]
    crowd = [service.plain() for _ in range(CROWD)]
    # Connections are accepted in their order: when the last one of these is answered all are in.
    assert kept[0].get("/a.txt").status == 200

    for _ in range(50):
        with service.plain() as client:
            assert client.is_ended()
    assert answers(crowd[0].send(request("/a.txt")).rest())[0].status == 503
    assert {client.get("/a.txt").status for client in kept} == {200}

    for client in itertools.chain(kept, crowd):
        client.sock.close()
    eventually(lambda: service.usage.files < MOST, "all are gone")
    service.assert_well()
