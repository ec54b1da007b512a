"""The floors of the house, held: every import goes down, and each door has one user."""

import ast
import re
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "openssl_serve"

FLOORS = [
    ["errors", "hosts", "addresses", "choices", "sniff", "http1", "websocket", "pages"],
    ["paths", "programs", "openssl", "tools", "tls"],
    ["certs", "trust"],
    ["server"],
    ["handlers", "child", "clients"],
    ["renewal", "live_contexts", "anchors", "api", "local_ca", "running", "targets"],
    ["__init__", "__main__", "cli", "pytest_plugin"],
]
FLOOR_OF = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}

# Within a floor, who may know whom: everything else on a floor is a stranger to its neighbours.
NEIGHBOURS = {
    ("hosts", "errors"), ("addresses", "errors"), ("addresses", "hosts"),
    ("choices", "errors"), ("choices", "hosts"),
    ("http1", "errors"), ("http1", "hosts"),
    ("pages", "errors"), ("pages", "http1"),
    ("websocket", "errors"), ("websocket", "hosts"), ("websocket", "http1"),
    ("openssl", "paths"), ("openssl", "programs"), ("openssl", "tools"), ("trust", "certs"),
    ("api", "renewal"), ("api", "live_contexts"), ("running", "api"), ("running", "targets"),
    ("api", "anchors"), ("api", "targets"),
    ("anchors", "live_contexts"),
    ("__main__", "cli"), ("cli", "__init__"), ("pytest_plugin", "__init__"),
}  # fmt: skip

SOLE_USERS = {
    "sh": "openssl/binary.py",
    "subprocess": "tools.py",
    "appdirs": "paths.py",
    "idna": "hosts.py",
    "segno": "cli/qr.py",
}

README = PACKAGE.parent / "README.md"

SOURCES = sorted(PACKAGE.rglob("*.py"))


def test_the_readme_shows_every_floor_with_all_its_rooms():
    _, _, table = README.read_text().partition("| floor | rooms |\n|---|---|\n")
    rows = table.partition("\n\n")[0].splitlines()

    assert len(rows) == len(FLOORS)
    for row, rooms in zip(rows, FLOORS, strict=True):
        shown = {name.removesuffix("/") for name in re.findall(r"`([a-z0-9_/]+)`", row)}
        assert {room for room in rooms if not room.startswith("__")} <= shown


def room_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports_of(path: Path) -> list[str]:
    names = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import hides its floor"
            module = node.module or ""
            # `from openssl_serve import api` names a room in its second half.
            names += [
                f"{module}.{alias.name}" if module == "openssl_serve" else module
                for alias in node.names
            ]
    return names


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_every_import_goes_down(path):
    room = room_of(path)
    assert room in FLOOR_OF, f"{room} has no floor: give it one here and in the design"
    for name in imports_of(path):
        if not name.startswith("openssl_serve"):
            continue
        parts = name.split(".")
        other = parts[1] if len(parts) > 1 and parts[1] in FLOOR_OF else "__init__"
        if other == room:
            continue
        downwards = FLOOR_OF[other] < FLOOR_OF[room] or (room, other) in NEIGHBOURS
        assert downwards, f"{path.name} (floor {FLOOR_OF[room]}) imports {name}"


@pytest.mark.parametrize(("module", "user"), SOLE_USERS.items())
def test_each_door_has_one_user(module, user):
    users = {
        str(path.relative_to(PACKAGE))
        for path in SOURCES
        if any(name == module or name.startswith(f"{module}.") for name in imports_of(path))
    }

    assert users <= {user}


def test_the_server_knows_neither_certificates_nor_openssl():
    for path in (PACKAGE / "server").rglob("*.py"):
        rooms = {name.split(".")[1] for name in imports_of(path) if "openssl_serve." in name}
        assert not rooms & {"certs", "trust", "openssl", "tools", "paths"}, path


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_only_the_command_line_prints(path):
    calls = [
        node.func.id
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    ]

    assert room_of(path) == "cli" or "print" not in calls


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_long_file_says_why(path):
    lines = path.read_text().splitlines()

    assert len(lines) <= 300 or "over 300 lines" in "\n".join(lines[:20]).lower()


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_every_file_opens_with_what_belongs_in_it(path):
    assert ast.get_docstring(ast.parse(path.read_text()))


def known_to(path):
    """The modules, and what is in them, that *path* imports, also for types alone."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom):
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def test_handlers_know_the_service_and_not_who_accepts_for_it():
    above = {f"openssl_serve.server.{name}" for name in ("arrival", "connection", "polyglot")}
    for path in (PACKAGE / "handlers").rglob("*.py"):
        assert not above & set(known_to(path)), path


def circles(modules):
    """Those of *modules* (name to file) that need themselves, by way of others."""
    known = {name: modules.keys() & set(known_to(path)) for name, path in modules.items()}
    for _ in modules:
        for name, found in known.items():
            known[name] = found.union(*(known[each] for each in found))
    return {name for name, found in known.items() if name in found}


def test_nobody_needs_whom_it_is_needed_by():
    """Nor for types alone. The face of the package is left out: everything shows in it."""
    modules = {}
    for path in SOURCES:
        place = path.parent if path.stem == "__init__" else path.with_suffix("")
        modules[".".join(["openssl_serve", *place.relative_to(PACKAGE).parts])] = path
    del modules["openssl_serve"]

    assert circles(modules) == set()
