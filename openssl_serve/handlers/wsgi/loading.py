"""Apps by their names: `module:app`, or `module:factory()`, found as Python finds modules."""

import ast
import importlib.util
import os
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from openssl_serve.errors import AppError, UsageError
from openssl_serve.handlers.wsgi.call import App
from openssl_serve.handlers.wsgi.wsgi import Wsgi
from openssl_serve.hosts import shorten

HINT = "an app is named by its module: app:app for app in app.py, or site.main:create_app()"

_MODULE = re.compile(r"[^\W\d]\w*(?:\.[^\W\d]\w*)*\Z")


@dataclass(frozen=True, slots=True)
class AppName:
    """Where an app is, not yet imported."""

    text: str
    module: str
    attributes: tuple[str, ...]
    """One inside the other."""
    call: tuple[tuple[Any, ...], Mapping[str, Any]] | None = field(default=None)
    """What to call it with to get the app, if it makes one."""

    def __str__(self) -> str:
        return self.text

    def find(self) -> None:
        """See that there is such a module, as far as that can be seen without importing it.

        Raises UsageError.
        """
        have_current_folder()
        top = self.module.partition(".")[0]
        if top not in sys.modules and importlib.util.find_spec(top) is None:
            raise _no_module(self, top)

    def load(self) -> App:
        """Import the module and return its app.

        Raises UsageError when there is no such module or nothing in it that is an app, AppError
        when the code in it fails.
        """
        found = _import(self)
        for number, attribute in enumerate(self.attributes):
            try:
                found = getattr(found, attribute)
            except AttributeError as error:
                where = ".".join((self.module, *self.attributes[:number]))
                hints = _nearby(self, found) if number == 0 else (HINT,)
                raise UsageError(f'there is no "{attribute}" in {where}', *hints) from error
        if self.call is not None:
            if not callable(found):
                raise UsageError(f"{self}: {_kind(found)} cannot be called", HINT)
            arguments, keywords = self.call
            try:
                found = found(*arguments, **keywords)
            except KeyboardInterrupt:
                raise
            except BaseException as error:
                raise _failed(self, error) from error
        _refuse_what_is_no_app(self, found)
        app: App = found
        return app

    def handler(self, depth: int) -> Wsgi:
        """Load the app; return a handler for what is below *depth* segments of a path."""
        return Wsgi(self.load(), depth)


def parse_app_name(text: str) -> AppName:
    """Read `module:app`, where the app may be an attribute of another, or a call with literals.

    Raises UsageError.

    >>> parse_app_name("site.main:make(debug=True)").call
    ((), {'debug': True})
    """
    module, _, expression = text.partition(":")
    shown = shorten(text)
    if module.endswith(".py") or "/" in module:
        name = re.sub(r"[/.]+", ".", module.removesuffix(".py")).strip(".")
        raise UsageError(
            f'"{shown}": an app is named by its module, not its file',
            f"openssl-serve {name}:{expression or 'app'}",
        )
    if not _MODULE.match(module):
        raise UsageError(f'"{shown}": "{shorten(module)}" is no name of a module', HINT)
    try:
        node = ast.parse(expression.strip(), mode="eval").body
        call = None
        if isinstance(node, ast.Call):
            call = _arguments(node)
            node = node.func
        return AppName(text, module, _attributes(node), call)
    except (SyntaxError, ValueError) as error:
        what = "an app in a module, nor a call that makes one from plain values"
        raise UsageError(f'"{shown}" is neither {what}', HINT) from error


def _arguments(node: ast.Call) -> tuple[tuple[Any, ...], dict[str, Any]]:
    keywords = {}
    for each in node.keywords:
        if each.arg is None:
            raise ValueError("more than plain values")
        keywords[each.arg] = ast.literal_eval(each.value)
    return tuple(map(ast.literal_eval, node.args)), keywords


def _attributes(node: ast.expr) -> tuple[str, ...]:
    if isinstance(node, ast.Name):
        return (node.id,)
    if isinstance(node, ast.Attribute):
        return (*_attributes(node.value), node.attr)
    raise ValueError("neither a name nor an attribute")


def have_current_folder() -> None:
    """Have modules found in the current folder, before all others, as `python -m` does."""
    folder = os.getcwd()
    if folder not in sys.path:
        sys.path.insert(0, folder)


def _import(name: AppName) -> Any:
    have_current_folder()
    importlib.invalidate_caches()
    try:
        return importlib.import_module(name.module)
    except ModuleNotFoundError as error:
        if error.name and f"{name.module}.".startswith(f"{error.name}."):
            raise _no_module(name, error.name) from error
        raise _failed(name, error) from error
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        # SystemExit too: whoever parses arguments at import calls sys.exit.
        raise _failed(name, error) from error


def _no_module(name: AppName, module: str) -> UsageError:
    """Return the error for a *module* of *name* that there is not."""
    here = Path()
    modules = {path.stem for path in here.glob("*.py")}
    modules |= {path.parent.name for path in here.glob("*/__init__.py")}
    named = ", ".join(sorted(each for each in modules if _MODULE.match(each))[:8])
    hints = [f"modules in this folder: {named}"] if named else []
    return UsageError(f'{name}: there is no module "{module}"', *hints, HINT)


def _nearby(name: AppName, module: Any) -> tuple[str, ...]:
    """What else in *module* could be meant, or which other module was."""
    file = getattr(module, "__file__", None) or "Python's own"
    own = Path(name.module.replace(".", "/") + ".py")
    if own.exists() and not (os.path.exists(file) and own.samefile(file)):
        return (f"{name.module} is {file}, not {own}: another name helps",)
    names = [
        each
        for each, value in vars(module).items()
        if callable(value)
        and not each.startswith("_")
        and not isinstance(value, type)
        and getattr(value, "__module__", "") in {module.__name__, type(value).__module__}
    ]
    apps = [each for each in names if each in ("app", "application", "create_app", "make_app")]
    if not (apps or names):
        return (HINT,)
    named = ", ".join((apps or names)[:8])
    return (f"what can be called in {name.module}: {named}",)


def _refuse_what_is_no_app(name: AppName, found: Any) -> None:
    if not callable(found):
        raise UsageError(f"{name} is {_kind(found)}, and an app can be called", HINT)
    from inspect import iscoroutinefunction, signature  # noqa: PLC0415  only for apps

    if iscoroutinefunction(found) or iscoroutinefunction(getattr(found, "__call__", None)):  # noqa: B004
        raise _asgi(name)
    try:
        takes = signature(found)
    except (TypeError, ValueError):
        # Written in C: it will show.
        return
    if not _can_be_called(takes, 2):
        if _can_be_called(takes, 3):
            raise _asgi(name)
        hint = f"if it makes an app: openssl-serve '{name}()'"
        hints = [hint] if _can_be_called(takes, 0) and name.call is None else [HINT]
        raise UsageError(f"{name} takes no environ and start_response, so it is no app", *hints)


def _can_be_called(takes: Any, count: int) -> bool:
    try:
        takes.bind(*[None] * count)
    except TypeError:
        return False
    return True


def _asgi(name: AppName) -> UsageError:
    return UsageError(
        f"{name} is an ASGI app, and only WSGI is spoken here",
        f"uvicorn --port 3000 {name}",
        "with that beside it: openssl-serve http://127.0.0.1:3000",
    )


def _failed(name: AppName, error: BaseException) -> AppError:
    # Only when it is needed: it brings linecache and tokenize.
    from openssl_serve.handlers.wsgi.errors import trace_of  # noqa: PLC0415

    said = shorten(str(error).partition("\n")[0], 200)
    return AppError(f"{name} cannot be loaded: {_kind(error)}: {said}", trace_of(error))


def _kind(found: object) -> str:
    return type(found).__name__
