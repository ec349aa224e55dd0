"""The schedule: so often, without overlap, over restarts, and seen by operators."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from sqlalchemy import delete, update

from api import collector_for, get_tweets
from cli import collecting
from collector import counters
from collector.backups.backups import backup
from collector.backups.restoring import restore
from collector.jobs import schedule
from collector.jobs.interval import choose_schedule
from collector.jobs.schedule import CollectionSchedule, forget_schedules
from collector.jobs.scheduled import JobRunner
from collector.runs import runs
from collector.runs.collector import Collector, NotDue
from emulator import Emulator
from models import DatabaseMark, Run, StoredCounter
from queries.collections import INTERRUPTED, CollectionView, collections
from queries.counters import COMMAND, SCHEDULE, SERVICE
from queries.counters import schedule as shown_schedule
from queries.schedule import BY_SETTING, CHOSEN, OFF, schedule_choice
from settings import load
from tests.collector.conftest import PATIENT, MakeCollector
from tests.fixtures.environment import ROOT, environment
from tests.fixtures.processes import serving
from tests.fixtures.service import in_process
from tests.fixtures.waiting import LONGEST_WAIT_S, wait_until

HOUR = timedelta(hours=1)
SOON = timedelta(seconds=0.1)
NEVER = datetime.min.replace(tzinfo=UTC)


@pytest.fixture
def collector(make_collector: MakeCollector) -> Collector:
    return make_collector(TW_NUMBER="10")


@pytest.fixture(autouse=True)
def _prompt(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schedule, "SHORTEST_WAIT_S", 0.05)


def all_collections(collector: Collector) -> list[CollectionView]:
    with collector.database.reading() as session:
        return collections(session, before=None, most=100)


@contextmanager
def kept(
    collector: Collector, every: timedelta, *, immediately: bool = True, keeping: CollectionSchedule | None = None
) -> Iterator[None]:
    running = keeping or CollectionSchedule(collector, every, immediately=immediately)
    running.start()
    try:
        yield
    finally:
        running.close(seconds=LONGEST_WAIT_S)


def shown(collector: Collector) -> tuple[int, bool, datetime]:
    """Return how often operators see collections, whether somebody keeps to that, and when the next is due."""
    with collector.database.reading() as session:
        found = shown_schedule(session)
        return (found.every, found.kept, found.due) if found else (0, False, NEVER)


def wait_until_planned(collector: Collector) -> datetime:
    wait_until(lambda: shown(collector)[2] > datetime.now(UTC))
    return shown(collector)[2]


def age(collector: Collector, by: timedelta) -> None:
    with collector.database.writing() as session:
        session.execute(update(Run).values(started=datetime.now(UTC) - by))


def test_collections_follow_each_other_without_overlap(collector: Collector, emulator: Emulator) -> None:
    with kept(collector, SOON):
        wait_until(lambda: len(all_collections(collector)) >= 3)
    for earlier, later in pairwise(reversed(all_collections(collector))):
        assert earlier.ended
        assert earlier.ended <= later.started
    assert emulator.ledger.twice() == {}


@pytest.mark.dialects
def test_a_restart_neither_forgets_nor_repeats_a_collection(collector: Collector) -> None:
    get_tweets(collector)
    with kept(collector, HOUR):
        due = wait_until_planned(collector)
        assert timedelta(minutes=50) < due - datetime.now(UTC) <= timedelta(minutes=67)
    assert len(all_collections(collector)) == 1
    age(collector, 2 * HOUR)
    with kept(collector, HOUR):
        wait_until(lambda: len(all_collections(collector)) == 2)


def test_a_database_without_a_collection_waits_unless_it_is_asked_at_once(collector: Collector) -> None:
    with kept(collector, HOUR, immediately=False):
        wait_until_planned(collector)
        assert all_collections(collector) == []
    assert shown(collector) == (0, False, NEVER)  # a schedule that ends is not shown any more


@pytest.mark.dialects
def test_a_backfill_does_not_postpone_a_collection(collector: Collector) -> None:
    get_tweets(collector)
    age(collector, by=HOUR)
    collector.database.write(lambda session: runs.begin(session, collector.orders(session), token=0, backfills=True))
    with kept(collector, HOUR / 2):
        wait_until(lambda: len([one for one in all_collections(collector) if not one.backfills]) == 2)


@pytest.mark.dialects
def test_two_that_keep_the_same_schedule_take_turns(collector: Collector) -> None:
    get_tweets(collector)
    with pytest.raises(NotDue):
        collector.start(due_since=datetime.now(UTC) - HOUR)
    assert len(all_collections(collector)) == 1


def test_a_clock_that_was_set_back_does_not_stop_the_schedule(collector: Collector) -> None:
    get_tweets(collector)
    age(collector, timedelta(days=-30))
    with kept(collector, SOON):
        wait_until(lambda: len(all_collections(collector)) >= 2)


@pytest.mark.parametrize(("kind", "reason"), [("spend_cap", "billing blocked until 20"), ("app_limit", "daily-limit until 20")])
def test_what_x_refuses_until_a_time_is_left_alone_until_then(
    collector: Collector, emulator: Emulator, kind: str, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    emulator.plan(kind, times=None)
    get_tweets(collector)
    emulator.forget_requests()
    with kept(collector, SOON):
        wait_until(lambda: "scheduled collection left out" in caplog.text)
    assert emulator.requests == []
    assert re.search(reason, " ".join(str(getattr(record, "reason", "")) for record in caplog.records))


def test_the_service_shows_the_schedule_that_it_keeps(tmp_path: Path, emulator: Emulator, database_backend: str) -> None:
    with in_process(tmp_path, **environment(tmp_path, emulator) | {"COLLECT_EVERY": "1h"}) as service:
        assert service.get("/readyz").json()["schedule"] is None
        with kept(service.collector, HOUR, keeping=service.app.extensions["schedule"]):
            wait_until_planned(service.collector)
            seen, metrics = service.get("/readyz").json()["schedule"], service.get("/metrics").text
        assert service.get("/readyz").json()["schedule"] is None
    assert seen["every_seconds"] == 3600
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", seen["next"])
    assert "twitterapi_collection_interval_seconds 3600.0" in metrics
    assert re.search(r"twitterapi_collection_next_timestamp_seconds \d", metrics)


@pytest.mark.process
def test_the_workers_of_the_service_keep_one_schedule(tmp_path: Path) -> None:
    with Emulator() as emulator:
        settings = environment(tmp_path, emulator) | {"COLLECT_EVERY": "1s", "WORKERS": "2", "TW_NUMBER": "10"} | PATIENT
        with serving(tmp_path, **settings) as server:
            wait_until(lambda: len(server.get("/collections").json()["collections"]) >= 3)
            newest, *earlier = (view["state"] for view in server.get("/collections").json()["collections"])
            assert newest in {"done", "running"}
            assert set(earlier) == {"done"}
            assert server.stop() == 0
        with serving(tmp_path, **settings | {"COLLECT_EVERY": "off"}) as server:
            assert server.get("/readyz").json()["schedule"] is None
        assert emulator.ledger.twice() == {}


@pytest.mark.process
def test_sigterm_ends_a_scheduled_collection_at_its_next_page(tmp_path: Path, emulator: Emulator) -> None:
    emulator.latency = 0.3
    settings = environment(tmp_path, emulator) | {"TW_NUMBER": "5000", "MONTHLY_BUDGET_USD": "off"} | PATIENT
    command = [sys.executable, "api.py", "--every", "15m"]
    with (tmp_path / "log").open("w") as log:
        variables = {"PATH": os.environ["PATH"], **settings}
        process = subprocess.Popen(command, cwd=ROOT, env=variables, stdout=log, stderr=log)
    try:
        wait_until(lambda: len(emulator.requests) >= 4)
    finally:
        process.send_signal(signal.SIGTERM)
        ended = process.wait(LONGEST_WAIT_S)
    assert ended == 0
    with closing(collector_for(load(settings, folder=tmp_path))) as collector:
        (view,) = all_collections(collector)
        assert (view.state, view.error) == ("failed", INTERRUPTED)
        assert view.posts == emulator.ledger.total().posts_billed == view.tweets_added > 0


def test_a_signal_stops_scheduled_jobs_while_a_collection_still_ends(
    collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    handlers, stopped, jobs = list[Callable[[], object]](), list[str](), JobRunner(collector.database, [])
    monkeypatch.setattr(collecting, "_on_signals", handlers.append)
    monkeypatch.setattr(jobs, "stop", lambda: stopped.append("jobs"))
    monkeypatch.setattr(CollectionSchedule, "stop", lambda _self: stopped.append("schedule"))
    monkeypatch.setattr(CollectionSchedule, "keep", lambda *_given: handlers[0]())
    monkeypatch.setattr(jobs, "close", lambda: stopped.append("closed"))
    assert collecting.keep_collecting(collector, HOUR, jobs) == 0
    assert stopped == ["schedule", "jobs", "closed"]


def leave_killed(collector: Collector, keeper: str) -> None:
    """Leave a schedule as a process that was killed five minutes ago."""
    with collector.database.writing() as session:
        counters.note_schedule(session, keeper, every=3600, due=0)
        seen = (StoredCounter.name == SCHEDULE, StoredCounter.label == f"{keeper} seen")
        session.execute(update(StoredCounter).where(*seen).values(value=StoredCounter.value - 300))


def test_a_schedule_whose_keeper_was_killed_is_told_apart_and_forgotten(collector: Collector) -> None:
    leave_killed(collector, COMMAND)
    assert shown(collector)[:2] == (3600, False)
    get_tweets(collector)
    with kept(collector, 2 * HOUR):
        wait_until_planned(collector)
        assert shown(collector)[:2] == (7200, True)
    leave_killed(collector, COMMAND)
    leave_killed(collector, SERVICE)
    with collector.database.writing() as session:
        forget_schedules(session)
    assert shown(collector) == (0, False, NEVER)


def test_the_service_follows_what_is_chosen_without_a_restart(collector: Collector, monkeypatch: pytest.MonkeyPatch) -> None:
    assert schedule.CHECKED_EVERY_S < 60
    monkeypatch.setattr(schedule, "CHECKED_EVERY_S", 0.05)
    get_tweets(collector)
    age(collector, 2 * HOUR)
    with kept(collector, HOUR, keeping=CollectionSchedule(collector, None)):
        choose_schedule(collector.database, "3h")
        wait_until(lambda: shown(collector)[:2] == (3 * 3600, True))
        assert len(all_collections(collector)) == 1
        choose_schedule(collector.database, "90m")
        wait_until(lambda: len(all_collections(collector)) == 2)
        choose_schedule(collector.database, OFF)
        wait_until(lambda: shown(collector) == (0, False, NEVER))


def test_a_command_keeps_its_own_interval(collector: Collector) -> None:
    get_tweets(collector)
    choose_schedule(collector.database, OFF)
    with kept(collector, HOUR, keeping=CollectionSchedule(collector, HOUR, keeper=COMMAND)):
        wait_until(lambda: shown(collector)[:2] == (3600, True))


@pytest.mark.parametrize(("before", "since", "after"), [("5m", OFF, OFF), ("1h", None, "1h"), ("1h", BY_SETTING, BY_SETTING)])
def test_a_restore_keeps_what_was_chosen_last(
    collector: Collector, tmp_path: Path, before: str, since: str | None, after: str
) -> None:
    choose_schedule(collector.database, before)
    backup(collector.database, tmp_path / "copy.db")
    with collector.database.writing() as session:
        session.execute(delete(DatabaseMark).where(DatabaseMark.name == CHOSEN))
    if since:
        choose_schedule(collector.database, since)
    restore(collector.database, tmp_path / "copy.db")
    with collector.database.reading() as session:
        choice = schedule_choice(session)
    assert choice
    assert choice.every == after


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
