"""The dashboard by what Grafana publishes for the version in docker-compose.yml: its types, and the names that it knows."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fixtures.environment import ROOT
from tests.grafana.dashboard import DASHBOARD, Json, panels
from tests.stack.files import services
from tests.stack.shells import LONGEST_S

pytestmark = pytest.mark.proof

PACKAGES = ROOT / "build/proof/node/node_modules"
OPTIONS = ["--noEmit", "--strict", "--skipLibCheck", "--module", "esnext", "--moduleResolution", "bundler"]

KNOWN = """
globalThis.navigator = { languages: ['en'] }  // which the package asks for the form of dates
const grafana = require('@grafana/data')
console.log(JSON.stringify({
  unit: grafana.getValueFormats().flatMap((group) => group.submenu.map((format) => format.value)),
  calculation: grafana.fieldReducers.list().map((reducer) => reducer.id),
  color: grafana.fieldColorModeRegistry.list().map((mode) => mode.id),
  transformation: Object.values(grafana.DataTransformerID),
  matcher: Object.values(grafana.FieldMatcherID),
}))
"""


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


def named(panel: Json) -> Iterator[tuple[str, str]]:
    """Give what a panel names of Grafana's units, calculations, colours, transformations and matchers of fields."""
    options, (defaults, overrides) = panel["options"], (panel["fieldConfig"][part] for part in ("defaults", "overrides"))
    yield "unit", defaults["unit"]
    yield from (("color", mode) for mode in defaults.get("color", {}).values())
    for part in ("legend", "reduceOptions"):
        yield from (("calculation", name) for name in options.get(part, {}).get("calcs", []))
    yield from (("transformation", step["id"]) for step in panel.get("transformations", []))
    for override in overrides:
        yield "matcher", override["matcher"]["id"]
        yield from (("unit", changed["value"]) for changed in override["properties"] if changed["id"] == "unit")


def test_grafana_knows_every_unit_calculation_colour_transformation_and_matcher() -> None:
    ran = subprocess.run(["node", "--eval", KNOWN], cwd=PACKAGES, capture_output=True, text=True, timeout=LONGEST_S, check=True)
    known = {(kind, name) for kind, names in json.loads(ran.stdout).items() for name in names}
    used = {pair for panel in panels() for pair in named(panel)}
    assert {kind for kind, _ in used} == {kind for kind, _ in known}
    assert used - known == set()
