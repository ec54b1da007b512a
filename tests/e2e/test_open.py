"""`--open`, with a browser of the test's own."""

import os
from pathlib import Path

import pytest

from e2e.command import INSTALLED, Command
from e2e.session import CTRL_C, Session


def browser(folder: Path, *lines: str) -> dict[str, str]:
    """An environment in which a browser does *lines*, as a shell reads them."""
    path = folder / "browser"
    path.write_text("\n".join(("#!/bin/sh", *lines, "")))
    path.chmod(0o755)
    return {"BROWSER": str(path)}


@pytest.fixture
def opened(tmp_path: Path) -> Path:
    """Where the browser writes down its URL, as soon as somebody reads."""
    path = tmp_path / "opened"
    os.mkfifo(path)
    return path


@pytest.mark.parametrize("word", ["serve", "run"])
def test_the_browser_gets_the_first_url_that_answers(
    command: Command, opened: Path, word: str
) -> None:
    words = () if word == "serve" else ("--", "sleep", "30")
    environment = browser(command.folder, 'curl -sk "$1" >/dev/null', f'echo "$1" >{opened}')

    with command.start(
        word, "--open", "--port", "0", "--cert-host", "shop.invalid", *words,
        environment=environment,
    ) as running:  # fmt: skip
        url = opened.read_text()
        assert url == f"{running.urls[0]}\n"
        assert "no browser" not in running.banner
        if word == "run":
            assert running.end() == 130
            running.process.returncode = 0


def test_a_browser_that_fails_is_one_line(command: Command) -> None:
    environment = browser(command.folder, "exit 3")
    with command.start("--open", environment=environment) as running:
        assert running.stderr
        said = running.stderr.wait_for(r"^no browser is opened \((.*)\); it would show (\S+)$")
        assert said[1] == f"{environment['BROWSER']} left with 3"
        assert said[2] == running.urls[0]


def test_over_ssh_without_a_display_the_url_is_said(command: Command) -> None:
    with command.start("--open", environment={"SSH_TTY": "/dev/pts/9"}) as running:
        assert running.stderr
        running.stderr.wait_for(
            rf"^no browser is opened \(this session .* no display\); it would show "
            rf"https://localhost:{running.port}/$"
        )


def test_where_no_url_leads(command: Command) -> None:
    with command.start("--open", "--socket", str(command.folder / "s")) as running:
        assert running.stderr
        running.stderr.wait_for("^no browser is opened: no URL leads here$")


def test_it_outlives_us_and_hears_no_ctrl_c(command: Command, opened: Path) -> None:
    """Nor can it read what is typed."""
    go, log = command.folder / "go", command.folder / "log"
    os.mkfifo(go)
    environment = command.environment | browser(
        command.folder, f"echo $$ >{opened}", f"read -r line <{go}",
        f"{{ cat; (: </dev/tty) 2>&1 | grep -c tty; }} >{log}", f"echo still here >{opened}",
    )  # fmt: skip
    with Session([INSTALLED, "--open", "--port", "0"], environment, command.site) as session:
        assert opened.read_text().strip().isdigit()
        session.expect("Ctrl-C ends it")
        session.type(CTRL_C)
        assert session.wait() == 0

    go.write_text("go\n")
    assert opened.read_text() == "still here\n"
    assert log.read_text() == "1\n"
