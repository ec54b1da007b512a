"""One fixture for all of these tests: the command, for a user of its own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from e2e.command import Command


@pytest.fixture
def command(tmp_path: Path) -> Iterator[Command]:
    """`openssl-serve` with an empty home; whatever it started is ended."""
    command = Command(tmp_path)
    yield command
    command.end_all()
