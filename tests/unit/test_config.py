"""Options from files: what is read, what is refused, who has the last word."""

import json
import os

import pytest

from openssl_serve.cli import config
from openssl_serve.cli.commands import SERVING
from openssl_serve.cli.config_file import FILE_NAME, find_file
from openssl_serve.cli.program import commands_named
from openssl_serve.handlers.folder import SECRET_NAME


@pytest.fixture
def here(tmp_path, monkeypatch):
    """The current folder."""
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def options(cli):
    """What `config` says holds, by name; *words* go with it."""

    def ask(*words):
        found = json.loads(cli.good("config", "--json", *words).out)
        return {each["option"]: each for each in found["options"]}

    return ask


def write(folder, text, name=FILE_NAME):
    path = folder / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    return path


def test_every_option_with_a_variable_can_be_in_a_file():
    """And everything that serve has, has a variable."""
    (serve,) = commands_named(["serve"])
    options = {param.name for param in serve.params if param.name != "config"}

    assert {param.name for param in config.options_of(serve).values()} == options


def test_without_a_file_all_is_as_the_program_has_it(here, options):
    found = options()

    assert {each["origin"] for each in found.values()} == {"default"}
    assert found["bind-addr"]["value"] == "127.0.0.1:8080"
    assert found["target"]["value"] == "."
    assert found["workers"]["value"] == 1
    assert found["spa"]["value"] is False
    assert found["cache"]["value"] is None


def test_every_kind_of_value(here, options):
    write(
        here,
        """
        cert-host = ["a.test", "b.test,c.test"]
        port = 8443
        socket-mode = "660"
        spa = true
        cache = 60
        allow-host = "one.test"
        target = "http://127.0.0.1:3000"
        header = ["X-A: one two"]
        """,
    )
    found = options()
    set_here = {name: each["value"] for name, each in found.items() if each["origin"] == "file"}

    assert set_here == {
        "cert-host": ["a.test", "b.test,c.test"], "port": "8443", "socket-mode": "660",
        "spa": True, "cache": 60, "allow-host": ["one.test"], "target": "http://127.0.0.1:3000",
        "header": ["X-A: one two"],
    }  # fmt: skip
    assert {found[name]["name"] for name in set_here} == {FILE_NAME}


class TestPrecedence:
    @pytest.fixture(autouse=True)
    def _file(self, here):
        write(here, 'port = 1\nspa = true\nallow-host = ["a.test"]\nopenssl = "x"\n', "named.toml")
        write(here, "port = 2\nworkers = 2\n")

    def test_environment_over_file(self, options, monkeypatch):
        monkeypatch.setenv("OPENSSL_SERVE_PORT", "3")
        monkeypatch.setenv("OPENSSL_SERVE_SPA", "0")
        found = options("--config", "named.toml")

        assert found["port"] == {
            "option": "port", "value": "3", "secret": False,
            "origin": "environment", "name": "OPENSSL_SERVE_PORT",
        }  # fmt: skip
        assert found["spa"]["value"] is False
        assert found["allow-host"]["value"] == ["a.test"]

    def test_a_named_file_instead_of_the_one_here(self, options, monkeypatch):
        assert options("--config", "named.toml")["workers"]["origin"] == "default"
        monkeypatch.setenv("OPENSSL_SERVE_CONFIG", "named.toml")
        assert options()["port"]["value"] == "1"
        assert options("--config", FILE_NAME)["port"]["value"] == "2"

    @pytest.mark.parametrize("command", ["serve", "run", "generate", "trust"])
    def test_command_line_over_all_for_every_switch(self, command):
        (found,) = commands_named([command])
        switches = [
            each for each in config.options_of(found).values() if getattr(each, "is_flag", False)
        ]
        assert bool(switches) == (command in SERVING)
        for switch in switches:
            (said,), (opposite,) = switch.opts[:1], switch.secondary_opts
            for word, value in ((said, True), (opposite, False)):
                context = found.make_context(
                    command, [word, *(["x"] if command == "run" else [])],
                    default_map={switch.name: not value},
                )  # fmt: skip
                assert context.params[switch.name] is value

    def test_no_file_at_all(self, options):
        assert options("--config", os.devnull)["port"]["origin"] == "default"

    @pytest.mark.parametrize(
        ("words", "variables", "port"),
        [
            ([], {}, "2"),
            ([], {"BIND_ADDR": "127.0.0.1:3"}, "3"),
            (["--bind-addr", "127.0.0.1:4"], {"PORT": "3"}, "4"),
            (["--port", "4"], {"BIND_ADDR": "127.0.0.1:3"}, "4"),
        ],
    )
    def test_the_parts_of_an_address_come_from_all_of_them(
        self, cli, monkeypatch, words, variables, port
    ):
        """Asked of what cannot be listened on: TEST-NET-1 (RFC 5737) is nobody's."""
        for name, value in variables.items():
            monkeypatch.setenv(f"OPENSSL_SERVE_{name}", value)

        assert f"192.0.2.1:{port}" in cli.refused(6, "serve", "--host", "192.0.2.1", *words)

    @pytest.mark.parametrize(
        ("words", "place"),
        [
            ([], "absent/s"),
            (["--lan"], "192.0.2.1:2"),
            (["--port", "4"], "192.0.2.1:4"),
            (["--no-lan"], "absent/s"),
            (["--socket", "none/t", "--port", "4"], "none/t"),
        ],
    )
    def test_an_address_on_the_command_line_takes_a_socket_back(
        self, here, cli, monkeypatch, words, place
    ):
        write(here, 'socket = "absent/s"\nport = 2\nhost = "192.0.2.1"\nlan = false')
        monkeypatch.setattr("openssl_serve.server.lan.any_address", lambda: "192.0.2.1")

        assert f"cannot listen on {place}" in cli.refused(6, "serve", *words)

    @pytest.mark.parametrize("word", ["--cert", "--cert=false"])
    def test_a_pair_is_taken_back_as_a_whole(self, here, cli, word):
        write(here, 'cert = "a.crt"\ncert-key = "a.key"')

        assert "a.crt: no such file" in cli.refused(4, "serve")
        assert "openssl req" in cli.good("serve", "--explain", word).out
        assert cli.refused(2, "serve", word, "--cert-key", "b.key") == "--cert is missing"


class TestProjectFile:
    def test_a_table_of_pyproject(self, here, options):
        write(here, "[tool.openssl-serve]\nport = 8443\n", "pyproject.toml")

        assert options()["port"]["name"] == "pyproject.toml"

    def test_our_own_file_wins(self, here, options):
        write(here, "[tool.openssl-serve]\nport = 1\nspa = true", "pyproject.toml")
        write(here, "port = 2")

        assert options()["port"]["value"] == "2"
        assert options()["spa"]["origin"] == "default"

    @pytest.mark.parametrize(
        "text",
        [
            "[tool.ruff]\nline-length = 100",
            "[project]\ndependencies = ['openssl-serve']",
            "this is no TOML, and not about us",
            "tool = 1 # openssl-serve",
        ],
    )
    def test_one_without_our_table_is_nothing(self, here, options, text):
        write(here, text, "pyproject.toml")

        assert options()["port"]["origin"] == "default"

    def test_one_without_a_word_about_us_is_not_parsed(self, here, monkeypatch):
        write(here, "[project]\nname = 'other'", "pyproject.toml")
        monkeypatch.setitem(__import__("sys").modules, "tomllib", None)

        assert find_file() == (None, {})

    def test_a_table_that_is_none(self, here, cli):
        write(here, "tool.openssl-serve = 1", "pyproject.toml")

        message = cli.refused(2, "config")
        assert message == "pyproject.toml: tool.openssl-serve is a number, and a table is wanted"


class TestTables:
    def test_a_command_has_its_own(self, here, options):
        write(here, 'port = 1\n[generate]\ndays = 90\nkey-type = "p384"\n[serve]\nport = 2')

        assert options("generate")["days"]["value"] == 90
        assert options("generate")["key-type"]["value"] == "p384"
        assert options("sign")["days"]["value"] == 365
        assert options()["port"]["value"] == "2"

    def test_generate_follows_its_table(self, here, cli):
        write(here, "[generate]\ndays = 91")

        assert "-days 91 " in cli.good("generate", "--explain").out
        assert "-days 7 " in cli.good("generate", "--explain", "--days", "7").out

    def test_openssl_is_for_all(self, here, options):
        write(here, 'openssl = "a"\n[verify]\nopenssl = "b"')
        found = {
            command: options(command, "--config", FILE_NAME)["openssl"]["value"]
            for command in ("serve", "generate", "verify")
        }

        assert found == {"serve": "a", "generate": "a", "verify": "b"}


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("prot = 1", 'there is no option "prot"', 'did you mean "port"?'),
        ("cert_host = 'a'", 'there is no option "cert_host"', 'did you mean "cert-host"?'),
        ("[generat]", 'there is no option "generat"', 'did you mean "generate"?'),
        ("xyzzy = 1", 'there is no option "xyzzy"', "all there are: openssl-serve config"),
        ("days = 1", 'there is no option "days"', None),
        ("config = 'x'", 'there is no option "config"', None),
        ("[generate]\nport = 1", '[generate] there is no option "port"', None),
        ("[list]\nday = 1", '[list] there is no option "day"', None),
        ('"a\\n\\u001b[31m" = 1', r'there is no option "a\n\x1b[31m"', None),
        ("port = 1.5", "port is a number with a point, and text is wanted", None),
        ("port = true", "port is true or false, and text is wanted", None),
        ("socket-mode = 0o660", "socket-mode is a number, and text is wanted", None),
        ("workers = '2'", "workers is text, and a number is wanted", None),
        ("workers = true", "workers is true or false, and a number is wanted", None),
        ("spa = 'yes'", "spa is text, and true or false is wanted", None),
        ("spa = 1", "spa is a number, and true or false is wanted", None),
        ("spa = [true]", "spa is a list, and true or false is wanted", None),
        ("allow-host = 1", "allow-host is a number, and text or a list of them is wanted", None),
        ("allow-host = [[]]", "allow-host is a list, and text or a list of them is wanted", None),
        ("auth = ['me:hush']", "auth is a list, and text is wanted", None),
        ("auth = {me = 'hush'}", "auth is a table, and text is wanted", None),
        ("log-format = 2026-11-23", "log-format is a date or time, and text is wanted", None),
        ("port = ", "invalid value (at end of document)", None),
        ("port = 1\nport = 2", "cannot overwrite a value (at ", None),
        ("a = " + "[" * 5000, "nested too deeply", None),
        (b"a = '\xff'", "codec can't decode byte 0xff", None),
    ],
)
def test_what_cannot_be_meant_is_refused(here, cli, text, message, hint):
    (here / FILE_NAME).write_bytes(text if isinstance(text, bytes) else text.encode())
    finished = cli("config")

    assert finished.code == 2
    (error,) = finished.errors
    assert error.startswith(f"{FILE_NAME}: ")
    assert message in error
    assert "hush" not in finished.err
    assert finished.out == ""
    if hint:
        assert f"openssl-serve: hint: {hint}\n" in finished.err


@pytest.mark.parametrize(
    ("text", "command", "message"),
    [
        ("prot = 1", "serve", 'there is no option "prot"'),
        ("spa = 1", "serve", "spa is a number"),
        ("[serve]\nprot = 1", "serve", '[serve] there is no option "prot"'),
        ("[generate]\nday = 1", "generate", '[generate] there is no option "day"'),
        ("[generat]\nday = 1", "serve", 'there is no option "generat"'),
    ],
)
def test_each_command_refuses_what_is_meant_for_it(here, cli, text, command, message):
    write(here, text)

    assert message in cli.refused(2, command)


def test_what_is_meant_for_others_stands_in_nobodys_way(here, cli):
    write(here, "prot = 1\n[export]\nnonsense = 1")

    assert cli.good("generate", "--explain").out


class TestFoundAndNamed:
    """A folder that was unpacked or cloned is served with its file, and gains no more by it."""

    @pytest.mark.parametrize(
        ("text", "key"),
        [
            ("openssl = './evil'", "openssl"),
            ("[generate]\nopenssl = './evil'", "openssl"),
            ("target = 'evil:app'", "target"),
            ("route = ['/x=evil:app']", "route"),
        ],
    )
    def test_one_that_lies_here_chooses_no_program(self, here, cli, text, key):
        write(here, text)

        message = cli.refused(2, "config")
        assert message == (
            f"{FILE_NAME}: {key} chooses a program, which only a file that you name may do"
        )
        assert cli("config", "--config", FILE_NAME).code == 0

    @pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
    @pytest.mark.parametrize(
        ("name", "text"),
        [(FILE_NAME, "port = 1"), ("pyproject.toml", "[tool.openssl-serve]\nport = 1")],
    )
    def test_a_strangers_file_is_not_followed(self, here, cli, options, monkeypatch, name, text):
        path = write(here, text, name)
        os.chown(path, 12345, 12345)

        assert "belongs to another user (12345)" in cli.refused(2, "config")
        assert options("--config", name)["port"]["value"] == "1"
        monkeypatch.setenv("SUDO_UID", "12345")
        assert options()["port"]["value"] == "1"

    @pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
    def test_a_strangers_project_is_not_about_us(self, here, options):
        os.chown(write(here, "[tool.other]\n'openssl-serve' = 1", "pyproject.toml"), 12345, 1)

        assert options()["port"]["origin"] == "default"

    @pytest.mark.parametrize("kind", ["folder", "fifo", "dangling link"])
    def test_what_is_no_file_is_not_read(self, here, options, kind):
        path = here / FILE_NAME
        {"folder": path.mkdir, "fifo": lambda: os.mkfifo(path)}.get(
            kind, lambda: path.symlink_to("nowhere")
        )()

        assert options()["port"]["origin"] == "default"

    @pytest.mark.parametrize(
        ("name", "reason"), [("none.toml", "no such file or directory"), (".", "is a directory")]
    )
    def test_a_named_one_has_to_be_there(self, here, cli, name, reason):
        assert cli.refused(2, "config", "--config", name) == f"--config {name}: {reason}"
        assert cli.refused(2, "serve", "--config", name) == f"--config {name}: {reason}"


def test_paths_are_relative_to_the_file(here, options, monkeypatch):
    monkeypatch.setenv("HOME", str(here))
    write(
        here / "conf",
        """
        cert = ["a.pem", "false", ""]
        cert-key = "/abs/a.key"
        auth-file = "~/users"
        openssl = "openssl3"
        target = "site"
        route = ["/docs=docs", "/api=http://127.0.0.1:4000", "/none=none", "a.test=app:app"]
        [generate]
        openssl = "bin/openssl"
        """,
        "x.toml",
    )
    for name in ("site", "docs"):
        (here / "conf" / name).mkdir()
    found = options("--config", "conf/x.toml")

    assert {name: found[name]["value"] for name in found if found[name]["origin"] == "file"} == {
        "cert": ["conf/a.pem", "false", ""],
        "cert-key": ["/abs/a.key"],
        "auth-file": str(here / "users"),
        "openssl": "openssl3",
        "target": "conf/site",
        "route": [
            "/docs=conf/docs", "/api=http://127.0.0.1:4000", "/none=none", "a.test=app:app",
        ],
    }  # fmt: skip
    assert options("generate", "--config", "conf/x.toml")["openssl"]["value"] == "conf/bin/openssl"


@pytest.mark.parametrize(("text", "value"), [("true", [""]), ("false", ["false"])])
def test_cert_as_in_code_servers_file(here, options, text, value):
    write(here, f"cert = {text}")

    assert options()["cert"]["value"] == value


class TestShown:
    def test_no_secret(self, here, cli, monkeypatch):
        write(here, 'auth = "me:hush"\ntarget = "http://me:hush@127.0.0.1:3000/"')
        for words in ([], ["--json"]):
            shown = cli.good("config", *words)
            assert "hush" not in shown.out + shown.err
        assert ["auth", "set,", "not", "shown", FILE_NAME] in [
            line.split() for line in cli.good("config").lines
        ]
        monkeypatch.setenv("OPENSSL_SERVE_AUTH", "me:hush2")
        assert "hush" not in cli.good("config").out

    def test_fields_from_the_environment_as_serve_reads_them(self, here, options, monkeypatch):
        monkeypatch.setenv("OPENSSL_SERVE_HEADER", "X-A: one two\nX-B: three")

        assert options()["header"]["value"] == ["X-A: one two", "X-B: three"]

    def test_a_variable_that_cannot_be_meant(self, here, cli, monkeypatch):
        monkeypatch.setenv("OPENSSL_SERVE_WORKERS", "many")

        assert '"many"' in cli.refused(2, "config")

    def test_a_command_that_is_none(self, here, cli):
        assert cli.refused(2, "config", "serv") == 'there is no command "serv"'

    def test_a_table_for_people(self, here, cli):
        write(here, 'allow-host = ["a.test", "b.test"]\nspa = true')
        lines = cli.good("config").lines

        assert lines[0].split() == ["OPTION", "VALUE", "FROM"]
        for words in (["allow-host", "a.test,", "b.test", FILE_NAME], ["spa", "yes", FILE_NAME],
                      ["lan", "no", "default"], ["cache", "not", "set", "default"]):  # fmt: skip
            assert words in [line.split() for line in lines]


@pytest.mark.parametrize(
    ("variable", "said"),
    [("99", "--workers was set by the variable OPENSSL_SERVE_WORKERS"),
     ("many", "--workers was set by the variable OPENSSL_SERVE_WORKERS"),
     (None, f"--workers was set in {FILE_NAME}")],
)  # fmt: skip
def test_an_error_names_where_the_value_comes_from(here, cli, monkeypatch, variable, said):
    write(here, "workers = 99")
    if variable:
        monkeypatch.setenv("OPENSSL_SERVE_WORKERS", variable)

    assert f"openssl-serve: hint: {said}\n" in cli("serve").err
    assert said not in cli("serve", "--workers", "98").err


def test_serve_says_which_file_it_follows(here, cli):
    write(here, "port = 0")

    assert f"options from {FILE_NAME}\n" in cli.good("serve", "--explain").err
    assert "options from" not in cli.good("serve", "--explain", "--config", os.devnull).err


def test_help_does_not_depend_on_the_folder(here, cli):
    write(here, "this is no TOML")

    assert "--config FILE" in cli.good("serve", "--help").out


def test_the_file_is_never_served_by_its_name():
    assert FILE_NAME.encode() == SECRET_NAME
