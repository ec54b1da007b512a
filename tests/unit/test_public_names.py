"""`import openssl_serve`: what it gives, and that it costs nothing before it is asked."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import openssl_serve

SOURCE = ast.parse(Path(openssl_serve.__file__).read_text(encoding="utf-8"))


def names_for_type_checkers():
    """Where the names are imported from under TYPE_CHECKING."""
    guarded = next(node for node in SOURCE.body if isinstance(node, ast.If))
    return {
        alias.name: node.module
        for node in guarded.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }


def test_what_is_listed_is_what_type_checkers_see():
    assert openssl_serve.__all__ == sorted(names_for_type_checkers())


@pytest.mark.parametrize(("name", "module"), names_for_type_checkers().items())
def test_each_name_is_what_type_checkers_see(name, module):
    found = getattr(openssl_serve, name)

    assert found is getattr(sys.modules[module], name)
    assert openssl_serve.__dict__[name] is found
    assert name in dir(openssl_serve)
    assert found.__doc__


def test_a_name_that_is_not_there_is_an_attribute_error():
    with pytest.raises(AttributeError, match="'openssl_serve' has no attribute 'serv'"):
        openssl_serve.serv  # type: ignore[attr-defined]  # noqa: B018
    assert not hasattr(openssl_serve, "__path_of_nothing__")


def test_all_of_it_can_be_imported_at_once():
    names: dict[str, object] = {}

    exec("from openssl_serve import *", names)

    assert set(openssl_serve.__all__) <= set(names)


def test_importing_it_imports_nothing_else_of_ours():
    """The command line and the pytest plugin import it too, and pay for no API."""
    code = "import sys, openssl_serve; print(*(n for n in sys.modules if n.startswith('openssl_')))"

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout == "openssl_serve\n"
