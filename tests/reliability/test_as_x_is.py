"""Collections from an X with all its oddities break no promise, and the judge notices one that is broken."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.reliability.as_x_is import SEED, scheduled

pytestmark = pytest.mark.reliability


@pytest.mark.parametrize("number", [SEED, SEED + 1])
def test_a_schedule_of_oddities(tmp_path: Path, number: int) -> None:
    with scheduled(tmp_path, number) as schedule:
        schedule.run()
    assert schedule.wrong == []
    assert schedule.oddities.struck.total() > 10
    assert schedule.seen["backfills"]
    assert schedule.paid_by_minimum < 1.02


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        (("DELETE FROM listings", "UPDATE tags SET since_id = NULL"), "sold on several days"),
        (("DELETE FROM listings WHERE gap",), "missing without a gap"),
    ],
    ids=["what was read is forgotten", "a gap is lost"],
)
@pytest.mark.slow
def test_a_planted_fault_is_noticed(tmp_path: Path, changes: tuple[str, ...], fault: str) -> None:
    with scheduled(tmp_path, SEED) as schedule:
        for hours in (0, 20, 20):
            schedule.emulator.clock.advance(hours * 3_600)
            schedule.collect()
            for change in changes:
                schedule.judge.rows(change)
        schedule.collect()
    assert fault in " ".join(schedule.wrong)
