"""The recipes of the README, run as they stand: our certificates in other people's servers.

Only the port is another: 8443 there, a free one here.
"""

import contextlib
import os
import re
import shutil
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
from server_fixtures import eventually

from openssl_serve import ensure_certificate

RECIPES = Path(__file__).parent.parent / "recipes"
PORT = "8443"

TIMEOUT_S = 20
"""For a server to listen, or to end; both take a second on a machine that does nothing else."""

PYTHON = (sys.executable, "-W", "error")

# gunicorn is started by its own command, manage.py by Django's: the rest is programs.
SERVERS = {
    "uvicorn_server": [*PYTHON, "uvicorn_server.py"],
    "hypercorn_server": [*PYTHON, "hypercorn_server.py"],
    "gunicorn_server": [
        *(sys.executable, "-m", "gunicorn", "--config", "gunicorn_server.py"),
        "hello:application",
    ],
    "flask_server": [*PYTHON, "flask_server.py"],
    "aiohttp_server": [*PYTHON, "aiohttp_server.py"],
    "http_server": [*PYTHON, "http_server.py"],
    "django_runserver": [*PYTHON, "manage.py", "runserver", "--noreload", f"127.0.0.1:{PORT}"],
}
# Werkzeug shakes hands where it accepts, gunicorn's usual worker has one client at a time.
HELD_UP_BY_SILENCE = {"flask_server", "gunicorn_server"}

CLIENTS = ["urllib_client", "requests_client", "httpx_client", "wsgi_client"]

MANAGE = """
import sys
from django.conf import settings
from django.core.management import execute_from_command_line
from django.http import HttpResponse
from django.urls import path

def hello(request):
    return HttpResponse(f"hello over {request.scheme}")

urlpatterns = [path("", hello)]
settings.configure(
    ROOT_URLCONF=__name__, ALLOWED_HOSTS=["127.0.0.1"], INSTALLED_APPS=["secure"], DEBUG=True,
)
execute_from_command_line(sys.argv)
"""


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """The data folder of all recipes: they share their certificate, as on a user's machine."""
    folder = tmp_path_factory.mktemp("data")
    ensure_certificate("my.dev.local", folder=folder)
    return folder


@pytest.fixture
def port():
    """A port that is ours until the test ends.

    Bound and not listened on: the system gives it to nobody, but lets a server have it that asks
    for this one with SO_REUSEADDR, as they all do.
    """
    with socket.socket() as holder:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        holder.bind(("127.0.0.1", 0))
        if sys.platform != "linux":
            holder.close()
        yield holder.getsockname()[1]


@pytest.fixture
def folder(tmp_path):
    """Where a recipe is run: the recipes, a site, and a Django project around its part."""
    (tmp_path / "site").mkdir()
    for place in (tmp_path, tmp_path / "site"):
        (place / "hello.txt").write_text("hello over https")
    commands = tmp_path / "secure" / "management" / "commands"
    commands.mkdir(parents=True)
    shutil.copy(RECIPES / "django_runserver.py", commands / "runserver.py")
    (tmp_path / "manage.py").write_text(MANAGE)
    return tmp_path


def environment(folder, data):
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("OPENSSL", "SSL_", "PYTEST"))}
    return kept | {"HOME": str(folder), "OPENSSL_SERVE_HOME": str(data), "PYTHONUNBUFFERED": "1"}


@contextlib.contextmanager
def running(name, folder, data, port):
    """The server *name*, from when it listens."""
    for recipe in RECIPES.glob("*.py"):
        text = recipe.read_text(encoding="utf-8")
        (folder / recipe.name).write_text(text.replace(PORT, str(port)), encoding="utf-8")
    command = [word.replace(PORT, str(port)) for word in SERVERS[name]]
    with (folder / "log").open("w+") as log:
        child = subprocess.Popen(
            command, cwd=folder, env=environment(folder, data),
            stdin=subprocess.DEVNULL, stdout=log, stderr=log,
        )  # fmt: skip
        try:
            eventually(lambda: child.poll() is not None or listens(port), name, TIMEOUT_S)
            log.seek(0)
            assert child.poll() is None, log.read()
            yield child
        finally:
            child.terminate()
            try:
                child.wait(TIMEOUT_S)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()


def listens(port):
    try:
        socket.create_connection(("127.0.0.1", port), TIMEOUT_S).close()
    except ConnectionRefusedError:
        return False
    return True


@pytest.mark.parametrize("name", SERVERS)
def test_a_server_has_our_certificate(name, folder, data, port):
    client = ensure_certificate("my.dev.local", folder=data).client_context()
    path = "hello.txt" if name == "http_server" else ""

    with running(name, folder, data, port) as child, contextlib.ExitStack() as stack:
        if name not in HELD_UP_BY_SILENCE:
            stack.enter_context(socket.create_connection(("127.0.0.1", port), TIMEOUT_S))
        url = f"https://127.0.0.1:{port}/{path}"
        with urllib.request.urlopen(url, context=client, timeout=TIMEOUT_S) as response:
            assert response.read() == b"hello over https"
        assert child.poll() is None


@pytest.mark.parametrize("name", CLIENTS)
def test_a_client_trusts_our_certificate(name, folder, data):
    done = subprocess.run(
        [*PYTHON, RECIPES / f"{name}.py"],
        cwd=folder, env=environment(folder, data), stdin=subprocess.DEVNULL,
        capture_output=True, text=True, timeout=TIMEOUT_S, check=False,
    )  # fmt: skip

    assert (done.stdout, done.stderr) == ("hello over https\n", "")


def test_every_recipe_is_run():
    """Those that are tests themselves are, as they stand."""
    names = {path.stem for path in RECIPES.glob("*.py")}

    assert {name for name in names if not name.startswith("test_")} == {*SERVERS, *CLIENTS, "hello"}


def test_what_the_readme_shows_stands_in_a_recipe():
    readme = (RECIPES.parent.parent / "README.md").read_text(encoding="utf-8")
    recipes = {path.stem: path.read_text(encoding="utf-8") for path in RECIPES.glob("*.py")}
    _, _, rest = readme.partition("### In Python\n")
    section, _, _ = rest.partition("\n### As a service")

    blocks = re.findall(r"^```python\n(.*?)^```", section, re.MULTILINE | re.DOTALL)
    rows = re.findall(
        r"^\| \[[^]]+\]\(tests/recipes/(\w+)\.py\) \| (.*) \|$", section, re.MULTILINE
    )

    assert len(blocks) >= 2
    for block in blocks:
        assert any(block in text for text in recipes.values()), block
    assert {name for name, _ in rows} == {*SERVERS, *CLIENTS}
    for name, words in rows:
        for code in re.findall(r"`([^`]*certificate[^`]*)`", words):
            assert code in recipes[name], code
