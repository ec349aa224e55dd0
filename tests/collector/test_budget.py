"""The budget of a month is never exceeded, by the emulator's own bill, and X's refusals of money are heeded."""

from __future__ import annotations

from contextlib import closing
from datetime import date, timedelta
from functools import partial

import pytest
from sqlalchemy import select

import api
from alchemy import open_database
from api import get_tweets
from collector.ledger.prices import Billing, Prices
from collector.runs import lease
from collector.runs.buying import MOST_EMPTY_PAGES
from collector.runs.collector import Collector
from collector.runs.tags import Rules, track, untrack
from collector.verification import faults
from collector.x.failures import Tries, XFailure
from emulator import Emulator
from models import Reservation
from queries.collections import CollectionView, collections
from queries.counters import current_refusals
from queries.spend import spend_between, unsettled_ceiling
from tests.collector.conftest import MakeCollector, RunApi, rows
from tests.fixtures.clocks import set_machine
from tests.fixtures.waiting import wait_until

ALL = ",".join(api.tags)
Said = pytest.CaptureFixture[str]
BUDGET = "1.60"  # one page at its worst, and no second


def bill(emulator: Emulator) -> int:
    """Return the emulator's ceiling in micro-dollars."""
    return emulator.ledger.total().ceiling * 1_000


def months_end(emulator: Emulator) -> date:
    return Billing(Prices(0, 0)).month(emulator.clock.now().date()).end


def collected(make_collector: MakeCollector, **more: str) -> CollectionView:
    with closing(make_collector(**more)) as collector:
        view = get_tweets(collector)
        assert faults(collector.database, collector.order.billing) == []
        return view


def accounted(collector: Collector) -> int:
    """Return what is booked and what is reserved on all days, in micro-dollars."""
    with collector.database.reading() as session:
        ends = {"start": date(2011, 1, 1), "end": date(2080, 1, 1)}
        return spend_between(session, **ends).ceiling + unsettled_ceiling(session, **ends)


@pytest.fixture
def one_page(make_collector: MakeCollector) -> MakeCollector:
    """Open a collector of one tag that may buy one page and asks once."""
    return partial(make_collector, **{"TAGS": "#devops", "MONTHLY_BUDGET_USD": BUDGET, "X_RETRIES": "0"})


@pytest.mark.dialects
@pytest.mark.parametrize("dollars", ["0.14", "0.15", "1", "1.5", "4", "7.77"])
def test_ten_tags_at_once_use_up_the_budget_only(make_collector: MakeCollector, emulator: Emulator, dollars: str) -> None:
    emulator.latency = 0.02
    view = collected(make_collector, TAGS=ALL, MONTHLY_BUDGET_USD=dollars)
    budget = round(float(dollars) * 1e6)
    assert budget - 150_000 < bill(emulator) <= budget
    assert view.ceiling == bill(emulator)
    assert f"the budget of ${float(dollars):.2f} a month is spent until" in str(view.error)


@pytest.mark.dialects
def test_a_page_that_costs_less_than_its_worst_case_leaves_its_rest(make_collector: MakeCollector, emulator: Emulator) -> None:
    """Ten pages of $1.50 at worst and $14 in truth fit into a budget of $15, though not all at once."""
    view = collected(make_collector, TAGS=ALL, MONTHLY_BUDGET_USD="15")
    total = emulator.ledger.total()
    assert view.state == "done"
    assert (view.posts, view.users) == (total.posts_billed, total.users_billed)
    assert (view.floor, view.ceiling) == (total.floor * 1_000, total.ceiling * 1_000)


def test_a_spent_budget_costs_no_request_and_the_next_month_goes_on(make_collector: MakeCollector, emulator: Emulator) -> None:
    settings = {"TAGS": "#devops", "TW_NUMBER": "300", "MONTHLY_BUDGET_USD": "1.5"}
    first = collected(make_collector, **settings)
    asked = len(emulator.requests)
    second = collected(make_collector, **settings)
    assert (first.state, second.state) == ("failed", "failed")
    assert len(emulator.requests) == asked + 1  # the free question for X's time
    end = months_end(emulator)
    emulator.clock.advance((end - emulator.clock.now().date()).days * 86_400)
    assert collected(make_collector, **settings).posts > 0
    before = sum(day.ceiling for name, day in emulator.ledger.days().items() if name < end.isoformat())
    assert max(before, bill(emulator) // 1_000 - before) <= 1_500


REFUSALS = {
    "usage_cap": "billing blocked until",
    "credits_depleted": "billing blocked until credits are bought",
    "spend_cap": "billing blocked until 20",
    "not_enrolled": "attach it to a project",
    "unauthorized": "TWITTER_BEARER_TOKEN",
    "app_suspended": "X has suspended the app",
    "app_limit": "X's limit of requests in 24 hours is reached until 20",
    "moved_301": "X has moved: set TWITTER_API_URL=https://api.x.com",
    "moved_308": "X has moved: set TWITTER_API_URL=https://api.x.com",
}


@pytest.mark.parametrize("kind", REFUSALS)
def test_a_refusal_of_everything_stops_the_run(make_collector: MakeCollector, emulator: Emulator, kind: str) -> None:
    collector = make_collector(TW_NUMBER="10")
    emulator.plan(kind, times=None)
    for most in (3, 1):
        emulator.forget_requests()
        view = get_tweets(collector)
        assert view.state == "failed"
        assert REFUSALS[kind] in str(view.error)
        assert {tag.reason for tag in view.tags} == {view.error}
        assert 1 <= len(emulator.requests) <= most
    emulator.clear_faults()
    assert get_tweets(collector).state == "done"
    with collector.database.reading() as session:
        assert current_refusals(session) == {}


def test_the_estimate_says_what_a_run_costs(run_api: RunApi, emulator: Emulator, capsys: Said) -> None:
    assert run_api("--estimate", MONTHLY_BUDGET_USD="20") == 0
    said = capsys.readouterr().err
    assert "3 tags x 100 tweets: at most $1.50 for the tweets, $4.50 with their authors, for whom X probably charges" in said
    assert "$20.00 of the month's budget of $20.00 are left until 20" in said
    assert emulator.requests == []


def test_what_was_edited_between_a_lost_answer_and_the_next_stays_reserved(
    make_collector: MakeCollector, emulator: Emulator
) -> None:
    collector = make_collector(TAGS="#devops,#sre,#metrics", X_RETRIES="0", MONTHLY_BUDGET_USD="off")
    for _ in range(2):
        emulator.plan("cut", times=3)
        get_tweets(collector)
        emulator.clear_faults()
        emulator.clock.advance(1_900)
        get_tweets(collector)
        assert bill(emulator) <= accounted(collector)
        emulator.clock.advance(1_900)


@pytest.mark.dialects
def test_a_lost_page_and_then_another_query_are_two_purchases(one_page: MakeCollector, emulator: Emulator) -> None:
    """What was sold for the first is not settled by the second."""
    collector = one_page()
    emulator.plan("cut", times=1)
    get_tweets(collector)
    with collector.database.writing() as session:
        track(session, "#devops", Rules(lang=("de",)))
    assert "is spent" in str(get_tweets(collector).error)
    assert bill(emulator) <= accounted(collector) <= 1_600_000


def test_a_lost_page_stays_reserved_when_x_refuses_it_the_next_time(one_page: MakeCollector, emulator: Emulator) -> None:
    collector = one_page()
    for fault in ("cut", "rate_limit"):
        emulator.plan(fault, times=1)
        get_tweets(collector)
    assert bill(emulator) <= accounted(collector) <= 1_600_000
    assert get_tweets(collector).state == "done"
    assert bill(emulator) <= accounted(collector)


@pytest.mark.parametrize("kind", ["empty_page", "empty_object", "errors_only"])
def test_answers_without_posts_hold_nothing_of_the_budget(one_page: MakeCollector, emulator: Emulator, kind: str) -> None:
    """X charges only for answers that return data."""
    collector = one_page()
    emulator.plan(kind, times=None)
    assert get_tweets(collector).state == "failed"
    assert len(emulator.requests) <= MOST_EMPTY_PAGES
    assert accounted(collector) == 0
    emulator.clear_faults()
    assert get_tweets(collector).state == "done"
    assert accounted(collector) == bill(emulator)


def turn_the_day(collector: Collector, emulator: Emulator) -> None:
    """Let X's midnight pass, and the collector hear of it."""
    emulator.clock.set(emulator.clock.now().replace(hour=0, minute=0, second=10) + timedelta(days=1))
    for _ in range(2):
        collector.clock.set_by_answer(emulator.clock.now())


def test_a_lost_page_that_is_limited_until_after_midnight_is_two_purchases(
    one_page: MakeCollector, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A later run takes it up, X's rate limit holds it, and the day turns: it may have been sold the day before."""
    emulator.clock.set(emulator.clock.now().replace(hour=23, minute=40))
    collector, pause = one_page(X_RATE_LIMIT_WAIT="30s", X_RETRIES="1"), Tries._pause
    emulator.plan("cut", times=2)
    get_tweets(collector)

    def pause_over_midnight(tries: Tries, failure: XFailure) -> None:
        pause(tries, failure)
        turn_the_day(collector, emulator)

    monkeypatch.setattr(Tries, "_pause", pause_over_midnight)
    emulator.plan("rate_limit", times=1, seconds=1)
    assert "is spent" in str(get_tweets(collector).error)
    assert [request.status for request in emulator.requests].count(429) == 1
    assert bill(emulator) <= accounted(collector) <= 1_600_000
    assert emulator.ledger.twice() == {}


def test_a_page_lost_before_midnight_and_read_after_it_is_two_purchases(one_page: MakeCollector, emulator: Emulator) -> None:
    """It is not asked for again at once, for nobody knows on which day X billed it, or would bill it again."""
    emulator.clock.set(emulator.clock.now().replace(hour=23, minute=59, second=50))
    emulator.plan("cut", times=1)
    with closing(one_page(X_RETRIES="2")) as collector:
        assert get_tweets(collector).tags[0].reason == "X is unwell: an answer that was cut"
        assert len(emulator.requests) == 1
        turn_the_day(collector, emulator)
        assert "is spent" in str(get_tweets(collector).error)
        assert bill(emulator) <= accounted(collector) <= 1_600_000
    with closing(one_page(MONTHLY_BUDGET_USD="off")) as collector:
        get_tweets(collector)
        assert bill(emulator) <= accounted(collector)
        assert len(emulator.ledger.days()) == 2


@pytest.mark.reliability
@pytest.mark.dialects
def test_a_request_whose_failure_cant_be_recorded_does_not_hold_up_the_others(
    make_collector: MakeCollector, emulator: Emulator, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The file is locked while X refuses: thirteen tags wait for a budget that is reserved by nobody any more."""
    monkeypatch.setattr(lease, "LASTS_S", 5)  # for so long a server's lock is waited for
    collector = make_collector(TAGS=f"{ALL},#a,#b,#c", MONTHLY_BUDGET_USD="2.5", X_RETRIES="0")
    emulator.latency = 1
    emulator.plan("server_503", times=1)
    started = collector.start()
    wait_until(lambda: rows(collector.database, select(Reservation.id).where(Reservation.in_flight)))
    with closing(open_database(str(collector.database.url))) as other, other.writing() as session:
        session.connection()
        wait_until(lambda: "page not stored" in caplog.text, seconds=120)
    emulator.latency = 0
    started.over.result(60)
    assert bill(emulator) <= accounted(collector) <= 2_500_000


@pytest.mark.dialects
def test_a_tag_that_is_untracked_is_not_bought_any_more(make_collector: MakeCollector, emulator: Emulator) -> None:
    collector = make_collector(TAGS="#devops", TW_NUMBER="2000", MONTHLY_BUDGET_USD="off")

    def forget(_page: object) -> None:
        with collector.database.writing() as session:
            untrack(session, "#devops")

    collector.start(on_progress=forget).over.result(30)
    assert len(emulator.requests) <= 2
    with collector.database.reading() as session:
        view = collections(session, before=None, most=1)[0]
    assert view.tags[0].reason == "untracked while it was collected"


def test_a_rate_limit_ends_by_xs_clock_and_not_by_this_machines(
    make_collector: MakeCollector, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """X's clock is ten minutes ahead."""
    set_machine(monkeypatch, lambda: emulator.clock.now() - timedelta(minutes=10))
    emulator.plan("rate_limit", times=1, seconds=1)
    assert get_tweets(make_collector(TAGS="#devops", X_RATE_LIMIT_WAIT="5s")).state == "done"
