"""What becomes of the command's words."""

import pytest

from openssl_serve.addresses import Address
from openssl_serve.child.words import FRAMEWORKS, completed

ADDRESS = Address("127.0.0.1", 4567)
VITE = ["--port", "4567", "--strictPort", "--host", "127.0.0.1"]


def added(*words):
    """What is put behind *words*, which stay as they are."""
    result = completed(words, ADDRESS)
    assert result[: len(words)] == list(words)
    return result[len(words) :]


def test_placeholders_are_filled_in_wherever_they_stand():
    words = ["serve", "--at={host}:{port}", "{port}", "http://{host}:{port}/{port}"]

    assert completed(words, ADDRESS) == [
        "serve", "--at=127.0.0.1:4567", "4567", "http://127.0.0.1:4567/4567",
    ]  # fmt: skip


def test_other_braces_are_the_commands_own():
    words = ["jq", '{"port": {}}', "{ports}", "{", "{}", "{PORT}"]

    assert completed(words, ADDRESS) == words


def test_a_variable_of_a_shell_is_the_shells():
    words = ["sh", "-c", "port={port}; serve ${port} ${host}:$port"]

    assert completed(words, ADDRESS)[2] == "port=4567; serve ${port} ${host}:$port"


def test_a_command_that_has_a_placeholder_gets_no_flags():
    assert completed(["vite", "--port", "{port}"], ADDRESS) == ["vite", "--port", "4567"]
    assert completed(["vite", "--base", "/{host}/"], ADDRESS) == ["vite", "--base", "/127.0.0.1/"]


@pytest.mark.parametrize(
    "command",
    [
        "vite", "vite dev", "vite serve", "vite preview", "vite some/folder", "vite --open",
        "./node_modules/.bin/vite", "/usr/bin/vite dev", "vp dev", "vitepress dev docs",
        "react-router dev", "npx vite", "npx --yes vite", "npx -y -q vite dev", "bunx --bun vite",
        "pnpx vite", "npm exec vite", "yarn vite", "yarn dlx vite", "yarn exec vite dev",
        "pnpm exec vite", "pnpm dlx vite", "bun x vite", "bun run vite", "pnpm vite",
    ],
)  # fmt: skip
def test_vite_is_told_its_port_and_to_insist_on_it(command):
    assert added(*command.split()) == VITE


@pytest.mark.parametrize(
    ("command", "flags"),
    [
        ("astro dev", "--port 4567 --host 127.0.0.1"),
        ("ng serve", "--port 4567 --host 127.0.0.1"),
        ("rsbuild", "--port 4567 --host 127.0.0.1"),
        ("webpack serve", "--port 4567 --host 127.0.0.1"),
        ("webpack-dev-server", "--port 4567 --host 127.0.0.1"),
        ("expo start", "--port 4567 --host localhost"),
        ("react-native start", "--port 4567 --host 127.0.0.1"),
        ("hypercorn app:app", "--bind 127.0.0.1:4567"),
        ("python -m hypercorn app:app", "--bind 127.0.0.1:4567"),
        ("mkdocs serve", "--dev-addr 127.0.0.1:4567"),
        ("hugo server -D", "--port 4567 --bind 127.0.0.1"),
        ("python manage.py runserver", "127.0.0.1:4567"),
        ("./manage.py runserver --noreload", "127.0.0.1:4567"),
        ("python3.12 -W error manage.py runserver", ""),
        ("uv run manage.py runserver", "127.0.0.1:4567"),
        ("poetry run python -u manage.py runserver", "127.0.0.1:4567"),
        ("django-admin runserver", "127.0.0.1:4567"),
        ("python -m http.server", "4567 --bind 127.0.0.1"),
        ("/usr/bin/python3 -Iu -m http.server -d site", "4567 --bind 127.0.0.1"),
    ],
)
def test_a_framework_is_told_in_its_own_words(command, flags):
    assert added(*command.split()) == flags.split()


@pytest.mark.parametrize(
    "command",
    [
        # These read PORT, HOST or variables of their own.
        "next dev", "nuxt dev", "node server.js", "flask run", "python -m flask run",
        "uvicorn app:app", "gunicorn app:app", "bin/rails server",
        # Not known from here: the port is found when it is open.
        "npm run dev", "npm start", "yarn dev", "pnpm run dev", "make run", "sh -c vite",
        # These serve nothing.
        "vite build", "vite optimize", "astro build", "ng test", "ng", "manage.py migrate",
        "python manage.py", "webpack", "webpack build", "mkdocs build", "hugo", "rsbuild build",
        # Runners that run nothing.
        "npx", "npx --yes", "yarn", "yarn dlx", "python", "python -m", "uv run",
        # And what is no program at all.
        "python -c vite", "python vite", "echo vite dev",
    ],
)  # fmt: skip
def test_nothing_is_added_to(command):
    assert added(*command.split()) == []


@pytest.mark.parametrize(
    ("command", "flags"),
    [
        ("vite --port 3000", "--host 127.0.0.1"),
        ("vite --port=3000", "--host 127.0.0.1"),
        ("vite --host", "--port 4567 --strictPort"),
        ("vite --host 0.0.0.0 --port 3000", ""),
        ("hugo server -p 3000", "--bind 127.0.0.1"),
        ("hypercorn -b 0.0.0.0:3000 app:app", ""),
        ("mkdocs serve -a localhost:3000", ""),
        ("manage.py runserver 3000", ""),
        ("manage.py runserver 0.0.0.0:3000", ""),
        ("manage.py runserver --noreload [::1]:3000", ""),
        ("python -m http.server 3000", "--bind 127.0.0.1"),
        ("python -m http.server -b ::1", "4567"),
        ("vite -- --open", ""),
    ],
)
def test_what_the_user_said_is_not_said_again(command, flags):
    assert added(*command.split()) == flags.split()


def test_every_frameworks_flags_name_the_port():
    for framework in FRAMEWORKS.values():
        assert any("{port}" in word for flag in framework.flags for word in flag.words)
