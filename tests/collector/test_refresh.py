"""Refreshing: the day's purchases are read again in the evening, once, free of charge, until X's count says otherwise."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from sqlalchemy import func, select, update

from alchemy import Database
from api import collector_for, get_tweets, job_runner_for
from collector.backups.backups import backup
from collector.backups.restoring import restore
from collector.jobs.scheduled import JobRunner
from collector.refresh import lookups
from collector.refresh.records import record_order, switch_off, switch_on
from collector.refresh.same_day import missed_day, refresh_today
from collector.runs import lease
from collector.runs.collector import Collector
from collector.tweets.deletions import remove_tweets
from collector.verification import faults
from collector.x import parsing
from emulator import Emulator
from models import EarlierMeasurement, JobState, Lease, Payload, Purchase, Reservation, Spend, Tombstone, Tweet
from queries.refreshing import RefreshDay, RefreshOrder, refresh_day, refresh_off, refresh_order, seemingly_gone
from queries.service import JobView, job_states
from settings import load
from tests.collector.conftest import MakeCollector, asked, rows
from tests.fixtures import databases
from tests.fixtures.clocks import NOON, standing
from tests.fixtures.environment import MakeSettings, environment, let_lease_run_out
from tests.fixtures.processes import serving
from tests.fixtures.waiting import wait_until

LOOKUP, USAGE = "/2/tweets", "/2/usage/tweets"
EVENING = NOON.replace(hour=22, minute=2)
PURCHASED = "SELECT kind, group_concat(object_id) FROM purchases GROUP BY kind"
ON = {"REFRESH": "same-day", "TW_NUMBER": "100"}
StartEvening = Callable[..., "Evening"]


class Evening(NamedTuple):
    """A service on the evening of a day on which it has collected."""

    collector: Collector
    runner: JobRunner
    emulator: Emulator

    @property
    def database(self) -> Database:
        return self.collector.database

    @property
    def day(self) -> RefreshDay:
        """What was done on the newest day."""
        with self.database.reading() as session:
            day = refresh_day(session)
        assert day
        return day

    @property
    def off(self) -> str | None:
        """Why refreshing went off by itself."""
        with self.database.reading() as session:
            why = refresh_off(session)
        return why and why.reason

    @property
    def in_question(self) -> set[int]:
        with self.database.reading() as session:
            return set(seemingly_gone(session))

    def part(self, *, minutes: float = 0) -> JobView | None:
        """Let minutes pass by X's clock, and as much as a job waits by this machine's, do what is due, and return the job."""
        self.emulator.clock.advance(60 * minutes)
        with self.database.writing() as session:
            for job in session.scalars(select(JobState)):
                job.began -= timedelta(hours=2)
        self.runner.run_due()
        with self.database.reading() as session:
            return next((one for one in job_states(session) if one.name == "refresh"), None)

    def parts(self, number: int, *, minutes: float = 11) -> None:
        for _ in range(number):
            self.part(minutes=minutes)


@pytest.fixture
def evening(make_collector: MakeCollector, make_settings: MakeSettings, emulator: Emulator) -> StartEvening:
    """Collect at noon, and let it become evening."""

    def start(**more: str) -> Evening:
        collector = make_collector(**ON | more)
        get_tweets(collector)
        emulator.clock.set(EVENING)
        emulator.forget_requests()
        return Evening(collector, job_runner_for(collector, make_settings(**ON | more)), emulator)

    return start


def requested(emulator: Emulator) -> list[list[int]]:
    """Return the ids of each look-up."""
    return [[int(one) for one in params["ids"].split(",")] for params in asked(emulator, LOOKUP)]


def bought(database: Database) -> list[int]:
    return sorted(one for (one,) in rows(database, select(Purchase.object_id).where(Purchase.kind == "post")))


@pytest.mark.dialects
def test_the_purchases_of_the_day_are_read_again_once_in_the_evening(evening: StartEvening, emulator: Emulator) -> None:
    service = evening()
    database, before = service.database, emulator.ledger.total()
    service.part()
    assert [len(ids) for ids in requested(emulator)] == [100]
    service.parts(4)
    ids = requested(emulator)
    assert [one for request in ids for one in request] == bought(database)
    assert [len(request) for request in ids] == [100, 100, 100]
    with database.reading() as session:
        day = refresh_day(session)
    assert day
    assert (day.looks, day.read, day.done) == (3, 300, 1)
    assert emulator.ledger.total().floor == before.floor
    assert rows(database, select(Reservation.id)) == []
    assert rows(database, select(func.min(Payload.retrieved)))[0][0] >= EVENING
    ((measured, earlier),) = rows(database, select(func.min(Tweet.measured), func.sum(Tweet.views)))
    assert measured >= EVENING
    assert earlier > rows(database, select(func.sum(EarlierMeasurement.views)))[0][0] > 0
    assert rows(database, select(func.count()).select_from(EarlierMeasurement))[0][0] == 300


def test_nothing_is_read_again_before_22_00_nor_from_23_30_on_by_xs_clock(evening: StartEvening, emulator: Emulator) -> None:
    service = evening()
    for hour, minute in ((21, 59), (23, 30), (23, 59)):
        emulator.clock.set(EVENING.replace(hour=hour, minute=minute))
        service.part()
    assert emulator.requests == []
    emulator.clock.set(EVENING.replace(hour=23, minute=29))
    service.part()
    service.part(minutes=2)
    assert [len(ids) for ids in requested(emulator)] == [100]
    day = service.day
    assert (day.read, day.done) == (100, 1)


@pytest.mark.parametrize(("hour", "looks"), [(2, 0), (22, 1)])
def test_a_process_that_does_not_know_xs_time_asks_for_it_first(
    evening: StartEvening, make_collector: MakeCollector, emulator: Emulator, hour: int, looks: int
) -> None:
    evening()
    emulator.clock.set(EVENING.replace(hour=hour) + timedelta(days=hour < 12))
    refresh_today(make_collector(**ON), threading.Event())
    assert emulator.requests[0].path == USAGE
    assert len(requested(emulator)) == looks


def test_an_answer_that_may_come_after_midnight_is_not_asked_for(evening: StartEvening, emulator: Emulator) -> None:
    service = evening(X_TIMEOUT="40m")  # an answer may take three times as long
    service.part()
    assert requested(emulator) == []


@pytest.mark.dialects
def test_an_evening_on_which_no_process_ran_is_said_to_be_missed(evening: StartEvening) -> None:
    service, day = evening(), EVENING.date()
    times = [EVENING.replace(hour=23, minute=minute) for minute in (29, 30)]
    times += [times[0] + timedelta(days=1), times[1] + timedelta(days=1)]
    for begun in (False, True):
        with service.database.reading() as session:
            missed = [missed_day(session, now=now) for now in times]
        assert missed == [None, None if begun else day, None if begun else day, None]
        service.part()


@pytest.mark.parametrize("drift", [2, 60])
def test_it_goes_off_where_xs_count_rises(evening: StartEvening, emulator: Emulator, drift: int) -> None:
    service, ledger = evening(), emulator.ledger
    service.part()
    assert service.off is None
    emulator.drift(drift)  # as if X had billed some posts again, and told it late
    job = service.part(minutes=11)
    assert f"X's count rose by {drift} posts while 100 were read again" in (service.off or "")
    assert job
    assert (job.failure_kind, "went off by itself" in (job.error or "")) == ("refresh-off", True)
    emulator.forget_requests()
    for day in range(2):
        emulator.clock.set(EVENING + timedelta(days=day, minutes=30))
        service.part()
    assert emulator.requests == []
    assert ledger.total().posts_billed == 300


def test_a_rise_of_1_percent_is_none(evening: StartEvening, emulator: Emulator) -> None:
    service = evening()
    service.part()
    emulator.drift(1)
    service.part(minutes=11)
    assert service.off is None
    assert len(requested(emulator)) == 3


@pytest.mark.parametrize("kind", ["server_503", "unauthorized", "not_found"])
def test_without_xs_count_it_goes_off_after_the_first_look(evening: StartEvening, emulator: Emulator, kind: str) -> None:
    service = evening(X_RETRIES="0")
    emulator.plan(kind, times=None, endpoint="usage", after_pages=1)
    service.part()
    assert len(requested(emulator)) == 1
    assert "X gave no count" in (service.off or "")


def test_an_account_without_a_count_reads_nothing_again(evening: StartEvening, emulator: Emulator) -> None:
    service = evening()
    emulator.plan("server_503", times=None, endpoint="usage")
    service.part()
    assert (requested(emulator), service.off) == ([], None)  # X may answer in ten minutes
    emulator.clear_faults()
    emulator.plan("not_enrolled", times=None, endpoint="usage")
    service.part(minutes=11)
    assert requested(emulator) == []
    assert "X gave no count" in (service.off or "")


def test_what_is_bought_meanwhile_is_no_rise(evening: StartEvening, make_collector: MakeCollector, emulator: Emulator) -> None:
    service, other = evening(), make_collector(**ON)
    before = bought(service.database)
    service.part()
    get_tweets(other)
    assert len(bought(service.database)) > len(before)
    service.parts(3)
    assert service.off is None
    ids = {one for request in requested(emulator) for one in request}
    assert ids < set(before)  # the collection has read some of them again itself
    fresh = {one for (one,) in rows(service.database, select(Payload.id).where(Payload.retrieved >= EVENING))}
    assert set(before) <= fresh


def test_what_was_bought_an_hour_ago_makes_it_begin(make_collector: MakeCollector, emulator: Emulator) -> None:
    emulator.clock.set(EVENING - timedelta(minutes=30))
    collector = make_collector(**ON)
    get_tweets(collector)
    for minutes, looks in ((30, 0), (31, 1)):
        emulator.clock.advance(60 * minutes)
        refresh_today(collector, threading.Event())
        assert len(requested(emulator)) == looks


def test_it_begins_later_where_posts_came_just_now(
    evening: StartEvening, make_collector: MakeCollector, emulator: Emulator
) -> None:
    service = evening()
    get_tweets(make_collector(**ON))
    emulator.forget_requests()
    service.part()
    assert emulator.requests == []
    service.part(minutes=11)
    assert len(requested(emulator)) == 1


def test_the_operator_sets_it_again_and_it_goes_on_the_next_day(evening: StartEvening, emulator: Emulator) -> None:
    service = evening()
    service.part()
    emulator.drift(50)
    service.part(minutes=11)
    assert switch_on(service.database)
    emulator.forget_requests()
    service.part(minutes=11)
    assert (emulator.requests, service.off) == ([], None)
    emulator.clock.set(EVENING.replace(hour=9) + timedelta(days=1))
    get_tweets(service.collector)
    emulator.clock.set(EVENING + timedelta(days=1))
    emulator.forget_requests()
    service.parts(3)
    assert requested(emulator)
    assert service.off is None


@pytest.mark.dialects
def test_its_worst_case_is_within_the_budget(evening: StartEvening, emulator: Emulator) -> None:
    service = evening(MONTHLY_BUDGET_USD="4.58")
    spent = rows(service.database, select(func.sum(Spend.ceiling)))[0][0]
    left = 4_580_000 - spent
    assert 0 < left < 500_000
    service.part()
    assert [len(ids) for ids in requested(emulator)] == [left // 5_000]
    service.parts(20, minutes=1)
    assert [one for request in requested(emulator) for one in request] == bought(service.database)
    assert max(len(ids) for ids in requested(emulator)) == left // 5_000
    assert rows(service.database, select(func.sum(Spend.ceiling)))[0][0] == spent


def test_without_any_budget_left_nothing_is_read_and_the_job_says_why(evening: StartEvening, emulator: Emulator) -> None:
    service = evening()
    tight = service.collector.order._replace(billing=service.collector.order.billing._replace(budget=1))
    service.collector.order = tight
    job = service.part()
    assert requested(emulator) == []
    assert job
    assert (job.failure_kind, service.off) == ("budget", None)


def test_a_request_in_flight_of_a_process_that_died_is_not_waited_for(
    evening: StartEvening, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = evening()
    ((run_id, day),) = rows(service.database, select(Spend.run_id, Spend.day))
    with service.database.writing() as session:
        session.add(Reservation(run_id=run_id, day=day, request="#devops", micro=500_000, posts=100, in_flight=True))
    order = service.collector.order
    service.collector.order = order._replace(billing=order.billing._replace(budget=1))
    monkeypatch.setattr(lookups, "SETTLED_WITHIN_S", 0.0)
    job = service.part()
    assert job
    assert job.failure_kind == "reserved"


@pytest.mark.dialects
@pytest.mark.parametrize("when", ["sent", "answered"])
def test_after_a_kill_it_goes_on_without_the_same_ids(
    evening: StartEvening, emulator: Emulator, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    service = evening()
    service.part()
    with monkeypatch.context() as patch:

        def die(*_args: object, **_more: object) -> None:
            raise KeyboardInterrupt

        patch.setattr(lookups, "tweets" if when == "sent" else "store_observations", die)
        patch.setattr(lookups.LookUps, "_release", lambda *_args, **_more: None)
        patch.setattr(lease, "give_back", lambda *_args, **_more: False)
        with pytest.raises(KeyboardInterrupt):
            service.part(minutes=11)
    assert rows(service.database, select(Reservation.micro)) == [(500_000,)]
    with service.database.writing() as session:
        session.execute(update(Lease).values(expires=0))
    service.parts(3)
    ids = [one for request in requested(emulator) for one in request]
    assert ids == bought(service.database)
    assert (service.day.looks, service.day.read, service.day.done, service.off) == (3, 200, 1, None)
    assert rows(service.database, select(Reservation.micro)) == []
    assert faults(service.database, service.collector.order.billing) == []


@pytest.mark.parametrize("kind", ["cut", "broken_json", "list_200"])
def test_a_lost_answer_is_not_asked_for_again_and_leaves_nothing_reserved(
    evening: StartEvening, emulator: Emulator, kind: str
) -> None:
    service = evening()
    emulator.plan(kind, times=1, endpoint="tweets")
    service.part()
    assert len(requested(emulator)) == 1
    service.parts(3)
    assert [one for request in requested(emulator) for one in request] == bought(service.database)
    assert rows(service.database, select(Reservation.micro)) == []
    assert service.day.done


@pytest.mark.parametrize("kind", ["server_503", "rate_limit"])
def test_what_x_refused_is_read_ten_minutes_later(evening: StartEvening, emulator: Emulator, kind: str) -> None:
    service = evening(X_RETRIES="0")
    emulator.plan(kind, times=1, endpoint="tweets")
    job = service.part()
    assert job
    assert job.failure_kind in ("unwell", "rate-limit")
    service.parts(4)
    first, *rest = requested(emulator)
    assert first == rest[0]
    assert [one for request in rest for one in request] == bought(service.database)


def test_the_rate_limit_is_obeyed_before_x_refuses(make_collector: MakeCollector, make_settings: MakeSettings) -> None:
    with standing(lookup_limit=2) as emulator:
        settings = {"TWITTER_API_URL": emulator.url, **ON}
        collector = make_collector(**settings)
        get_tweets(collector)
        emulator.clock.set(EVENING)
        service = Evening(collector, job_runner_for(collector, make_settings(**settings)), emulator)
        service.part()
        job = service.part(minutes=2)
        assert len(requested(emulator)) == 2
        assert job
        assert job.failure_kind == "rate-limit"
        service.parts(3, minutes=16)
        assert [len(ids) for ids in requested(emulator)] == [100, 100, 100]
        assert {request.status for request in emulator.requests if request.path == LOOKUP} == {200}


@pytest.mark.dialects
def test_what_is_gone_is_removed_for_good_and_what_is_only_withheld_is_not(evening: StartEvening, emulator: Emulator) -> None:
    service = evening()
    deleted, protected, *_ = bought(service.database)
    emulator.remove(deleted)
    emulator.remove(protected, reason="protected")
    service.part()
    assert rows(service.database, select(Tweet.id).where(Tweet.version == deleted)) == []
    assert len(rows(service.database, select(Tweet.id).where(Tweet.version == protected))) == 1
    assert (deleted,) in rows(service.database, select(Tombstone.id))
    assert faults(service.database, service.collector.order.billing) == []


@pytest.mark.parametrize("returns", [True, False])
def test_more_than_a_fifth_is_looked_for_once_more_an_hour_later(
    evening: StartEvening, emulator: Emulator, *, returns: bool
) -> None:
    service = evening()
    gone = bought(service.database)[:21]
    emulator.remove(*gone)
    service.part()
    assert service.in_question == set(gone)
    assert len(stored(service, gone)) == 21
    service.parts(3, minutes=15)
    assert len(requested(emulator)) == 1
    if returns:
        emulator.reinstate()
    service.part(minutes=16)
    assert requested(emulator)[1] == gone
    assert service.in_question == set()
    assert len(stored(service, gone)) == (21 if returns else 0)
    service.part()
    assert [len(ids) for ids in requested(emulator)] == [100, 21, 100, 100]


def test_a_second_look_of_which_the_budget_pays_for_a_part_is_continued(evening: StartEvening, emulator: Emulator) -> None:
    service = evening()
    gone = bought(service.database)[:21]
    emulator.remove(*gone)
    service.part()
    order = service.collector.order
    used = rows(service.database, select(func.sum(Spend.ceiling)))[0][0]
    service.collector.order = order._replace(billing=order.billing._replace(budget=used + 60_000))
    service.part(minutes=61)
    assert requested(emulator)[1:3] == [gone[:12], gone[12:]]
    assert stored(service, gone) == []


def test_a_fifth_is_removed_at_once(evening: StartEvening, emulator: Emulator) -> None:
    service = evening()
    gone = bought(service.database)[:20]
    emulator.remove(*gone)
    service.part()
    assert stored(service, gone) == []


def test_a_second_look_that_would_come_too_late_is_left_out(evening: StartEvening, emulator: Emulator) -> None:
    service = evening()
    emulator.clock.set(EVENING.replace(minute=45))
    emulator.remove(*bought(service.database)[:21])
    service.part()
    service.parts(5, minutes=10)
    assert len(requested(emulator)) == 1
    assert (service.in_question, service.day.done) == (set(), 1)
    assert len(rows(service.database, select(Tweet.id))) == 300


def stored(service: Evening, ids: list[int]) -> list[int]:
    return [one for (one,) in rows(service.database, select(Tweet.version).where(Tweet.version.in_(ids)))]


def test_a_tweet_that_was_deleted_meanwhile_is_not_stored_again(
    evening: StartEvening, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    service, parse = evening(), parsing.tweets
    first = bought(service.database)[0]

    def parse_late(*args: Any, **more: Any) -> Any:
        with service.database.writing() as session:
            remove_tweets(session, [first])
        return parse(*args, **more)

    monkeypatch.setattr(lookups, "tweets", parse_late)
    service.part()
    assert stored(service, [first]) == []


def test_two_processes_do_it_once(evening: StartEvening, make_collector: MakeCollector, emulator: Emulator) -> None:
    service, other = evening(), make_collector(**ON)
    with lookups.look_ups(other, threading.Event()), pytest.raises(lookups.RefreshRunning):
        refresh_today(service.collector, threading.Event())
    for collector in (service.collector, other) * 3:
        emulator.clock.advance(660)
        refresh_today(collector, threading.Event())
    assert [one for request in requested(emulator) for one in request] == bought(service.database)


def test_the_setting_switches_it_off(make_collector: MakeCollector, make_settings: MakeSettings, emulator: Emulator) -> None:
    collector = make_collector()
    get_tweets(collector)
    emulator.clock.set(EVENING)
    emulator.forget_requests()
    job_runner_for(collector, make_settings(REFRESH="off")).run_due()
    assert emulator.requests == []


def test_an_x_that_bills_again_is_left_after_100_posts(evening: StartEvening, emulator: Emulator) -> None:
    service = evening()
    emulator.plan("counted_again", times=None, endpoint="tweets")
    service.parts(4)
    assert [len(ids) for ids in requested(emulator)] == [100]
    assert "X's count rose by 100 posts while 100 were read again" in (service.off or "")


def test_an_x_that_finds_only_half_removes_nothing(evening: StartEvening, emulator: Emulator) -> None:
    service = evening()
    emulator.plan("posts_gone", endpoint="tweets")
    service.parts(8)
    assert len(rows(service.database, select(Tweet.id))) == 300
    assert [len(ids) for ids in requested(emulator)] == [100, 50, 100, 100]


@pytest.mark.parametrize("is_off", [True, False])
def test_a_restore_leaves_it_off_or_on_and_forgets_no_look(evening: StartEvening, tmp_path: Path, *, is_off: bool) -> None:
    service = evening()
    with service.database.writing() as session:
        if not is_off:
            switch_off(session, "X's count rose")
        record_order(session, RefreshOrder(NOON, EVENING, before=1))
    backup(service.database, tmp_path / "copy.db")
    switch_on(service.database)
    service.part()
    if is_off:
        with service.database.writing() as session:
            switch_off(session, "X's count rose")
    restore(service.database, tmp_path / "copy.db")
    assert (service.off is not None, service.day.looks) == (is_off, 1)
    with service.database.reading() as session:
        assert refresh_order(session) is None


@pytest.mark.process
def test_processes_that_are_killed_between_and_during_looks_request_each_id_once(tmp_path: Path) -> None:
    with Emulator(now=NOON, archive_pace=0) as emulator:
        settings = environment(tmp_path, emulator) | ON | {"TAGS": "#devops", "TW_NUMBER": "600", "X_TIMEOUT": "20s"}
        with closing(collector_for(load(settings, folder=tmp_path))) as collector:
            collector.prepare()
            get_tweets(collector)
        emulator.clock.set(EVENING)
        url = settings["DATABASE_URL"]
        hours = (EVENING - NOON).total_seconds()
        databases.asked(url, "UPDATE counters SET value = value + ? WHERE name = 'x_ahead_seconds'", int(hours))
        for looks in (1, 2, 4):
            databases.asked(url, "UPDATE scheduled_jobs SET began = '2026-01-01T00:00:00Z'")
            let_lease_run_out(tmp_path)
            with serving(tmp_path, **settings) as server:
                wait_until(lambda looks=looks: len(requested(emulator)) >= looks)  # type: ignore[misc]
                server.process.kill()
                server.process.wait()
            emulator.latency = 1.0
            emulator.clock.advance(660)
        databases.asked(url, "UPDATE scheduled_jobs SET began = '2026-01-01T00:00:00Z'")
        let_lease_run_out(tmp_path)
        emulator.latency = 0.0
        sold = {kind: set(map(int, ids.split(","))) for kind, ids in databases.asked(url, PURCHASED)}
        sure = sold["post"] - sold["post in doubt"]  # the first page came before X's time was known
        with serving(tmp_path, **settings):
            wait_until(lambda: len(requested(emulator)) * 100 >= len(sure))
        assert sorted(one for request in requested(emulator) for one in request) == sorted(sure)
        assert emulator.ledger.total().posts_billed == len(sold["post"]) == 600
