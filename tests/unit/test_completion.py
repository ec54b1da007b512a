"""What can follow which words; tests/e2e asks real shells."""

import os
import subprocess
import sys

import pytest

from openssl_serve.cli import app, commands, completion
from openssl_serve.cli.completion import SCRIPTS, suggest


@pytest.fixture
def kept(home):
    """Hosts of which there is a certificate, by the names of its files, and what is none."""
    home.mkdir()
    for stem in ("a_test", "*_dev_test", "%3A%3A1", "a%5Fb_test", "_local_ca", "no such", ".x"):
        (home / f"{stem}.crt").touch()
    (home / "b_test.key").touch()
    return ["*.dev.test", "::1", "a.test", "a_b.test"]


def words(*line):
    """What can stand for the last word of *line*."""
    *before, incomplete = line
    return sorted(word for word, _ in suggest(before, incomplete).words)


@pytest.mark.parametrize("command", ["show", "verify", "renew", "remove", "path", "export"])
def test_kept_hosts(kept, command):
    assert words(command, "") == kept
    assert words(command, "a") == ["a.test", "a_b.test"]


@pytest.mark.parametrize(
    ("line", "found"),
    [
        (["remove", "a.test", ""], True),
        (["path", "a.test", ""], False),
        (["path", "--key", ""], True),
        (["--cert-host", ""], True),
        (["serve", "--cert-host", ""], True),
        (["--allow-host=", ""], False),
        (["--host", ""], False),
    ],
)
def test_where_hosts_can_follow(kept, line, found):
    assert words(*line) == (kept if found else [])


def test_without_a_data_folder_there_are_no_hosts(home):
    assert words("show", "") == []
    assert not home.exists()


def test_all_commands_with_their_help():
    found = dict(suggest([], "").words)

    assert set(found) == {command for commands in commands.ROOMS.values() for command in commands}
    assert found["list"] == "List the kept certificates."
    assert all(found.values())


@pytest.mark.parametrize(
    ("line", "found", "kind"),
    [
        (["ser"], ["serve"], "dirs"),
        (["x"], [], "dirs"),
        (["--plain-http", ""], ["redirect", "refuse", "serve"], "none"),
        (["serve", "--plain-http", "red"], ["redirect"], "none"),
        (["--plain-http=red"], ["--plain-http=redirect"], "none"),
        (["--plain-http=red", "x", "--log-format", "j"], ["json"], "none"),
        (["generate", "--key-type", "rsa2"], ["rsa2048"], "none"),
        (["trust", "--store", "n"], ["nss"], "none"),
        (["env", "--shell", ""], ["fish", "sh"], "none"),
        (["run", "npm"], [], "files"),
        (["export", "--format=k"], ["--format=k8s-secret"], "none"),
        (["completion", ""], ["bash", "fish", "zsh"], "none"),
        (["config", "gen"], ["generate"], "none"),
        (["--live"], ["--live-reload"], "none"),
        (["site", "--live"], ["--live-reload"], "none"),
        (["--live-reload", "--live"], [], "none"),
        (["--no-l"], ["--no-lan", "--no-listing", "--no-live-reload"], "none"),
        (["--listi"], ["--listing"], "none"),
        (["--no-lan", "zzz"], [], "dirs"),
        (["--vers"], ["--version"], "none"),
        (["show", "--vers"], [], "none"),
        (["generate", "--", "--fo"], [], "none"),
        (["--port", ""], [], "none"),
        (["--port", "0", "s"], [], "dirs"),
        (["--cert", ""], [], "files"),
        (["--cert="], [], "files"),
        (["--config", ""], [], "files"),
        (["show", "zzz"], [], "files"),
        (["sign", ""], [], "files"),
        (["generate", "--out", ""], [], "dirs"),
        (["list", ""], [], "none"),
    ],
)
def test_what_can_follow(home, line, found, kind):
    *before, incomplete = line
    answer = suggest(before, incomplete)

    assert sorted(word for word, _ in answer.words) == found
    assert answer.kind == kind


@pytest.mark.parametrize("incomplete", ["-", "--"])
def test_what_takes_a_switch_back_is_no_noise(home, incomplete):
    found = {word for word, _ in suggest([], incomplete).words}

    assert {"--spa", "--no-listing"} <= found
    assert not {"--no-spa", "--listing"} & found


def test_a_repeated_option_can_follow_itself():
    assert words("--cert-host", "a.test", "--cert-h") == ["--cert-host"]


def test_the_choices_are_those_of_the_options():
    from openssl_serve.api import LogFormat, PlainHttp  # noqa: PLC0415
    from openssl_serve.certs.export import Form  # noqa: PLC0415
    from openssl_serve.certs.profile import KeyType  # noqa: PLC0415
    from openssl_serve.cli.env import Shell  # noqa: PLC0415
    from openssl_serve.trust.stores import Kind  # noqa: PLC0415

    assert {
        "plain_http": tuple(PlainHttp), "log_format": tuple(LogFormat),
        "key_type": tuple(KeyType), "form": tuple(Form), "store": tuple(Kind),
        "shell": tuple(Shell),
    } == completion.CHOICES  # fmt: skip


@pytest.mark.parametrize(
    ("line", "breaks", "answer"),
    [
        ("openssl-serve path a.t", "=:", ["none", "a.test"]),
        ("openssl-serve path ::", "=:", ["none", "1"]),
        ("openssl-serve path ::", " ", ["none", "::1"]),
        ("openssl-serve path '*", "=:", ["none", "*.dev.test"]),
        ("openssl-serve --plain-http=red", "=:", ["none", "redirect"]),
        ("openssl-serve --plain-http=red", " ", ["none", "--plain-http=redirect"]),
        ("openssl-serve  list ", "=:", ["none"]),
    ],
)
def test_bash_is_told_what_comes_after_its_last_break(cli, kept, monkeypatch, line, breaks, answer):
    monkeypatch.setenv("_OPENSSL_SERVE_COMPLETE", "bash")
    monkeypatch.setenv("COMP_WORDBREAKS", breaks)

    assert cli.good(line).lines == answer


def test_the_others_are_told_help_as_well(cli, kept, monkeypatch):
    monkeypatch.setenv("_OPENSSL_SERVE_COMPLETE", "zsh")

    assert cli.good("path", "a.t").lines == ["none", "a.test\tkept"]
    # Without the default, which is for readers of --help.
    assert cli.good("--ind").lines == ["none", "--index\tThe file that stands for its folder."]


def test_nonsense_is_answered_with_nothing(cli, monkeypatch):
    monkeypatch.setenv("_OPENSSL_SERVE_COMPLETE", "fish")

    assert cli.good("--no-such-option", "x", "").lines == ["dirs"]
    assert cli.good("show", "--no-such-option=").lines == ["none"]


def test_tab_imports_no_server_and_starts_nothing(home):
    """A Tab waits for us: neither ssl nor what makes certificates is on the way."""
    code = (
        "import sys; from openssl_serve.cli.completion import suggest\n"
        "suggest([], ''); suggest(['show'], ''); suggest(['--plain-http'], ''); suggest([], '--')\n"
        "print(sorted({'ssl', 'httptools', 'sh', 'subprocess'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=20, check=True
    )

    # That is typer's own.
    assert done.stdout.strip() == "['subprocess']"


class TestScripts:
    @pytest.mark.parametrize("shell", SCRIPTS)
    def test_each_shell_has_one(self, cli, shell):
        assert cli.good("completion", shell).out == completion.script(shell)

    def test_without_a_name_it_is_for_the_users_shell(self, cli, monkeypatch):
        monkeypatch.setenv("SHELL", "/usr/bin/zsh")
        assert cli.good("completion").out.startswith("#compdef openssl-serve\n")
        monkeypatch.setenv("SHELL", "/bin/tcsh")
        assert "tcsh" in cli.refused(2, "completion")
        monkeypatch.delenv("SHELL")
        assert cli.refused(2, "completion") == 'there is no completion for the shell ""'

    def test_they_name_the_variable_that_we_read(self):
        for shell in SCRIPTS:
            assert f"{app.COMPLETION_VARIABLE}={shell} " in completion.script(shell)


def test_nothing_else_happens_while_a_shell_asks(cli, home, monkeypatch, tmp_path):
    """No configuration file is read, nothing is made."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "openssl-serve.toml").write_text("not TOML")
    monkeypatch.setenv("_OPENSSL_SERVE_COMPLETE", "zsh")

    finished = cli.good("serve", "--spa", "--sp")
    assert finished.err == ""
    assert os.listdir(tmp_path) == ["openssl-serve.toml"]
