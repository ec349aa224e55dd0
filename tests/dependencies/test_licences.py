"""The list of licences is of what is pinned now, and nothing in it binds the service to more than was decided on."""

from __future__ import annotations

from pathlib import Path

import pytest

import scripts.licences
from scripts.licences import allowed
from scripts.pins import RUNTIME, pins
from tests.fixtures.environment import ROOT

BESIDE = {"sqlite", "swagger-ui-dist", "uplot"}


def listed() -> dict[str, list[str]]:
    """Return version, licence and home of each listed package, by name."""
    table = (ROOT / "docs/licences.md").read_text(encoding="utf-8").split("\n\n")[2].splitlines()[2:]
    return {name: rest for name, *rest in ([cell.strip() for cell in line.strip("|").split("|")] for line in table)}


def test_every_pinned_package_is_listed_with_its_version_and_a_licence_that_is_let_in() -> None:
    pinned = {pin.name: pin.version for pin in pins(RUNTIME.read_text(encoding="utf-8"))}
    assert {name: row[0] for name, row in listed().items() if name not in BESIDE} == pinned
    assert [name for name, row in listed().items() if not allowed(row[1])] == []
    assert [name for name, row in listed().items() if not row[2].startswith("https://")] == []


def test_what_is_vendored_is_listed_too() -> None:
    versions = {folder.parent.name: folder.name for folder in (ROOT / "web/static/vendor").glob("*/*")}
    assert listed()["swagger-ui-dist"][:2] == [versions.pop("swagger-ui"), "Apache-2.0"]
    assert listed()["uplot"][:2] == [versions.pop("uplot"), "MIT"]
    assert versions == {}


def test_a_licence_is_let_in_only_if_it_was_decided_on() -> None:
    decided = ("MIT", "MPL-2.0 AND (Apache-2.0 OR MIT)", "GPL-3.0-only OR MIT", "LGPL-3.0-only")
    others = ("GPL-3.0-only AND MIT", "LGPL-2.1-or-later", "AGPL-3.0-only", "GPL-2.0-only WITH Classpath-exception-2.0")
    assert [stated for stated in decided + others if allowed(stated)] == list(decided)


def test_a_licence_that_was_not_decided_on_stops_the_list(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for stated, code in (("MIT", 0), ("LGPL-2.1-only", 1)):
        planted = {"name": "planted", "version": "1", "licenses": [{"expression": stated}]}
        monkeypatch.setattr(scripts.licences, "bill", lambda planted=planted: {"components": [planted]})
        file = tmp_path / f"{code}.md"
        assert scripts.licences.main([str(file)]) == code
        assert file.exists() is (code == 0)
    assert capsys.readouterr().err == "planted: LGPL-2.1-only was not decided on\n"
