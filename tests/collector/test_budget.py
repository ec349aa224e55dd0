"""The budget of a month is never exceeded, by the emulator's own bill, and X's refusals of money are heeded."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

import api
from alchemy import Database
from api import collector_for, get_tweets
from collector.collector import Collector
from collector.money.prices import Billing, Prices
from collector.tags import track, untrack
from collector.terms import Terms
from collector.verification import faults
from emulator import Emulator
from models import Reservation
from queries.collections import CollectionView, collections
from queries.figures import refused
from queries.spend import spent, unsettled
from tests.fixtures.environment import MakeSettings, environment
from tests.fixtures.waiting import wait_until

ALL = ",".join(api.tags)


def bill(emulator: Emulator) -> int:
    """Return the emulator's ceiling in micro-dollars."""
    return emulator.ledger.total().ceiling * 1_000


def collected(make_settings: MakeSettings, **more: str) -> CollectionView:
    with closing(collector_for(make_settings(**more))) as collector:
        collector.prepare()
        view = get_tweets(collector)
        assert faults(collector.database, collector.order.billing) == []
        return view


@pytest.mark.parametrize("dollars", ["0.14", "0.15", "1", "1.5", "4", "7.77"])
def test_ten_tags_at_once_never_exceed_the_budget_and_use_it_up(
    make_settings: MakeSettings, emulator: Emulator, dollars: str
) -> None:
    emulator.latency = 0.02
    view = collected(make_settings, TAGS=ALL, MONTHLY_BUDGET_USD=dollars)
    budget = round(float(dollars) * 1e6)
    assert budget - 150_000 < bill(emulator) <= budget
    assert view.ceiling == bill(emulator)
    assert f"the budget of ${float(dollars):.2f} a month is spent until" in str(view.error)


def test_what_is_left_of_a_page_that_cost_less_than_its_worst_case_is_used(make_settings: MakeSettings) -> None:
    """Ten pages of $1.50 at worst and $14 in truth fit into a budget of $15, though not all at once."""
    assert collected(make_settings, TAGS=ALL, MONTHLY_BUDGET_USD="15").state == "done"


def test_a_spent_budget_costs_no_request_and_the_next_month_goes_on(make_settings: MakeSettings, emulator: Emulator) -> None:
    first = collected(make_settings, TAGS="#devops", TW_NUMBER="300", MONTHLY_BUDGET_USD="1.5")
    asked = len(emulator.requests)
    second = collected(make_settings, TAGS="#devops", TW_NUMBER="300", MONTHLY_BUDGET_USD="1.5")
    assert (first.state, second.state) == ("failed", "failed")
    assert len(emulator.requests) == asked + 1  # the free question for X's time
    month = Billing(Prices(0, 0)).month(emulator.clock.now().date())
    emulator.clock.advance((month.end - emulator.clock.now().date()).days * 86_400)
    third = collected(make_settings, TAGS="#devops", TW_NUMBER="300", MONTHLY_BUDGET_USD="1.5")
    assert third.posts > 0
    days = emulator.ledger.days()
    before = sum(day.ceiling for name, day in days.items() if name < month.end.isoformat())
    assert max(before, bill(emulator) // 1_000 - before) <= 1_500


def test_lost_answers_count_against_the_budget(make_settings: MakeSettings, emulator: Emulator) -> None:
    emulator.plan("cut", times=None)
    with closing(collector_for(make_settings(TAGS="#devops,#sre,#metrics", MONTHLY_BUDGET_USD="3"))) as collector:
        collector.prepare()
        get_tweets(collector)
        with collector.database.reading() as session:
            month = collector.order.billing.month(collector.clock.now().date())
            assert unsettled(session, start=month.start, end=month.end) == 3_000_000
            assert spent(session, start=month.start, end=month.end).ceiling == 0
    assert bill(emulator) <= 3_000_000


def test_the_ledger_counts_what_the_emulator_bills(make_settings: MakeSettings, emulator: Emulator) -> None:
    view = collected(make_settings, TAGS=ALL, MONTHLY_BUDGET_USD="off")
    total = emulator.ledger.total()
    assert (view.posts, view.users) == (total.posts_billed, total.users_billed)
    assert (view.floor, view.ceiling) == (total.floor * 1_000, total.ceiling * 1_000)


@pytest.fixture
def collector(make_settings: MakeSettings) -> Iterator[Collector]:
    with closing(collector_for(make_settings(TAGS=ALL, MONTHLY_BUDGET_USD="off"))) as ready:
        ready.prepare()
        yield ready


@pytest.mark.parametrize("kind", ["credits_depleted", "spend_cap", "usage_cap", "unauthorized", "not_enrolled"])
def test_after_a_refusal_of_everything_one_free_request_asks_whether_it_still_holds(
    collector: Collector, emulator: Emulator, kind: str
) -> None:
    emulator.plan(kind, times=None)
    get_tweets(collector)
    emulator.forget_requests()
    view = get_tweets(collector)
    assert len(emulator.requests) == 1
    assert view.state == "failed"
    assert len({tag.reason for tag in view.tags}) == 1
    emulator.clear_faults()
    assert get_tweets(collector).state == "done"
    with collector.database.reading() as session:
        assert refused(session) == {}


def estimate(folder: Path, emulator: Emulator, monkeypatch: pytest.MonkeyPatch, **more: str) -> int:
    for name, value in (environment(folder, emulator) | more).items():
        monkeypatch.setenv(name, value)
    return api.main(["--estimate"])


def test_the_estimate_says_what_a_run_costs_at_most_and_what_is_left(
    tmp_path: Path, emulator: Emulator, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert estimate(tmp_path, emulator, monkeypatch, MONTHLY_BUDGET_USD="20") == 0
    said = capsys.readouterr().err
    assert "3 tags x 100 tweets: at most $1.50 for the tweets, $4.50 if X charges for their authors too" in said
    end = Billing(Prices(0, 0)).month(datetime.now(UTC).date()).end
    assert f"$20.00 of the month's budget of $20.00 are left until {end}" in said
    assert emulator.requests == []


def accounted(collector: Collector) -> int:
    """Return what is booked and what is reserved on all days, in micro-dollars."""
    with collector.database.reading() as session:
        ends = {"start": date(2011, 1, 1), "end": date(2080, 1, 1)}
        return spent(session, **ends).ceiling + unsettled(session, **ends)


BUDGET = "1.60"  # one page at its worst, and no second


def one_page(make_settings: MakeSettings, **more: str) -> Collector:
    settings = {"TAGS": "#devops", "MONTHLY_BUDGET_USD": BUDGET, "X_RETRIES": "0"}
    ready = collector_for(make_settings(**settings | more))
    ready.prepare()
    return ready


def test_a_lost_page_and_then_another_query_are_two_purchases(make_settings: MakeSettings, emulator: Emulator) -> None:
    """What was sold for the first is not settled by the second."""
    with closing(one_page(make_settings)) as collector:
        emulator.plan("cut", times=1)
        get_tweets(collector)
        with collector.database.writing() as session:
            track(session, "#devops", Terms(lang=("de",)))
        view = get_tweets(collector)
        assert "is spent" in str(view.error)
        assert bill(emulator) <= accounted(collector) <= 1_600_000


def test_a_lost_page_stays_reserved_when_x_refuses_it_the_next_time(make_settings: MakeSettings, emulator: Emulator) -> None:
    with closing(one_page(make_settings)) as collector:
        emulator.plan("cut", times=1)
        get_tweets(collector)
        emulator.plan("rate_limit", times=1)
        get_tweets(collector)
        assert bill(emulator) <= accounted(collector) <= 1_600_000
        assert get_tweets(collector).state == "done"
        assert bill(emulator) <= accounted(collector)


def test_a_lost_page_that_is_limited_until_after_midnight_is_two_purchases(
    make_settings: MakeSettings, emulator: Emulator
) -> None:
    """A later run takes it up, X's rate limit holds it, and the day turns: it may have been sold the day before."""
    emulator.clock.set(emulator.clock.now().replace(hour=23, minute=50))
    with closing(one_page(make_settings, X_RATE_LIMIT_WAIT="30s")) as collector:
        emulator.plan("cut", times=1)
        get_tweets(collector)
        emulator.clock.set(emulator.clock.now().replace(hour=23, minute=59, second=56))
        collector.clock.tell(emulator.clock.now())
        emulator.plan("rate_limit", times=1, seconds=5)
        view = get_tweets(collector)
        assert "is spent" in str(view.error)
        assert bill(emulator) <= accounted(collector) <= 1_600_000
        assert emulator.ledger.twice() == {}


def test_what_was_edited_between_a_lost_answer_and_the_next_stays_reserved(
    make_settings: MakeSettings, emulator: Emulator
) -> None:
    with closing(collector_for(make_settings(TAGS=ALL, X_RETRIES="0", MONTHLY_BUDGET_USD="off"))) as collector:
        collector.prepare()
        for _ in range(3):
            emulator.plan("cut", times=10)
            get_tweets(collector)
            emulator.clear_faults()
            emulator.clock.advance(1_900)
            get_tweets(collector)
            assert bill(emulator) <= accounted(collector)
            emulator.clock.advance(1_900)


def test_a_page_that_is_lost_before_midnight_and_read_after_it_is_two_purchases(
    make_settings: MakeSettings, emulator: Emulator
) -> None:
    night = emulator.clock.now().replace(hour=23, minute=59, second=57, microsecond=0)
    emulator.clock.set(night)
    emulator.plan("cut", times=1)
    with closing(one_page(make_settings, X_RETRIES="2", X_RETRY_WAIT="2s")) as collector:
        view = get_tweets(collector)
        assert "is spent" in str(view.error)
        assert bill(emulator) <= accounted(collector) <= 1_600_000
    with closing(one_page(make_settings, X_RETRIES="2", X_RETRY_WAIT="2s", MONTHLY_BUDGET_USD="off")) as collector:
        get_tweets(collector)
        assert bill(emulator) <= accounted(collector)
        assert len(emulator.ledger.days()) == 2


def test_a_page_that_may_have_been_sold_in_either_month_counts_in_both(make_settings: MakeSettings, emulator: Emulator) -> None:
    month = Billing(Prices(0, 0)).month(emulator.clock.now().date())
    last = datetime(month.end.year, month.end.month, month.end.day, tzinfo=UTC) - timedelta(seconds=3)
    emulator.clock.set(last)
    emulator.plan("cut", times=1)
    with closing(one_page(make_settings)) as collector:
        collector.clock.tell(last)
        emulator.latency = 2.5
        get_tweets(collector)
        emulator.latency = 0
        emulator.clock.advance(86_400)
        view = get_tweets(collector)
        days = emulator.ledger.days()
        assert sum(day.ceiling for name, day in days.items() if name >= month.end.isoformat()) <= 1_600
        assert view.posts < 100


def test_a_request_whose_failure_cant_be_recorded_does_not_hold_up_the_others(
    make_settings: MakeSettings, emulator: Emulator, caplog: pytest.LogCaptureFixture
) -> None:
    """The file is locked while X refuses: thirteen tags wait for a budget that is reserved by nobody any more.

    A server's lock is waited for as long as the lease lasts.
    """
    with closing(collector_for(make_settings(TAGS=f"{ALL},#a,#b,#c", MONTHLY_BUDGET_USD="2.5", X_RETRIES="0"))) as collector:
        collector.prepare()
        emulator.latency = 1
        emulator.plan("server_503", times=1)
        started = collector.start()
        wait_until(lambda: _in_flight(collector))
        with closing(Database(str(collector.database.url))) as other, other.writing() as session:
            session.connection()
            wait_until(lambda: "page not stored" in caplog.text)
        emulator.latency = 0
        started.over.result(60)
        assert bill(emulator) <= accounted(collector) <= 2_500_000


def _in_flight(collector: Collector) -> bool:
    with collector.database.reading() as session:
        return session.scalar(select(Reservation.id).where(Reservation.in_flight).limit(1)) is not None


def test_a_tag_that_is_untracked_is_not_bought_any_more(make_settings: MakeSettings, emulator: Emulator) -> None:
    settings = make_settings(TAGS="#devops", TW_NUMBER="2000", MONTHLY_BUDGET_USD="off")
    with closing(collector_for(settings)) as collector:
        collector.prepare()

        def forget(_page: object) -> None:
            with collector.database.writing() as session:
                untrack(session, "#devops")

        started = collector.start(on_progress=forget)
        started.over.result(30)
        assert len(emulator.requests) <= 2
        with collector.database.reading() as session:
            view = collections(session, before=None, most=1)[0]
        assert view.tags[0].reason == "untracked while it was collected"


def test_what_a_spent_budget_leaves_unread_is_a_gap(make_settings: MakeSettings, emulator: Emulator) -> None:
    with closing(one_page(make_settings)) as collector:
        get_tweets(collector)
    emulator.clock.advance(86_400 * 2)
    with closing(one_page(make_settings, TW_NUMBER="500", MONTHLY_BUDGET_USD="3.2")) as collector:
        view = get_tweets(collector)
        assert "is spent" in str(view.error)
        assert [gap.expired for gap in view.gaps] == [False]


def test_a_rate_limit_ends_by_xs_clock_and_not_by_this_machines(make_settings: MakeSettings, emulator: Emulator) -> None:
    """X's clock is ten minutes ahead."""
    emulator.clock.advance(600)
    emulator.plan("rate_limit", times=1, seconds=2)
    with closing(collector_for(make_settings(TAGS="#devops", X_RATE_LIMIT_WAIT="5s"))) as collector:
        collector.prepare()
        assert get_tweets(collector).state == "done"
