"""The terminal of a command, where there is none that could be asked."""

import os

import pytest

from openssl_serve.child.terminal import Terminal


def test_without_one_there_is_none(monkeypatch):
    def fail(*_):
        raise OSError(6, "No such device or address")

    monkeypatch.setattr("openssl_serve.child.terminal.os.open", fail)

    assert Terminal.controlling() is None


def test_one_that_is_gone_leaves_no_descriptor(monkeypatch):
    reader, writer = os.pipe()
    os.close(writer)
    # What /dev/tty is by then answers no more than this does.
    monkeypatch.setattr("openssl_serve.child.terminal.os.open", lambda *_: reader)

    assert Terminal.controlling() is None
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(reader)
