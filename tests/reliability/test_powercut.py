"""What was said to be stored survives a power cut, at whatever moment it comes."""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import func, select

from alchemy import Database, DatabaseDamaged
from collector.verification import faults
from emulator import Emulator
from models import RunTag
from tests.fixtures.environment import environment
from tests.reliability.judge import BILLING
from tests.reliability.powercut import Disk, Event, recorded

CUTS = 60
SEED = int(os.environ.get("POWERCUT_SEED", "20261124"))

STRACED = pytest.mark.skipif(shutil.which("strace") is None, reason="strace is missing: apt-get install strace")
pytestmark = [pytest.mark.reliability, STRACED]


def trace(folder: Path, emulator: Emulator, *arguments: str, tw_number: int = 200) -> tuple[bytes, list[Event]]:
    """Return a fresh database, and the events of a collection into it."""
    settings = environment(folder, emulator) | {"TW_NUMBER": str(tw_number), "MONTHLY_BUDGET_USD": "off"}
    before = (folder / "tweets.db").read_bytes()
    return before, recorded(folder, {"PATH": os.environ["PATH"], **settings}, *arguments)


def lost(before: bytes, events: Sequence[Event], folder: Path, *, cuts: int = CUTS) -> list[str]:
    """Cut the power at so many points, and return what was wrong with what was found afterwards."""
    dice, wrong = random.Random(SEED), []
    acknowledgements = [number + 1 for number, event in enumerate(events) if event.kind == "acknowledged"]
    others = dice.sample(range(len(events) + 1), cuts - len(acknowledgements))
    disk, taken, acknowledged = Disk({"tweets.db": before}), 0, 0
    for cut in sorted([*others, *acknowledgements]):
        for event in events[taken:cut]:
            disk.take(event)
            acknowledged += event.added
        taken = cut
        wrong += [f"cut {cut}: {fault}" for fault in _found(disk.after_a_cut(dice), acknowledged, folder / f"cut-{cut}")]
    return wrong


def _found(files: dict[str, bytes], acknowledged: int, folder: Path) -> list[str]:
    folder.mkdir(exist_ok=True)
    for name, data in files.items():
        (folder / name).write_bytes(data)
    try:
        with closing(Database(f"sqlite:///{folder / 'tweets.db'}")) as database:
            found = faults(database, BILLING)
            with database.reading() as session:
                stored = session.scalar(select(func.coalesce(func.sum(RunTag.added), 0))) or 0
        return found if stored >= acknowledged else [*found, f"{acknowledged} tweets acknowledged, {stored} stored"]
    except DatabaseDamaged as error:
        return [str(error)]
    finally:
        shutil.rmtree(folder)


@pytest.mark.parametrize(("tw_number", "cuts"), [(200, CUTS), pytest.param(1000, 300, marks=pytest.mark.slow)])
def test_nothing_that_was_acknowledged_is_lost_in_a_power_cut(
    tmp_path: Path, emulator: Emulator, tw_number: int, cuts: int
) -> None:
    """The longer collection has checkpoints of the write-ahead log in its midst."""
    before, events = trace(tmp_path, emulator, tw_number=tw_number)
    assert sum(event.added for event in events) > 2.5 * tw_number
    assert {"write", "sync", "acknowledged", "create", "sync folder"} <= {event.kind for event in events}
    midst = any(event.kind == "write" and event.name == "tweets.db" for event in events[: len(events) // 2])
    assert midst or tw_number < 1000
    assert lost(before, events, tmp_path, cuts=cuts) == []


@pytest.mark.slow
def test_without_syncs_the_same_cuts_lose(tmp_path: Path, emulator: Emulator) -> None:
    """The checker must be able to find what it looks for."""
    before, events = trace(tmp_path, emulator, "--synchronous-off")
    assert any("acknowledged" in fault for fault in lost(before, events, tmp_path))
