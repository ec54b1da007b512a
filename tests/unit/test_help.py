"""What --help prints, in a terminal of any width: headings, examples, and every option once."""

import re
import shlex
import subprocess
import sys
from collections import Counter
from itertools import chain
from pathlib import Path

import pytest
from terminals import ESCAPE

from openssl_serve.cli import help as pages
from openssl_serve.cli import program
from openssl_serve.cli.commands import ROOMS, SERVING, complete

README = Path(__file__).parent.parent.parent / "README.md"

ALL = [name for names in ROOMS.values() for name in names]


@pytest.fixture(autouse=True)
def columns(monkeypatch):
    """Set how wide the terminal is; 80 columns if nobody does."""

    def be(width):
        monkeypatch.setenv("COLUMNS", str(width))

    be(80)
    return be


@pytest.fixture(scope="module")
def commands():
    return {command.name: command for command in program.commands_named(ALL)}


def options_of(command):
    return [pages.long_name(each) for each in command.params if not pages.is_argument(each)]


@pytest.mark.parametrize("name", SERVING)
def test_each_option_is_under_one_heading(commands, name):
    where = Counter(option for options in pages.GROUPS.values() for option in options)

    assert {option: where[option] for option in options_of(commands[name])} == dict.fromkeys(
        options_of(commands[name]), 1
    )


def test_under_the_headings_are_only_options_that_there_are(commands):
    known = {*options_of(commands["serve"]), *options_of(commands["run"]), "--version", "--help"}

    assert {option for options in pages.GROUPS.values() for option in options} == known


@pytest.mark.parametrize("name", ALL)
def test_a_page_has_each_option_and_argument_of_its_command_once(cli, commands, name):
    page = cli.good(name, "--help").out

    for param in commands[name].params:
        if pages.is_argument(param):
            row = re.escape(pages.metavar(param))
        else:
            row = rf"(?:-., )?{pages.long_name(param)}(?: {re.escape(pages.metavar(param))})?"
        assert len(re.findall(rf"^  {row}(?: *  \S.*)?$", page, re.MULTILINE)) == 1, row
    assert page.count("  -h, --help ") == 1
    assert page.startswith(f"Usage: openssl-serve {name} [OPTIONS]")
    assert commands[name].help.partition(".")[0][:60] in page


def test_the_page_of_the_program_has_its_commands_before_the_options_of_serve(cli):
    page = cli.good("--help").out
    headings = re.findall(r"^(\S.*):$", page, re.MULTILINE)

    assert headings[:2] == ["Examples", "Commands"]
    assert headings[2].endswith("--help has the options of each. Those of serve")
    assert headings[3:] == ["Arguments", *list(pages.GROUPS)[1:]]
    assert page.count("--version") == page.count("-h, --help ") == 1
    assert cli.good("-h").out == page


def test_run_has_a_heading_for_its_own(cli):
    page = cli.good("run", "--help").out

    assert "\nCommand:\n  --app-port PORT " in page
    assert "--workers" not in page
    assert "--version" not in page


@pytest.mark.parametrize("width", [40, 60, 80, 100, 300])
@pytest.mark.parametrize("words", [(), ("serve",), ("export",), ("renew",)])
def test_a_page_is_as_wide_as_the_terminal(cli, columns, width, words):
    columns(width)
    lines = cli.good(*words, "--help").lines
    long = [line for line in lines if len(line) > min(width, pages.MAX_WIDTH)]

    # What is to be typed is not broken.
    examples = {example.line for found in pages.EXAMPLES.values() for example in found}
    assert all(line.strip() in examples or "Usage: " in line for line in long)
    assert width == 40 or not long


def test_it_says_the_same_at_every_width(cli, columns):
    pages = set()
    for width in (40, 80, 100):
        columns(width)
        pages.add(" ".join(cli.good("--help").out.split()))

    assert len(pages) == 1


def test_in_a_pipe_it_is_plain(cli, monkeypatch):
    plain = cli.good("--help").out
    monkeypatch.setenv("FORCE_COLOR", "1")
    forced = cli.good("--help").out

    assert ESCAPE not in plain
    assert re.sub(r"\x1b\[[0-9]*m", "", forced) == plain
    assert "\x1b[1mExamples:\x1b[0m" in forced


TYPED = [
    words
    for found in pages.EXAMPLES.values()
    for example in found
    for words in re.findall(r"openssl-serve ([^&)]*)", example.line)
]


@pytest.mark.parametrize("line", TYPED)
def test_an_example_can_be_typed(commands, line, monkeypatch, tmp_path):
    """As the parser sees it."""
    monkeypatch.chdir(tmp_path)
    (name, *rest), _ = complete(shlex.split(line))

    assert commands[name].make_context(name, rest).params


def test_examples_are_of_commands_that_there_are():
    assert set(pages.EXAMPLES) <= set(ALL)
    assert set(pages.FIRST_EXAMPLES) <= {
        each for found in pages.EXAMPLES.values() for each in found
    }


@pytest.mark.parametrize("name", ALL)
def test_the_help_of_an_option_is_a_sentence(commands, name):
    for param in commands[name].params:
        sentence, _, default = param.help.partition("  [")
        assert re.fullmatch(r"[A-Z].*[.]", sentence), sentence
        assert not default or default.endswith("]")


def test_help_is_imported_for_help_alone(home):
    code = (
        "import sys; from openssl_serve.cli.app import run; run(['list'])\n"
        "print('openssl_serve.cli.help' in sys.modules); run(['list', '--help'])\n"
        "print('openssl_serve.cli.help' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=20, check=True
    )

    assert [line for line in done.stdout.splitlines() if line in ("True", "False")] == [
        "False", "True",
    ]  # fmt: skip


def test_the_readme_has_every_option_in_the_same_order():
    """Under the same headings, but for the two that have sections of their own there."""
    manual = README.read_text("utf-8").partition("### Serving")[2].partition("### `run`")[0]
    found = re.findall(r"^\| (?:\*\*(.*?)\*\*|(`--.*?)) \|", manual, re.MULTILINE)
    options = [re.findall(r"--[\w-]+", cell) for _, cell in found]

    elsewhere = {"--app-port", "--version", "--help"}
    apart = ("Command", "Server behind this one (upstream)", "WSGI app")
    order = [*(heading for heading in pages.GROUPS if heading not in apart), *apart]
    assert list(dict.fromkeys(chain(*options))) == [
        option for heading in order for option in pages.GROUPS[heading] if option not in elsewhere
    ]
    assert [heading for heading, _ in found if heading] == order[: -len(apart)]
