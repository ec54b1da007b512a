"""The installed command with a configuration file in the folder that it serves."""

from pathlib import Path

import pytest

from e2e.command import Command, Running, assert_refused
from e2e.test_folder_options import get


@pytest.fixture
def file(command: Command) -> Path:
    return command.site / "openssl-serve.toml"


def status(running: Running, path: str) -> int:
    return get(running, path, "--user", "me:hush").status


def test_a_folder_brings_its_options(command: Command, file: Path) -> None:
    file.write_text('cert-host = "my.dev.local"\nauth = "me:hush"\nport = 0\ncors = true\n')
    # The port is the file's: `start` gives none to what names one.
    with command.start("--bind-addr", "127.0.0.1:0") as running:
        assert "options from openssl-serve.toml" in running.banner
        assert "hush" not in running.banner
        assert get(running, "/hello.txt").status == 401
        answer = get(running, "/hello.txt", "--user", "me:hush")
    assert answer.body == "hello\n"
    assert answer.fields["access-control-allow-origin"] == "*"
    assert command.cert.is_file()


def test_the_file_in_use_is_never_served(command: Command, file: Path) -> None:
    """Nor listed; not even where dotfiles and keys are."""
    file.write_text('auth = "me:hush"\nhidden = true\n')
    (command.site / "link").symlink_to(file)
    with command.start() as running:
        assert status(running, "/hello.txt") == 200
        assert status(running, "/openssl-serve.toml") == 404
        assert status(running, "/link") == 404
        assert "openssl-serve.toml" not in get(running, "/", "--user", "me:hush").body


def test_another_folders_file_is_not_served_either(command: Command) -> None:
    (command.site / "sub").mkdir()
    (command.site / "sub" / "OpenSSL-serve.toml").write_text("auth = 'me:hush'")
    with command.start() as running:
        assert get(running, "/sub/OpenSSL-serve.toml").status == 404
        assert "toml" not in get(running, "/sub/").body


def test_a_project_file_in_use_is_not_served(command: Command) -> None:
    project = command.site / "pyproject.toml"
    project.write_text("[tool.openssl-serve]\nauth = 'me:hush'\n")
    with command.start() as running:
        assert status(running, "/pyproject.toml") == 404
    project.write_text("[project]\n")
    with command.start() as running:
        assert get(running, "/pyproject.toml").status == 200


def test_lan_on_the_command_line_is_more_than_an_address_in_a_file(
    command: Command, file: Path
) -> None:
    file.write_text('bind-addr = "127.0.0.1:0"')
    with command.start("--lan") as running:
        assert "on 127.0.0.1:" not in running.banner


def test_nothing_is_made_for_a_file_that_cannot_be_meant(command: Command, file: Path) -> None:
    file.write_text("prot = 1")

    assert_refused(command.run(), 2, 'openssl-serve.toml: there is no option "prot"')
    assert not command.data.exists()
