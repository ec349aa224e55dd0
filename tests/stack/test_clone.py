"""A clone on a machine whose git turns line breaks into those of Windows: containers still run its scripts."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.fixtures.environment import ROOT
from tests.stack.shells import LONGEST_S, found

WITH_SCRIPTS = ("grafana", "kibana", "logstash", "postgres", "prometheus", "scripts")


@pytest.mark.stack
def test_a_clone_of_windows_has_the_same_bytes_and_scripts_that_run(tmp_path: Path) -> None:
    clone = tmp_path / "clone"
    command = [found("git"), "clone", "--quiet", "--config=core.autocrlf=true", f"file://{ROOT}", str(clone)]
    subprocess.run(command, check=True, timeout=LONGEST_S)
    scripts = [path for folder in WITH_SCRIPTS for path in (clone / folder).rglob("*") if path.is_file()]
    scripts = [path for path in scripts if path.read_bytes().startswith(b"#!")]
    assert {"start.sh", "setup.sh", "stack-secrets", "alertmanager-entrypoint.sh"} <= {path.name for path in scripts}
    assert not [path for path in (*scripts, clone / ".env", clone / "Makefile") if b"\r" in path.read_bytes()]
    picture = "web/static/preview.png"
    assert (clone / picture).read_bytes() == (ROOT / picture).read_bytes()
    (tmp_path / "given").mkdir()
    run = ["sh", str(clone / "scripts/stack-secrets"), str(tmp_path / "secrets"), str(tmp_path / "given")]
    subprocess.run(run, check=True, timeout=LONGEST_S, stdout=subprocess.DEVNULL)
