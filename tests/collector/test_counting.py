"""X's own counts: asked at first start and at most so often, within the budget, and what they say of what is stored."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select, update

from api import get_tweets, job_runner_for
from collector.jobs.scheduled import JobRunner
from collector.ledger import calls
from collector.runs.collector import Collector
from collector.runs.runs import begin_job_run
from collector.runs.tags import Rules, track
from collector.verification import faults
from emulator import Emulator
from models import Budget, HourlyCount, JobState, Reservation, Tag
from queries.gaps import first_id
from queries.service import JobView, job_states
from queries.spend import spend_between
from queries.tags import tracked_coverage
from tests.collector.conftest import MakeCollector, RunApi, asked, rows
from tests.fixtures.clocks import NOON
from tests.fixtures.environment import MakeSettings

DAY = timedelta(days=1)
HOUR_S = 3600
COUNTS = "/2/tweets/counts/recent"
FOUR_SECRETS = {
    f"TWITTER_{name}": "invented" for name in ("CONSUMER_KEY", "CONSUMER_SECRET", "ACCESS_TOKEN", "ACCESS_TOKEN_SECRET")
}
SMALL = {"TAGS": "#devops", "TW_NUMBER": "10"}
Collected = Callable[..., tuple[Collector, JobRunner]]


@pytest.fixture
def collected(make_collector: MakeCollector, make_settings: MakeSettings) -> Collected:
    """Return a collector that has collected, and its runner."""

    def make(**more: str) -> tuple[Collector, JobRunner]:
        settings = {"COUNT_EVERY": "1h", "MONTHLY_BUDGET_USD": "off", "TW_NUMBER": "10"} | more
        collector = make_collector(**settings)
        get_tweets(collector)
        return collector, job_runner_for(collector, make_settings(**settings))

    return make


def counted(collector: Collector) -> dict[tuple[int, int], int]:
    found = rows(collector.database, select(HourlyCount.tag_id, HourlyCount.start, HourlyCount.counted))
    return {(row.tag_id, row.start): row.counted for row in found}


def reserved(collector: Collector) -> list[tuple[int, bool]]:
    return list(map(tuple, rows(collector.database, select(Reservation.micro, Reservation.in_flight))))


def done(collector: Collector) -> JobView:
    with collector.database.reading() as session:
        return {begin_job_run.name: begin_job_run for begin_job_run in job_states(session)}["count"]


def hold_budget(collector: Collector, run_id: int | None = None) -> None:
    """Let a dollar be in flight, of a run that collects or of a job."""
    with collector.database.writing() as session:
        theirs = {"run_id": run_id or begin_job_run(session), "day": "2026-11-24", "micro": 1_000_000, "posts": 0}
        session.add(Reservation(**theirs, last=None, in_flight=True, listing_id=None, request=""))


@pytest.mark.dialects
def test_each_tag_is_counted_hour_by_hour_as_x_knows_it_and_booked(collected: Collected, emulator: Emulator) -> None:
    collector, runner = collected()
    runner.run_due()
    found = counted(collector)
    assert len(asked(emulator, COUNTS)) == 3
    assert len(found) > 3 * 160
    for (tag_id, start), posts in list(found.items())[::40]:
        tag = {1: "#devops", 2: "#sre", 3: "#Observability"}[tag_id]
        begin = datetime.fromtimestamp(start, UTC)
        assert posts == emulator.count(tag, begin, begin + timedelta(hours=1))
    assert max(start for _, start in found) == int(NOON.replace(minute=0).timestamp()) - HOUR_S
    assert done(collector).error is None
    (sales,) = emulator.ledger.days().values()
    with collector.database.reading() as session:
        booked = spend_between(session, start=NOON.date(), end=NOON.date() + DAY)
    assert (booked.calls, booked.floor, booked.ceiling) == (3, sales.floor * 1000, sales.ceiling * 1000)
    assert reserved(collector) == []
    assert faults(collector.database, collector.order.billing) == []


def test_before_a_collection_nothing_is_counted(collector: Collector, make_settings: MakeSettings, emulator: Emulator) -> None:
    job_runner_for(collector, make_settings(COUNT_EVERY="1h")).run_due()
    assert emulator.requests == []


@pytest.mark.dialects
def test_an_hour_is_counted_once_and_a_tag_not_more_often_than_said(collected: Collected, emulator: Emulator) -> None:
    collector, runner = collected(COUNT_EVERY="1d")
    runner.run_due()
    first = counted(collector)
    round_again(collector, runner)
    assert len(asked(emulator, COUNTS)) == 3
    emulator.clock.advance(DAY.total_seconds() + 60)
    get_tweets(collector)
    round_again(collector, runner)
    later = asked(emulator, COUNTS)[3:]
    assert [params["start_time"] for params in later] == ["2026-11-24T12:00:00Z"] * 3
    assert len(counted(collector)) == len(first) + 3 * 24
    assert first.items() <= counted(collector).items()


def round_again(collector: Collector, runner: JobRunner) -> None:
    """Do the jobs as if a day had passed on this machine."""
    with collector.database.writing() as session:
        session.execute(update(JobState).values(began=datetime(2026, 1, 1, tzinfo=UTC)))
    runner.run_due()


def test_where_x_refuses_everything_the_rest_is_not_asked(collected: Collected, emulator: Emulator) -> None:
    collector, runner = collected()
    emulator.plan("credits_depleted", times=None, endpoint="counts")
    runner.run_due()
    assert len(asked(emulator, COUNTS)) == 1
    assert "no credits are left" in (done(collector).error or "")
    assert reserved(collector) == []


@pytest.mark.parametrize("fault", ["cut", "broken_json", "hang"])
def test_a_lost_answer_stays_reserved_for_x_may_have_charged_it(collected: Collected, emulator: Emulator, fault: str) -> None:
    collector, runner = collected(**{"X_TIMEOUT": "1s"} if fault == "hang" else {})
    emulator.plan(fault, tag="#sre", endpoint="counts")
    runner.run_due()
    assert reserved(collector) == [(5000, False)]
    assert {tag_id for tag_id, _ in counted(collector)} == {1, 3}
    assert faults(collector.database, collector.order.billing) == []


def test_no_count_goes_beyond_the_budget(collected: Collected, emulator: Emulator) -> None:
    collector, runner = collected(**SMALL, MONTHLY_BUDGET_USD="0.15")
    bought = emulator.ledger.total().ceiling
    runner.run_due()
    assert emulator.ledger.total().ceiling <= 150
    assert (done(collector).error is None) == (150 - bought >= 5)


def test_a_token_is_minted_from_the_consumer_key_where_there_is_none(collected: Collected, emulator: Emulator) -> None:
    collector, runner = collected(**FOUR_SECRETS)
    runner.run_due()
    assert len(counted(collector)) > 3 * 160
    assert len(asked(emulator, "/oauth2/token")) == 1


@pytest.mark.parametrize(
    ("fault", "said"),
    [("unauthorized", "X refuses the credentials"), ("invalid_request", "X gives no Bearer token for the app")],
)
def test_why_no_token_is_minted_is_said(collected: Collected, emulator: Emulator, fault: str, said: str) -> None:
    collector, runner = collected(**FOUR_SECRETS)
    emulator.plan(fault, times=None, endpoint="token")
    runner.run_due()
    assert said in str(done(collector).error)
    assert counted(collector) == {}
    assert reserved(collector) == []


def test_the_estimate_goes_by_what_x_counted(collected: Collected, run_api: RunApi, capsys: pytest.CaptureFixture[str]) -> None:
    collector, runner = collected(**SMALL)
    runner.run_due()
    with collector.database.writing() as session:  # as if it had been read a day ago
        session.execute(update(Tag).values(since_id=first_id(NOON - DAY)))
    assert run_api("--estimate", **SMALL) == 0
    assert (
        "by X's own counts it is about 10 tweets of 1 tag: $0.05 for the tweets, $0.15 with their authors"
        in capsys.readouterr().err
    )


def test_the_estimate_says_which_hours_x_was_asked_for_and_did_not_count(
    collected: Collected, run_api: RunApi, emulator: Emulator, capsys: pytest.CaptureFixture[str]
) -> None:
    collector, runner = collected(**SMALL)
    emulator.plan("counts_early", endpoint="counts")
    runner.run_due()
    first = datetime.fromtimestamp(min(start for _, start in counted(collector)), UTC)
    for since, words in ((first - timedelta(hours=5), "#devops: X gave no count for 5 hours"), (first, "")):
        with collector.database.writing() as session:
            session.execute(update(Tag).values(since_id=first_id(since)))
        assert run_api("--estimate", **SMALL) == 0
        said = capsys.readouterr().err
        assert words in said
        assert words or "no count" not in said


@pytest.mark.dialects
def test_what_a_dead_process_held_is_lost(collected: Collected, emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    collector, runner = collected(**SMALL, MONTHLY_BUDGET_USD="0.2")
    hold_budget(collector)
    monkeypatch.setattr(calls, "LONGEST_WAIT_S", 1000)
    runner.run_due()
    assert "is spent until" in (done(collector).error or "")
    assert asked(emulator, COUNTS) == []


def test_what_is_in_flight_is_not_waited_for_without_end(collected: Collected, monkeypatch: pytest.MonkeyPatch) -> None:
    collector, runner = collected(**SMALL, MONTHLY_BUDGET_USD="0.2")
    hold_budget(collector, run_id=1)
    with collector.database.writing() as session:
        session.execute(update(Budget).values(reserved=1_000_000))
    monkeypatch.setattr(calls, "LONGEST_WAIT_S", 0.1)
    runner.run_due()
    assert "what others have reserved" in (done(collector).error or "")


def test_after_a_change_of_terms_older_counts_say_nothing_of_the_coverage(collected: Collected) -> None:
    collector, runner = collected(**SMALL)
    runner.run_due()
    with collector.database.writing() as session:
        assert tracked_coverage(session)
        track(session, "#devops", Rules(lang=("de",)))
    with collector.database.reading() as session:
        assert tracked_coverage(session) == {}
