"""The billing month by X: which day its number means, whether BILLING_DAY agrees, and the budget in each such month."""

from __future__ import annotations

import threading
from datetime import date
from pathlib import Path

import pytest

from alchemy import Database
from api import get_tweets
from collector.backups.backups import backup
from collector.backups.restoring import restore
from collector.jobs.scheduled import Plan, ScheduledJobs
from collector.ledger import ledger
from collector.ledger.billing_days import note_reset
from collector.ledger.ledger import BudgetSpent, PageRequest
from collector.ledger.prices import Billing, Prices
from collector.ledger.pricing import budget_left
from collector.runs.collector import Collector
from collector.verification import faults
from collector.x.clock import Days
from emulator import Emulator
from models import Reconciliation, Run
from queries.billing import BillingDays
from tests.collector.conftest import MakeCollector, rows
from tests.fixtures.clocks import NOON

PAGE = 1_500_000  # the worst case of 100 posts
Told = list[tuple[str, int | None]]


def on(day: str) -> Days:
    return Days(*[date.fromisoformat(day)] * 3)


def note(database: Database, told: Told, billing: Billing = Billing(Prices(5_000, 10_000))) -> int | None:  # noqa: B008 (frozen)
    """Note X's numbers of some days, and return the day that is known then."""
    day = None
    for today, number in told:
        with database.writing() as session:
            day = note_reset(session, billing, number, today=date.fromisoformat(today))
            ledger.recount(session, billing, on(today))
    return day


def buy(database: Database, day: str, billing: Billing) -> None:
    """Buy a page of 100 posts on a day."""
    with database.writing() as session:
        run = session.merge(Run(id=1, kind="collection", state="running", started=NOON))
        reservation = ledger.reserve(session, billing, PageRequest(run.id, 7, day, 100), days=on(day))
        assert reservation
        ledger.settle(session, billing, reservation, days=on(day), posts=set(range(100)), users=set(range(100)))


@pytest.mark.parametrize(
    ("told", "day"),
    [
        ([("2026-11-24", None)], None),
        ([("2026-11-24", 32)], None),
        ([("2026-11-24", 7)], 1),
        ([("2026-11-24", 21), ("2026-11-25", 20)], 15),
        ([("2026-11-24", 21), ("2026-11-25", None)], 15),
        ([("2026-11-24", 21), ("2026-11-24", 21)], 15),
        ([("2026-11-14", 31), ("2026-12-14", 31)], 14),
        ([("2026-11-24", 0)], 24),
        ([("2026-01-30", 1), ("2026-02-10", 18), ("2026-02-28", 31)], 31),  # a short month ends on its last day
        ([("2026-11-24", 16), ("2026-11-25", 16)], 16),
        ([("2026-11-24", 16), ("2026-11-25", 16), ("2027-01-20", 16)], 16),
    ],
)
def test_the_day_follows_from_the_days_that_are_left_or_from_a_number_that_stays(
    database: Database, told: Told, day: int | None
) -> None:
    database.upgrade()
    assert note(database, told) == day


@pytest.mark.dialects
def test_the_budget_holds_in_the_months_of_both_days(database: Database) -> None:
    database.upgrade()
    billing = Billing(Prices(5_000, 10_000), 2 * PAGE, 1)
    buy(database, "2026-11-17", billing)
    assert note(database, [("2026-11-20", 25)], billing) == 15
    buy(database, "2026-11-20", billing)
    for day in ("2026-11-21", "2026-12-02"):  # X's month from November 15 has no room, nor had that from the 1st
        with pytest.raises(BudgetSpent):
            buy(database, day, billing)
    assert faults(database, billing) == []
    buy(database, "2026-12-15", billing)
    assert faults(database, billing) == []


def test_a_day_that_changes_counts_until_both_months_are_over(database: Database) -> None:
    database.upgrade()
    billing = Billing(Prices(5_000, 10_000), PAGE)
    note(database, [("2026-11-05", 5)], billing)
    buy(database, "2026-11-09", billing)
    assert note(database, [("2026-11-11", 9)], billing) == 20
    with pytest.raises(BudgetSpent):
        buy(database, "2026-11-19", billing)
    buy(database, "2026-11-20", billing)
    with pytest.raises(BudgetSpent):
        buy(database, "2026-12-12", billing)
    buy(database, "2026-12-20", billing)


def test_months_that_begin_on_the_same_day_count_as_the_longer(database: Database) -> None:
    database.upgrade()
    billing = Billing(Prices(5_000, 10_000), PAGE, 30)
    buy(database, "2026-11-30", billing)
    note(database, [("2026-10-31", 30), ("2026-12-02", 29)], billing)
    with pytest.raises(BudgetSpent):
        buy(database, "2026-12-30", billing)
    assert faults(database, billing) == []


def compare(collector: Collector) -> None:
    ScheduledJobs(collector, Plan()).reconcile(threading.Event())


def days(collector: Collector) -> BillingDays:
    with collector.database.reading() as session:
        return collector.billing_days(session)


def test_unset_it_follows_x_and_is_the_first_until_x_was_asked(make_collector: MakeCollector, emulator: Emulator) -> None:
    emulator.settings.billing_day = 15
    collector = make_collector(TAGS="#devops", TW_NUMBER="10")
    get_tweets(collector)
    assert days(collector).counted == (1,)
    compare(collector)
    assert days(collector).counted == (15,)
    with collector.database.reading() as session:
        assert str(collector.outlook(session).start) == "2026-11-15"
        assert (left := budget_left(collector, session))
        assert str(left.until) == "2026-12-15"
    ((by_x, ours),) = rows(collector.database, Reconciliation.__table__.select().with_only_columns(*COUNTS))
    assert by_x == ours == 10


COUNTS = (Reconciliation.x_posts, Reconciliation.our_posts)


@pytest.mark.parametrize("reset_as_day", [False, True])
def test_a_setting_that_disagrees_is_warned_of_once(
    make_collector: MakeCollector, emulator: Emulator, caplog: pytest.LogCaptureFixture, reset_as_day: bool
) -> None:
    emulator.settings.billing_day, emulator.settings.reset_as_day = 14, reset_as_day
    collector = make_collector(BILLING_DAY="3")
    for _ in range(3):
        compare(collector)
        emulator.clock.advance(86_400)
    assert days(collector).disagrees
    assert 14 in days(collector).counted
    warnings = [record for record in caplog.records if record.getMessage().startswith("BILLING_DAY disagrees")]
    assert [record.__dict__["billing_day_by_x"] for record in warnings] == ([8, 14] if reset_as_day else [14])
    compare(make_collector(BILLING_DAY="14"))
    compare(collector)
    assert len([record for record in caplog.records if "disagrees" in record.getMessage()]) == len(warnings) + 1


def test_a_restore_keeps_the_day(make_collector: MakeCollector, emulator: Emulator, tmp_path: Path) -> None:
    collector = make_collector()
    backup(collector.database, tmp_path / "copy.db")
    emulator.settings.billing_day = 12
    compare(collector)
    restore(collector.database, tmp_path / "copy.db")
    assert days(collector).by_x == 12
