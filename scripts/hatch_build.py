"""Adds the manual page to the wheel, made of the options as they are when it is built."""

import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.config import BuilderConfig
from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class ManualPage(BuildHookInterface[BuilderConfig]):
    """Asked by hatchling, which finds it through pyproject.toml."""

    PLUGIN_NAME = "custom"
    _folder: str | None = None

    def dependencies(self) -> list[str]:
        """What the page is made with: the options are declared with typer."""
        return [name for name in self.metadata.core.dependencies if name.startswith("typer")]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Write the page, and tell where it goes. Nobody looks for it beside a checkout."""
        if version == "editable":
            return
        sys.path.insert(0, str(Path(self.root, "scripts")))
        from manual import page  # noqa: PLC0415  only now there is a typer

        self._folder = tempfile.mkdtemp()
        path = Path(self._folder, "openssl-serve.1")
        path.write_text(page(), encoding="ascii")
        build_data["shared_data"][str(path)] = f"share/man/man1/{path.name}"

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Remove what was packed."""
        _ = version, build_data, artifact_path
        if self._folder:
            shutil.rmtree(self._folder)
