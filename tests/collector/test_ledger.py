"""The ledger and the budget: what is reserved before a request, and what is booked after it."""

from __future__ import annotations

import multiprocessing
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from functools import partial

import pytest
from sqlalchemy import select

from alchemy import Database, open_database
from collector.ledger import ledger
from collector.ledger.ledger import BudgetSpent, HeldReservation, LedgerEntry, PageRequest
from collector.ledger.prices import Billing, Month, PageContent, Prices
from collector.runs import lease
from collector.verification import faults
from collector.x.clock import Days
from models import Budget, Purchase, Reservation, Run, Spend
from queries.counters import CALLS
from tests.collector.conftest import rows

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
TODAY, TOMORROW = NOON.date(), NOON.date() + timedelta(days=1)


def on(*days: date) -> Days:
    """Return days, the first and likeliest first."""
    return Days(days[0], days[0], days[-1])


SURE, NEXT_DAY = on(TODAY), on(TOMORROW)
DECEMBER = date(2026, 12, 1)
MONTHS_END = on(date(2026, 11, 30), DECEMBER)
PRICES = Prices(5_000, 10_000)
PAGE = 1_500_000  # the worst case of 100 posts


class Books:
    """The ledger of a database, with a budget in micro-dollars and a billing day."""

    def __init__(self, database: Database, budget: int | None = None, day: int = 1) -> None:
        self.database, self.billing = database, Billing(PRICES, budget, day)

    def reserve(self, page: int = 0, *, days: Days = SURE) -> HeldReservation | None:
        with self.database.writing() as session:
            return ledger.reserve(session, self.billing, PageRequest(1, 7, f"page {page}", 100), days=days)

    def hold(self, page: int = 0, *, days: Days = SURE) -> HeldReservation:
        hold = self.reserve(page, days=days)
        assert hold
        return hold

    def lost(self, *, days: Days = SURE, sold: Days = SURE) -> HeldReservation:
        """Reserve a page, and lose an answer that X may have sold on some days."""
        hold = self.hold(days=days)
        self.lose(hold, sold)
        return hold

    def lose(self, hold: HeldReservation, sold: Days | None = None) -> None:
        with self.database.writing() as session:
            ledger.release(session, hold, sold=sold)

    def settle(self, hold: HeldReservation, *, posts: int = 100, users: int = 100, days: Days = SURE) -> LedgerEntry:
        with self.database.writing() as session:
            bought, writers = set(range(1, posts + 1)), set(range(1, users + 1))
            return ledger.settle(session, self.billing, hold, days=days, posts=bought, users=writers)

    def recover(self, days: Days = SURE) -> None:
        with self.database.writing() as session:
            ledger.recover(session, self.billing, days=days)

    def month(self, start: str = "2026-11-01") -> tuple[int, int]:
        """Return what is spent and what is reserved in a billing month."""
        ((spent, reserved),) = rows(self.database, select(Budget.spent, Budget.reserved).where(Budget.month == start))
        return spent, reserved


@pytest.fixture
def books(database: Database) -> partial[Books]:
    """Open the ledger of a database in which a collection runs."""
    with database.writing() as session:
        session.add(Run(id=1, kind="collection", state="running", started=NOON))
    return partial(Books, database)


OpenBooks = partial[Books]


def _race(url: str) -> bool:
    with closing(open_database(url)) as database:
        try:
            return Books(database, 7 * PAGE).reserve() is not None
        except BudgetSpent:
            return False


def _races(url: str, number: int) -> int:
    with ThreadPoolExecutor(number) as pool:
        return sum(pool.map(_race, [url] * number))


@pytest.mark.dialects
def test_twelve_collectors_that_race_for_a_budget_of_seven_pages_get_exactly_seven(books: OpenBooks) -> None:
    """In twelve threads, each over a connection of its own: each asks as if it were the only one."""
    assert _races(books().database.url.render_as_string(), 12) == 7
    assert books().month() == (0, 7 * PAGE)


@pytest.mark.process
@pytest.mark.dialects
def test_forty_collectors_of_eight_processes_that_race_for_seven_pages_get_exactly_seven(books: OpenBooks) -> None:
    database = books().database
    database.close()
    with ProcessPoolExecutor(8, mp_context=multiprocessing.get_context("fork")) as pool:
        assert sum(pool.map(_races, [database.url.render_as_string()] * 8, [5] * 8)) == 7
    assert books().month() == (0, 7 * PAGE)


@pytest.mark.dialects
def test_what_comes_takes_the_place_of_what_was_reserved(books: OpenBooks) -> None:
    book = books(2 * PAGE)
    hold = book.hold()
    assert hold == HeldReservation(1, 100, SURE)
    assert book.month() == (0, PAGE)
    assert book.settle(hold, users=60) == LedgerEntry(100, 60, 500_000, 1_100_000)
    assert book.month() == (1_100_000, 0)


@pytest.mark.dialects
def test_an_object_counts_once_a_day_and_again_on_the_next(books: OpenBooks) -> None:
    book = books()
    first, second, third = map(book.hold, range(3))
    assert book.settle(first, users=60).posts == 100
    assert book.settle(second, users=70) == LedgerEntry(0, 10, 0, 100_000)
    assert book.settle(third, users=60, days=NEXT_DAY).posts == 100
    booked = rows(book.database, select(Spend.day, Spend.posts, Spend.users).order_by(Spend.day))
    assert booked == [("2026-11-24", 100, 70), ("2026-11-25", 100, 60)]
    assert faults(book.database, book.billing) == []


def test_a_budget_that_others_in_flight_may_leave_some_of_is_waited_for(books: OpenBooks) -> None:
    book = books(PAGE)
    hold = book.hold()
    assert book.reserve(1) is None
    book.settle(hold, posts=10, users=10)
    assert book.reserve(1) == HeldReservation(2, 90, SURE)


def test_the_rest_of_a_budget_buys_a_smaller_page_and_then_nothing(books: OpenBooks) -> None:
    book = books(1_000_000)
    hold = book.hold()
    assert hold == HeldReservation(1, 66, SURE)
    book.settle(hold, posts=66, users=60)
    with pytest.raises(BudgetSpent, match=r"\$1\.00 a month is spent until 2026-12-01: MONTHLY_BUDGET_USD"):
        book.reserve(1)
    assert book.reserve(1, days=on(DECEMBER))


def test_a_refusal_is_free_and_a_lost_answer_is_not(books: OpenBooks) -> None:
    book = books(2 * PAGE)
    free, lost = book.hold(), book.hold(1)
    book.lose(free)
    book.lose(lost, SURE)
    assert book.month() == (0, PAGE)


@pytest.mark.dialects
def test_a_page_that_was_lost_today_is_asked_again_under_its_reservation_and_another_is_not(books: OpenBooks) -> None:
    book = books(PAGE)
    lost = book.lost()
    with pytest.raises(BudgetSpent):
        book.reserve(1)
    again = book.hold()
    assert again == lost._replace(again=True)
    book.settle(again)
    assert book.month() == (PAGE, PAGE // 10)


@pytest.mark.dialects
def test_what_only_a_lost_answer_may_have_held_stays_reserved(books: OpenBooks) -> None:
    """The second answer came without authors: the first may have sold a hundred."""
    book = books()
    book.settle(book.hold()._replace(again=True), users=0)
    assert book.month() == (500_000, PAGE - 500_000 + PAGE // 10)
    left = rows(book.database, select(Reservation.in_flight, Reservation.day, Reservation.last))
    assert left == [(False, "2026-11-24", "2026-11-24")]


def test_what_came_after_midnight_leaves_the_day_before_reserved(books: OpenBooks) -> None:
    """Asked again in the last moments of a day, answered on the next: each day may have been billed."""
    book = books()
    book.settle(book.hold()._replace(again=True), days=NEXT_DAY)
    assert book.month() == (PAGE, PAGE)


def test_what_this_machines_clock_reserved_on_another_day_counts_on_xs(books: OpenBooks) -> None:
    """This machine was a month ahead, and the answer was lost: X's Date had told."""
    book = books(PAGE)
    book.lost(sold=on(date(2026, 10, 30)))
    with pytest.raises(BudgetSpent):
        book.reserve(1, days=on(date(2026, 10, 30)))


def test_a_page_that_was_lost_yesterday_stays_reserved(books: OpenBooks) -> None:
    book = books()
    lost = book.lost()
    again = book.hold(days=NEXT_DAY)
    assert again != lost
    book.settle(again, days=NEXT_DAY)
    assert book.month() == (PAGE, PAGE)


@pytest.mark.dialects
def test_what_a_dead_collector_had_in_flight_may_have_been_sold(books: OpenBooks) -> None:
    book = books(PAGE)
    book.hold()
    book.recover()
    assert book.month() == (0, PAGE)
    with pytest.raises(BudgetSpent):
        book.reserve(1)


@pytest.mark.dialects
def test_a_request_in_flight_when_a_billing_month_ends_counts_in_both(books: OpenBooks) -> None:
    book = books(PAGE)
    hold = book.hold(days=MONTHS_END)
    assert book.reserve(1, days=on(DECEMBER)) is None
    book.settle(hold, days=on(DECEMBER))
    assert book.month("2026-12-01") == (PAGE, 0)
    assert book.month() == (0, 0)


@pytest.mark.dialects
def test_a_request_around_a_months_end_is_reserved_in_both_or_in_neither(books: OpenBooks) -> None:
    book = books(PAGE)
    book.settle(book.hold(days=on(DECEMBER)), posts=40, users=40, days=on(DECEMBER))
    assert book.hold(days=MONTHS_END).posts == 60
    assert (book.month(), book.month("2026-12-01")) == ((0, 900_000), (600_000, 900_000))
    assert book.reserve(1, days=MONTHS_END) is None
    assert (book.month(), book.month("2026-12-01")) == ((0, 900_000), (600_000, 900_000))


@pytest.mark.dialects
def test_what_was_billed_in_either_month_is_booked_in_the_likelier_and_reserved_in_the_other(books: OpenBooks) -> None:
    book = books()
    book.settle(book.hold(days=MONTHS_END), users=60, days=MONTHS_END)
    assert (book.month(), book.month("2026-12-01")) == ((1_100_000, 0), (0, 1_100_000))
    book.settle(book.hold(1, days=MONTHS_END), users=60, days=MONTHS_END)
    assert (book.month(), book.month("2026-12-01")) == ((1_100_000, 0), (0, 1_100_000))
    assert faults(book.database, book.billing) == []


@pytest.mark.dialects
def test_what_was_billed_on_either_side_of_a_midnight_counts_once_until_it_is_bought_again(books: OpenBooks) -> None:
    """Then X may have billed it on the one day and on the other, and on no third."""
    book, either = books(), Days(TODAY, TOMORROW, TOMORROW)
    book.settle(book.hold(days=either), posts=10, users=10, days=either)
    assert book.month() == (150_000, 0)
    for page in (1, 2):
        book.settle(book.hold(page, days=NEXT_DAY), posts=20, users=20, days=NEXT_DAY)
        assert book.month() == (300_000, 150_000)
    assert faults(book.database, book.billing) == []


def test_what_was_bought_before_a_midnight_and_again_around_it_may_be_billed_twice(books: OpenBooks) -> None:
    book, either = books(), Days(TODAY, TODAY, TOMORROW)
    book.settle(book.hold(), posts=10, users=10)
    for page in (1, 2):
        book.settle(book.hold(page, days=either), posts=10, users=10, days=either)
        assert book.month() == (150_000, 150_000)


def test_a_call_around_a_months_end_counts_in_both(books: OpenBooks) -> None:
    book = books()
    with book.database.writing() as session:
        hold = ledger.reserve_call(session, book.billing, 1, 5_000, days=MONTHS_END)
        assert hold
        ledger.settle_call(session, book.billing, hold, days=MONTHS_END, micro=5_000)
    assert book.reserve(days=on(DECEMBER))
    assert (book.month(), book.month("2026-12-01")) == ((5_000, 0), (0, PAGE + 5_000))


@pytest.mark.dialects
def test_what_a_living_process_has_in_flight_is_left_to_it_and_what_a_dead_one_had_is_not(books: OpenBooks) -> None:
    book, in_flight = books(), select(Reservation.in_flight)
    with book.database.writing() as session:
        session.add(Run(id=2, kind="job", state="done", started=NOON))
        token = lease.take(session, "calls", name=CALLS)
        ledger.reserve_call(session, book.billing, 2, 5_000, days=SURE)
    book.recover()
    assert rows(book.database, in_flight) == [(True,)]
    with book.database.writing() as session:
        lease.give_back(session, token or 0, name=CALLS)
    book.recover()
    assert rows(book.database, in_flight) == [(False,)]


def test_what_is_recovered_stays_on_the_days_on_which_it_was_reserved(books: OpenBooks) -> None:
    """Whoever takes over may have a clock that is behind."""
    book = books(PAGE)
    book.hold(days=MONTHS_END)
    book.recover()
    with pytest.raises(BudgetSpent):
        book.reserve(1, days=on(DECEMBER))


def test_what_may_have_been_sold_on_either_side_of_a_month_counts_in_both(books: OpenBooks) -> None:
    """The answer was lost, and midnight came between: nobody knows which month is billed."""
    book = books(PAGE)
    book.lost(days=MONTHS_END, sold=MONTHS_END)
    with pytest.raises(BudgetSpent):
        book.reserve(1, days=on(date(2026, 12, 2)))
    assert book.month() == (0, PAGE)


@pytest.mark.dialects
def test_another_billing_day_counts_what_was_bought_and_what_was_lost_anew(books: OpenBooks) -> None:
    book = books()
    book.settle(book.hold())
    other = books(2 * PAGE, 15)
    other.recover()
    assert other.month("2026-11-15") == (PAGE, 0)
    other.lost()
    third = books(2 * PAGE, 20)
    third.recover()
    assert third.month("2026-11-20") == (PAGE, PAGE)
    with pytest.raises(BudgetSpent):
        third.reserve(1)
    assert faults(third.database, third.billing) == []


@pytest.mark.parametrize(
    ("content", "each", "least"),
    [(PageContent.POSTS_WITH_AUTHORS, 15_000, 10), (PageContent.POSTS, 5_000, 10), (PageContent.AUTHORS, 10_000, 1)],
)
def test_a_page_is_reserved_by_what_it_may_hold(books: OpenBooks, content: PageContent, each: int, least: int) -> None:
    book = books((least + 1) * each)
    request = PageRequest(1, 7, "page", 100, content)
    with book.database.writing() as session:
        page = ledger.reserve(session, book.billing, request, days=SURE)
    assert page == HeldReservation(1, least + 1, SURE, content=content)
    assert book.month() == (0, (least + 1) * each)
    book.lose(page)
    with books((least * each) - 1).database.writing() as session, pytest.raises(BudgetSpent):
        ledger.reserve(session, books(least * each - 1).billing, request, days=SURE)


def test_both_bounds_have_authors_that_were_looked_up(books: OpenBooks) -> None:
    book = books()
    hold = book.hold()._replace(content=PageContent.AUTHORS)
    assert book.settle(hold, posts=0, users=2) == LedgerEntry(0, 2, 20_000, 20_000)


def test_a_billing_month_begins_on_its_day_or_on_a_short_months_last() -> None:
    for billing_day, day, start, end in (
        (1, "2026-12-31", "2026-12-01", "2027-01-01"),
        (15, "2026-11-14", "2026-10-15", "2026-11-15"),
        (15, "2026-11-15", "2026-11-15", "2026-12-15"),
        (31, "2026-02-27", "2026-01-31", "2026-02-28"),
        (31, "2028-02-29", "2028-02-29", "2028-03-31"),
        (30, "2026-01-03", "2025-12-30", "2026-01-30"),
    ):
        month = Month(date.fromisoformat(start), date.fromisoformat(end))
        assert Billing(PRICES, day=billing_day).month(date.fromisoformat(day)) == month


def test_billing_months_follow_each_other_without_a_hole() -> None:
    for billing_day in range(1, 32):
        billing, day = Billing(PRICES, day=billing_day), date(2027, 12, 1)
        while day < date(2028, 4, 1):
            month = billing.month(day)
            assert month.start <= day < month.end
            assert billing.month(month.end).start == month.end
            day += timedelta(days=1)


@pytest.mark.dialects
def test_objects_of_days_that_are_long_over_are_forgotten(books: OpenBooks) -> None:
    book = books()
    for days in range(5):
        at = on(TODAY + timedelta(days=days))
        book.settle(book.hold(days, days=at), posts=10, users=10, days=at)
    assert len({row.day for row in rows(book.database, select(Purchase.day))}) == 3
    assert rows(book.database, select(Reservation.id)) == []
    assert faults(book.database, book.billing) == []
