"""Buying a page: its reservation, its request, and what becomes of the one when the other fails."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from typing import NamedTuple, TypeVar

from sqlalchemy.orm import Session

from alchemy import Database, DatabaseUnavailable
from collector.ledger import ledger
from collector.ledger.ledger import SMALLEST_PAGE, DayTurned, HeldReservation, PageRequest
from collector.ledger.prices import Billing
from collector.runs import lease, listings, tags
from collector.runs.listings import ListingPart
from collector.runs.terms import TagOrder
from collector.values import ResultPage
from collector.x.client import Search, SearchAnswer, X
from collector.x.clock import Days
from collector.x.failures import Scope, XFailure
from collector.x.parsing import page
from collector.x.tries import Stopped, Tries

T = TypeVar("T")

log = logging.getLogger(__name__)

LARGEST_PAGE = 100
MOST_EMPTY_PAGES = 10
SETTLED_CHECKED_EVERY_S = 0.2


class Progress(NamedTuple):
    """A stored page: how many posts it brought, of how many the tag may buy at most."""

    tag: str
    posts: int
    added: int
    most: int


OnProgress = Callable[[Progress], None]


@dataclass(frozen=True)
class CollectionContext:
    """What the tags of a collection share: its id, the lease's token, where to ask, where to store, and what it may cost."""

    database: Database
    x: X
    tries: Tries
    stop: threading.Event
    billing: Billing
    run_id: int
    token: int
    source: str
    on_progress: OnProgress
    in_flight: set[int] = field(default_factory=set)  # in flight in this process; adding and discarding are atomic
    reserving: threading.Lock = field(default_factory=threading.Lock)
    renewals: lease.Renewals = field(default_factory=lease.Renewals)

    def write(self, change: Callable[[Session], T]) -> T:
        """Commit a change while the lease is this collection's; raises LeaseLost, DatabaseUnavailable.

        A database that fails over is waited for: what was bought would be lost.
        """

        def held(session: Session) -> T:
            lease.renew(session, self.token)
            return change(session)

        return self.renewals.renew(lambda: self.database.write(held, timeout_s=lease.LASTS_S))

    def days(self) -> Days:
        """Return the days on which X may bill a request that is sent now."""
        return self.x.clock.days(ahead=self.x.longest)

    def look(self, hold: HeldReservation) -> Days:
        """Return the days on which X may bill a page that is sent for now: the process may have stood still meanwhile.

        Raises LeaseLost, Stopped, DatabaseUnavailable, and DayTurned where some are not reserved.
        """
        self.renewals.look(lambda: self.write(lambda _session: None))
        if self.stop.is_set():
            raise Stopped
        if not hold.days.cover(self.days()):
            raise DayTurned
        return self.x.clock.days()


class Untracked(Exception):
    """The tag was untracked while it was collected."""


class PageBought(NamedTuple):
    """A page, its answer, its reservation (`reservation.again` where X may have sold it before), and the days of its sale."""

    page: ResultPage
    answer: SearchAnswer
    reservation: HeldReservation
    days: Days


class NextPage(NamedTuple):
    """What is read next, and the reservation of its page, where it was made with the page before."""

    listing: ListingPart
    reservation: HeldReservation | None = None


class PageBuyer:
    """Buys the pages of a tag. `order` is what the tag asks for as of the newest reservation."""

    def __init__(self, job: CollectionContext, order: TagOrder) -> None:
        self._job, self.order = job, order
        self._empty = 0

    def reserve_next(self, following: NextPage, left: int) -> tuple[ListingPart | None, HeldReservation | None]:
        """Have the page on record with its worst case before it is asked for; wait where others may leave some budget."""
        job, (stretch, hold) = self._job, following
        while not job.stop.is_set():
            if hold:
                return stretch, hold
            with job.reserving:
                begun, hold = job.write(partial(self._reserve_next, stretch, left))
                if hold:
                    job.in_flight.add(hold.id)
            if begun is None:
                return None, None
            stretch = begun
            if hold is None:
                job.stop.wait(SETTLED_CHECKED_EVERY_S)
        if hold:
            self.release(hold, sold=hold.again)
        raise Stopped

    def _reserve_next(
        self, stretch: ListingPart, left: int, session: Session
    ) -> tuple[ListingPart | None, HeldReservation | None]:
        job = self._job
        if not job.in_flight:
            ledger.recover(session, job.billing, days=job.days())  # nobody here will settle them
        return self.reserve(session, stretch, left)

    def reserve(self, session: Session, stretch: ListingPart, left: int) -> tuple[ListingPart | None, HeldReservation | None]:
        """Put a page on record as the tag is tracked now; raises BudgetSpent, Untracked."""
        job, now = self._job, self._job.x.clock.now()
        order = tags.order(session, self.order.tag.id, most=self.order.most)
        if order is None:
            raise Untracked("untracked while it was collected")
        self.order = order
        begun = listings.begin(session, order, stretch, job.run_id, now=now)
        if begun is None:
            return None, None
        search = begun.search(order.query, page_size(min(left, begun.wanted or left)))
        asked = PageRequest(job.run_id, begun.id, str(search), search.max_results)
        return begun, ledger.reserve(session, job.billing, asked, days=job.days())

    def buy(self, stretch: ListingPart, hold: HeldReservation) -> PageBought:
        """Return the page that X sells; where none comes, the reservation goes, unless X may have sold one.

        A page that X may have sold is asked for again on the same day only, for on another it costs once more.
        """
        search, job = stretch.search(self.order.query, hold.posts), self._job
        sold, sent = hold.again, hold.days

        def look() -> None:
            nonlocal sold, sent
            sent = job.look(hold)
            sold = True  # unless X says that it refused

        def ask() -> PageBought:
            nonlocal sold
            before = sold
            try:
                answer = job.x.search(search, look)
            except XFailure as failure:
                sold = before or failure.sold
                raise (failure if hold.days.sure or not sold else failure.for_good()) from failure.__cause__
            days = job.x.clock.billed_days(answer.observed, sent)
            return PageBought(self._parse(search, answer), answer, hold._replace(again=before), days)

        with ExitStack() as unless_bought:
            unless_bought.callback(lambda: self.release(hold, sold=sold))
            try:
                purchase = self._job.tries.ask(ask)
            except XFailure as failure:
                failure.sold = sold
                raise
            unless_bought.pop_all()
        return purchase

    def release(self, hold: HeldReservation, *, sold: bool) -> None:
        """Give a reservation back, or keep it where X may have sold a page. Where that fails, nothing can be stored: stop."""
        job = self._job
        days = job.days() if sold else None
        try:
            job.write(lambda session: ledger.release(session, hold, sold=days))
        except DatabaseUnavailable as error:
            log.error("page not stored", extra={"tag": self.order.tag.tag, "reason": str(error)})
            job.stop.set()
        finally:
            job.in_flight.discard(hold.id)

    def _parse(self, search: Search, answer: SearchAnswer) -> ResultPage:
        found = page(answer.body, observed=answer.observed)
        self._empty = 0 if found.posts else self._empty + 1
        if found.next_token and (found.next_token == search.next_token or self._empty >= MOST_EMPTY_PAGES):
            raise XFailure("unwell", Scope.TAG, "X is unwell: its pages don't come to an end", sold=True)
        for reason in found.refused:
            log.warning("tweet refused", extra={"tag": self.order.tag.tag, "reason": reason, "collection": self._job.run_id})
        return found


def page_size(remaining: int) -> int:
    """Return how many posts to ask for, so that what remains afterwards is nothing or can be asked for as well.

    The full archive would give 500 at once, but a lost page keeps its worst case reserved for the rest of the month.
    """
    if remaining <= LARGEST_PAGE:
        return remaining
    return min(LARGEST_PAGE, remaining - SMALLEST_PAGE) if remaining < LARGEST_PAGE + SMALLEST_PAGE else LARGEST_PAGE
