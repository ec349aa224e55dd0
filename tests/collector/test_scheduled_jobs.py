"""Scheduled jobs: done at intervals, by one process at a time, retried, and X's own count beside the ledger's."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select, update

from alchemy import Database
from api import get_tweets, job_runner_for
from collector.jobs.scheduled import JobRunner, ScheduledJob
from collector.runs.collector import Collector
from collector.x.failures import FailureScope, XFailure
from emulator import Emulator
from models import JobState, Tweet
from queries.service import BROKEN_OFF, INTERRUPTED_KIND, JobView, job_states
from queries.spend import newest_comparison
from tests.collector.conftest import PATIENT, RunApi, rows
from tests.fixtures.environment import MakeSettings, environment
from tests.fixtures.processes import serving
from tests.fixtures.service import in_process
from tests.fixtures.waiting import LONGEST_WAIT_S, wait_until

DAY = timedelta(days=1)
Said = pytest.CaptureFixture[str]


class Work:
    """A scheduled job that counts how often it was done and fails as told."""

    def __init__(self, failure: Exception | None = None, *, wanted: bool = True) -> None:
        self.times, self.failure, self.wanted = 0, failure, wanted

    def task(self, name: str = "sweep") -> ScheduledJob:
        return ScheduledJob(name, DAY, lambda _session: self.wanted, self)

    def __call__(self, _stop: threading.Event) -> None:
        self.times += 1
        if self.failure:
            raise self.failure


def seen(database: Database, name: str = "sweep") -> JobView:
    with database.reading() as session:
        (job,) = (one for one in job_states(session) if one.name == name)
    return job


def age(database: Database, by: timedelta = timedelta(hours=25)) -> None:
    with database.writing() as session:
        for job in session.scalars(select(JobState)):
            job.began -= by


@pytest.mark.dialects
def test_a_job_is_done_at_once_and_then_so_often_whoever_keeps_it(database: Database) -> None:
    work, unwanted = Work(), Work(wanted=False)
    tasks = [work.task(), unwanted.task("tidy")]
    for _ in range(2):
        JobRunner(database, tasks).run_due()  # as after a restart
    assert (work.times, unwanted.times) == (1, 0)
    assert seen(database).error is None
    assert seen(database).succeeded
    for days in (1, -3):  # a beginning in the future counts as long ago
        age(database, timedelta(days=days, hours=1))
        JobRunner(database, tasks).run_due()
    assert work.times == 3


@pytest.mark.parametrize(
    ("failure", "words"),
    [(XFailure("unwell", FailureScope.REQUEST, "X is unwell"), "X is unwell"), (ZeroDivisionError(), "ZeroDivisionError")],
)
def test_one_that_failed_says_why_and_is_tried_again_after_an_hour(database: Database, failure: Exception, words: str) -> None:
    work, other = Work(failure), Work()
    runner = JobRunner(database, [work.task(), other.task("tidy")])
    runner.run_due()
    sweep, tidy = seen(database), seen(database, "tidy")
    assert words in (sweep.error or "")
    assert (sweep.succeeded, tidy.error) == (None, None)
    runner.run_due()
    assert work.times == 1
    age(database, timedelta(minutes=61))
    work.failure = None
    runner.run_due()
    assert (work.times, other.times) == (2, 1)
    with database.writing() as session:
        session.execute(update(JobState).values(error=BROKEN_OFF, failure_kind=INTERRUPTED_KIND))  # as if it had been killed
    age(database, timedelta(minutes=61))
    runner.run_due()
    assert (work.times, seen(database).error) == (3, None)


@pytest.mark.parametrize("failure", [None, XFailure("unwell", FailureScope.REQUEST, "X is unwell")])
def test_while_one_runs_its_last_attempt_counts_and_one_that_died_was_broken_off(
    database: Database, failure: Exception | None
) -> None:
    JobRunner(database, [Work(failure).task()]).run_due()
    age(database)
    before, during = seen(database), list[JobView]()
    observing = Work().task()._replace(work=lambda _stop: during.append(seen(database)))
    JobRunner(database, [observing]).run_due()
    assert [one._replace(began=before.began) for one in during] == [before]
    with database.writing() as session:
        earlier = before.succeeded and before.succeeded - DAY
        session.execute(update(JobState).values(succeeded=earlier, error=before.error))  # as if it had been killed
    assert seen(database).error == (before.error or BROKEN_OFF)
    age(database, timedelta(minutes=61))
    again = Work()
    JobRunner(database, [again.task()]).run_due()
    assert (again.times, seen(database).error) == (1, None)


@pytest.mark.dialects
def test_two_processes_do_a_job_once(database: Database) -> None:
    inside, release, work = threading.Event(), threading.Event(), Work()

    def slowly(_stop: threading.Event) -> None:
        inside.set()
        assert release.wait(LONGEST_WAIT_S)
        work(_stop)

    first = threading.Thread(target=JobRunner(database, [work.task()._replace(work=slowly)]).run_due)
    first.start()
    assert inside.wait(LONGEST_WAIT_S)
    age(database)
    JobRunner(database, [work.task()]).run_due()
    assert work.times == 0
    release.set()
    first.join(LONGEST_WAIT_S)
    assert work.times == 1


def test_stopping_breaks_off_what_is_being_done(database: Database) -> None:
    begun = threading.Event()

    def wait(stop: threading.Event) -> None:
        begun.set()
        assert stop.wait(LONGEST_WAIT_S)

    runner = JobRunner(database, [Work().task()._replace(work=wait)])
    runner.start()
    assert begun.wait(LONGEST_WAIT_S)
    runner.close(seconds=LONGEST_WAIT_S)
    assert seen(database).succeeded is not None


@pytest.mark.dialects
def test_the_ledger_is_compared_with_xs_count(collector: Collector, make_settings: MakeSettings, emulator: Emulator) -> None:
    runner = job_runner_for(collector, make_settings(RECONCILE_EVERY="1d"))
    runner.run_due()
    assert emulator.requests == []
    get_tweets(collector)
    sold = emulator.ledger.total().posts_billed
    for drift in (0, 25):
        emulator.drift(drift)
        runner.run_due()
        with collector.database.reading() as session:
            compared = newest_comparison(session)
        assert compared
        assert (compared.x_posts, compared.our_posts, compared.drift) == (sold + drift, sold, drift)
        age(collector.database)


def test_the_service_shows_the_drift(tmp_path: Path, emulator: Emulator, database_backend: str) -> None:
    emulator.drift(7)
    settings = environment(tmp_path, emulator) | {"TW_NUMBER": "10", "RECONCILE_EVERY": "1d"}
    with in_process(tmp_path, **settings) as service:
        get_tweets(service.collector)
        service.app.extensions["job_runner"].run_due()
        by_x, metrics = service.get("/spend").json()["by_x"], service.get("/metrics").text
    assert by_x["posts"] - by_x["ledger_posts"] == by_x["drift"] == 7
    assert "twitterapi_spend_drift_posts 7.0" in metrics


PLANNED = {"TWEET_RETENTION": "1h", **dict.fromkeys(("COMPLY_EVERY", "BACKUP_EVERY", "COUNT_EVERY", "RECONCILE_EVERY"), "1d")}


@pytest.mark.process
def test_the_service_sees_to_all_jobs_by_itself_and_its_processes_do_each_once(tmp_path: Path) -> None:
    with Emulator() as emulator:
        settings = environment(tmp_path, emulator) | PLANNED | PATIENT | {"COLLECT_ON_START": "1", "WORKERS": "2"}
        with serving(tmp_path, **settings) as server:
            done = wait_until(lambda: all_done(server.get("/readyz").json()["chores"]))
            tweets = server.get("/tweets").json()["tweets"]
            metrics = server.get("/metrics").text
        asked = [request.path for request in emulator.requests]
    assert {job["error"] for job in done.values()} == {None}
    assert "/2/compliance/jobs" in asked
    assert asked.count("/2/tweets/counts/recent") == 3
    assert all(datetime.fromisoformat(tweet["created"]) > datetime.now(UTC) - 2 * timedelta(hours=1) for tweet in tweets)
    assert len(list((tmp_path / "backups").glob("*-scheduled.db"))) == 1
    assert 'twitterapi_job_interval_seconds{scheduled_job="comply"} 86400.0' in metrics


def all_done(shown: dict[str, dict[str, str]]) -> dict[str, dict[str, str]] | None:
    names = ("comply", "retain", "backup", "count", "reconcile")
    return shown if all(name in shown and shown[name]["succeeded"] for name in names) else None


def test_compliance_that_x_does_not_offer_is_no_failure_and_is_asked_again_once_a_day(
    tmp_path: Path, emulator: Emulator, database_backend: str
) -> None:
    settings = environment(tmp_path, emulator) | {"TW_NUMBER": "10", "COMPLY_EVERY": "12h", "TAGS": "#sre"}
    with in_process(tmp_path, **settings) as service:
        get_tweets(service.collector)
        emulator.plan("not_enrolled", times=None, endpoint="compliance")
        runner, database = service.app.extensions["job_runner"], service.collector.database
        for hours, asked in ((0, 1), (13, 1), (12, 2)):
            age(database, timedelta(hours=hours))
            runner.run_due()
            assert len([request for request in emulator.requests if request.path == "/2/compliance/jobs"]) == asked
        comply, metrics = seen(database, "comply"), service.get("/metrics").text
        said = service.get("/view/health", headers={"Accept": "text/html"}).text
        assert (comply.error, comply.has_failed) == ("X offers this account no compliance jobs", False)
        assert "X offers this account no compliance jobs. It is asked again once a day." in said
        assert 'scheduled_job="comply"' not in metrics
        assert 'twitterapi_x_requests_total{endpoint="compliance",outcome="not-offered"} 2.0' in metrics
        emulator.clear_faults()
        age(database)
        runner.run_due()
        assert seen(database, "comply").succeeded
        assert 'twitterapi_job_failed{scheduled_job="comply"} 0.0' in service.get("/metrics").text


def test_python_api_comply_removes_or_says_why(collector: Collector, emulator: Emulator, run_api: RunApi, capsys: Said) -> None:
    get_tweets(collector)
    ((first,),) = rows(collector.database, select(Tweet.id).limit(1))
    emulator.remove(first)
    emulator.plan("unauthorized", times=None, endpoint="compliance")
    assert run_api("--comply") == 1
    assert "X refuses the credentials" in capsys.readouterr().err
    emulator.clear_faults()
    assert run_api("--comply") == 0
    assert "1 tweet removed" in capsys.readouterr().err
    assert rows(collector.database, select(Tweet.id).where(Tweet.id == first)) == []


def test_a_job_of_another_thread_is_not_delayed(database: Database) -> None:
    begun, release, work = threading.Event(), threading.Event(), Work()

    def slowly(_stop: threading.Event) -> None:
        begun.set()
        release.wait(LONGEST_WAIT_S)

    runner = JobRunner(database, [work.task("tidy")._replace(work=slowly), work.task()._replace(thread="another")])
    runner.start()
    assert begun.wait(LONGEST_WAIT_S)
    wait_until(lambda: work.times == 1)
    release.set()
    runner.close(seconds=LONGEST_WAIT_S)
