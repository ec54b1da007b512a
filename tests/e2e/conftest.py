"""What all of these tests have: the command, for a user of its own, and a browser."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from e2e.chromium import Tab, tab
from e2e.command import Command


@pytest.fixture
def command(tmp_path: Path) -> Iterator[Command]:
    """`openssl-serve` with an empty home; whatever it started is ended."""
    command = Command(tmp_path)
    yield command
    command.end_all()


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tab]:
    """A Chromium with one page, for the tests of a module."""
    with tab(tmp_path_factory.mktemp("chromium")) as opened:
        yield opened
