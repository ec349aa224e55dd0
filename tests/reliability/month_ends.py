"""Ends of months, drawn: processes that buy pages and calls, stand still and are killed, before an X whose Dates are wrong.

Time is made up, and a process is a thread that runs until it waits for something; the one that is due first goes on. The
reservations, the requests and the booking are the program's own. The judge is the emulator's bill.
"""

from __future__ import annotations

import heapq
import itertools
import random
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import pytest
from sqlalchemy import delete, update

from alchemy import Database, DatabaseUnavailable, open_database
from collector.ledger import calls, ledger
from collector.ledger.calls import CallsLeaseTaken, call_buyer
from collector.ledger.ledger import BudgetSpent, PageRequest
from collector.ledger.prices import Billing, Prices
from collector.runs import lease
from collector.runs.buying import CollectionContext, NextPage, PageBuyer
from collector.runs.buying import PageBought as Bought
from collector.runs.listings import ListingPart
from collector.runs.reading import TagReader
from collector.runs.tags import TagOrder
from collector.values import TagRef
from collector.x import clock, failures
from collector.x.client import Search, SearchAnswer
from collector.x.clock import XClock
from collector.x.failures import FailureScope, RetryPolicy, Stopped, Tries, XFailure, unwell
from database import sqlite
from emulator.endpoints.account import month_start
from emulator.ledger import Ledger
from models import Budget, Lease, Purchase, Reservation, Run, Spend
from queries import counters

PRICES = Prices(5_000, 10_000)
LONGEST = timedelta(seconds=101)
SKEW_S = 600.0
TABLES = (Reservation, Budget, Spend, Purchase, Run, Lease)
MINUTE, HOUR = 60.0, 3600.0


class Killed(BaseException):
    """The process was killed: nothing of it runs on."""


class World:
    """One schedule: its time, in true epoch seconds, what is due, and X's bill."""

    def __init__(self, database: Database, seed: int) -> None:
        self.database, self.dice = database, random.Random(seed)
        self.billing_day = self.dice.choice([1, 1, 15, 28, 31])
        end = self._boundary()
        self.now, self.bill = end - 6 * HOUR, Ledger()
        self.billing = Billing(
            PRICES, self.dice.choice([1, 1, 2, 3]) * 150_000 + self.dice.choice([0, 50_000]), self.billing_day
        )
        self.skew = self.dice.uniform(-SKEW_S, SKEW_S)
        self.steady = self.dice.random() < 0.4
        self.authors = self.dice.choice([15, 1000])
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = itertools.count()
        self.running: Process | None = None
        self.failures: list[Exception] = []
        for _ in range(self.dice.randint(3, 8)):
            Process(self).start(end + self._start())

    def _boundary(self) -> float:
        """Return a midnight at which a billing month begins, or sometimes another."""
        first = month_start(date(2026, 11, 20) + timedelta(days=30 * self.dice.randint(0, 11)), self.billing_day)
        other = timedelta(days=self.dice.choice([0, 0, 0, 0, 5]))
        return datetime(*(first + other).timetuple()[:3], tzinfo=UTC).timestamp()

    def _start(self) -> float:
        near = (-self.dice.uniform(0, 40 * MINUTE), self.dice.uniform(-30, 30), self.dice.uniform(0, 40 * MINUTE))
        return self.dice.choice([*near, *near, -5 * HOUR, 5 * HOUR, 5 * HOUR])

    def at(self, when: float, what: Callable[[], None]) -> None:
        heapq.heappush(self._due, (when, next(self._numbers), what))

    def run(self) -> None:
        """Let everything happen, in its order."""
        while self._due:
            self.now, _, what = heapq.heappop(self._due)
            what()
        if self.failures:
            raise self.failures[0]

    def dated(self, answered: float) -> datetime:
        """Return the Date of an answer, which may be ten minutes off."""
        skew = self.skew if self.steady or self.dice.random() < 0.5 else self.dice.uniform(-SKEW_S, SKEW_S)
        return datetime.fromtimestamp(int(answered + skew), UTC)

    def sell(self, posts: list[int], users: list[int]) -> None:
        self.bill.sell(round(self.now * 1000), posts=posts, users=users, query="")

    def sell_call(self) -> None:
        self.bill.sell_counts(round(self.now * 1000), archive=False)

    @property
    def excess(self) -> dict[date, int]:
        """Return by how much X's bills of months exceed the budget, in micro-dollars."""
        months: dict[date, int] = {}
        for day, sales in self.bill.days().items():
            first = month_start(date.fromisoformat(day), self.billing_day)
            months[first] = months.get(first, 0) + sales.ceiling * 1000
        return {first: bill - (self.billing.budget or 0) for first, bill in months.items() if bill > (self.billing.budget or 0)}


class Process:
    """A process that collects, or buys calls, with a clock of its own: `ahead` is how far this machine's is off, in seconds."""

    def __init__(self, world: World) -> None:
        self.world, self.dice = world, world.dice
        self.ahead = self.dice.choice([0.0, self.dice.uniform(-2, 2), self.dice.uniform(-SKEW_S, SKEW_S)])
        self.dead, self.stop = False, Stop(self)
        self.beat: Callable[[], None] = lambda: None
        self._mine, self._theirs = threading.Semaphore(0), threading.Semaphore(0)

    def start(self, when: float) -> None:
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        self.world.at(when, self._go_on)

    def wait(self, seconds: float) -> None:
        """Wait while the lease is renewed, as a process does that runs."""
        while seconds > 0 and not self.stop.is_set():
            self._sleep(min(seconds, lease.RENEWED_EVERY_S))
            seconds -= lease.RENEWED_EVERY_S
            if seconds > 0:
                self.beat()
        self._sleep(max(0.0, seconds))

    def stall(self) -> None:
        """Perhaps stand still, or die."""
        if self.dice.random() < 0.15:
            self._sleep(self.dice.choice([2.0, 100.0, 1000.0, 3000.0]) * self.dice.random())
        if self.dice.random() < 0.03:
            self.dead = True
            raise Killed

    def _sleep(self, seconds: float) -> None:
        self.world.at(self.world.now + seconds, self._go_on)
        self._theirs.release()
        self._mine.acquire()
        self.world.running = self

    def _go_on(self) -> None:
        self._mine.release()
        self._theirs.acquire()

    def _run(self) -> None:
        self._mine.acquire()
        self.world.running = self
        try:
            with suppress(Killed, lease.LeaseLost, Stopped, BudgetSpent, XFailure, CallsLeaseTaken, DatabaseUnavailable):
                self.dice.choice([self._collect, self._collect, self._count])()
        except Exception as error:  # noqa: BLE001 (a thread's end: raised by the world)
            self.world.failures.append(error)
        finally:
            self._theirs.release()

    def _collect(self) -> None:
        """Collect as a new process does, and go on for some pages."""
        database, x = Mortal(self), FakeX(self)
        token = database.write(lambda session: lease.take(session, "process"))
        if token is None:
            return
        run_id = database.write(_begin)
        self._beating(database, token, counters.COLLECTOR)
        if not database.write(ledger.is_empty):
            x.ask_for_nothing()
        patience = Tries(RetryPolicy(1, 0.0, 0.0), self.stop, lambda _failure: None, x.clock)
        shared: Any = (database, x, patience, self.stop, self.world.billing, run_id, token, "x", lambda _progress: None)
        job: Any = CollectionContext(*shared)
        reader = Reader(job, self)
        following: NextPage | None = NextPage(reader.next())
        while following:
            following = reader._page(following)
        database.write(lambda session: lease.give_back(session, token))

    def _count(self) -> None:
        """Buy calls as the scheduled job does."""
        database, x = Mortal(self), FakeX(self)
        if not database.write(ledger.is_empty):
            x.ask_for_nothing()
        with call_buyer(database, x, self.world.billing, RetryPolicy(1, 0.0, 0.0), self.stop) as desk:  # type: ignore[arg-type]
            self._beating(database, desk.token, counters.CALLS)
            for _ in range(self.dice.randint(1, 8)):
                desk.buy(5_000, x.count, lambda _session, _answer: None)
                self.wait(self.dice.random() * 30)

    def _beating(self, database: Mortal, token: int, name: str) -> None:
        def beat() -> None:
            try:
                database.write(lambda session: lease.renew(session, token, name=name))
            except lease.LeaseLost:
                self.stop.set()

        self.beat = beat


class Stop(threading.Event):
    """What ends a process's waiting; to wait for it is to let time pass."""

    def __init__(self, process: Process) -> None:
        super().__init__()
        self._process = process

    def wait(self, timeout: float | None = None) -> bool:
        if timeout:
            self._process.wait(timeout + self._process.dice.random() * 5)
        return self.is_set()


class Mortal:
    """The database as a process has it: a dead one changes nothing."""

    def __init__(self, process: Process) -> None:
        self._process, self._database = process, process.world.database

    def write(self, change: Callable[[Any], Any], *, timeout_s: float = 0) -> Any:
        if self._process.dead:
            raise Killed
        return self._database.write(change)


class FakeX:
    """X as a process reaches it: what it sells is billed at the true time, and its answers have Dates that are wrong."""

    def __init__(self, process: Process) -> None:
        self._process, self._world, self._dice = process, process.world, process.dice
        self.clock, self.longest = XClock(), LONGEST

    def ask_for_nothing(self) -> None:
        """Hear X's time for free."""
        self._process.wait(self._dice.random())
        self.clock.set_by_answer(self._world.dated(self._world.now))

    def search(self, asked: Search, look: Callable[[], None]) -> SearchAnswer:
        first = int(asked.next_token or 0)
        posts = list(range(first, first + asked.max_results))
        users = [post % self._world.authors + 1 for post in posts]
        when = self._asked(look, lambda: self._world.sell(posts, users))
        data = [{"id": str(post), "text": "", "author_id": str(user)} for post, user in zip(posts, users, strict=True)]
        body = {"data": data, "includes": {"users": [{"id": str(user)} for user in set(users)]}, "meta": {"next_token": "more"}}
        return SearchAnswer(body, when, when, None)

    def count(self, look: Callable[[], None]) -> Counted:
        return Counted(self._asked(look, self._world.sell_call))

    def _asked(self, look: Callable[[], None], sell: Callable[[], None]) -> datetime:
        """Send a request, let X sell what it asks for, and return the Date of its answer; raises XFailure."""
        self._process.stall()
        look()
        world, fate = self._world, self._dice.random()
        takes = self._dice.choice([0.2, 0.2, 0.2, 3.0, 30.0, LONGEST.total_seconds()]) * self._dice.random()
        answered = world.now + takes * self._dice.random()
        if fate < 0.9:
            world.at(answered, sell)
        self._process.wait(takes)
        self._process.stall()
        if 0.78 < fate < 0.9:
            raise unwell("no answer in time", sold=True)
        told = world.dated(answered)
        self.clock.set_by_answer(told)
        if fate >= 0.9:
            raise XFailure("refused", FailureScope.TAG, "refused") if fate > 0.96 else unwell("status 503")
        return told


class Counted(NamedTuple):
    observed: datetime


class Reader(TagReader):
    """Reads pages of no tag in particular, and stores what they cost and nothing else."""

    def __init__(self, job: CollectionContext, process: Process) -> None:
        order = TagOrder(TagRef(1, "#tag", "#tag"), "#tag", 10)
        super().__init__(job, order)
        self._process, self._buyer, self._left = process, Shopper(job, order), process.dice.choice([10, 30, 60, 200])

    def next(self) -> ListingPart:
        return ListingPart(
            None, None, 10**9, 10**9, self._order.query, next_token=str(self._process.dice.choice([100, 110, 200, 300]))
        )

    def _store(self, _stretch: ListingPart, purchase: Bought, *, last: bool) -> NextPage | None:
        context, (found, _, reservation, days) = self._context, purchase
        self._process.stall()
        left = self._left - len(found.posts)

        def keep(session: Any) -> NextPage | None:
            ledger.settle(session, context.billing, reservation, days=days, posts=found.posts, users=found.users)
            return None if left < ledger.SMALLEST_PAGE else self._following(session, self.next(), left, last=False)

        following = context.write(keep)
        if following and following.reservation:
            context.in_flight.add(following.reservation.id)
        context.in_flight.discard(reservation.id)
        self._left = left
        return following


class Shopper(PageBuyer):
    """Reserves pages of no tag in particular."""

    def reserve(self, session: Any, stretch: ListingPart, left: int) -> NextPage:
        context = self._context
        request = PageRequest(context.run_id, None, f"page {stretch.next_token}", min(left, 20))
        return NextPage(stretch, ledger.reserve(session, context.billing, request, days=context.days()))


def _begin(session: Any) -> int:
    run = Run(kind="collection", state="running", started=datetime(2026, 11, 1, tzinfo=UTC))
    session.add(run)
    session.flush()
    return run.id


@contextmanager
def simulated(folder: Path) -> Iterator[Callable[[int], World]]:
    """Give what runs a schedule by its number, over a database that syncs nothing to the disk."""
    with pytest.MonkeyPatch.context() as patch:
        unsynced = tuple(pragma.replace("synchronous=FULL", "synchronous=OFF") for pragma in sqlite.PRAGMAS)
        patch.setattr(sqlite, "PRAGMAS", unsynced)
        for name in ("collector.ledger.calls", "collector.runs.buying", "collector.runs.reading"):
            patch.setattr(f"{name}.log.disabled", True)
        with closing(open_database(f"sqlite:///{folder / 'months.db'}")) as database:
            database.upgrade()
            yield _in_made_up_time(patch, database)


def _in_made_up_time(patch: pytest.MonkeyPatch, database: Database) -> Callable[[int], World]:
    worlds: list[World] = []

    def process() -> Process:
        assert worlds[-1].running
        return worlds[-1].running

    class Now(datetime):
        @classmethod
        def now(cls, _tz: object = None) -> datetime:  # type: ignore[override]
            return datetime.fromtimestamp(worlds[-1].now + process().ahead, UTC)

    moved = SimpleNamespace(monotonic=lambda: worlds[-1].now, time=lambda: worlds[-1].now + process().ahead)
    for module in (clock, lease, counters, calls, failures):
        patch.setattr(module, "time", moved)
    patch.setattr(clock, "datetime", Now)
    patch.setattr(lease, "renewing", _beating)

    def run(number: int) -> World:
        database.write(_emptied)
        worlds[:] = [World(database, number)]
        worlds[-1].run()
        return worlds[-1]

    return run


@contextmanager
def _beating(*_args: object, **_kw: object) -> Iterator[None]:
    yield


def _emptied(session: Any) -> None:
    for table in TABLES[:-1]:
        session.execute(delete(table))
    session.execute(update(Lease).values(holder=None, expires=0))
