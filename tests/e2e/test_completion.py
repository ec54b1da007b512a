"""Real shells complete the command line with the scripts that the command prints."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from terminals import Session

from e2e.command import INSTALLED, Command

SHOW_LINE = "\x14"
"""Ctrl-T, which each shell is told to print its line for: `{the line}`."""

SHELLS = {
    "bash": (
        ["bash", "--norc", "--noprofile", "-i"],
        r"""source <(openssl-serve completion bash); bind 'set show-all-if-ambiguous on'
        bind -x '"\C-t": printf "{%s}\n" "$READLINE_LINE"'""",
    ),
    "zsh": (
        ["zsh", "-f", "-i"],
        """autoload -Uz compinit; compinit -u -d ~/dump; source <(openssl-serve completion zsh)
        show() { print -r -- "{$BUFFER}" }; zle -N show; bindkey '^T' show""",
    ),
    "fish": (
        ["fish", "--no-config", "-i"],
        r"""openssl-serve completion fish | source
        bind \ct 'echo "{"(commandline)"}"'""",
    ),
}  # fmt: skip


def start(command: Command, shell: str) -> Session:
    """A shell as a user has it who has never configured one, with our completion."""
    program, setup = SHELLS[shell]
    if not shutil.which(shell):
        pytest.skip(f"no {shell} here")
    path = f"{Path(INSTALLED).parent}:{command.environment['PATH']}"
    environment = command.environment | {"PATH": path, "TERM": "dumb"}
    session = Session(program, environment, command.site)
    # The line itself is echoed: it must not be what is waited for.
    session.type(f"{setup}\necho SET''UP\n")
    session.wait_for("SETUP\n")
    return session


@pytest.fixture
def shell(command: Command, request: pytest.FixtureRequest) -> Iterator[Session]:
    for host in ("my.dev.local", "*.my.dev.local"):
        assert command.run("generate", host).code == 0
    (command.site / "folder").mkdir()
    session = start(command, request.param)
    yield session
    session.close()


@pytest.mark.parametrize("shell", SHELLS, indirect=True)
def test_a_tab_completes(shell: Session) -> None:
    for typed, line in {
        "gen": "generate ",
        "--plain-http=red": "--plain-http=redirect ",
        "--log-format j": "--log-format json ",
        "show m": "show my.dev.local ",
        "path '*.": "path '*.my.dev.local' ",
        "folder --live": "folder --live-reload ",
        "fol": "folder/",
        "--cert=hel": "--cert=hello.txt ",
        "--port h": "--port h",
    }.items():
        shell.type(f"openssl-serve {typed}\t{SHOW_LINE}")
        assert shell.wait_for(r"\{(.*?)\}")[1] == f"openssl-serve {line}"
        shell.type("\x15")


@pytest.mark.parametrize(
    ("shell", "keys", "listed"),
    [
        ("bash", "openssl-serve remove \t", r"\\\*\.my\.dev\.local +my\.dev\.local"),
        ("zsh", "openssl-serve remove \t", r"\*\.my\.dev\.local +my\.dev\.local +-- kept"),
        # Words that say what they are have nothing beside them.
        ("zsh", "openssl-serve --log-format \t", r"text +json +common +none\n"),
        # What its pager shows is all escape codes.
        ("fish", "complete -C 'openssl-serve remove '\n", r"\*\.my\.\S+\s+kept\s+my\.\S+\s+kept"),
    ],
    indirect=["shell"],
)
def test_a_tab_lists_what_can_follow(shell: Session, keys: str, listed: str) -> None:
    shell.type(keys)

    shell.wait_for(listed)
