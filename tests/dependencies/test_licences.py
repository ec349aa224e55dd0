"""docs/licences.md lists what is pinned and vendored now."""

from __future__ import annotations

import re

from packaging.utils import canonicalize_name
from pysqlite3 import dbapi2

from tests.dependencies.pins import RUNTIME, pins
from tests.fixtures.environment import ROOT


def listed() -> dict[str, str]:
    """Return the version of each listed package, by its normalised name."""
    text = (ROOT / "docs/licences.md").read_text(encoding="utf-8").partition("## Compiled in or vendored")[2]
    rows = re.findall(r"^\| ([\w-]+)[^|]*\| (\d[^ |]*)", text, re.MULTILINE)
    return {canonicalize_name(name): version for name, version in rows}


def test_everything_that_runs_is_listed_with_its_version() -> None:
    folders = {folder.parent.name: folder.name for folder in (ROOT / "web/static/vendor").glob("*/*")}
    folders["swagger-ui-dist"] = folders.pop("swagger-ui")
    assert listed() == pins(RUNTIME) | folders | {"sqlite": dbapi2.sqlite_version}, "run: make licences"
