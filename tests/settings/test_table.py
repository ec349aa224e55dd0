"""The table of docs/settings.md."""

from __future__ import annotations

import runpy

import pytest

from settings import declared_settings
from tests.fixtures.environment import ROOT

SCRIPT = runpy.run_path(str(ROOT / "scripts/settings-table.py"))


def test_the_page_has_the_table_that_the_script_would_write_with_a_row_for_every_setting() -> None:
    text = (ROOT / "docs/settings.md").read_text(encoding="utf-8")
    assert SCRIPT["with_table"](text) == text, "run: python scripts/settings-table.py"
    for row, (name, facts) in zip(SCRIPT["table"]().splitlines()[2:], declared_settings(), strict=True):
        cells = [cell.strip() for cell in row.strip("| ").split(" | ")]
        default = "" if facts.default is None else f"`{facts.default}`"
        assert cells == [f"`{name}`", default, facts.meaning, "yes" if facts.is_secret else "", facts.reader.expected]


def test_the_table_replaces_what_is_between_the_markers() -> None:
    begin, end = SCRIPT["BEGIN"], SCRIPT["END"]
    assert SCRIPT["with_table"](f"# Before\n{begin}\nold | table\n{end}\nafter\n") == (
        f"# Before\n{begin}\n\n{SCRIPT['table']()}\n\n{end}\nafter\n"
    )
    for text in ("# no markers\n", f"{begin}\n", f"{end}\n{begin}\n", f"{begin}{end}{begin}{end}"):
        with pytest.raises(ValueError, match="unpack"):
            SCRIPT["with_table"](text)
