"""README.md's table of settings."""

from __future__ import annotations

import runpy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from settings import declared
from tests.fixtures.environment import ROOT

BEGIN, END = "<!-- settings -->", "<!-- /settings -->"


@pytest.fixture(scope="module")
def script() -> dict[str, Any]:
    return runpy.run_path(str(ROOT / "scripts/settings-table.py"))


@pytest.fixture
def main(script: dict[str, Any]) -> Callable[[list[str]], int]:
    found: Callable[[list[str]], int] = script["main"]
    return found


def test_readme_has_the_table_that_the_script_would_write(script: dict[str, Any]) -> None:
    readme = ROOT / "README.md"
    text = readme.read_text(encoding="utf-8") if readme.exists() else ""
    assert script["with_table"](text) == text, "run: python scripts/settings-table.py"


def test_the_table_has_a_row_for_every_setting(script: dict[str, Any]) -> None:
    rows = script["table"]().splitlines()[2:]
    assert [row.split("|")[1].strip(" `") for row in rows] == [name for name, _ in declared()]
    for row, (_, facts) in zip(rows, declared(), strict=True):
        cells = [cell.strip() for cell in row.split(" | ")]
        assert len(cells) == 5
        assert cells[1] == ("" if facts["default"] is None else f"`{facts['default']}`")
        assert cells[2] == facts["meaning"]
        assert cells[3] == ("yes" if facts["secret"] else "")
        assert cells[4].removesuffix(" |") == facts["reader"].expected


def test_the_script_writes_between_the_markers_and_nothing_else(main: Callable[[list[str]], int], tmp_path: Path) -> None:
    file = tmp_path / "page.md"
    file.write_text(f"# Before\n{BEGIN}\nold | table\n{END}\nafter\n")
    assert main([str(file)]) == 0
    once = file.read_text()
    assert once.startswith(f"# Before\n{BEGIN}\n\n| Setting |")
    assert once.endswith(f" |\n\n{END}\nafter\n")
    assert "outdated" not in once
    assert main([str(file)]) == 0
    assert file.read_text() == once


@pytest.mark.parametrize("text", ["", "# no markers\n", f"{BEGIN}\n", f"{END}\n{BEGIN}\n", f"{BEGIN}{END}{BEGIN}{END}"])
def test_without_the_markers_the_script_writes_nothing_and_says_so(
    main: Callable[[list[str]], int], tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str
) -> None:
    file = tmp_path / "page.md"
    file.write_text(text)
    assert main([str(file)]) == 1
    assert file.read_text() == text
    assert capsys.readouterr().err == f"{file}: has no line {BEGIN} with {END} after it; nothing is written\n"


def test_a_missing_file_is_not_made(main: Callable[[list[str]], int], tmp_path: Path) -> None:
    assert main([str(tmp_path / "page.md")]) == 1
    assert list(tmp_path.iterdir()) == []
