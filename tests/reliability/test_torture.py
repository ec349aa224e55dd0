"""Nothing is paid for twice and nothing is lost, whatever kills the collector."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from emulator import Emulator
from tests.reliability.judge import Judge
from tests.reliability.torture import Torture

pytestmark = pytest.mark.reliability
SEED = int(os.environ.get("TORTURE_SEED", "20261124"))
RUNS = int(os.environ.get("TORTURE_RUNS", "200"))


@pytest.fixture
def judge(emulator: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Judge:
    return Judge(emulator, f"sqlite:///{tmp_path / 'tweets.db'}", monkeypatch)


@pytest.mark.parametrize("runs", [12, pytest.param(RUNS, marks=pytest.mark.slow)], ids=["short", "long"])
def test_a_schedule_of_kills_faults_and_midnights(tmp_path: Path, emulator: Emulator, judge: Judge, runs: int) -> None:
    print(f"\nseed {SEED}, {runs} runs: TORTURE_SEED and TORTURE_RUNS choose others")
    tortured = Torture(tmp_path, emulator, judge, SEED)
    tortured.run(runs)
    assert tortured.missing() == []
    excused = {day: len(posts) for day, posts in judge.excused.items() if posts}
    print(f"sold {len(emulator.ledger.posts())} posts on {len(judge.posts)} days; in flight at a midnight: {excused}")
    print(", ".join(f"{what} {count}" for what, count in sorted(tortured.seen.items())))


@pytest.mark.slow
def test_without_checkpoints_posts_are_sold_twice(tmp_path: Path, emulator: Emulator, judge: Judge) -> None:
    """The judge must be able to find what it looks for."""
    tortured = Torture(tmp_path, emulator, judge, SEED, "--without-checkpoints")
    for _ in range(2):
        tortured.quietly()
        emulator.clock.advance(86_400)
    tortured.quietly()
    assert len(judge.sold_twice()) > 100
