"""Where a process group listens: sockets of this process and its children, and lsof's words."""

import os
import shutil
import socket
import subprocess
import sys

import pytest

from openssl_serve.addresses import Address
from openssl_serve.child import sockets
from openssl_serve.child.sockets import (
    LSOF,
    free_address,
    is_free,
    listening,
    read_lsof,
)
from openssl_serve.server.ports import listening_sockets, sockets_of

linux = pytest.mark.skipif(sys.platform != "linux", reason="/proc")

LISTENER = """
import socket, sys, os
listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1], flush=True)
sys.stdin.read()
"""


@pytest.fixture
def start():
    """Start Pythons that listen and say where; ended with the test."""
    started = []

    def start(code=LISTENER, **options):
        process = subprocess.Popen(
            [sys.executable, "-c", code],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, **options,
        )  # fmt: skip
        started.append(process)
        assert process.stdout
        return process.pid, Address("127.0.0.1", int(process.stdout.readline()))

    yield start
    for process in started:
        process.communicate(timeout=10)


def test_a_free_address_can_be_listened_on():
    address = free_address()

    with (
        socket.create_server(address),
        socket.create_server(("::1", address.port), family=socket.AF_INET6),
    ):
        assert address.host == "127.0.0.1"


def test_another_port_is_looked_for_while_one_is_not_free(monkeypatch):
    asked = []

    def is_free(port):
        asked.append(port)
        return len(asked) == 3

    monkeypatch.setattr(sockets, "is_free", is_free)

    assert free_address().port == asked[2]


@pytest.mark.parametrize(
    ("family", "host"),
    [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::1")],
)
def test_a_port_is_taken_on_either_address(family, host):
    with socket.create_server((host, 0), family=family) as listener:
        port = listener.getsockname()[1]

        assert not is_free(port)
    assert is_free(port)


def test_what_only_waits_for_its_last_segments_does_not_hold_a_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port), 5), listener.accept()[0] as accepted:
            # Who ends a connection first has the TIME_WAIT.
            accepted.close()

    assert is_free(port)


def test_the_sockets_of_the_group_and_of_others_are_told_apart(start):
    group, address = start(process_group=0)
    _, other = start(process_group=0)

    assert listening(group) == {address}
    assert {address, other} <= listening()


@linux
def test_a_descendant_with_a_group_of_its_own_counts(start):
    """As turbo and other task runners make them."""
    code = f"import subprocess, sys\nsubprocess.run([sys.executable, '-c', {LISTENER!r}], "
    group, address = start(code + "process_group=0)", process_group=0)

    assert listening(group) == {address}


def test_a_group_that_is_gone_listens_nowhere():
    with subprocess.Popen(["true"], process_group=0) as process:
        process.wait(10)

    assert listening(process.pid) == set()


@linux
def test_a_connection_is_no_place_to_connect_to():
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        socket.create_connection(listener.getsockname(), 5) as client,
    ):
        assert Address(*client.getsockname()) not in listening()


@linux
@pytest.mark.parametrize(
    ("family", "bound", "shown", "reached"),
    [
        (socket.AF_INET, "127.0.0.1", "127.0.0.1", "127.0.0.1"),
        (socket.AF_INET, "127.0.0.9", "127.0.0.9", "127.0.0.9"),
        (socket.AF_INET, "0.0.0.0", "0.0.0.0", "127.0.0.1"),
        (socket.AF_INET6, "::1", "::1", "::1"),
        (socket.AF_INET6, "::", "::", "::1"),
        # As Java does for an IPv4 address.
        (socket.AF_INET6, "::ffff:127.0.0.1", "127.0.0.1", "127.0.0.1"),
    ],
)
def test_every_address_is_read_and_can_be_connected_to(family, bound, shown, reached):
    with socket.socket(family) as listener:
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        listener.bind((bound, 0))
        listener.listen()
        port = listener.getsockname()[1]

        assert Address(shown, port) in listening_sockets().values()
        assert Address(reached, port) in listening(os.getpgrp())
        with socket.create_connection((reached, port), 5):
            pass


@linux
def test_the_sockets_of_a_process_that_is_gone_are_none(tmp_path):
    assert sockets_of(tmp_path / "4242") == set()


LSOF_SAYS = """\
p501
g500
f22
tIPv4
n127.0.0.1:5173
f23
tIPv6
n[::1]:5173
p502
g500
f9
tIPv6
n*:3000
p777
g777
f4
tIPv4
n*:8080
f5
tIPv4
n*:*
"""


def test_what_lsof_says():
    own = [Address("127.0.0.1", 5173), Address("::1", 5173), Address("::", 3000)]

    assert read_lsof(LSOF_SAYS, 500) == own
    assert read_lsof(LSOF_SAYS, None) == [*own, Address("0.0.0.0", 8080)]


@pytest.fixture
def elsewhere(monkeypatch):
    monkeypatch.setattr(sys, "platform", "darwin")


def test_elsewhere_lsof_is_asked(fp, elsewhere):
    fp.register(LSOF, stdout=LSOF_SAYS)

    assert listening(777) == {Address("127.0.0.1", 8080)}


def test_lsof_that_finds_nothing_leaves_with_1_and_says_nothing(fp, elsewhere):
    fp.register(LSOF, returncode=1)

    assert listening(777) == set()


def test_without_lsof_nothing_is_found(fp, elsewhere):
    def absent(_process):
        raise FileNotFoundError

    fp.register(LSOF, callback=absent)

    assert listening(777) == set()


@pytest.mark.skipif(not shutil.which("lsof"), reason="no lsof here")
def test_lsof_says_what_proc_says(start, elsewhere):
    group, address = start(process_group=0)

    assert listening(group) == {address}
    assert address in listening()
