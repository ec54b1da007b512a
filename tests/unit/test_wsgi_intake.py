"""Content on its way to an app, in every order in which it can come: the loop is played here."""

from concurrent.futures import Future
from types import SimpleNamespace
from typing import Any

import pytest

from openssl_serve.handlers.wsgi.content import IN_MEMORY, Intake
from openssl_serve.http1.request import Peer, Request
from openssl_serve.server.limits import Limits

PEER = Peer("127.0.0.1", "127.0.0.1", 8443, secure=True)
PIECE = IN_MEMORY + 1


class Played:
    """An exchange whose loop and threads the test plays."""

    def __init__(self, **limits):
        fields = [(b"Host", b"a"), (b"Transfer-Encoding", b"chunked")]
        self.request = Request(b"POST", b"/", fields, PEER)
        self.server = SimpleNamespace(
            limits=Limits(**limits), pool=self, log=SimpleNamespace(note=self.note)
        )
        self.notes: list = []
        self.work: list = []
        self.failed: list = []
        self.contents: list = []
        self.is_paused = False
        self.on_gone = None
        played: Any = self
        Intake(played, lambda _exchange, content: self.contents.append(content)).begin()

    def note(self, message):
        self.notes.append(message)

    def receive(self, on_data, on_end):
        self.on_data, self.on_end = on_data, on_end

    def pause(self):
        self.is_paused = True

    def resume(self):
        self.is_paused = False

    def fail(self, error):
        self.failed.append(error.status)

    def submit(self, work, then):
        self.work.append((work, then))

    def turn(self):
        """A thread does what waits for one, and the loop is told."""
        work, then = self.work.pop(0)
        future: Future = Future()
        try:
            future.set_result(work())
        except OSError as error:
            future.set_exception(error)
        then(future)
        return future

    def content(self):
        [content] = self.contents
        with content.open() as stream:
            return stream.read()


@pytest.fixture
def played():
    return Played()


def test_little_is_never_written_down(played):
    played.on_data(b"one ")
    played.on_data(bytes(IN_MEMORY - 4))
    played.on_end()

    assert played.work == []
    assert played.content() == b"one " + bytes(IN_MEMORY - 4)


def test_while_it_is_written_the_client_waits(played):
    played.on_data(bytes(PIECE))
    assert played.is_paused
    played.turn()
    assert not played.is_paused
    played.on_data(b"rest")
    played.on_end()

    assert played.content() == bytes(PIECE) + b"rest"


def test_what_still_comes_meanwhile_is_written_after_it(played):
    played.on_data(b"a" * PIECE)
    played.on_data(b"b" * PIECE)
    played.on_data(b"c")
    assert len(played.work) == 1
    played.turn()
    assert played.is_paused
    played.turn()
    assert not played.is_paused
    played.on_end()

    assert played.content() == b"a" * PIECE + b"b" * PIECE + b"c"


def test_what_is_complete_meanwhile_is_passed_on_when_it_is_written(played):
    played.on_data(b"a" * PIECE)
    played.on_data(b"b")
    played.on_end()
    assert played.contents == []
    played.turn()

    assert played.content() == b"a" * PIECE + b"b"


def test_a_client_that_goes_meanwhile_leaves_no_file(played):
    played.on_data(bytes(PIECE))
    played.on_gone()
    file = played.turn().result()

    assert file.closed
    assert played.contents == []


def test_nor_one_that_goes_afterwards(played):
    played.on_data(bytes(PIECE))
    file = played.turn().result()
    played.on_gone()
    played.on_data(b"not wanted")
    played.on_end()

    assert file.closed
    assert played.contents == []


def test_content_that_nobody_opens_leaves_no_file(played):
    played.on_data(bytes(PIECE))
    file = played.turn().result()
    played.on_end()
    played.contents[0].close()

    assert file.closed


@pytest.mark.parametrize("gone", [False, True])
def test_a_full_disk_is_told_to_the_client_that_is_there(played, monkeypatch, gone):
    def full(**_options):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("tempfile.TemporaryFile", full)
    played.on_data(bytes(PIECE))
    if gone:
        played.on_gone()
    played.turn()
    played.on_data(b"more")
    played.on_end()

    assert played.failed == ([] if gone else [503])
    assert len(played.notes) == (0 if gone else 1)
    assert played.contents == []


def test_too_much_is_refused_once_and_leaves_no_file():
    played = Played(max_app_content=PIECE + 1)
    played.on_data(bytes(PIECE))
    file = played.turn().result()
    played.on_data(b"two")
    played.on_data(b"more")
    played.on_end()

    assert played.failed == [413]
    assert file.closed
    assert played.contents == []
