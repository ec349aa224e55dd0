"""The shells that the stack's scripts run in, and what looks over its compose files."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from compose_lint.cli import main

from tests.stack.files import COMPOSE
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
def lint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[[str, Path], None]:
    """Hold that compose-lint finds nothing in a text but the exceptions of a file, each of which is still needed."""

    def findings(*options: str) -> list[dict[str, Any]]:
        with monkeypatch.context() as here:
            here.chdir(tmp_path)
            here.setattr(sys, "argv", ["compose-lint", "check", "--format=json", "--fail-on=low", *options, COMPOSE])
            with pytest.raises(SystemExit) as ended:
                main()
        said = capsys.readouterr()
        assert ended.value.code in (0, 1), said.err
        return list(json.loads(said.out)["findings"])

    def hold(text: str, exceptions: Path) -> None:
        (tmp_path / COMPOSE).write_text(text)
        assert findings("--strict-config", "--skip-suppressed", f"--config={exceptions}") == []
        needed: dict[str, set[str]] = {}
        for finding in findings():
            needed.setdefault(finding["rule_id"], set()).add(finding["service"])
        rules = yaml.safe_load(exceptions.read_text())["rules"]
        assert needed == {rule: set(found.get("exclude_services", needed.get(rule, ()))) for rule, found in rules.items()}

    return hold
