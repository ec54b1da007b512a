"""All tests in here carry the marker `robust`, and have one fixture."""

import os
import sys

import pytest

from robustness.service import Starter

HERE = os.path.dirname(__file__)


def pytest_collection_modifyitems(items):
    for item in items:
        if str(item.path).startswith(HERE):
            item.add_marker(pytest.mark.robust)
            if sys.platform != "linux":
                item.add_marker(pytest.mark.skip(reason="weighs processes in /proc"))


@pytest.fixture
def start(tmp_path, root, pair):
    """Starts servers, and crowds against them."""
    folder = tmp_path / "words"
    folder.mkdir()
    with Starter(folder, root, pair) as starter:
        yield starter
