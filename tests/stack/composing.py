"""What docker-compose and compose-lint make of our compose files, beside files of settings of the test's own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from compose_lint.cli import main

from tests.fixtures.environment import ROOT
from tests.stack.files import COMPOSE, Service
from tests.stack.shells import LONGEST_S, found

Findings = list[dict[str, Any]]


def config(folder: Path, *files: str, env: str = "", **variables: str) -> dict[str, Service]:
    """Return the services that docker-compose makes of our files, beside an .env that begins with a placeholder."""
    (folder / "grafana").mkdir(exist_ok=True)
    files = files or (COMPOSE,)
    for file in files:
        shutil.copy(ROOT / file, folder)
    (folder / ".env").write_text(f"TWITTER_BEARER_TOKEN=<bearer-token>\n{env}")
    (folder / "grafana/.env").write_text("GF_SECURITY_ADMIN_PASSWORD=<admin-password>\n")
    command = [found("docker-compose"), *(f"--file={file}" for file in files), "--profile=alerting", "config"]
    given = {"PATH": os.environ["PATH"], "HOME": str(folder), **variables}
    done = subprocess.run(command, cwd=folder, env=given, capture_output=True, text=True, timeout=LONGEST_S, check=False)
    assert done.returncode == 0, done.stderr
    services: dict[str, Service] = yaml.safe_load(done.stdout)["services"]
    return services


class Linter:
    """compose-lint, in a folder that has an .env and a grafana/.env with secrets."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self._folder, self._monkeypatch, self._capsys = folder, monkeypatch, capsys
        (folder / "grafana").mkdir()
        for file in (".env", "grafana/.env"):
            (folder / file).write_text("API_TOKEN=a-literal-secret\nELASTIC_PASSWORD=another-one\n")

    def findings(self, text: str, exceptions: Path | None = None) -> Findings:
        """Return what it finds in a compose file of that text, beside the exceptions."""
        (self._folder / COMPOSE).write_text(text)
        options = ["--strict-config", "--skip-suppressed", "--config", str(exceptions)] if exceptions else []
        with self._monkeypatch.context() as here:
            here.chdir(self._folder)
            here.setattr(sys, "argv", ["compose-lint", "check", "--format", "json", "--fail-on", "low", *options, COMPOSE])
            with pytest.raises(SystemExit) as ended:
                main()
        said = self._capsys.readouterr()
        assert ended.value.code in (0, 1), said.err
        findings: Findings = json.loads(said.out)["findings"]
        return findings

    def hold(self, text: str, exceptions: Path) -> None:
        """Hold that it finds nothing but the exceptions, and that each of these is still needed."""
        assert self.findings(text, exceptions) == []
        rules, needed = yaml.safe_load(exceptions.read_text())["rules"], self.findings(text)
        assert {finding["rule_id"] for finding in needed} == set(rules)
        for rule, exception in rules.items():
            services = {finding["service"] for finding in needed if finding["rule_id"] == rule}
            assert services == set(exception.get("exclude_services", services)), rule
