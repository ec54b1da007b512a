"""`run` and its options: those of `serve`, and the words of the command."""

import socket
import sys

import pytest

from openssl_serve.cli import run
from openssl_serve.cli.program import commands_named


@pytest.fixture(scope="module")
def commands():
    return {command.name: command for command in commands_named(["serve", "run"])}


def test_every_option_of_serve_is_one_of_run(commands):
    theirs = {param.name: param for param in commands["serve"].params}
    ours = {param.name: param for param in commands["run"].params}

    assert set(theirs) - set(ours) == set(run.NOT_HERE)
    assert set(ours) - set(theirs) == {"command", "app_port"}
    for name in set(theirs) & set(ours):
        assert ours[name].opts == theirs[name].opts
        assert ours[name].default == theirs[name].default
        assert ours[name].envvar == theirs[name].envvar


@pytest.fixture
def served(monkeypatch):
    """What `run` hands over to `serve`, which does nothing here."""
    calls = []

    def serve(ctx, **options):
        calls.append((str(ctx.obj), ctx.obj, options))

    monkeypatch.setattr(run, "serve", serve)
    return calls


@pytest.mark.parametrize(
    ("words", "command"),
    [
        (["--", "npm", "run", "dev"], "npm run dev"),
        (["npm", "run", "dev", "--", "--port", "1"], "npm run dev -- --port 1"),
        (["--port", "0", "--", "vite", "--port", "{port}"], "vite --port '{port}'"),
        (["--port", "0", "vite", "--port", "5"], "vite --port 5"),
        (["--cert", "--", "sh", "-c", "a  b", "--cert"], "sh -c 'a  b' --cert"),
        (["--", "--odd", "--help"], "--odd --help"),
    ],
)
def test_the_words_of_the_command_are_its_own(served, cli, words, command):
    cli.good("run", *words)

    assert served[0][0] == command


def test_an_option_goes_to_serve_as_it_would_from_there(served, cli):
    cli.good("run", "--cert-host", "a.test", "-p", "0", "--hsts", "--header", "A: b", "--", "x")

    options = served[0][2]
    assert options["cert_host"] == ["a.test"]
    assert options["port"] == "0"
    assert options["hsts"] is True
    assert options["header"] == ["A: b"]
    assert "target" not in options


def test_the_command_gets_a_port_of_its_own_or_the_one_that_is_named(served, cli):
    cli.good("run", "--", "x")
    cli.good("run", "--", "x")
    cli.good("run", "--app-port", "4321", "--", "x")

    first, second, named = (beside.content.upstream for _, beside, _ in served)
    assert first.port != second.port
    assert (str(named), named.port) == ("http://127.0.0.1:4321", 4321)


def test_the_environment_and_a_file_may_name_the_port(served, cli, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "openssl-serve.toml").write_text("[run]\napp-port = 4321\n")
    cli.good("run", "--", "x")
    monkeypatch.setenv("OPENSSL_SERVE_APP_PORT", "4322")
    cli.good("run", "--", "x")

    assert [beside.content.upstream.port for _, beside, _ in served] == [4321, 4322]


def test_a_file_for_serve_will_do(served, cli, monkeypatch, tmp_path):
    """What is only its own, TARGET among it, is left to it."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "openssl-serve.toml").write_text(
        'target = "."\nworkers = 2\ncert-host = ["a.test"]\nlog-format = "none"\n'
    )

    cli.good("run", "--", "x")

    options = served[0][2]
    assert (options["cert_host"], options["log_format"]) == (["a.test"], "none")


@pytest.mark.parametrize("port", ["x", "65536", "-1"])
def test_what_is_no_port(cli, port):
    assert f'--app-port: "{port}"' in cli.refused(2, "run", "--app-port", port, "--", "x")


def test_without_a_command_there_is_nothing_to_run(cli):
    assert cli.refused(2, "run", "--port", "0") == "COMMAND is missing"


def test_several_processes_cannot_have_one_command(cli):
    assert "--workers" in cli.refused(2, "run", "--workers", "2", "--", "x")


def test_a_port_that_somebody_has_is_refused(cli, tmp_path, monkeypatch):
    """The server would send its requests to that somebody."""
    monkeypatch.chdir(tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        words = ["run", "--port", "0", "--app-port", port, "--", sys.executable, "-c", "1"]

        finished = cli(*words)

    assert finished.code == 6
    assert finished.errors[0].startswith(f"--app-port {port}: the port is in use")
