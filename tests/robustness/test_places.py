"""Where it listens: Unix sockets, sockets and notices of a service manager, IPv6 beside IPv4."""

import os
import socket
import stat
import sys

import pytest
from server_fixtures import TIMEOUT_S, Client, eventually

from robustness.service import distrustful_of_none


@pytest.fixture
def path(tmp_path):
    return tmp_path / "serve.sock"


def on_socket(path, *, tls=True):
    sock = socket.socket(socket.AF_UNIX)
    sock.settimeout(TIMEOUT_S)
    sock.connect(str(path))
    return Client(distrustful_of_none().wrap_socket(sock) if tls else sock)


def listens(path):
    with socket.socket(socket.AF_UNIX) as sock:
        return sock.connect_ex(str(path)) == 0


# Unix sockets.


def test_a_unix_socket_speaks_both_protocols_and_goes_with_the_server(start, path):
    service = start.command("--socket", str(path))
    eventually(lambda: listens(path))

    with on_socket(path) as secure, on_socket(path, tls=False) as plain:
        assert secure.get("/a.txt").body == b"content of a\n"
        answer = plain.get("/a.txt")
        assert answer.status == 301
        # No port: a Unix socket has none, and what is in front of it has the usual one.
        assert answer.get(b"location") == b"https://localhost/a.txt"

    service.process.terminate()
    assert service.wait() == 0
    assert not path.exists()


@pytest.mark.parametrize("mode", [0o600, 0o660, 0o666])
def test_its_mode_is_what_was_asked_for(start, path, mode):
    start.command("--socket", str(path), "--socket-mode", f"{mode:o}", umask=0o077)
    eventually(lambda: listens(path))

    assert stat.S_IMODE(path.stat().st_mode) == mode


@pytest.mark.parametrize("umask", [0o077, 0o007])
def test_without_a_mode_it_has_what_the_umask_leaves(start, path, umask):
    start.command("--socket", str(path), umask=umask)
    eventually(lambda: listens(path))

    assert stat.S_IMODE(path.stat().st_mode) == 0o777 & ~umask


def refused(start, *options):
    service = start.command(*options)
    assert service.wait() == 6
    assert "Traceback" not in service.log
    return service.log


@pytest.mark.parametrize("kind", ["file", "folder", "link to a file"])
def test_what_is_no_socket_is_never_replaced(start, path, tmp_path, kind):
    if kind == "folder":
        path.mkdir()
    elif kind == "file":
        path.write_text("precious")
    else:
        (tmp_path / "precious").write_text("precious")
        path.symlink_to(tmp_path / "precious")

    assert "no socket" in refused(start, "--socket", str(path))

    assert path.is_dir() if kind == "folder" else path.read_text() == "precious"
    assert path.is_symlink() == kind.startswith("link")


def test_a_socket_that_somebody_listens_on_is_left_to_them(start, path):
    first = start.command("--socket", str(path))
    eventually(lambda: listens(path))

    assert "another process is listening there" in refused(start, "--socket", str(path))

    assert listens(path)
    first.process.terminate()
    assert first.wait() == 0


def test_a_socket_that_was_left_behind_is_replaced(start, path):
    killed = start.command("--socket", str(path))
    eventually(lambda: listens(path))
    killed.process.kill()
    killed.wait()
    assert path.is_socket()

    start.command("--socket", str(path))

    eventually(lambda: listens(path))
    with on_socket(path) as client:
        assert client.get("/a.txt").status == 200


def test_a_server_removes_no_socket_that_is_not_its_own_any_more(start, path):
    """Somebody has moved it away and put another in its place."""
    old = start.command("--socket", str(path))
    eventually(lambda: listens(path))
    path.rename(path.with_suffix(".old"))
    start.command("--socket", str(path))
    eventually(lambda: path.exists() and listens(path))

    old.process.terminate()
    assert old.wait() == 0

    assert listens(path)


def test_a_path_that_is_too_long_or_nowhere_is_told(start, tmp_path):
    assert "cannot listen on" in refused(start, "--socket", str(tmp_path / ("x" * 120)))
    assert "cannot listen on" in refused(start, "--socket", str(tmp_path / "missing" / "s"))


# A service manager.

ACTIVATE = """
import os, sys
# As systemd does it: the sockets from descriptor 3 on, then the program in this process.
for number, fd in enumerate(map(int, sys.argv[1].split(","))):
    os.dup2(fd, 3 + number, inheritable=True)
os.environ["LISTEN_FDS"] = str(number + 1)
os.environ["LISTEN_PID"] = str(os.getpid() + int(sys.argv[2]))
os.execv(sys.argv[3], sys.argv[3:])
"""


def activated(start, *sockets, wrong_pid=False, options=()):
    from robustness.service import INSTALLED  # noqa: PLC0415

    # Well above 3, so that none is overwritten before it has been moved.
    fds = [os.dup(each.fileno()) for each in sockets]
    high = [os.open("/dev/null", os.O_RDONLY) for _ in range(8)]
    moved = [os.dup(fd) for fd in fds]
    pair = start.pair
    try:
        return start.start(
            [
                sys.executable, "-c", ACTIVATE, ",".join(map(str, moved)), str(int(wrong_pid)),
                INSTALLED, str(start.root), "--cert", str(pair.cert_path),
                "--cert-key", str(pair.key_path), *options,
            ],
            pass_fds=moved,
        )  # fmt: skip
    finally:
        for fd in (*fds, *high, *moved):
            os.close(fd)


def test_a_socket_that_was_handed_over_is_served(start):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        # Who came before the server did is answered by it.
        early = socket.create_connection(("127.0.0.1", port), TIMEOUT_S)
        service = activated(start, listener)

        assert service.port == port
        with Client(early) as client:
            assert client.get("/a.txt").status == 301
        service.assert_well()


def test_several_of_several_kinds_are_served(start, path):
    with (
        socket.create_server(("127.0.0.1", 0)) as one,
        socket.create_server(("::1", 0), family=socket.AF_INET6) as other,
        socket.socket(socket.AF_UNIX) as third,
    ):
        third.bind(str(path))
        third.listen()
        service = activated(start, one, other, third)
        assert service.port

        for family, where in (
            (socket.AF_INET, one.getsockname()),
            (socket.AF_INET6, other.getsockname()),
            (socket.AF_UNIX, str(path)),
        ):
            sock = socket.socket(family)
            sock.settimeout(TIMEOUT_S)
            sock.connect(where)
            with Client(distrustful_of_none().wrap_socket(sock)) as client:
                assert client.get("/a.txt").status == 200

        # What the manager has made is there for the next start.
        service.process.terminate()
        assert service.wait() == 0
        assert path.is_socket()


def test_sockets_for_another_process_are_not_taken(start):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        service = activated(start, listener, wrong_pid=True, options=("--port", "0"))

        assert service.port != listener.getsockname()[1]
        service.assert_well()


@pytest.mark.parametrize("workers", ["1", "2"])
@pytest.mark.parametrize("abstract", [False, True])
def test_the_service_manager_is_told_of_beginning_and_end(start, tmp_path, abstract, workers):
    name = f"openssl-serve-test-{os.getpid()}" if abstract else str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.settimeout(TIMEOUT_S)
        manager.bind(f"\0{name}" if abstract else name)
        service = start.command(
            "--workers", workers,
            environment={"NOTIFY_SOCKET": f"@{name}" if abstract else name},
        )  # fmt: skip

        assert manager.recv(1000) == b"READY=1"
        # Ready means that connections are answered, not that they soon will be.
        service.assert_well()
        service.process.terminate()
        assert manager.recv(1000) == b"STOPPING=1"
        assert service.wait() == 0


def test_a_service_manager_that_has_gone_is_no_reason_to_fail(start, tmp_path):
    service = start.command(environment={"NOTIFY_SOCKET": str(tmp_path / "gone")})

    service.assert_well()


# IPv4 and IPv6.


def answers_at(family, host, port):
    sock = socket.socket(family)
    sock.settimeout(TIMEOUT_S)
    try:
        sock.connect((host, port))
        with Client(distrustful_of_none().wrap_socket(sock)) as client:
            return client.get("/a.txt").status == 200
    except ConnectionRefusedError:
        sock.close()
        return False


@pytest.mark.parametrize(
    ("where", "four", "six"),
    [
        ("[::]:0", True, True),
        ("0.0.0.0:0", True, False),
        ("[::1]:0", False, True),
        ("127.0.0.1:0", True, False),
        ("localhost:0", True, True),
    ],
)
def test_who_is_reached_at_what(start, where, four, six):
    if "localhost" in where:
        found = {info[0] for info in socket.getaddrinfo("localhost", 0, type=socket.SOCK_STREAM)}
        six = socket.AF_INET6 in found
    service = start.command("--bind-addr", where)

    # One port for all of it.
    assert answers_at(socket.AF_INET, "127.0.0.1", service.port) == four
    assert answers_at(socket.AF_INET6, "::1", service.port) == six


def test_a_redirect_leads_to_the_address_that_was_asked(start):
    service = start.command("--bind-addr", "[::]:0")

    for host, name in (("127.0.0.1", b"127.0.0.1"), ("::1", b"[::1]")):
        with Client(socket.create_connection((host, service.port), TIMEOUT_S)) as client:
            client.send(b"GET /x?y HTTP/1.1\r\nHost: %s:%d\r\n\r\n" % (name, service.port))
            location = client.answer().get(b"location")
            assert location == b"https://%s:%d/x?y" % (name, service.port)
