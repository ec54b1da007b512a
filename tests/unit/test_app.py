"""The program as a whole."""

import pytest

from openssl_serve.cli import app, commands, program


@pytest.mark.parametrize(("room", "commands"), commands.ROOMS.items())
def test_each_room_has_the_commands_it_is_said_to_have(room, commands):
    registered = program.make_app([room]).registered_commands

    assert tuple(command.name for command in registered) == commands


def test_help_shows_every_command(capsys):
    assert app.run(["--help"]) == 0

    out = capsys.readouterr().out
    for names in commands.ROOMS.values():
        for command in names:
            assert f"  {command} " in out
    assert "--cert-host" in out


@pytest.mark.parametrize("arguments", [["list", "--json"], ["doctor"], ["serve", "."], ["."], []])
def test_a_start_imports_its_own_room_alone(arguments):
    _, rooms = commands.complete(arguments)

    assert len(rooms) == 1
