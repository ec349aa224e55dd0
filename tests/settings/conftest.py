"""A folder with setting files, and a copy of the program whose own folder it is."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from settings import Settings, load
from tests.app.conftest import run
from tests.fixtures.environment import ROOT

Load = Callable[..., Settings]
FEW = {"TAGS": "#sre", "TW_NUMBER": "10", "X_RETRY_WAIT": "0s", "X_RETRIES": "0", "COLLECT_ON_START": "0"}
LEFT_OUT = shutil.ignore_patterns(".*", "data", "tests", "node_modules", "benchmarks", "docs", "evidences")


class Ended(NamedTuple):
    """How a process ended, and the lines that it wrote."""

    code: int
    out: list[str]
    err: list[str]


class Checkout(NamedTuple):
    """A copy of the program in a folder of its own, so that its setting files and its data are the test's."""

    folder: Path

    def write(self, name: str, *lines: str) -> None:
        (self.folder / name).write_text("\n".join(lines) + "\n")

    def run(self, *arguments: str, **environment: str) -> Ended:
        """Run Python in the folder with these variables and no others."""
        done = run(self.folder, *arguments, cwd=self.folder, **environment)
        return Ended(done.returncode, done.stdout.splitlines(), done.stderr.splitlines())


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    """A copy of the program without setting files and without data; compiled files come along, for they save seconds."""
    folder = tmp_path / "checkout"
    shutil.copytree(ROOT, folder, ignore=LEFT_OUT)
    return Checkout(folder)


@pytest.fixture
def load_from(tmp_path: Path) -> Load:
    """Load the settings from an environment and from the files' lines."""

    def loaded(environment: dict[str, str] | None = None, *, local: str = "", env: str = "") -> Settings:
        (tmp_path / ".env.local").write_text(local)
        (tmp_path / ".env").write_text(env)
        return load(environment or {}, folder=tmp_path)

    return loaded
