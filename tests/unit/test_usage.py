"""What is said of a command line that cannot be meant so: in one voice, with what may be meant."""

import pytest

from openssl_serve.cli import usage


@pytest.fixture
def here(tmp_path, monkeypatch):
    """An empty folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("line", "error"),
    [
        ("--porrt 1", "there is no option --porrt"),
        ("-x", "there is no option -x"),
        ("generate --dayz=1", "there is no option --dayz"),
        ("run", "COMMAND is missing"),
        ("sign", "CSR is missing"),
        ("remove", "HOST is missing"),
        ("--port", "--port needs a value"),
        ("serve -p", "-p needs a value"),
        ("--lan=1", "--lan takes no value"),
        ("--no-lan=1", "--no-lan takes no value"),
        ("--no-port", "there is no option --no-port"),
        (". b c", "too many words: b c"),
        ("list a", "too many words: a"),
        ("--workers x", '--workers "x" is not a number'),
        ("generate --days=1.5", '--days "1.5" is not a number'),
        ("export --port 0", "--port 0: from 1 to 65535 make sense"),
        ("--workers 0", "--workers 0: from 1 to 64 make sense"),
        ("--threads 1001", "--threads 1001: from 1 to 1000 make sense"),
        ("--cache -1", "--cache -1: from 0 to 31536000 seconds make sense"),
        (
            "http://127.0.0.1:1 --upstream-timeout 0",
            "--upstream-timeout 0: from 1 to 86400 seconds make sense",
        ),
    ],
)
def test_the_parser_speaks_as_we_do(cli, here, line, error):
    assert cli.refused(2, *line.split(" ")) == error


@pytest.mark.parametrize(
    ("name", "value", "error"),
    [
        ("VERBOSE", "maybe", '--verbose "maybe": 1 or 0 is wanted'),
        ("LAN", "", None),
        ("WORKERS", "two", '--workers "two" is not a number'),
    ],
)
def test_a_variable_that_cannot_be_meant_so(cli, here, monkeypatch, name, value, error):
    monkeypatch.setenv(f"OPENSSL_SERVE_{name}", value)

    if error is None:
        cli.good("--explain")
    else:
        assert cli.refused(2, "--explain") == error
        hint = f"--{name.lower()} was set by the variable OPENSSL_SERVE_{name}"
        assert hints(cli("--explain"))[-1] == hint


def hints(finished):
    prefix = "openssl-serve: hint: "
    return [
        line.removeprefix(prefix) for line in finished.err.splitlines() if line.startswith(prefix)
    ]


@pytest.mark.parametrize(
    ("line", "hint"),
    [
        ("--porrt 1", "did you mean --port?"),
        ("generate --dayz 1", "did you mean --days?"),
        ("renew --chek", "did you mean --check?"),
        ("list --halp", "did you mean --help?"),
        ("genrate", "did you mean openssl-serve generate?"),
        ("genrate a.test", "did you mean openssl-serve generate?"),
        ("doktor --json", "did you mean openssl-serve doctor?"),
        ("--openssl x generate a.test", "the command comes first: openssl-serve generate"),
        ("-v list", "the command comes first: openssl-serve list"),
        ("help", "openssl-serve --help"),
        ("version", "openssl-serve --version"),
    ],
)
def test_what_was_probably_meant_is_the_first_hint(cli, here, line, hint):
    assert hints(cli(*line.split()))[0] == hint


@pytest.mark.parametrize(
    "line", ["--zzz", "-x", "quite-another", "http://", "trust --port 1", "./genrate", "tests x"]
)
def test_nothing_is_guessed_that_is_not_alike(cli, here, line):
    (here / "tests").mkdir()
    finished = cli(*line.split())

    assert finished.code == 2
    assert not any("did you mean" in hint for hint in hints(finished))


def test_what_nobody_knows_yet_is_said_as_it_is():
    class ComplaintError(Exception):
        def format_message(self):
            return "Something New: has happened."

    found = usage.error_of(ComplaintError())

    assert str(found) == "something New: has happened"
    assert found.hints == ("openssl-serve --help shows what can be said",)
