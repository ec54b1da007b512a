import errno
import os
import resource
import socket
import sys

import pytest

from openssl_serve.addresses import Address
from openssl_serve.server.ports import find_holder, listen_error, raise_open_files


@pytest.fixture
def taken():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells without root and lsof")
def test_the_holder_of_a_port_is_named(taken):
    assert (find_holder(taken) or "").endswith(f", pid {os.getpid()}")


def test_a_port_that_nobody_holds_has_no_holder():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]

    assert find_holder(port) is None


@pytest.mark.skipif(sys.platform != "linux", reason="/proc")
def test_a_connection_from_a_port_does_not_hold_it(taken):
    with socket.create_connection(("127.0.0.1", taken), 5) as client:
        assert find_holder(client.getsockname()[1]) is None


@pytest.mark.parametrize(
    ("number", "words", "hint"),
    [
        (errno.EADDRINUSE, "port 1 on 127.0.0.1 is in use", "--port 0"),
        (errno.EACCES, "no right to listen on 127.0.0.1:1", "--port 8443"),
        (errno.EADDRNOTAVAIL, "is no address of this machine", "--bind-addr 127.0.0.1:1"),
    ],
)
def test_why_a_port_cannot_be_had(number, words, hint):
    error = listen_error(Address("127.0.0.1", 1), OSError(number, os.strerror(number)))

    assert words in str(error)
    assert any(hint in line for line in error.hints)
    assert error.exit_code == 6


def test_another_reason_is_told_as_the_system_has_it():
    error = listen_error(Address("::1", 1), OSError(errno.ENOBUFS, "No buffer space"))

    assert str(error) == "cannot listen on [::1]:1: no buffer space"


@pytest.fixture
def open_files():
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    yield limits
    resource.setrlimit(resource.RLIMIT_NOFILE, limits)


def test_the_limit_on_open_files_is_raised_and_never_lowered(open_files):
    _, hard = open_files
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))

    raised = raise_open_files()

    assert raised == resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    assert raised > 256
    assert raise_open_files() >= raised


def test_a_limit_that_may_not_be_raised_stays(open_files, monkeypatch):
    soft, _ = open_files

    def refuse(*_args):
        raise ValueError("not allowed to raise maximum limit")

    monkeypatch.setattr("openssl_serve.server.ports.resource.setrlimit", refuse)
    monkeypatch.setattr(
        "openssl_serve.server.ports.resource.getrlimit", lambda _: (soft, resource.RLIM_INFINITY)
    )

    assert raise_open_files() in (soft, 65_536)
