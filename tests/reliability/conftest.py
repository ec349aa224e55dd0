"""The program with a marked tweet."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.commands.conftest import Program
from tests.fixtures.archives import json_lines
from tests.reliability.marked import archive


@pytest.fixture
def program(tmp_path: Path) -> Iterator[Program]:
    """The program with the marked tweet; what it writes is in a folder without the archive."""
    (tmp_path / "written").mkdir()
    made = Program(tmp_path / "written")
    with closing(made.collector):
        made.imported(json_lines(tmp_path / "archive.jsonl", archive()))
        yield made
