"""An import of anything ends, crashes nowhere, keeps its memory, and stores what its export gives again."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.reliability import fuzz
from tests.reliability.fuzz import Fuzzer

pytestmark = pytest.mark.reliability
SEED = 20261127


def test_a_few_hundred_files_of_anything(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fuzz, "LONGEST_S", 120.0)
    report = Fuzzer(0, number=SEED, kept=tmp_path / "kept", least=240).run()
    assert report.fault is None
    assert report.files >= 240
    assert report.stored > 0


@pytest.mark.slow
@pytest.mark.parametrize(
    ("planted", "said"),
    [
        ("exception", "KeyError: 'missing'"),
        ("crash", "crash: the process ended with -11"),
        ("hang", "hang: a file takes longer than 5 s"),
        ("leak", "MB more in memory than after warming up"),
        ("loss", "the export of an export's import is another"),
    ],
)
def test_a_planted_fault_is_noticed(tmp_path: Path, planted: str, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The fuzzer must be able to find what it looks for."""
    monkeypatch.setattr(fuzz, "LONGEST_S", 5.0)
    report = Fuzzer(40, number=SEED, kept=tmp_path / "kept", planted=planted).run()
    assert said in (report.fault or "")
    assert (tmp_path / "kept").exists() == (planted != "leak")
