"""The window is closed, which ends what runs in it; or SIGHUP says that files have changed."""

import os
import re
import signal
import socket

import pytest
from server_fixtures import eventually

from e2e.command import INSTALLED, LAST_OF_BANNER
from e2e.session import Session, alive


@pytest.fixture
def served(command):
    """Start servers on terminals of their own: the session, and the port."""
    assert command.run("generate").code == 0
    started = []

    def start(*words, before=()):
        session = Session(
            [*before, INSTALLED, "--port", "0", *words], command.environment, command.site
        )
        started.append(session)
        url = session.expect(r"https://localhost:\d+/")
        session.expect(LAST_OF_BANNER)
        return session, int(re.findall(r"\d+", url)[-1])

    yield start
    for each in started:
        each.__exit__()


def answers(port):
    try:
        socket.create_connection(("127.0.0.1", port), 5).close()
    except ConnectionRefusedError:
        return False
    return True


@pytest.mark.parametrize("words", [(), ("--workers", "2")], ids=["one", "workers"])
def test_when_the_window_is_closed_the_server_ends(served, words):
    session, port = served(*words)
    assert answers(port)

    session.hang_up()

    assert session.wait() == 0
    eventually(lambda: not answers(port), "the port is free")


@pytest.mark.parametrize("words", [(), ("--workers", "2")], ids=["one", "workers"])
def test_sighup_alone_loads_the_certificate(served, words):
    session, port = served(*words)

    for _ in range(2):
        os.kill(session.process.pid, signal.SIGHUP)
        session.expect("new connections get the new certificate")

    assert answers(port)
    os.kill(session.process.pid, signal.SIGTERM)
    assert session.wait() == 0


@pytest.mark.parametrize("words", [(), ("--workers", "2")], ids=["one", "workers"])
def test_under_nohup_a_server_outlives_its_window(served, words):
    # With its words elsewhere; nohup itself would put them into a file here.
    shell = ("sh", "-c", 'trap "" HUP; exec "$@"', "sh")
    session, port = served(*words, before=shell)
    pid = session.process.pid

    session.hang_up()
    os.kill(pid, signal.SIGHUP)

    with pytest.raises(AssertionError, match="still so"):
        eventually(lambda: not answers(port) or not alive(pid), "still so", 0.5)
    os.kill(pid, signal.SIGTERM)
    assert session.wait() == 0
