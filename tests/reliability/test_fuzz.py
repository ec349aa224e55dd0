"""An import of anything ends, crashes nowhere, keeps its memory, and stores what its export gives again."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.reliability import fuzz
from tests.reliability.fuzz import Fuzzer

pytestmark = pytest.mark.reliability


@pytest.mark.parametrize(
    ("planted", "least", "fault"),
    [((), 240, None), pytest.param(("loss",), 2000, "the export of an export's import is another", marks=pytest.mark.slow)],
    ids=["as it is", "with a planted loss, to be noticed"],
)
def test_a_few_hundred_files_of_anything(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, planted: tuple[str, ...], least: int, fault: str | None
) -> None:
    monkeypatch.setattr(fuzz, "LONGEST_S", 120.0)
    fuzzer = Fuzzer(0, number=20261127, kept=tmp_path / "kept", least=least)
    fuzzer.run(*planted)
    assert fuzzer.fault is None if fault is None else fault in (fuzzer.fault or "")
    assert (tmp_path / "kept").exists() == bool(planted)
    assert fuzzer.seen["files"] >= 240
    assert fuzzer.seen["stored"] > 0
