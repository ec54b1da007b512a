"""The look-out for changed code."""

import importlib
import os
import sys
import threading
import types
from importlib.machinery import SourceFileLoader

import pytest

from openssl_serve.errors import UsageError
from openssl_serve.handlers.wsgi import reloading as module
from openssl_serve.handlers.wsgi.loading import parse_app_name
from openssl_serve.handlers.wsgi.reloading import ModuleWatch, Reloading


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A current folder with one module, imported as `watched_here`."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "watched_here.py").write_text("one = 1\n")
    importlib.import_module("watched_here")
    yield tmp_path
    for name in [name for name in sys.modules if name.startswith("watched_")]:
        del sys.modules[name]


@pytest.fixture
def watch(project):
    watch = ModuleWatch(lambda path: None)
    watch.look()
    return watch


def test_nothing_has_changed(watch):
    assert watch.look() is None


def test_a_saved_module(watch, project):
    path = project / "watched_here.py"
    path.write_text("two = 2\n")

    assert watch.look() == str(path)


def test_one_that_was_replaced_with_the_same_size_and_time(watch, project):
    path = project / "watched_here.py"
    status = path.stat()
    new = project / "new"
    new.write_text("two = 2\n")
    os.utime(new, ns=(status.st_atime_ns, status.st_mtime_ns))
    new.rename(path)

    assert watch.look() == str(path)


def test_one_that_is_away_is_waited_for(watch, project):
    path = project / "watched_here.py"
    path.unlink()
    assert watch.look() is None
    path.write_text("two = 2\n")

    assert watch.look() == str(path)


def test_one_that_is_imported_later_is_watched_from_then_on(watch, project):
    path = project / "watched_later.py"
    path.write_text("one = 1\n")
    importlib.import_module("watched_later")
    assert watch.look() is None
    path.write_text("three = 3\n")

    assert watch.look() == str(path)


def test_pythons_own_modules_are_not_looked_at_and_installed_ones_are(project):
    paths = set(module._paths())

    assert threading.__file__ not in paths
    assert pytest.__file__ in paths
    assert str(project / "watched_here.py") in paths


def test_what_is_saved_while_it_is_imported_is_not_taken_for_it(project, monkeypatch):
    monkeypatch.setattr(SourceFileLoader, "path_stats", SourceFileLoader.path_stats)
    watch = ModuleWatch(lambda path: None)
    watch.follow_imports()
    path = project / "watched_slow.py"
    path.write_text("from pathlib import Path\nPath(__file__).write_text('saved = 1')\n")
    importlib.import_module("watched_slow")

    assert watch.look() == str(path)


def test_after_a_failure_where_it_came_from_and_what_is_new_beside_it(project):
    (project / "watched_broken.py").write_text("import watched_absent\n")
    watch = ModuleWatch(lambda path: None)
    with pytest.raises(ImportError) as caught:
        importlib.import_module("watched_broken")
    watch.loaded(caught.value)
    assert watch.look() is None
    (project / "notes.txt").write_text("no module")
    assert watch.look() is None
    (project / "watched_absent.py").write_text("")
    assert watch.look() == str(project)
    (project / "watched_absent.py").unlink()
    assert watch.look() is None
    (project / "watched_broken.py").write_text("one = 1\n")
    assert watch.look() == str(project / "watched_broken.py")


def test_after_a_syntax_error_its_file(project):
    path = project / "watched_broken.py"
    path.write_text("def f(:\n")
    watch = ModuleWatch(lambda path: None)
    with pytest.raises(SyntaxError) as caught:
        importlib.import_module("watched_broken")
    watch.loaded(caught.value)
    assert watch.look() is None
    path.write_text("one = 1\n")
    assert watch.look() == str(path)


def test_a_change_is_told_once_and_what_was_compiled_is_forgotten(project, monkeypatch):
    monkeypatch.setattr(module, "LOOK_EVERY_S", 0.001)
    told = threading.Semaphore(0)
    paths = []

    def tell(path):
        paths.append(path)
        told.release()

    compiled = importlib.util.cache_from_source(str(project / "watched_here.py"))
    assert os.path.exists(compiled) or sys.dont_write_bytecode
    watch = ModuleWatch(tell)
    watch.start()
    path = project / "watched_here.py"
    path.write_text("two = 2\n")

    assert told.acquire(timeout=5)
    path.write_text("six = 6\n")
    assert paths == [str(path)]
    assert not os.path.exists(compiled)


def test_only_apps_are_loaded_late(project):
    reloading = Reloading()
    (project / "watched_app.py").write_text("1 / 0")
    late = reloading.late(parse_app_name("watched_app:app"))

    assert str(late) == "watched_app:app"
    assert reloading.late(project) is project
    assert reloading.apps == [late]


def test_a_module_that_there_is_not_is_told_at_once(project):
    with pytest.raises(UsageError, match='no module "watched_absent"'):
        Reloading().late(parse_app_name("watched_absent.inner:app"))


def test_no_module_is_imported_by_looking_at_it(project, monkeypatch):
    class Lazy(types.ModuleType):
        def __getattr__(self, name):
            raise AssertionError(name)

    lazy = Lazy("watched_lazy")
    monkeypatch.setitem(sys.modules, "watched_lazy", lazy)
    monkeypatch.setitem(sys.modules, "watched_none", None)

    assert str(project / "watched_here.py") in set(module._paths())
