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
from collector import lease, listings, tags
from collector.listings import Stretch
from collector.money import ledger
from collector.money.ledger import SMALLEST_PAGE, Asked, Hold
from collector.money.prices import Billing
from collector.terms import TagOrder
from collector.values import Page
from collector.x.client import Answer, Search, X
from collector.x.failures import Reach, XFailure
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
class Job:
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
    holds: set[int] = field(default_factory=set)  # in flight in this process; adding and discarding are atomic
    reserving: threading.Lock = field(default_factory=threading.Lock)

    def write(self, change: Callable[[Session], T]) -> T:
        """Commit a change while the lease is this collection's; raises LeaseLost, DatabaseUnavailable.

        A database that fails over is waited for: what was bought would be lost.
        """

        def held(session: Session) -> T:
            lease.renew(session, self.token)
            return change(session)

        return self.database.write(held, patience_s=lease.LASTS_S)


class DayTurned(Exception):
    """X's day has ended since a page was asked for that X may have sold: asked again, it costs once more."""


class Untracked(Exception):
    """The tag was untracked while it was collected."""


class Purchase(NamedTuple):
    """A page that X sold, its answer, and its reservation; `hold.again` where X may have sold it before, too."""

    page: Page
    answer: Answer
    hold: Hold


class Next(NamedTuple):
    """What is read next, and the reservation of its page, where it was made with the page before."""

    stretch: Stretch
    hold: Hold | None = None


class Buyer:
    """Buys the pages of a tag. `order` is what the tag asks for as of the newest reservation."""

    def __init__(self, job: Job, order: TagOrder) -> None:
        self._job, self.order = job, order
        self._empty = 0

    def reserved(self, following: Next, left: int) -> tuple[Stretch | None, Hold | None]:
        """Have the page on record with its worst case before it is asked for; wait where others may leave some budget."""
        job, (stretch, hold) = self._job, following
        while not job.stop.is_set():
            if hold:
                return stretch, hold
            with job.reserving:
                begun, hold = job.write(partial(self._reserve_next, stretch, left))
                if hold:
                    job.holds.add(hold.id)
            if begun is None:
                return None, None
            stretch = begun
            if hold is None:
                job.stop.wait(SETTLED_CHECKED_EVERY_S)
        if hold:
            self.release(hold, sold=hold.again)
        raise Stopped

    def _reserve_next(self, stretch: Stretch, left: int, session: Session) -> tuple[Stretch | None, Hold | None]:
        job = self._job
        if not job.holds:
            ledger.recover(session, job.billing, today=job.x.clock.now().date())  # nobody here will settle them
        return self.reserve(session, stretch, left)

    def reserve(self, session: Session, stretch: Stretch, left: int) -> tuple[Stretch | None, Hold | None]:
        """Put a page on record as the tag is tracked now; raises BudgetSpent, Untracked."""
        job, now = self._job, self._job.x.clock.now()
        order = tags.order(session, self.order.tag.id, most=self.order.most)
        if order is None:
            raise Untracked("untracked while it was collected")
        self.order = order
        begun = listings.begun(session, order, stretch, job.run_id, now=now)
        if begun is None:
            return None, None
        search = begun.search(order.query, page_size(min(left, begun.wanted or left)))
        asked = Asked(job.run_id, begun.id, str(search), search.max_results)
        return begun, ledger.reserve(session, job.billing, asked, now=now)

    def buy(self, stretch: Stretch, hold: Hold) -> Purchase:
        """Return the page that X sells; where none comes, the reservation goes, unless X may have sold one."""
        search, sold = stretch.search(self.order.query, hold.posts), hold.again

        def ask() -> Purchase:
            nonlocal sold
            before = sold
            if before:
                self._stay_in(hold)
            sold = True  # unless X says that it refused
            try:
                answer = self._job.x.search(search)
            except XFailure as failure:
                sold = before or failure.sold
                raise
            return Purchase(self._read(search, answer), answer, hold._replace(again=before))

        with ExitStack() as unless_bought:
            unless_bought.callback(lambda: self.release(hold, sold=sold))
            try:
                purchase = self._job.tries.ask(ask)
            except XFailure as failure:
                failure.sold = sold
                raise
            unless_bought.pop_all()
        return purchase

    def _stay_in(self, hold: Hold) -> None:
        """Let a page that X may have sold be asked for again on the same day only; the last moments of a day are waited out."""
        clock = self._job.x.clock
        while (clock.now() + self._job.x.longest).date() != hold.day:
            if clock.now().date() != hold.day:
                raise DayTurned
            if self._job.stop.wait(SETTLED_CHECKED_EVERY_S):
                raise Stopped

    def release(self, hold: Hold, *, sold: bool) -> None:
        """Give a reservation back, or keep it where X may have sold a page. Where that fails, nothing can be stored: stop."""
        job, now = self._job, self._job.x.clock.now()
        days = (now.date(), (now + job.x.longest).date()) if sold else None
        try:
            job.write(lambda session: ledger.release(session, hold, sold=days))
        except DatabaseUnavailable as error:
            log.error("page not stored", extra={"tag": self.order.tag.tag, "reason": str(error)})
            job.stop.set()
        finally:
            job.holds.discard(hold.id)

    def _read(self, search: Search, answer: Answer) -> Page:
        found = page(answer.body, observed=answer.observed)
        self._empty = 0 if found.posts else self._empty + 1
        if found.next_token and (found.next_token == search.next_token or self._empty >= MOST_EMPTY_PAGES):
            raise XFailure("unwell", Reach.TAG, "X is unwell: its pages don't come to an end", sold=True)
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
