"""Around a month's end, whatever X's Dates say and however long a process stands still, no bill exceeds its month's budget."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from threading import Event
from types import SimpleNamespace

import pytest
from sqlalchemy import select, update

from alchemy import Database
from api import get_tweets
from collector.ledger.calls import call_buyer
from collector.runs.collector import RunningCollection
from collector.x import clock
from collector.x.app_only import AppOnly, CountedPosts, Counting
from collector.x.client import Search, SearchAnswer, X
from collector.x.clock import Days, XClock
from collector.x.failures import RetryPolicy, Stopped
from emulator import Emulator
from models import Budget, Lease, Reservation
from tests.collector.conftest import MakeCollector, rows
from tests.fixtures.waiting import wait_until
from tests.reliability.month_ends import World, simulated

MIDNIGHT = datetime(2026, 12, 1, tzinfo=UTC)
NOVEMBER_30, DECEMBER_1 = date(2026, 11, 30), date(2026, 12, 1)
LAST_HOUR = timedelta(hours=1)
ONE_PAGE = {"TAGS": "#devops", "MONTHLY_BUDGET_USD": "1.50", "X_RETRIES": "0"}
Look = Callable[[], None]


def bills(emulator: Emulator) -> tuple[int, int]:
    """Return the emulator's ceilings of November and December, in micro-dollars."""
    days = emulator.ledger.days().items()
    november = sum(sales.ceiling for day, sales in days if day < "2026-12-01")
    return november * 1000, sum(sales.ceiling for _, sales in days) * 1000 - november * 1000


def takes_over(database: Database, name: str) -> None:
    """Let a lease run out."""
    with database.writing() as session:
        session.execute(update(Lease).where(Lease.name == name).values(expires=0))


@pytest.mark.parametrize("skew", [590, -590])
def test_a_date_that_is_minutes_off_buys_no_more_than_the_budget(
    make_collector: MakeCollector, emulator: Emulator, skew: int
) -> None:
    emulator.date_skew = skew
    for minutes in (-120, -5, 5, 120):
        emulator.clock.set(MIDNIGHT + timedelta(minutes=minutes))
        get_tweets(make_collector(TAGS="#devops", TW_NUMBER="20", MONTHLY_BUDGET_USD="0.40"))
    assert 0 < max(bills(emulator)) <= 400_000


def test_what_came_around_a_months_end_counts_in_both_months(make_collector: MakeCollector, emulator: Emulator) -> None:
    emulator.clock.set(MIDNIGHT - timedelta(minutes=3))
    get_tweets(make_collector(**ONE_PAGE))
    emulator.clock.advance(LAST_HOUR.total_seconds())
    view = get_tweets(make_collector(**ONE_PAGE | {"TAGS": "#sre"}))
    assert sum(bills(emulator)) <= 1_500_000
    assert view.posts < 100


def test_a_count_in_flight_while_the_month_ends_is_left_to_whoever_asked_it(
    make_collector: MakeCollector, emulator: Emulator
) -> None:
    """Another process begins a collection meanwhile, and uses up the new month's budget."""
    emulator.clock.set(MIDNIGHT - timedelta(minutes=30))
    budget = ONE_PAGE | {"MONTHLY_BUDGET_USD": "0.50", "TW_NUMBER": "100"}
    mine, other = make_collector(**budget), make_collector(**budget)

    begun: list[RunningCollection] = []

    def slowly(look: Look) -> CountedPosts:
        look()
        emulator.clock.advance(LAST_HOUR.total_seconds())
        begun.append(other.start())
        wait_until(lambda: ("2026-12-01",) in rows(other.database, select(Budget.month)))
        assert rows(other.database, select(Reservation.in_flight, Reservation.micro)) == [(True, 5_000)]
        return x.count(Counting("#devops", MIDNIGHT - timedelta(days=1), MIDNIGHT - LAST_HOUR))

    with (
        closing(AppOnly(mine.source.reach(), mine.clock)) as x,
        call_buyer(mine.database, x, mine.order.billing, RetryPolicy(), Event()) as desk,
    ):
        desk.buy(5_000, slowly, lambda _session, _answer: None)
    assert other.outcome(begun[0]).posts > 20
    assert max(bills(emulator)) <= 500_000


def standing_still(monkeypatch: pytest.MonkeyPatch, meanwhile: Callable[[], None]) -> None:
    """Let the next process that has reserved a page stand still before it asks X, while this happens."""
    search, waiting = X.search, [meanwhile]

    def late(x: X, asked: Search, look: Look = lambda: None) -> SearchAnswer:
        if waiting:
            waiting.pop()()
        return search(x, asked, look)

    monkeypatch.setattr(X, "search", late)


@pytest.fixture
def asleep(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """This machine's clocks go on by X's, also those by which leases are known to be held."""
    clocks = SimpleNamespace(monotonic=lambda: emulator.clock.now_ms() / 1000, time=lambda: emulator.clock.now_ms() / 1000)
    monkeypatch.setattr("collector.runs.lease.time", clocks)


@pytest.mark.usefixtures("asleep")
def test_a_collector_that_stood_still_over_a_months_end_and_lost_its_lease_asks_nothing(
    make_collector: MakeCollector, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    emulator.clock.set(MIDNIGHT - timedelta(minutes=30))
    first, second = make_collector(**ONE_PAGE), make_collector(**ONE_PAGE)

    def meanwhile() -> None:
        takes_over(first.database, "collector")
        emulator.clock.advance(LAST_HOUR.total_seconds())
        get_tweets(second)

    standing_still(monkeypatch, meanwhile)
    started = first.start()
    assert "another holder" in str(started.over.result(30))
    assert emulator.requests == []  # nor has the other one room for a page: the first may have been sold


@pytest.mark.usefixtures("asleep")
def test_a_collector_that_stood_still_over_a_months_end_and_kept_its_lease_reserves_anew(
    make_collector: MakeCollector, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    emulator.clock.set(MIDNIGHT - timedelta(minutes=30))
    standing_still(monkeypatch, lambda: emulator.clock.advance(LAST_HOUR.total_seconds()))
    collector = make_collector(**ONE_PAGE)
    assert get_tweets(collector).state == "done"
    assert len(emulator.requests) == 1
    assert rows(collector.database, select(Reservation.day)) == []


@pytest.mark.usefixtures("asleep")
def test_a_process_that_stood_still_before_a_call_and_lost_its_lease_asks_nothing(
    make_collector: MakeCollector, emulator: Emulator
) -> None:
    collector = make_collector(**ONE_PAGE)
    with closing(AppOnly(collector.source.reach(), collector.clock)) as x:

        def late(look: Look) -> CountedPosts:
            emulator.clock.advance(120)
            takes_over(collector.database, "calls")
            with call_buyer(collector.database, x, collector.order.billing, RetryPolicy(), Event()):
                return x.count(Counting("#devops", MIDNIGHT, MIDNIGHT), look)

        desk_opened = call_buyer(collector.database, x, collector.order.billing, RetryPolicy(), Event())
        with desk_opened as desk, pytest.raises(Stopped):
            desk.buy(5_000, late, lambda _session, _answer: None)
    assert emulator.requests == []


class Machine:
    """This machine's two clocks; the monotonic one stands while it sleeps."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.monotonic, self.wall = 0.0, MIDNIGHT - LAST_HOUR
        machine = self

        class Now(datetime):
            @classmethod
            def now(cls, _tz: object = None) -> datetime:  # type: ignore[override]
                return machine.wall

        monkeypatch.setattr(clock, "datetime", Now)
        monkeypatch.setattr(clock, "time", SimpleNamespace(monotonic=lambda: self.monotonic))

    def run(self, time: timedelta) -> None:
        self.monotonic += time.total_seconds()
        self.wall += time


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    return Machine(monkeypatch)


@pytest.fixture
def x_clock(machine: Machine) -> XClock:
    """A clock that has heard X's time, an hour before the month ends."""
    told = XClock()
    told.set_by_answer(MIDNIGHT - LAST_HOUR)
    return told


@pytest.mark.parametrize("jump", [timedelta(days=40), -timedelta(days=40), timedelta(minutes=5), -timedelta(minutes=5)])
def test_a_date_that_jumps_is_believed_when_a_second_answer_says_the_same(
    machine: Machine, x_clock: XClock, jump: timedelta
) -> None:
    before = x_clock.now()
    x_clock.set_by_answer(before + jump)
    assert (x_clock.now(), x_clock.is_in_doubt) == (before, True)
    machine.run(timedelta(seconds=20))
    x_clock.set_by_answer(before + jump + timedelta(seconds=20))
    assert (x_clock.now(), x_clock.is_in_doubt) == (before + jump + timedelta(seconds=20), False)


def test_a_date_that_jumps_alone_is_forgotten_with_the_next_and_counted_meanwhile(machine: Machine, x_clock: XClock) -> None:
    x_clock.set_by_answer(x_clock.now() + timedelta(days=1))
    assert x_clock.days() == Days(NOVEMBER_30, NOVEMBER_30, DECEMBER_1)
    x_clock.set_by_answer(x_clock.now())
    assert x_clock.days() == Days(NOVEMBER_30, NOVEMBER_30, NOVEMBER_30)


def test_days_reach_as_far_as_a_date_may_be_off_and_an_answer_may_take(machine: Machine, x_clock: XClock) -> None:
    assert x_clock.days(ahead=timedelta(minutes=48)).sure
    assert x_clock.days(ahead=timedelta(minutes=50)) == Days(NOVEMBER_30, NOVEMBER_30, DECEMBER_1)
    machine.run(timedelta(minutes=70))
    assert x_clock.days() == Days(NOVEMBER_30, DECEMBER_1, DECEMBER_1)
    machine.run(timedelta(minutes=2))
    assert x_clock.days().sure


def test_time_goes_on_while_the_machine_sleeps(machine: Machine, x_clock: XClock) -> None:
    machine.wall += timedelta(hours=8)
    assert x_clock.days() == Days(NOVEMBER_30, NOVEMBER_30, DECEMBER_1)


def test_an_answer_is_billed_from_when_it_was_sent_to_its_date(machine: Machine, x_clock: XClock) -> None:
    sent = x_clock.days()
    machine.run(timedelta(hours=2))
    days = x_clock.billed_days(MIDNIGHT + timedelta(hours=1), sent)
    assert days == Days(NOVEMBER_30, DECEMBER_1, DECEMBER_1)


@pytest.fixture
def schedule(tmp_path: Path) -> Iterator[Callable[[int], World]]:
    """Run a schedule by its number."""
    with simulated(tmp_path) as run:
        yield run


@pytest.mark.parametrize("first", range(0, 200, 4))
def test_the_bill_of_a_month_never_exceeds_its_budget(schedule: Callable[[int], World], first: int) -> None:
    """Drawn schedules of processes around a month's end."""
    for number in range(first, first + 4):
        assert schedule(number).excess == {}, number
