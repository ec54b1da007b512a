"""What every test stands on: no test reaches the user's own folders or settings."""

import os
import socket
import ssl
import threading
from pathlib import Path

import pytest
from hypothesis import settings

pytest_plugins = ["server_fixtures", "trust_fixtures", "upstreams"]

# What --doctest-modules would import: programs, which test_recipes.py runs, and what mypy reads.
collect_ignore_glob = ["recipes/[!t]*.py", "typed/*.py"]


# CI runs the same examples each time: what a new example finds is found at a desk, not by whoever
# happens to push.
settings.register_profile("ci", derandomize=True)
if os.environ.get("CI"):
    settings.load_profile("ci")


@pytest.fixture(scope="session", autouse=True)
def _nobodys_home(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        for name in list(os.environ):
            if name.startswith("OPENSSL_"):
                patch.delenv(name)
        patch.setenv("OPENSSL_SERVE_HOME", str(tmp_path_factory.mktemp("home") / "data"))
        yield


@pytest.fixture
def public(tmp_path_factory):
    """A folder that every user can enter."""
    path = Path(tmp_path_factory.mktemp("public"))
    for parent in (path, *path.parents):
        if (
            str(parent) != "/tmp"
            and parent.stat().st_uid == os.geteuid()
            and "pytest" in str(parent)
        ):
            parent.chmod(0o755)
    return path


@pytest.fixture
def open_umask():
    """The process that would show a file created without a mode of its own."""
    before = os.umask(0)  # noqa: TID251
    yield
    os.umask(before)  # noqa: TID251


@pytest.fixture
def home(tmp_path, monkeypatch):
    """The data folder of this test alone."""
    path = tmp_path / "home"
    monkeypatch.setenv("OPENSSL_SERVE_HOME", str(path))
    return path


@pytest.fixture
def cli(home, capsys):
    """The command line, with a data folder of its own."""
    from command_line import CommandLine  # noqa: PLC0415 - most tests need no typer

    return CommandLine(capsys)


@pytest.fixture
def served():
    """Serve a pair from a thread; the port."""
    sockets = []

    def serve(cert, key):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(cert, key)
        listener = socket.create_server(("127.0.0.1", 0))
        sockets.append(listener)

        def loop():
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                connection.settimeout(10)
                try:
                    with context.wrap_socket(connection, server_side=True) as tls:
                        tls.recv(1)
                except OSError:
                    connection.close()

        threading.Thread(target=loop, daemon=True).start()
        return listener.getsockname()[1]

    yield serve
    for listener in sockets:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
