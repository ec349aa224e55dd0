"""Chores: done so often, by one process at a time, tried again where they failed, and X's own count beside the ledger's."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select, update

import api
from alchemy import Database
from api import collector_for, get_tweets, upkeep_for
from collector.collector import Collector
from collector.upkeep import Task, Upkeep
from collector.x.failures import Reach, XFailure
from emulator import Emulator
from models import Chore, Tweet
from queries.chores import BROKEN_OFF, ChoreView, chores
from queries.reconciliations import newest
from settings import load
from tests.fixtures import databases
from tests.fixtures.environment import MakeSettings, environment
from tests.fixtures.processes import serving
from tests.fixtures.waiting import wait_until

DAY = timedelta(days=1)


@pytest.fixture
def database(tmp_path: Path, database_backend: str) -> Iterator[Database]:
    with closing(Database(databases.url_of(tmp_path))) as ready:
        ready.upgrade()
        yield ready


class Work:
    """A chore that counts how often it was done and fails as told."""

    def __init__(self) -> None:
        self.times, self.failure = 0, None
        self.wanted = True

    failure: Exception | None

    def task(self, every: timedelta = DAY, name: str = "sweep") -> Task:
        return Task(name, every, lambda _session: self.wanted, self)

    def __call__(self, _stop: threading.Event) -> None:
        self.times += 1
        if self.failure:
            raise self.failure


def seen(database: Database) -> ChoreView:
    with database.reading() as session:
        (chore,) = chores(session)
    return chore


def age(database: Database, by: timedelta = timedelta(hours=25)) -> None:
    with database.writing() as session:
        for chore in session.scalars(select(Chore)):
            chore.began -= by


def test_a_chore_is_done_at_once_and_then_so_often(database: Database) -> None:
    work = Work()
    upkeep = Upkeep(database, [work.task()])
    upkeep.round()
    upkeep.round()
    assert work.times == 1
    assert seen(database).error is None
    assert seen(database).succeeded is not None
    age(database)
    upkeep.round()
    assert work.times == 2


def test_a_restart_repeats_nothing(database: Database) -> None:
    work = Work()
    for _ in range(2):
        Upkeep(database, [work.task()]).round()
    assert work.times == 1


def test_what_is_not_wanted_is_not_done(database: Database) -> None:
    work = Work()
    work.wanted = False
    Upkeep(database, [work.task()]).round()
    assert work.times == 0


@pytest.mark.parametrize(
    ("failure", "words"),
    [(XFailure("unwell", Reach.REQUEST, "X is unwell"), "X is unwell"), (ZeroDivisionError(), "ZeroDivisionError")],
)
def test_one_that_failed_says_why_and_is_tried_again_after_an_hour(database: Database, failure: Exception, words: str) -> None:
    work, other = Work(), Work()
    work.failure = failure
    upkeep = Upkeep(database, [work.task(), other.task(name="tidy")])
    upkeep.round()
    with database.reading() as session:
        (tidy,) = (chore for chore in chores(session) if chore.name == "tidy")
        (sweep,) = (chore for chore in chores(session) if chore.name == "sweep")
    assert words in (sweep.error or "")
    assert (sweep.succeeded, tidy.error) == (None, None)
    upkeep.round()
    assert work.times == 1
    age(database, timedelta(minutes=61))
    work.failure = None
    upkeep.round()
    assert (work.times, other.times) == (2, 1)


def test_one_that_was_killed_is_tried_again_after_an_hour(database: Database) -> None:
    Upkeep(database, [Work().task()]).round()
    with database.writing() as session:
        session.execute(update(Chore).values(error=BROKEN_OFF))
    work = Work()
    age(database, timedelta(minutes=61))
    Upkeep(database, [work.task()]).round()
    assert work.times == 1
    assert seen(database).error is None


def test_a_beginning_in_the_future_counts_as_long_ago(database: Database) -> None:
    work = Work()
    upkeep = Upkeep(database, [work.task()])
    upkeep.round()
    age(database, timedelta(days=-3))
    upkeep.round()
    assert work.times == 2


def test_two_processes_do_a_chore_once(database: Database) -> None:
    inside, release, work = threading.Event(), threading.Event(), Work()

    def slowly(_stop: threading.Event) -> None:
        inside.set()
        assert release.wait(30)
        work(_stop)

    first = threading.Thread(target=Upkeep(database, [work.task()._replace(work=slowly)]).round)
    first.start()
    assert inside.wait(30)
    age(database)
    Upkeep(database, [work.task()]).round()
    assert work.times == 0
    release.set()
    first.join(30)
    assert work.times == 1


def test_stopping_breaks_off_what_is_being_done(database: Database) -> None:
    begun = threading.Event()

    def wait(stop: threading.Event) -> None:
        begun.set()
        assert stop.wait(30)

    upkeep = Upkeep(database, [Work().task()._replace(work=wait)])
    upkeep.start()
    assert begun.wait(30)
    upkeep.close()
    assert seen(database).succeeded is not None


def reconciled(make_settings: MakeSettings) -> tuple[Collector, Upkeep]:
    settings = make_settings(RECONCILE_EVERY="1d")
    collector = collector_for(settings)
    collector.prepare()
    return collector, upkeep_for(collector, settings)


def test_the_ledger_is_compared_with_what_x_says_it_sold(make_settings: MakeSettings, emulator: Emulator) -> None:
    collector, upkeep = reconciled(make_settings)
    with closing(collector):
        upkeep.round()
        assert emulator.requests == []
        get_tweets(collector)
        sold = emulator.ledger.total().posts_billed
        upkeep.round()
        with collector.database.reading() as session:
            compared = newest(session)
            assert compared
            assert (compared.x_posts, compared.our_posts, compared.drift) == (sold, sold, 0)
        emulator.drift(25)
        age(collector.database)
        upkeep.round()
        with collector.database.reading() as session:
            drifted = newest(session)
        assert drifted
        assert (drifted.x_posts, drifted.drift) == (sold + 25, 25)


def test_the_service_shows_the_drift(tmp_path: Path, emulator: Emulator) -> None:
    emulator.drift(7)
    settings = environment(tmp_path, emulator) | {"COLLECT_ON_START": "1", "RECONCILE_EVERY": "1d"}
    with serving(tmp_path, **settings) as server:
        wait_until(lambda: server.get("/readyz").json()["last_collection"]["state"] == "done")
    with serving(tmp_path, **settings) as server:
        by_x = wait_until(lambda: server.get("/spend").json()["by_x"])
        metrics = server.get("/metrics").text
    assert by_x["posts"] - by_x["ledger_posts"] == by_x["drift"]
    assert f"twitterapi_spend_drift_posts {float(by_x['drift'])}" in metrics


def test_the_service_sees_to_compliance_retention_and_copies_by_itself(tmp_path: Path, emulator: Emulator) -> None:
    planned = {"COMPLY_EVERY": "1d", "BACKUP_EVERY": "1d", "TWEET_RETENTION": "1h", "COLLECT_ON_START": "1"}
    with serving(tmp_path, **environment(tmp_path, emulator) | planned) as server:
        done = wait_until(lambda: all_done(server.get("/readyz").json()["chores"], {"comply", "retain", "backup"}))
        tweets = server.get("/tweets").json()["tweets"]
        metrics = server.get("/metrics").text
    assert {chore["error"] for chore in done.values()} == {None}
    assert {request.path for request in emulator.requests} >= {"/2/compliance/jobs"}
    assert all(datetime.fromisoformat(tweet["created"]) > datetime.now(UTC) - 2 * timedelta(hours=1) for tweet in tweets)
    assert len(list((tmp_path / "backups").glob("*-scheduled.db"))) == 1
    assert 'twitterapi_chore_interval_seconds{chore="comply"} 86400.0' in metrics


def all_done(shown: dict[str, dict[str, str]], names: set[str]) -> dict[str, dict[str, str]] | None:
    return shown if all(name in shown and shown[name]["succeeded"] for name in names) else None


def comply(folder: Path, emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> int:
    for name, value in environment(folder, emulator).items():
        monkeypatch.setenv(name, value)
    return api.main(["--comply"])


def test_python_api_comply_removes_what_x_says_must_go(
    tmp_path: Path, emulator: Emulator, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with closing(collector_for(load(environment(tmp_path, emulator), folder=tmp_path))) as collector:
        collector.prepare()
        get_tweets(collector)
        with collector.database.reading() as session:
            first, second, *_ = session.scalars(select(Tweet.id).order_by(Tweet.id)).all()
    emulator.remove(first)
    emulator.remove(second, reason="scrub_geo")
    assert comply(tmp_path, emulator, monkeypatch) == 0
    assert "1 tweets removed" in capsys.readouterr().err
    with closing(Database(databases.url_of(tmp_path))) as database, database.reading() as session:
        left = set(session.scalars(select(Tweet.id)))
    assert first not in left
    assert second in left


def test_python_api_comply_says_why_it_could_not(
    tmp_path: Path, emulator: Emulator, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with closing(collector_for(load(environment(tmp_path, emulator), folder=tmp_path))) as collector:
        collector.prepare()
        get_tweets(collector)
    emulator.plan("unauthorized", times=None, endpoint="compliance")
    assert comply(tmp_path, emulator, monkeypatch) == 1
    assert "X refuses the credentials" in capsys.readouterr().err
