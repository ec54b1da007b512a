"""--open: which program opens the browser, when none does, and that it holds nothing of ours."""

import subprocess
import threading

import pytest

from openssl_serve import tools
from openssl_serve.cli import browser
from openssl_serve.cli.browser import NoBrowserError, command, open_url

URL = "https://my.dev.local:8443/"

DESKTOP = {"DISPLAY": ":0"}
SSH = {"SSH_CONNECTION": "192.0.2.1 50000 192.0.2.2 22"}


@pytest.fixture
def programs(tmp_path, monkeypatch):
    """Make programs of these names the only ones in PATH; the folder they are in."""

    def make(*names):
        for name in names:
            (tmp_path / name).touch(0o755)
        monkeypatch.setenv("PATH", str(tmp_path))
        return tmp_path

    make()
    return make


@pytest.fixture
def ended():
    return threading.Event()


@pytest.mark.parametrize(
    ("platform", "there", "words"),
    [
        ("linux", ["xdg-open", "wslview", "gio"], ["xdg-open", URL]),
        ("linux", ["gio"], ["gio", "open", URL]),
        ("darwin", ["open", "xdg-open"], ["open", URL]),
    ],
)
def test_the_system_knows_which_browser(programs, platform, there, words):
    folder = programs(*there)

    assert command(URL, DESKTOP, platform) == [f"{folder}/{words[0]}", *words[1:]]


@pytest.mark.parametrize(
    ("named", "words"),
    [
        ("surf", ["surf", URL]),
        ("surf --new-window", ["surf", "--new-window", URL]),
        ("surf '-a b' %s", ["surf", "-a b", URL]),
        ("surf --url=%s --private", ["surf", f"--url={URL}", "--private"]),
        ("absent:surf", ["surf", URL]),
        (":surf &", ["surf", URL]),
    ],
)
@pytest.mark.parametrize("environment", [DESKTOP, SSH, {}])
def test_the_user_has_the_first_word(programs, named, words, environment):
    """Over SSH too, where an editor may have put a program that asks at the other end."""
    folder = programs("surf", "xdg-open")

    found = command(URL, {**environment, "BROWSER": named}, "linux")
    assert found == [f"{folder}/{words[0]}", *words[1:]]


def test_a_program_named_by_its_path_is_taken_as_it_is(programs):
    assert command(URL, {"BROWSER": "/opt/a/surf"}, "linux") == ["/opt/a/surf", URL]


@pytest.mark.parametrize(
    ("environment", "platform", "why"),
    [
        (SSH, "linux", "SSH"),
        ({"SSH_TTY": "/dev/pts/1"}, "darwin", "SSH"),
        ({}, "linux", "no display"),
        (DESKTOP, "linux", "xdg-open or wslview or gio: there is no such program"),
        ({}, "darwin", "open: there is no such program"),
        (DESKTOP, "plan9", "plan9"),
        ({"BROWSER": "absent"}, "linux", "BROWSER=absent: there is no such program"),
        ({"BROWSER": "'open"}, "linux", "BROWSER='open: no closing quotation"),
    ],
)
def test_where_none_can_be_opened(programs, environment, platform, why):
    with pytest.raises(NoBrowserError, match=why):
        command(URL, environment, platform)


@pytest.mark.parametrize("environment", [{**SSH, **DESKTOP}, {"WSL_DISTRO_NAME": "Debian"}])
def test_a_display_may_be_elsewhere(programs, environment):
    folder = programs("xdg-open")

    assert command(URL, environment, "linux") == [f"{folder}/xdg-open", URL]


def test_nothing_is_taken_from_the_folder_that_is_served(programs, monkeypatch):
    folder = programs("xdg-open")
    monkeypatch.chdir(folder)
    monkeypatch.setenv("PATH", ".:")

    with pytest.raises(NoBrowserError):
        command(URL, DESKTOP, "linux")


def test_it_has_neither_our_terminal_nor_our_secrets(fp, ended, monkeypatch):
    monkeypatch.setenv("BROWSER", "/opt/surf")
    monkeypatch.setenv("OPENSSL_SERVE_AUTH", "user:password")
    recorder = fp.register(["/opt/surf", URL])

    assert open_url(URL, ended).returncode == 0

    kwargs = recorder.first_call.kwargs
    streams = {kwargs.pop(name) for name in ("stdin", "stdout", "stderr")}
    assert streams == {subprocess.DEVNULL}
    environment = kwargs.pop("env")
    assert environment["BROWSER"] == "/opt/surf"
    assert "OPENSSL_SERVE_AUTH" not in environment
    assert kwargs == {"start_new_session": True}


@pytest.mark.parametrize(("code", "how"), [(3, "left with 3"), (-9, "was killed by signal 9")])
def test_one_that_fails(fp, ended, monkeypatch, code, how):
    monkeypatch.setenv("BROWSER", "/opt/surf")
    fp.register(["/opt/surf", URL], returncode=code)

    with pytest.raises(NoBrowserError, match=f"^/opt/surf {how}$"):
        open_url(URL, ended)


def test_one_that_cannot_be_started(ended, monkeypatch, tmp_path):
    monkeypatch.setenv("BROWSER", str(tmp_path))

    with pytest.raises(NoBrowserError, match=f"{tmp_path}: permission denied"):
        open_url(URL, ended)


@pytest.fixture
def staying(monkeypatch, tmp_path):
    """A browser that stays, as one does whose window is the first; it is ended by the test."""
    path = tmp_path / "surf"
    path.write_text("#!/bin/sh\nexec sleep 30\n")
    path.chmod(0o755)
    monkeypatch.setenv("BROWSER", str(path))
    started = []
    start = tools.start_apart

    def remembering(*arguments):
        started.append(start(*arguments))
        return started[-1]

    monkeypatch.setattr(tools, "start_apart", remembering)
    yield
    for child in started:
        child.kill()
        child.wait(10)


def test_one_that_stays_is_not_waited_for(staying, ended, monkeypatch):
    monkeypatch.setattr(browser, "PATIENCE_S", 0.1)

    assert open_url(URL, ended).poll() is None


def test_nor_is_any_when_the_server_ends(staying, ended, monkeypatch):
    monkeypatch.setattr(browser, "PATIENCE_S", 1e6)
    ended.set()

    assert open_url(URL, ended).poll() is None
