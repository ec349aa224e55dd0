"""The budget of a month is never exceeded, by the emulator's own bill, and X's refusals of money are heeded."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

import api
from api import collector_for, get_tweets
from collector.collector import Collector
from collector.prices import Billing, Prices
from collector.verification import faults
from emulator import Emulator
from queries.collections import CollectionView
from queries.figures import refused
from queries.spend import spent, unsettled
from tests.conftest import MakeSettings, environment

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
