"""Apps found by their names, and what is said when there is none."""

import sys
from wsgiref.simple_server import demo_app

import pytest

from openssl_serve.errors import AppError, UsageError
from openssl_serve.handlers.wsgi.loading import parse_app_name


@pytest.fixture
def project(tmp_path, monkeypatch):
    """An empty current folder, whose modules are forgotten afterwards."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [path for path in sys.path if path])
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        if getattr(sys.modules[name], "__file__", None) is None or str(tmp_path) in str(
            sys.modules[name].__file__
        ):
            del sys.modules[name]


def write(folder, name, text):
    path = folder / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)


APP = "def app(environ, start_response): return []\n"


def load(text):
    return parse_app_name(text).load()


@pytest.mark.parametrize(
    ("text", "module", "attributes", "call"),
    [
        ("app:app", "app", ("app",), None),
        ("a.b:c.d", "a.b", ("c", "d"), None),
        ("app:make()", "app", ("make",), ((), {})),
        ("app:make('x', 1, debug=[True])", "app", ("make",), (("x", 1), {"debug": [True]})),
        ("app:a.make()", "app", ("a", "make"), ((), {})),
        ("été:app", "été", ("app",), None),
    ],
)
def test_a_name_is_read(text, module, attributes, call):
    name = parse_app_name(text)

    assert (name.module, name.attributes, name.call) == (module, attributes, call)
    assert str(name) == text


@pytest.mark.parametrize(
    "text",
    ["app:", "app:1", "app:a b", "app:a[0]", "app:a()()", "app:make(os)", "app:make(*x)",
     "app:make(**x)", "app:make(f())", "app:a+b", "a b:c", ":app", ".app:app", "app:a\nb", "1:a"],
)  # fmt: skip
def test_what_is_no_name_is_refused_and_never_evaluated(text):
    with pytest.raises(UsageError) as caught:
        parse_app_name(text)

    assert "\n" not in str(caught.value)
    assert caught.value.hints


@pytest.mark.parametrize(("text", "meant"), [("app.py:app", "app:app"), ("a/b.py:x", "a.b:x")])
def test_a_file_is_told_its_module(text, meant):
    with pytest.raises(UsageError, match="not its file") as caught:
        parse_app_name(text)

    assert caught.value.hints == (f"openssl-serve {meant}",)


def test_an_app_of_the_current_folder(project):
    write(project, "found_app.py", APP + "class Site:\n  inner = staticmethod(app)\n")
    write(project, "found_package/__init__.py", "")
    write(project, "found_package/main.py", APP)

    assert load("found_app:app").__name__ == "app"
    assert load("found_app:Site.inner").__name__ == "app"
    assert load("found_package.main:app").__name__ == "app"
    assert load("wsgiref.simple_server:demo_app") is demo_app


def test_a_factory_is_called_with_what_was_given(project):
    write(
        project,
        "made_app.py",
        "def make(*args, **keywords):\n"
        "  def app(environ, start_response): return [args, keywords]\n"
        "  return app\n",
    )

    assert load("made_app:make(1, two='x')")(None, None) == [(1,), {"two": "x"}]


@pytest.mark.parametrize(
    ("code", "text", "message", "hint"),
    [
        ("", "absent:app", 'absent:app: there is no module "absent"', "folder: some, some_more"),
        ("", "some.absent:app", 'there is no module "some.absent"', "folder: some"),
        (APP, "some:ap", 'there is no "ap" in some', "what can be called in some: app"),
        ("x = 1", "some:app", 'there is no "app" in some', "an app is named"),
        ("def create_app(): pass", "some:app", 'there is no "app"', "called in some: create_app"),
        ("x = 1", "some:x.y", 'there is no "y" in some.x', "an app is named"),
        ("x = 1", "some:x", "some:x is int, and an app can be called", "an app is named"),
        ("x = 1", "some:x()", "int cannot be called", "an app is named"),
        ("def make(): pass", "some:make", "takes no environ", "openssl-serve 'some:make()'"),
        ("def make(): return make", "some:make()", "takes no environ", "an app is named"),
        ("async def app(a, b): pass", "some:app", "is an ASGI app", "uvicorn --port 3000 some:app"),
        ("class A:\n  async def __call__(self, a, b, c): pass\napp = A()", "some:app", "ASGI",
         "http://127.0.0.1:3000"),
        ("def app(scope, receive, send): pass", "some:app", "is an ASGI app", "uvicorn"),
    ],
)  # fmt: skip
def test_what_is_no_app_is_told_with_what_might_be(project, code, text, message, hint):
    write(project, "some.py", code)
    write(project, "some_more/__init__.py", "")
    with pytest.raises(UsageError) as caught:
        load(text)

    assert message in str(caught.value)
    assert hint in " ".join(caught.value.hints)


def test_a_module_that_is_another_is_told(project):
    write(project, "string.py", APP)
    with pytest.raises(UsageError) as caught:
        load("string:app")

    assert "not string.py: another name helps" in caught.value.hints[0]


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("import os\n1 / 0", "ZeroDivisionError: division by zero"),
        ("def f(:", "SyntaxError: invalid syntax (broken.py, line 1)"),
        ("import absent_of_broken", "ModuleNotFoundError: No module named 'absent_of_broken'"),
        ("from os import absent", "ImportError: cannot import name 'absent' from 'os'"),
        ("import sys; sys.exit('usage: x')", "SystemExit: usage: x"),
        ("raise ValueError('two\\nlines')", "ValueError: two"),
    ],
)
def test_code_that_fails_is_shown_from_its_first_line_on(project, code, message):
    write(project, "broken.py", code)
    with pytest.raises(AppError) as caught:
        load("broken:app")

    assert str(caught.value).startswith(f"broken:app cannot be loaded: {message}")
    trace = caught.value.trace
    assert "broken.py" in trace.splitlines()[0 if "SyntaxError" in message else 1]
    assert "importlib" not in trace
    assert "loading.py" not in trace
    assert caught.value.exit_code == 1


def test_a_factory_that_fails_is_shown_too(project):
    write(project, "broken_factory.py", "def make(): return {}['key']")
    with pytest.raises(AppError, match="KeyError: 'key'") as caught:
        load("broken_factory:make()")

    assert "in make" in caught.value.trace
