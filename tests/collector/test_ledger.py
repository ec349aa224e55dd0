"""The ledger and the budget: what is reserved before a request, and what is booked after it."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, select

from alchemy import Database
from collector.money import ledger
from collector.money.ledger import Asked, BudgetSpent, Hold
from collector.money.prices import Billing, Month, Prices
from collector.verification import faults
from models import Budget, Purchase, Reservation, Run, Spend
from tests.fixtures import databases

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
PRICES = Prices(5_000, 10_000)
PAGE = 1_500_000  # the worst case of 100 posts


@pytest.fixture
def database(tmp_path: Path, database_backend: str) -> Iterator[Database]:
    with closing(Database(databases.url_of(tmp_path))) as ready:
        ready.upgrade()
        with ready.writing() as session:
            session.add(Run(id=1, kind="collection", state="running", started=NOON))
        yield ready


def reserve(database: Database, billing: Billing, *, posts: int = 100, page: int = 0, now: datetime = NOON) -> Hold | None:
    with database.writing() as session:
        return ledger.reserve(session, billing, Asked(1, 7, f"page {page}", posts), now=now)


def settle(
    database: Database, billing: Billing, hold: Hold, *, posts: int, users: int, day: date | None = None
) -> ledger.Bought:
    with database.writing() as session:
        ids = set(range(1, posts + 1)), set(range(1, users + 1))
        return ledger.settle(session, billing, hold, day=day or NOON.date(), posts=ids[0], users=ids[1])


def budget(database: Database, month: str = "2026-11-01") -> tuple[int, int]:
    with database.reading() as session:
        row = session.execute(select(Budget.spent, Budget.reserved).where(Budget.month == month)).one()
        return row[0], row[1]


def _race(url: str, results: multiprocessing.SimpleQueue[bool]) -> None:
    with closing(Database(url)) as database:
        try:
            results.put(reserve(database, Billing(PRICES, 7 * PAGE)) is not None)
        except BudgetSpent:
            results.put(False)


def test_forty_collectors_that_race_for_a_budget_of_seven_pages_get_exactly_seven(database: Database) -> None:
    """In forty threads of eight processes: each asks as if it were the only one."""
    context = multiprocessing.get_context("fork")
    results: multiprocessing.SimpleQueue[bool] = context.SimpleQueue()

    def five() -> None:
        with ThreadPoolExecutor(5) as pool:
            for _ in range(5):
                pool.submit(_race, database.url.render_as_string(), results)

    database.close()
    processes = [context.Process(target=five) for _ in range(8)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert sum(results.get() for _ in range(40)) == 7
    assert budget(database) == (0, 7 * PAGE)


def test_what_comes_takes_the_place_of_what_was_reserved(database: Database) -> None:
    billing = Billing(PRICES, 2 * PAGE)
    hold = reserve(database, billing)
    assert hold == Hold(1, 100, NOON.date())
    assert budget(database) == (0, PAGE)
    bought = settle(database, billing, hold, posts=100, users=60)
    assert bought == ledger.Bought(100, 60, 500_000, 1_100_000)
    assert budget(database) == (1_100_000, 0)


def test_an_object_counts_once_a_day_and_again_on_the_next(database: Database) -> None:
    billing = Billing(PRICES)
    first, second, third = (reserve(database, billing, page=page) for page in range(3))
    assert first
    assert second
    assert third
    assert settle(database, billing, first, posts=100, users=60).posts == 100
    assert settle(database, billing, second, posts=100, users=70) == ledger.Bought(0, 10, 0, 100_000)
    tomorrow = NOON.date() + timedelta(days=1)
    assert settle(database, billing, third, posts=100, users=60, day=tomorrow).posts == 100
    with database.reading() as session:
        assert session.execute(select(Spend.day, Spend.posts, Spend.users).order_by(Spend.day)).all() == [
            ("2026-11-24", 100, 70),
            ("2026-11-25", 100, 60),
        ]
    assert faults(database, billing) == []


def test_a_budget_that_others_in_flight_may_leave_some_of_is_waited_for(database: Database) -> None:
    billing = Billing(PRICES, PAGE)
    hold = reserve(database, billing)
    assert hold
    assert reserve(database, billing, page=1) is None
    settle(database, billing, hold, posts=10, users=10)
    assert reserve(database, billing, page=1) == Hold(2, 90, NOON.date())


def test_the_rest_of_a_budget_buys_a_smaller_page_and_then_nothing(database: Database) -> None:
    billing = Billing(PRICES, 1_000_000)
    hold = reserve(database, billing)
    assert hold == Hold(1, 66, NOON.date())
    settle(database, billing, hold, posts=66, users=60)
    with pytest.raises(BudgetSpent, match=r"\$1\.00 a month is spent until 2026-12-01: MONTHLY_BUDGET_USD"):
        reserve(database, billing, page=1)
    assert reserve(database, billing, page=1, now=datetime(2026, 12, 1, tzinfo=UTC)) is not None


def test_a_refusal_is_free_and_a_lost_answer_is_not(database: Database) -> None:
    billing = Billing(PRICES, 2 * PAGE)
    free, lost = reserve(database, billing), reserve(database, billing, page=1)
    assert free
    assert lost
    with database.writing() as session:
        ledger.release(session, free, sold=None)
        ledger.release(session, lost, sold=(NOON.date(), NOON.date()))
    assert budget(database) == (0, PAGE)


def test_a_page_that_was_lost_today_is_asked_again_under_its_reservation(database: Database) -> None:
    billing = Billing(PRICES, PAGE)
    lost = reserve(database, billing, posts=100)
    assert lost
    with database.writing() as session:
        ledger.release(session, lost, sold=(NOON.date(), NOON.date()))
    again = reserve(database, billing, posts=100)
    assert again == lost._replace(again=True)
    settle(database, billing, again, posts=100, users=100)
    assert budget(database) == (PAGE, PAGE // 10)


def test_what_only_a_lost_answer_may_have_held_stays_reserved(database: Database) -> None:
    """The second answer came without authors: the first may have sold a hundred."""
    billing = Billing(PRICES)
    lost = reserve(database, billing, posts=100)
    assert lost
    settle(database, billing, lost._replace(again=True), posts=100, users=0)
    assert budget(database) == (500_000, PAGE - 500_000 + PAGE // 10)
    with database.reading() as session:
        assert session.execute(select(Reservation.in_flight, Reservation.day, Reservation.last)).all() == [
            (False, "2026-11-24", "2026-11-24")
        ]


def test_what_came_after_midnight_leaves_the_day_before_reserved(database: Database) -> None:
    """Asked again in the last moments of a day, answered on the next: each day may have been billed."""
    billing = Billing(PRICES)
    lost = reserve(database, billing, posts=100)
    assert lost
    settle(database, billing, lost._replace(again=True), posts=100, users=100, day=NOON.date() + timedelta(days=1))
    assert budget(database) == (PAGE, PAGE)


def test_what_this_machines_clock_reserved_on_another_day_counts_on_xs(database: Database) -> None:
    """This machine was a month ahead, and the answer was lost: X's Date had told."""
    billing = Billing(PRICES, PAGE)
    lost = reserve(database, billing)
    assert lost
    october = date(2026, 10, 30)
    with database.writing() as session:
        ledger.release(session, lost, sold=(october, october))
    with pytest.raises(BudgetSpent):
        reserve(database, billing, page=1, now=datetime(2026, 10, 30, 12, tzinfo=UTC))


def test_a_page_that_was_lost_yesterday_stays_reserved(database: Database) -> None:
    billing = Billing(PRICES)
    lost = reserve(database, billing)
    assert lost
    with database.writing() as session:
        ledger.release(session, lost, sold=(NOON.date(), NOON.date()))
    tomorrow = NOON + timedelta(days=1)
    again = reserve(database, billing, now=tomorrow)
    assert again
    assert again != lost
    settle(database, billing, again, posts=100, users=100, day=tomorrow.date())
    assert budget(database) == (PAGE, PAGE)


def test_what_a_dead_collector_had_in_flight_may_have_been_sold(database: Database) -> None:
    billing = Billing(PRICES, PAGE)
    assert reserve(database, billing)
    with database.writing() as session:
        ledger.recover(session, billing, today=NOON.date())
    assert budget(database) == (0, PAGE)
    with pytest.raises(BudgetSpent):
        reserve(database, billing, page=1)


def test_a_request_in_flight_when_a_billing_month_ends_counts_in_both(database: Database) -> None:
    billing = Billing(PRICES, PAGE)
    late = datetime(2026, 11, 30, 23, 59, 59, tzinfo=UTC)
    hold = reserve(database, billing, now=late)
    assert hold
    assert reserve(database, billing, page=1, now=late + timedelta(seconds=2)) is None
    settle(database, billing, hold, posts=100, users=100, day=date(2026, 12, 1))
    assert budget(database, "2026-12-01") == (PAGE, 0)
    assert budget(database) == (0, 0)


def test_what_may_have_been_sold_on_either_side_of_a_month_counts_in_both(database: Database) -> None:
    """The answer was lost, and midnight came between: nobody knows which month is billed."""
    billing = Billing(PRICES, PAGE)
    lost = reserve(database, billing, now=datetime(2026, 11, 30, 23, 59, 59, tzinfo=UTC))
    assert lost
    with database.writing() as session:
        ledger.release(session, lost, sold=(date(2026, 11, 30), date(2026, 12, 1)))
    with pytest.raises(BudgetSpent):
        reserve(database, billing, page=1, now=datetime(2026, 12, 2, tzinfo=UTC))
    assert budget(database) == (0, PAGE)


def test_another_page_is_not_bought_under_the_reservation_of_a_lost_one(database: Database) -> None:
    billing = Billing(PRICES, PAGE)
    lost = reserve(database, billing, page=0)
    assert lost
    with database.writing() as session:
        ledger.release(session, lost, sold=(NOON.date(), NOON.date()))
    with pytest.raises(BudgetSpent):
        reserve(database, billing, page=1)


def test_another_billing_day_counts_the_ledger_anew(database: Database) -> None:
    hold = reserve(database, Billing(PRICES))
    assert hold
    settle(database, Billing(PRICES), hold, posts=100, users=100)
    with database.writing() as session:
        ledger.recover(session, Billing(PRICES, PAGE, 15), today=NOON.date())
    assert budget(database, "2026-11-15") == (PAGE, 0)


def test_another_billing_day_counts_lost_answers_anew(database: Database) -> None:
    lost = reserve(database, Billing(PRICES, PAGE))
    assert lost
    with database.writing() as session:
        ledger.release(session, lost, sold=(NOON.date(), NOON.date()))
    with database.writing() as session:
        ledger.recover(session, Billing(PRICES, PAGE, 15), today=NOON.date())
    with pytest.raises(BudgetSpent):
        reserve(database, Billing(PRICES, PAGE, 15), page=1)
    assert faults(database, Billing(PRICES, PAGE, 15)) == []


@pytest.mark.parametrize(
    ("billing_day", "day", "month"),
    [
        (1, date(2026, 11, 30), Month(date(2026, 11, 1), date(2026, 12, 1))),
        (1, date(2026, 12, 31), Month(date(2026, 12, 1), date(2027, 1, 1))),
        (15, date(2026, 11, 14), Month(date(2026, 10, 15), date(2026, 11, 15))),
        (15, date(2026, 11, 15), Month(date(2026, 11, 15), date(2026, 12, 15))),
        (31, date(2026, 2, 27), Month(date(2026, 1, 31), date(2026, 2, 28))),
        (31, date(2026, 2, 28), Month(date(2026, 2, 28), date(2026, 3, 31))),
        (31, date(2028, 2, 29), Month(date(2028, 2, 29), date(2028, 3, 31))),
        (30, date(2026, 1, 3), Month(date(2025, 12, 30), date(2026, 1, 30))),
    ],
)
def test_a_billing_month_begins_on_its_day_or_on_a_short_months_last(billing_day: int, day: date, month: Month) -> None:
    assert Billing(PRICES, day=billing_day).month(day) == month


def test_billing_months_follow_each_other_without_a_hole() -> None:
    for billing_day in range(1, 32):
        billing, day = Billing(PRICES, day=billing_day), date(2026, 1, 1)
        while day < date(2028, 4, 1):
            month = billing.month(day)
            assert month.start <= day < month.end
            assert billing.month(month.end).start == month.end
            day += timedelta(days=1)


def test_objects_of_days_that_are_long_over_are_forgotten(database: Database) -> None:
    billing = Billing(PRICES)
    for days in range(5):
        at = NOON + timedelta(days=days)
        hold = reserve(database, billing, page=days, now=at)
        assert hold
        settle(database, billing, hold, posts=10, users=10, day=at.date())
    with database.reading() as session:
        assert session.scalar(select(func.count(Purchase.day.distinct()))) == 3
        assert session.scalar(select(func.count()).select_from(Reservation)) == 0
    assert faults(database, billing) == []
