"""The dashboard by the types that Grafana publishes for the version of docker-compose.yml, checked by TypeScript's compiler."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from tests.fixtures.environment import ROOT
from tests.grafana.dashboard import DASHBOARD
from tests.stack.files import services
from tests.stack.shells import LONGEST_S

pytestmark = pytest.mark.proof

PACKAGES = ROOT / "build/proof/node/node_modules"
OPTIONS = ["--noEmit", "--strict", "--skipLibCheck", "--module", "esnext", "--moduleResolution", "bundler"]


def complaints(dashboard: str, folder: Path) -> str:
    """Return what the compiler says of a dashboard."""
    (folder / "node_modules").symlink_to(PACKAGES)
    types = (ROOT / "tests/grafana/schema.ts").read_text(encoding="utf-8")
    (folder / "dashboard.ts").write_text(f"{types}\nexport const dashboard: Committed = {dashboard};\n")
    command = [str(PACKAGES / ".bin/tsc"), *OPTIONS, "dashboard.ts"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=LONGEST_S, check=False).stdout


def test_the_types_are_those_of_the_version_that_runs() -> None:
    package = json.loads((PACKAGES / "@grafana/schema/package.json").read_text())
    assert services()["grafana"]["image"].endswith(f"/grafana:{package['version']}")


def test_grafana_knows_every_key_of_the_dashboard_and_the_type_of_its_value(tmp_path: Path) -> None:
    assert complaints(json.dumps(DASHBOARD, indent=1), tmp_path) == ""


@pytest.mark.parametrize(
    ("key", "value", "wrong"),
    [
        ("graphMode", '"none"', '"graphMode": "nine"'),
        ("showTime", "true", '"showTimes": true'),
        ("refresh", '"30s"', '"refresh": 30'),
    ],
)
def test_a_word_a_key_or_a_type_that_grafana_does_not_know_is_noticed(key: str, value: str, wrong: str, tmp_path: Path) -> None:
    right, text = f'"{key}": {value}', json.dumps(DASHBOARD, indent=1)
    assert right in text
    assert "error TS2" in complaints(text.replace(right, wrong, 1), tmp_path)
