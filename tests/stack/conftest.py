"""The shells that the stack's scripts run in, and what looks over its compose files."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.stack.composing import Linter
from tests.stack.shells import Secrets, Shell


@pytest.fixture(params=["sh", "busybox"])
def shell(request: pytest.FixtureRequest, tmp_path: Path) -> Shell:
    """A POSIX shell with its tools."""
    return Shell.named(request.param, tmp_path)


@pytest.fixture
def secrets(shell: Shell, tmp_path: Path) -> Secrets:
    """The script that makes secrets, over folders of the test's own."""
    return Secrets(shell, tmp_path)


@pytest.fixture
def linter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Linter:
    """compose-lint, in a folder of the test's own."""
    return Linter(tmp_path, monkeypatch, capsys)
