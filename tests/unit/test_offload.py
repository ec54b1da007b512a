"""Threads for what may block, and the way back into the loop."""

import inspect
import select
import threading
import time
from queue import SimpleQueue

import pytest

from openssl_serve.cli.serve import serve
from openssl_serve.server.limits import Limits
from openssl_serve.server.offload import CLOSE_S, Pool, Threads


@pytest.fixture
def pool():
    pool = Pool(2, 2)
    yield pool
    pool.close()


def turn(pool):
    """One turn of a loop."""
    assert select.select([pool], [], [], 5)[0]
    pool.deliver()


def test_a_result_comes_back_in_the_thread_that_delivers(pool):
    threads, results = [], []

    def then(future):
        threads.append(threading.current_thread())
        results.append(future.result())

    pool.submit(threading.current_thread, then)
    turn(pool)

    assert threads == [threading.current_thread()]
    assert results[0].name == "openssl-serve 1"


def test_so_does_an_error(pool):
    errors = []
    pool.submit(lambda: 1 // 0, lambda future: errors.append(future.exception()))
    turn(pool)

    assert isinstance(errors[0], ZeroDivisionError)


def test_threads_are_begun_when_none_is_free_and_never_more_than_allowed():
    threads = Threads(3, "crew")
    barrier, seen = threading.Barrier(4), []

    def meet():
        seen.append(threading.current_thread().name)
        barrier.wait(5)

    threads.run(lambda: None)
    deadline = time.monotonic() + 5
    while not threads._free:
        assert time.monotonic() < deadline
    assert len(threads._threads) == 1
    for _ in range(3):
        threads.run(meet)
    barrier.wait(5)
    for _ in range(3):
        threads.run(meet)
    barrier.wait(5)

    assert set(seen) == {"crew 1", "crew 2", "crew 3"}
    threads.close()
    threads.join(time.monotonic() + 5)
    assert not any(thread.is_alive() for thread in threads._threads)


def test_threads_that_the_system_does_not_allow_are_not_counted_on(monkeypatch):
    threads, done = Threads(2, "crew"), threading.Barrier(2)
    start = threading.Thread.start

    def refuse(thread):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    with pytest.raises(RuntimeError):
        threads.run(lambda: None)
    monkeypatch.setattr(threading.Thread, "start", start)
    threads.run(lambda: done.wait(5))
    monkeypatch.setattr(threading.Thread, "start", refuse)
    threads.run(lambda: done.wait(5))
    done.wait(5)
    done.wait(5)
    threads.close()
    threads.join(time.monotonic() + 5)


def test_apps_that_keep_their_threads_leave_those_for_short_work_alone(pool):
    go = threading.Event()
    for _ in range(5):
        pool.run_app(lambda: go.wait(5))
    results = []
    pool.submit(lambda: "short", lambda future: results.append(future.result()))
    turn(pool)
    go.set()

    assert results == ["short"]


def test_many_calls_wake_once_and_are_made_in_their_order(pool):
    made = []
    for number in range(1000):
        pool.call(lambda number=number: made.append(number))

    assert len(pool._reader.recv(4096)) == 1
    pool.deliver()
    assert made == list(range(1000))


def test_a_call_from_a_call_has_the_next_turn(pool):
    made = []

    def again():
        made.append(1)
        if len(made) < 3:
            pool.call(again)

    pool.call(again)
    for count in (1, 2, 3):
        turn(pool)
        assert len(made) == count


def test_a_call_that_fails_does_not_keep_the_others(pool):
    made = []
    pool.call(lambda: 1 // 0)
    pool.call(lambda: made.append(1))

    with pytest.raises(ZeroDivisionError):
        turn(pool)
    turn(pool)
    assert made == [1]


def test_no_call_is_lost_between_threads(pool):
    made = []

    def add():
        for _ in range(2000):
            pool.call(lambda: made.append(1))

    threads = [threading.Thread(target=add) for _ in range(4)]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + 10
    while len(made) < 8000:
        assert time.monotonic() < deadline, len(made)
        turn(pool)
    for thread in threads:
        thread.join()
    assert len(made) == 8000


def test_the_end_does_not_wait_for_work_that_a_thread_has_just_taken():
    class Snatched(SimpleQueue):
        """To whoever looks first, the last piece of work is still there."""

        def empty(self):
            return False

    threads = Threads(1, "crew")
    threads._work = Snatched()
    closing = threading.Thread(target=threads.close, daemon=True)
    closing.start()
    closing.join(5)

    assert not closing.is_alive()


def test_the_end_waits_for_what_tidies_up_and_not_for_what_does_not_end():
    pool = Pool(1, 2)
    never, began, made = threading.Event(), threading.Barrier(3), []

    def stuck():
        began.wait(5)
        never.wait(20)

    def tidies():
        began.wait(5)
        pool.call(lambda: made.append("tidied"))

    pool.run_app(stuck)
    pool.run_app(tidies)
    began.wait(5)
    start = time.monotonic()
    pool.close()
    took = time.monotonic() - start
    never.set()

    assert made == ["tidied"]
    assert took < CLOSE_S + 1


def test_the_command_line_has_as_many_threads_as_the_api():
    assert inspect.signature(serve).parameters["threads"].default == Limits().app_threads
