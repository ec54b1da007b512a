"""Which of the open ports is the server's, and when that is told."""

import threading

import pytest

from openssl_serve.addresses import Address
from openssl_serve.child import search
from openssl_serve.child.search import SETTLE_S, Search

GIVEN = Address("127.0.0.1", 4567)
OTHER = Address("127.0.0.1", 5173)
SECOND = Address("::1", 5174)
DEBUGGER = Address("127.0.0.1", 9229)


def nobody(*_args):
    raise AssertionError("not in this test")


@pytest.fixture
def choose():
    """Look at the given sockets at a given time; what is chosen stays chosen."""
    open_now: dict[int | None, set[Address]] = {}
    looker = Search(77, GIVEN, nobody, nobody, open_now.__getitem__)

    def choose(now, *own, others=()):
        open_now.update({77: set(own), None: {*own, *others}})
        place = looker.choose(now)
        looker._place = place or looker._place
        return place

    return choose


def test_the_given_port_is_taken_as_soon_as_it_is_open(choose):
    assert choose(0.0) is None
    assert choose(0.1, GIVEN) == GIVEN


def test_the_given_port_counts_whoever_has_it(choose):
    """A container's is opened by its engine."""
    assert choose(0.0, OTHER, others=[GIVEN]) == GIVEN


def test_the_given_port_may_be_open_on_another_address(choose):
    """Vite listens on localhost, which may be ::1."""
    assert choose(0.0, Address("::1", GIVEN.port)) == Address("::1", GIVEN.port)
    assert choose(0.1, Address("::1", GIVEN.port), GIVEN) == GIVEN


def test_another_port_is_taken_when_it_stays_open(choose):
    assert choose(0.0, OTHER) is None
    assert choose(SETTLE_S - 0.01, OTHER) is None
    assert choose(SETTLE_S, OTHER) == OTHER


def test_another_port_that_closes_meanwhile_begins_anew(choose):
    assert choose(0.0, OTHER) is None
    assert choose(0.3) is None
    assert choose(0.6, OTHER) is None
    assert choose(1.2, OTHER) == OTHER


def test_the_given_port_wins_over_another_that_came_first(choose):
    choose(0.0, OTHER)
    assert choose(1.0, OTHER) == OTHER
    assert choose(2.0, OTHER, GIVEN) == GIVEN


def test_of_several_the_first_is_taken_and_then_the_lowest(choose):
    later = Address("127.0.0.1", 4000)
    choose(0.0, OTHER, SECOND)
    assert choose(1.0, OTHER, SECOND, later) == OTHER


def test_what_was_taken_stays_while_it_is_open(choose):
    choose(0.0, OTHER)
    assert choose(1.0, OTHER, SECOND) == OTHER
    assert choose(2.0, OTHER, SECOND) == OTHER
    assert choose(3.0, SECOND) == SECOND


def test_a_debugger_is_no_server(choose):
    choose(0.0, DEBUGGER)
    assert choose(9.0, DEBUGGER) is None
    choose(9.1, DEBUGGER, OTHER)
    assert choose(10.0, DEBUGGER, OTHER) == OTHER


def test_others_ports_are_nobodys_business(choose):
    assert choose(0.0, others=[OTHER]) is None
    assert choose(9.0, others=[OTHER]) is None


def test_processes_are_looked_at_only_while_nothing_is_found():
    looked = []

    def look(group):
        looked.append(group)
        return {OTHER}

    looker = Search(77, GIVEN, nobody, nobody, look)
    assert looker.choose(0.0) is None
    assert looker.choose(1.0) == OTHER
    looker._place = OTHER
    looked.clear()

    assert looker.choose(2.0) == OTHER
    assert looked == [None]


@pytest.fixture
def quick(monkeypatch):
    for name in ("FIRST_PAUSE_S", "LONGEST_PAUSE_S", "SETTLED_PAUSE_S", "TIRED_PAUSE_S"):
        monkeypatch.setattr(search, name, 0.001)
    # Not the same as the others: it tells that somebody is tired.
    monkeypatch.setattr(search, "TIRED_PAUSE_S", 0.002)


@pytest.fixture
def run(quick):
    """Run a search over what each look finds, the last one again and again; what it said."""

    def run(*looks):
        said: list[Address | None] = []
        turns, enough = iter(looks), threading.Event()
        current: set[Address] = set()

        def look(group):
            nonlocal current
            if group is None:
                found = next(turns, None)
                if found is None:
                    # What the last one led to has been said by now.
                    enough.set()
                else:
                    current = found
            return current

        found = Search(77, GIVEN, said.append, lambda: said.append(None), look)
        found.start()
        assert enough.wait(5)
        found.stop()
        return said

    return run


def test_each_new_place_is_told_once(run, monkeypatch):
    monkeypatch.setattr(search, "SETTLE_S", 0.0)

    assert run(set(), {OTHER}, {OTHER}, set(), {GIVEN}, {GIVEN}) == [OTHER, GIVEN]


def test_that_nothing_was_found_is_told_once_and_the_search_goes_on(run, monkeypatch):
    monkeypatch.setattr(search, "PATIENCE_S", 0.0)

    assert run(set(), set(), set(), {GIVEN}) == [None, GIVEN]


def test_a_search_that_is_stopped_says_nothing_more(quick):
    looked, go_on = threading.Event(), threading.Event()

    def look(_group):
        looked.set()
        assert go_on.wait(5)
        return {GIVEN}

    found = Search(1, GIVEN, nobody, nobody, look)
    found.start()
    assert looked.wait(5)
    found._ended.set()
    go_on.set()
    found.stop()

    assert not found._thread.is_alive()


def test_a_search_that_never_began_is_stopped_at_once():
    Search(1, GIVEN, nobody, nobody).stop()
