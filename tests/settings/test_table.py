"""README.md's table of settings."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

from settings import declared
from tests.fixtures.environment import ROOT

BEGIN, END = "<!-- settings -->", "<!-- /settings -->"


SCRIPT = runpy.run_path(str(ROOT / "scripts/settings-table.py"))


def test_readme_has_the_table_that_the_script_would_write_with_a_row_for_every_setting() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert SCRIPT["with_table"](text) == text, "run: python scripts/settings-table.py"
    for row, (name, facts) in zip(SCRIPT["table"]().splitlines()[2:], declared(), strict=True):
        cells = [cell.strip() for cell in row.strip("| ").split(" | ")]
        default = "" if facts["default"] is None else f"`{facts['default']}`"
        assert cells == [f"`{name}`", default, facts["meaning"], "yes" if facts["secret"] else "", facts["reader"].expected]


def test_the_script_writes_between_the_markers_and_without_them_or_the_file_it_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main, file = SCRIPT["main"], tmp_path / "page.md"
    assert main([str(file)]) == 1
    assert not file.exists()
    file.write_text(f"# Before\n{BEGIN}\nold | table\n{END}\nafter\n")
    assert main([str(file)]) == 0
    assert file.read_text() == f"# Before\n{BEGIN}\n\n{SCRIPT['table']()}\n\n{END}\nafter\n"
    capsys.readouterr()
    for text in ("# no markers\n", f"{BEGIN}\n", f"{END}\n{BEGIN}\n", f"{BEGIN}{END}{BEGIN}{END}"):
        file.write_text(text)
        assert main([str(file)]) == 1
        assert file.read_text() == text
        assert capsys.readouterr().err == f"{file}: has no line {BEGIN} with {END} after it; nothing is written\n"
