"""The schedule: so often, without overlap, over restarts, and seen by operators."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from sqlalchemy import select, update

from api import collector_for, get_tweets
from collector import figures
from collector.collector import Collector, NotDue
from collector.schedule import Schedule, forget_schedules
from emulator import Emulator
from models import Figure, Run
from queries.collections import INTERRUPTED, CollectionView, collections
from queries.figures import COMMAND, SCHEDULE, SERVICE, schedule
from settings import load
from tests.fixtures.environment import ROOT, environment
from tests.fixtures.processes import serving
from tests.fixtures.waiting import wait_until

SOON = timedelta(seconds=1)


def all_collections(collector: Collector) -> list[CollectionView]:
    with collector.database.reading() as session:
        return collections(session, before=None, most=100)


@contextmanager
def kept(collector: Collector, every: timedelta, *, at_once: bool = True) -> Iterator[Schedule]:
    running = Schedule(collector, every, at_once=at_once)
    running.start()
    try:
        yield running
    finally:
        running.close()


def test_collections_follow_each_other_without_overlap(collector: Collector, emulator: Emulator) -> None:
    with kept(collector, SOON):
        wait_until(lambda: len(all_collections(collector)) >= 3)
    views = [view for view in reversed(all_collections(collector)) if view.ended]
    for earlier, later in pairwise(views):
        assert earlier.ended
        assert earlier.ended <= later.started
    assert emulator.ledger.twice() == {}


def test_a_restart_neither_forgets_nor_repeats_a_collection(collector: Collector, emulator: Emulator) -> None:
    get_tweets(collector)
    with kept(collector, timedelta(hours=1)):
        wait_until(lambda: _due(collector) > datetime.now(UTC))
        due = _due(collector)
        assert timedelta(minutes=55) < due - datetime.now(UTC) <= timedelta(minutes=67)
    assert len(all_collections(collector)) == 1
    with collector.database.writing() as session:
        session.execute(update(Run).values(started=datetime.now(UTC) - timedelta(hours=2)))
    with kept(collector, timedelta(hours=1)):
        wait_until(lambda: len(all_collections(collector)) == 2)


def _due(collector: Collector) -> datetime:
    with collector.database.reading() as session:
        found = schedule(session)
        return found.due if found else datetime.min.replace(tzinfo=UTC)


def test_a_database_without_a_collection_waits_unless_it_is_asked_at_once(collector: Collector) -> None:
    with kept(collector, timedelta(hours=1), at_once=False):
        wait_until(lambda: _due(collector) > datetime.now(UTC))
        assert all_collections(collector) == []


def test_two_that_keep_the_same_schedule_take_turns(collector: Collector, make_settings: object) -> None:
    get_tweets(collector)
    with pytest.raises(NotDue):
        collector.start(due_since=datetime.now(UTC) - timedelta(minutes=5))
    assert len(all_collections(collector)) == 1


def test_a_clock_that_was_set_back_does_not_stop_the_schedule(collector: Collector) -> None:
    get_tweets(collector)
    with collector.database.writing() as session:
        session.execute(update(Run).values(started=datetime.now(UTC) + timedelta(days=30)))
    with kept(collector, SOON):
        wait_until(lambda: len(all_collections(collector)) >= 2)


def test_a_spending_cap_is_left_alone_until_the_day_that_x_named(
    collector: Collector, emulator: Emulator, caplog: pytest.LogCaptureFixture
) -> None:
    emulator.plan("spend_cap", times=None)
    get_tweets(collector)
    emulator.forget_requests()
    with kept(collector, SOON):
        wait_until(lambda: "scheduled collection left out" in caplog.text)
    assert emulator.requests == []


def test_a_schedule_that_ends_is_not_shown_any_more(collector: Collector) -> None:
    with kept(collector, timedelta(hours=1)):
        wait_until(lambda: _due(collector) > datetime.now(UTC))
    with collector.database.reading() as session:
        assert schedule(session) is None


def test_the_service_keeps_a_schedule_and_shows_it(tmp_path: Path, emulator: Emulator) -> None:
    settings = environment(tmp_path, emulator) | {"COLLECT_EVERY": "1s", "WORKERS": "2"}
    with serving(tmp_path, **settings) as server:
        wait_until(lambda: len(server.get("/collections").json()["collections"]) >= 2)
        shown = server.get("/readyz").json()["schedule"]
        assert shown["every_seconds"] == 1
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", shown["next"])
        metrics = server.get("/metrics").text
        assert "twitterapi_collection_interval_seconds 1.0" in metrics
        assert re.search(r"twitterapi_collection_next_timestamp_seconds \d", metrics)
        states = {view["state"] for view in server.get("/collections").json()["collections"]}
        assert states <= {"done", "running"}
        assert server.stop() == 0
    with serving(tmp_path, **settings | {"COLLECT_EVERY": "off"}) as server:
        assert server.get("/readyz").json()["schedule"] is None


def test_sigterm_ends_a_scheduled_collection_at_its_next_page(tmp_path: Path, emulator: Emulator) -> None:
    emulator.latency = 0.3
    settings = environment(tmp_path, emulator) | {"TW_NUMBER": "5000", "MONTHLY_BUDGET_USD": "off"}
    command = [sys.executable, "api.py", "--every", "15m"]
    with (tmp_path / "log").open("w") as log:
        variables = {"PATH": os.environ["PATH"], **settings}
        process = subprocess.Popen(command, cwd=ROOT, env=variables, stdout=log, stderr=log)
    wait_until(lambda: len(emulator.requests) >= 4)
    process.send_signal(signal.SIGTERM)
    assert process.wait(20) == 0
    with closing(collector_for(load(settings, folder=tmp_path))) as collector:
        (view,) = all_collections(collector)
        assert view.error == INTERRUPTED
        assert view.posts == emulator.ledger.total().posts_billed == view.tweets_added > 0
        with collector.database.reading() as session:
            assert session.scalars(select(Run.state)).all() == ["failed"]


@pytest.mark.parametrize("every", ["15", "0s", "500d", "ever", "-1m"])
def test_an_interval_that_is_none_is_refused(tmp_path: Path, every: str) -> None:
    ended = subprocess.run(
        [sys.executable, "api.py", f"--every={every}"], cwd=ROOT, capture_output=True, text=True, timeout=30, check=False
    )
    assert ended.returncode == 2
    assert "expected a number followed by s, m, h or d" in ended.stderr


def killed(collector: Collector, keeper: str) -> None:
    """Leave a schedule as a process that was killed five minutes ago."""
    with collector.database.writing() as session:
        figures.scheduled(session, keeper, every=3600, due=0)
        seen = (Figure.name == SCHEDULE, Figure.label == f"{keeper} seen")
        session.execute(update(Figure).where(*seen).values(value=Figure.value - 300))


def test_a_schedule_whose_keeper_was_killed_is_told_from_one_that_is_kept(collector: Collector) -> None:
    killed(collector, COMMAND)
    with collector.database.reading() as session:
        found = schedule(session)
        assert found
        assert (found.every, found.kept) == (3600, False)
    get_tweets(collector)
    with kept(collector, timedelta(hours=2)):
        wait_until(lambda: _due(collector) > datetime.now(UTC))
        with collector.database.reading() as session:
            found = schedule(session)
            assert found
            assert (found.every, found.kept) == (7200, True)


def test_a_start_of_the_service_forgets_schedules_that_nobody_keeps(collector: Collector) -> None:
    killed(collector, COMMAND)
    killed(collector, SERVICE)
    with collector.database.writing() as session:
        forget_schedules(session)
    with collector.database.reading() as session:
        assert schedule(session) is None


def test_an_error_that_nobody_expected_does_not_end_the_schedule(
    collector: Collector, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    begin = collector._begin

    def fail_once(*_arguments: object) -> object:
        monkeypatch.setattr(collector, "_begin", begin)
        raise RuntimeError("nobody expected this")

    monkeypatch.setattr(collector, "_begin", fail_once)
    with kept(collector, SOON):
        wait_until(lambda: all_collections(collector))
    assert "scheduled collection failed" in caplog.text
