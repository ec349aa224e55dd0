"""The judge of second looks notices what it looks for."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import pytest
import requests

from emulator import Emulator
from emulator.query import parse
from emulator.world.world import PostRange
from tests.fixtures import databases
from tests.fixtures.clocks import NOON, standing
from tests.reliability.judge import Judge
from tests.reliability.looks import LookJudge

pytestmark = pytest.mark.reliability
EVENING = NOON.replace(hour=22, minute=10)


@pytest.mark.parametrize(
    ("times", "fault"),
    [
        ([NOON], "outside of the evening"),
        ([EVENING], "paid for by the evening's look"),
        ([EVENING, EVENING], "asked for twice on an evening"),
        ([EVENING + timedelta(minutes=90)], "outside of the evening"),
    ],
)
def test_a_look_that_must_not_be_is_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, times: list[datetime], fault: str
) -> None:
    with standing() as emulator:
        looks = LookJudge(Judge(emulator, databases.url_of(tmp_path), monkeypatch), monkeypatch)
        for at in times:
            emulator.clock.set(at)
            _ask(emulator, _posts(emulator)[:3])
        assert fault in " ".join(looks.faults())


@pytest.mark.parametrize(("minutes", "gone", "wrong"), [(0, 2, 0), (0, 3, 1), (59, 3, 1), (60, 3, 0)])
def test_only_a_fifth_or_what_is_gone_for_an_hour_may_be_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, minutes: int, gone: int, wrong: int
) -> None:
    with standing() as emulator:
        judge = Judge(emulator, databases.url_of(tmp_path), monkeypatch)
        looks = LookJudge(judge, monkeypatch)
        ids = _posts(emulator)[:10]
        emulator.clock.set(EVENING)
        emulator.remove(*ids[:gone])
        for pause in (0, minutes):
            emulator.clock.advance(60 * pause)
            _ask(emulator, ids)
        judge.rows("INSERT INTO tombstones (id, deleted_at) VALUES (?, '2026-11-24 22:00:00')", ids[0])
        assert sum("removed that X did not call gone" in one for one in looks.faults()) == wrong


def _posts(emulator: Emulator) -> list[int]:
    until = emulator.state.world.found(parse("#devops"), PostRange(0, 2**62, emulator.clock.now_ms()))
    return [post.id for post, _ in zip(until, range(20), strict=False)]


def _ask(emulator: Emulator, ids: list[int]) -> None:
    found = requests.get(
        f"{emulator.url}/2/tweets", {"ids": ",".join(map(str, ids))}, headers={"Authorization": "Bearer x"}, timeout=20
    )
    assert found.ok
