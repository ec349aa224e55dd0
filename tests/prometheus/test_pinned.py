"""The versions that docker-compose.yml names: which of them the other tests run on in `make stack-proof`, and our own flags."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.fixtures.processes import free_port
from tests.prometheus.programs import ALERTMANAGER_PROGRAM, PROMETHEUS_PROGRAM, process
from tests.prometheus.rulebook import PROMETHEUS
from tests.stack.files import services
from tests.stack.shells import LONGEST_S, found

pytestmark = pytest.mark.proof


def test_the_programs_have_the_versions_of_the_compose_file() -> None:
    programs = {"prometheus": (PROMETHEUS_PROGRAM, found("promtool")), "alertmanager": (ALERTMANAGER_PROGRAM, found("amtool"))}
    for image, paths in programs.items():
        for path in paths:
            ran = subprocess.run([str(path), "--version"], capture_output=True, text=True, timeout=LONGEST_S, check=True)
            said = re.search(r"version (\S+)", ran.stdout + ran.stderr)
            assert said is not None
            assert services()[image]["image"].endswith(f":v{said[1]}"), path


def test_prometheus_starts_with_the_flags_of_the_compose_file_and_warns_of_nothing(tmp_path: Path) -> None:
    (tmp_path / "prometheus.yml").write_text((PROMETHEUS / "prometheus.yml").read_text())
    url = f"http://127.0.0.1:{free_port()}"
    given = dict(flag.split("=", 1) for flag in services()["prometheus"]["command"])
    given |= {"--config.file": "prometheus.yml", "--storage.tsdb.path": "data", "--web.external-url": url}
    flags = [f"{name}={value}" for name, value in given.items()]
    listen = f"--web.listen-address={url.removeprefix('http://')}"
    with process([str(PROMETHEUS_PROGRAM), *flags, listen], tmp_path, url, env=os.environ):
        log = (tmp_path / "prometheus.log").read_text()
    assert "msg=" in log
    assert re.findall(r"level=(?:WARN|ERROR).*", log) == []
