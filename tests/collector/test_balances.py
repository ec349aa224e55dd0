"""The balance beside the ledger: what X tells, which of floor and ceiling it follows, and what becomes of prices then."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import pytest
from sqlalchemy import select

from alchemy import Database
from api import RealX, get_tweets
from collector.backups.backups import backup
from collector.backups.restoring import restore
from collector.jobs.scheduled import Plan, ScheduledJobs
from collector.ledger import ledger
from collector.ledger.prices import dollars
from collector.ledger.reconciling import read_balance
from collector.runs.collector import Collector
from collector.x.app_only import AppOnly, Credits
from collector.x.clock import Days
from collector.x.parsing import micro_dollars
from emulator import Emulator
from models import Balance, Reconciliation
from queries.balances import Authors, authors
from tests.collector.conftest import MakeCollector, RunApi, rows
from tests.fixtures.clocks import NOON
from tests.fixtures.readings import settle_authors

Said = pytest.CaptureFixture[str]
REFUSALS = ("unauthorized", "not_enrolled", "not_found", "server_503", "credits_depleted", "html_200", "list_200", "cut")


ON_NOON = Days(NOON.date(), NOON.date(), NOON.date())


def compare(collector: Collector) -> None:
    ScheduledJobs(collector, Plan()).reconcile(threading.Event())


def known(collector: Collector) -> Authors | None:
    with collector.database.reading() as session:
        return authors(session)


def kept(collector: Collector) -> list[Any]:
    return rows(collector.database, select(*Balance.__table__.columns).order_by(Balance.id))


def a_day(collector: Collector, emulator: Emulator) -> None:
    """Collect, compare, and let a day pass."""
    get_tweets(collector)
    compare(collector)
    emulator.clock.advance(86_400)


@pytest.fixture
def large(make_collector: MakeCollector) -> Collector:
    """A collector that buys enough of a day for the two sides to be half a dollar apart."""
    return make_collector(TAGS="#devops", TW_NUMBER="100")


@pytest.mark.dialects
@pytest.mark.parametrize("charged", [True, False])
def test_two_days_tell_whether_x_charges_for_authors_also_over_a_months_end(
    large: Collector, emulator: Emulator, charged: bool
) -> None:
    emulator.charge_authors(charged)
    emulator.clock.hold(NOON.replace(day=30))
    compare(large)
    a_day(large, emulator)
    assert known(large) is None
    a_day(large, emulator)
    assert (found := known(large))
    sold = emulator.ledger.days()["2026-12-01"]
    assert found.charged is charged
    assert found.by.fell == found.explained == (sold.ceiling if charged else sold.floor) * 1000


def test_other_apps_top_ups_and_grants_that_expire_settle_nothing(large: Collector, emulator: Emulator) -> None:
    compare(large)
    for moved in (-0.5, 5):
        emulator.move_balance(moved)
        a_day(large, emulator)
    emulator.grant(5, emulator.clock.now() + timedelta(hours=12))
    compare(large)
    emulator.clock.advance(86_400)
    a_day(large, emulator)
    assert len(kept(large)) == 5
    assert known(large) is None


@pytest.mark.parametrize("kind", REFUSALS)
def test_where_x_does_not_tell_it_nothing_else_changes(collector: Collector, emulator: Emulator, kind: str) -> None:
    emulator.plan(kind, times=None, endpoint="credits")
    compare(collector)
    assert kept(collector) == []
    ((day,),) = rows(collector.database, select(Reconciliation.x_posts))
    assert day == 0
    assert "/2/usage/credits" in [request.path for request in emulator.requests]


def test_one_that_is_slow_is_not_told(collector: Collector, emulator: Emulator) -> None:
    collector.source = RealX(collector.source.reach()._replace(timeout=0.2))
    emulator.plan("hang", times=None, endpoint="credits")
    compare(collector)
    assert kept(collector) == []


class Telling:
    """Stands in for X: what happens while it is asked, and what it answers."""

    def __init__(self, meanwhile: Callable[[], object], balance: int = 10) -> None:
        self._meanwhile, self._told = meanwhile, Credits(balance, None, NOON)

    def credits(self) -> Credits:
        self._meanwhile()
        return self._told


def ask(database: Database, meanwhile: Callable[[], object], balance: int = 10) -> None:
    read_balance(database, cast("AppOnly", Telling(meanwhile, balance)))


@pytest.mark.dialects
def test_a_reading_counts_only_where_nothing_was_being_bought(large: Collector) -> None:
    asked = ledger.PageRequest(1, None, "", 10)

    def reserve() -> ledger.HeldReservation | None:
        with large.database.writing() as session:
            return ledger.reserve(session, large.order.billing, asked, days=ON_NOON)

    get_tweets(large)
    ask(large.database, lambda: None)
    ask(large.database, reserve)  # still under way
    hold = rows(large.database, select(Balance.quiet).order_by(Balance.id))
    assert hold == [(True,), (False,)]

    def settle() -> None:
        reserved = reserve()
        assert reserved
        with large.database.writing() as session:
            ledger.settle(session, large.order.billing, reserved, days=ON_NOON, posts={1}, users={2})

    with large.database.writing() as session:
        ledger.recover(session, large.order.billing, days=ON_NOON)
    ask(large.database, settle)  # bought and booked meanwhile
    ask(large.database, lambda: None)
    assert [one.quiet for one in kept(large)] == [True, False, False, True]
    first, *_, last = kept(large)
    assert last.unsettled - first.unsettled == large.order.billing.prices.most(10)


def test_two_that_ask_at_once_both_keep_what_they_heard(large: Collector) -> None:
    get_tweets(large)

    def other() -> None:
        get_tweets(large)
        ask(large.database, lambda: None, 9)

    ask(large.database, other, 10)
    ask(large.database, lambda: ask(large.database, lambda: None, 8), 8)
    assert [(one.balance, one.quiet) for one in kept(large)] == [(9, True), (10, False), (8, True), (8, True)]


def test_a_restore_keeps_what_was_read_since(large: Collector, emulator: Emulator, tmp_path: Path) -> None:
    a_day(large, emulator)
    backup(large.database, tmp_path / "copy.db")
    a_day(large, emulator)
    a_day(large, emulator)
    before, found = kept(large), known(large)
    assert found
    restore(large.database, tmp_path / "copy.db")
    assert [one[1:] for one in kept(large)] == [one[1:] for one in before]
    assert known(large) == found
    a_day(large, emulator)
    assert (later := known(large))
    assert later.by.since == before[-1].asked_at


def test_readings_of_the_future_say_nothing_beside_those_of_now(large: Collector, emulator: Emulator) -> None:
    emulator.clock.advance(10 * 86_400)
    compare(large)
    emulator.clock.hold(NOON)
    large.clock.set_by_answer(NOON)
    for _ in range(3):
        a_day(large, emulator)
    assert (found := known(large))
    assert found.charged
    assert found.by.until < NOON + timedelta(days=3)


def test_the_emulator_that_stands_in_for_x_has_no_balance_worth_keeping(make_collector: MakeCollector) -> None:
    collector = make_collector(TWITTER_API_URL="")
    assert collector.source.name == "emulator"
    compare(collector)
    assert len(rows(collector.database, select(Reconciliation.day))) == 1
    assert kept(collector) == []


READABLE = [(20, 20_000_000), (12.34, 12_340_000), ("12.34", 12_340_000), (0, 0), (999_999_999.5, 999_999_999_500_000)]
UNREADABLE: tuple[object, ...] = (-0.01, 10**9, 1e300, True, None, "", "much", "NaN", "1e999999999", [], {}, "9" * 99)


@pytest.mark.parametrize(("given", "micro"), [*READABLE, *((given, None) for given in UNREADABLE)])
def test_an_amount_is_read_in_micro_dollars_or_is_none(given: object, micro: int | None) -> None:
    assert micro_dollars(given) == micro


@pytest.mark.parametrize(("charged", "price"), [(None, None), (True, "$0.45"), (False, "$0.15")])
def test_the_estimate_and_a_backfill_say_one_price_once_it_is_known(
    make_collector: MakeCollector, emulator: Emulator, run_api: RunApi, capsys: Said, charged: bool | None, price: str | None
) -> None:
    database = make_collector().database
    if charged is not None:
        settle_authors(database, charged=charged)
    assert run_api("--estimate", TW_NUMBER="10") == 0
    said = capsys.readouterr().err
    expected = price or "$0.15 for the tweets, $0.45 with their authors, for whom X probably charges"
    assert f"3 tags x 10 tweets: at most {expected}\n" in said
    assert ("explained" in said) == (charged is not None)
    day = NOON.replace(hour=0) - timedelta(days=20)
    assert run_api("--since", f"{day:%Y-%m-%d}", "--until", f"{day + timedelta(days=1):%Y-%m-%d}") == 2
    said = capsys.readouterr().err
    posts = int(said.partition(" tweets to buy")[0].split()[-1])
    each = 5_000 if charged is False else 15_000
    assert f"{posts} tweets to buy, by X's own counts: " in said
    assert dollars(posts * each) in said
    assert ("probably" in said) == (charged is None)
