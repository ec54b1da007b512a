"""The manual page: whole, and read without a complaint by all that read such pages."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from openssl_serve.cli.commands import ROOMS
from openssl_serve.cli.program import commands_named

ROOT = Path(__file__).parent.parent.parent
SCRIPT = ROOT / "scripts" / "manual.py"

READERS = {
    "man": ["man", "--warnings", "-E", "UTF-8", "-l"],
    "groff": ["groff", "-ww", "-man", "-Tutf8"],
    "mandoc": ["mandoc", "-Tlint", "-Wstyle"],
}


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("man") / "openssl-serve.1"
    path.write_text(run(sys.executable, SCRIPT).stdout)
    return path


def run(*command: str | Path) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [str(word) for word in command],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done


@pytest.fixture(scope="module")
def words(page: Path) -> str:
    """What a reader sees of it, in a terminal wide enough to break no line in a name."""
    if not shutil.which("groff"):
        pytest.skip("no groff here")
    shown = run("groff", "-man", "-Tascii", "-rLL=500n", "-rHY=0", "-P-c", page).stdout
    return re.sub(r".\x08", "", shown)


@pytest.mark.parametrize("reader", READERS)
def test_nobody_complains(page: Path, reader: str) -> None:
    if not shutil.which(reader):
        pytest.skip(f"no {reader} here")

    assert run(*READERS[reader], page).stderr == ""
    if reader == "mandoc":
        assert run(*READERS[reader], page).stdout == ""


def test_it_is_ascii_and_in_short_lines(page: Path) -> None:
    content = page.read_text("ascii")

    assert max(map(len, content.splitlines())) <= 100
    assert not re.search(r"^\.(?!TH |SH |SS |TP|PP|br|BR )", content, re.MULTILINE)


def test_every_command_and_option_is_in_it(words: str) -> None:
    for command in commands_named(sum(ROOMS.values(), ())):
        part = words
        if command.name != "serve":
            assert f"openssl-serve {command.name}" in words
            (part,) = re.findall(
                rf"^   {command.name}\n(.*?)^(?:   )?\S", words, re.MULTILINE | re.DOTALL
            )
        for param in command.params:
            if param.param_type_name == "option":
                assert re.search(rf"^ +{param.opts[0]}[ ,\n]", part, re.MULTILINE), param.opts[0]


def test_no_option_is_without_help() -> None:
    """It would be left out."""
    for command in commands_named(sum(ROOMS.values(), ())):
        assert command.help
        assert all(param.help for param in command.params)


def test_the_exit_codes_are_those_of_the_errors(words: str) -> None:
    part = words.partition("EXIT STATUS")[2].partition("EXAMPLES")[0]
    codes = dict(re.findall(r"^ +(\d)\s+(\S.*?)$", part, re.MULTILINE))

    assert list(codes) == ["0", "1", "2", "3", "4", "5", "6"]
    assert codes["3"] == "The openssl program is absent, unusable, or failed."
    assert codes["6"] == "The address cannot be listened on."


def test_what_the_examples_say_can_be_said(words: str) -> None:
    part = words.partition("EXAMPLES")[2]
    typed = re.findall(r"^ +openssl-serve (.*)$", part, re.MULTILINE)

    assert len(typed) > 4
    known = {command.name: command for command in commands_named(sum(ROOMS.values(), ()))}
    for line in typed:
        first, *rest = line.partition(" &&")[0].split()
        command = known.get(first, known["serve"])
        ctx = command.make_context(
            command.name, rest if first in known else [first, *rest], resilient_parsing=False,
            default_map={},
        )  # fmt: skip
        assert ctx.params
