"""Buys the pages of a tag: each is reserved, requested once, and what is known of its sale is kept."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import NamedTuple, TypeVar

from sqlalchemy.orm import Session

from alchemy import Database, DatabaseUnavailable
from collector.ledger import ledger
from collector.ledger.ledger import SMALLEST_PAGE, DayTurned, HeldReservation, PageRequest
from collector.ledger.prices import Billing, PageContent
from collector.runs import lease, listings, looking_back, tags
from collector.runs.fields import GivenFields
from collector.runs.listings import ListingPart
from collector.runs.tags import TagOrder
from collector.values import ResultPage
from collector.x.client import Search, SearchAnswer, X
from collector.x.clock import Days
from collector.x.failures import FailureScope, Stopped, Tries, XFailure
from collector.x.parsing import page

T = TypeVar("T")

log = logging.getLogger(__name__)

LARGEST_PAGE = 100
MOST_EMPTY_PAGES = 10
SETTLED_CHECKED_EVERY_S = 0.2


class Untracked(Exception):
    """The tag was untracked while it was collected."""

    kind = "untracked"


class Progress(NamedTuple):
    """A stored page: how many posts it brought, how many were new, and how many the tag may buy at most."""

    tag: str
    posts: int
    added: int
    most: int


OnProgress = Callable[[Progress], None]


class PageBought(NamedTuple):
    """A page, its answer, its reservation (`reservation.again` if X may have sold it before), and the days of its sale."""

    page: ResultPage
    answer: SearchAnswer
    reservation: HeldReservation
    days: Days


class NextPage(NamedTuple):
    """The listing that is read next, and the reservation of its page if it was made together with the page before."""

    listing: ListingPart
    reservation: HeldReservation | None = None


@dataclass(frozen=True)
class CollectionContext:
    """What the tags of a collection share. `in_flight` are the reservations in flight in this process.

    `was_refused` says that X refused the collection before. `most_posts` is how many all tags together may buy, if that is set.
    `expands` says whether pages come with their authors.
    """

    database: Database
    x: X
    tries: Tries
    stop: threading.Event
    billing: Billing
    run_id: int
    token: int
    source: str
    on_progress: OnProgress
    was_refused: bool = False
    most_posts: int | None = None
    expands: bool = True
    in_flight: set[int] = field(default_factory=set)  # adding and discarding are atomic
    reserving: threading.Lock = field(default_factory=threading.Lock)
    renewals: lease.Renewals = field(default_factory=lease.Renewals)
    given: GivenFields = field(default_factory=GivenFields)

    def write(self, change: Callable[[Session], T]) -> T:
        """Commit a change while the lease is this collection's; raises LeaseLost, DatabaseUnavailable.

        Waits for a database that fails over, because what was bought would be lost.
        """

        def change_with_lease(session: Session) -> T:
            lease.renew(session, self.token)
            return change(session)

        return self.renewals.renew(lambda: self.database.write(change_with_lease, timeout_s=lease.LASTS_S))

    def days(self) -> Days:
        """Return the days on which X may bill a request that is sent now."""
        return self.x.clock.days(ahead=self.x.longest)

    def days_of_sending(self, reservation: HeldReservation) -> Days:
        """Return the days on which X may bill a page that is requested now; the process may have slept since reserving it.

        Raises LeaseLost, Stopped, DatabaseUnavailable, and DayTurned if one of these days is not reserved.
        """
        self.renewals.ensure_fresh(lambda: self.write(lambda _session: None))
        if self.stop.is_set():
            raise Stopped
        if not reservation.days.cover(self.days()):
            raise DayTurned
        return self.x.clock.days()


class PageBuyer:
    """Buys the pages of a tag. `order` is what to collect of the tag as of the newest reservation."""

    def __init__(self, context: CollectionContext, order: TagOrder) -> None:
        self._context, self.order = context, order
        self._empty_pages = 0

    def reserve_next(self, following: NextPage, left: int) -> NextPage | None:
        """Store the listing and reserve its next page before it is requested; returns None if nothing is left of the listing.

        Waits while other reservations may still leave part of the budget. Raises BudgetSpent, Untracked, Stopped, LeaseLost,
        DatabaseUnavailable.
        """
        context, next_page = self._context, following

        def reserve(session: Session) -> NextPage | None:
            return self.reserve(session, next_page.listing, left)

        while not context.stop.is_set():
            if next_page.reservation:
                return next_page
            reserved = self.reserve_first(reserve)
            if reserved is None:
                return None
            next_page = reserved
            if reserved.reservation is None:
                context.stop.wait(SETTLED_CHECKED_EVERY_S)
        if next_page.reservation:
            self.release(next_page.reservation, sold=next_page.reservation.again)
        raise Stopped

    def reserve_first(self, change: Callable[[Session], NextPage | None]) -> NextPage | None:
        """Commit a change that reserves a page, and return the page; one thread at a time.

        What a process that died has left in flight is taken over first.
        """
        context = self._context

        def recover_and_change(session: Session) -> NextPage | None:
            if not context.in_flight:
                ledger.recover(session, context.billing, days=context.days())
            return change(session)

        with context.reserving:
            reserved = context.write(recover_and_change)
            if reserved and reserved.reservation:
                context.in_flight.add(reserved.reservation.id)
        return reserved

    def reserve(self, session: Session, listing: ListingPart, left: int) -> NextPage | None:
        """Reserve a page by the tag's present rules; raises BudgetSpent, Untracked."""
        context, now = self._context, self._context.x.clock.now()
        order = tags.order(session, self.order.tag.id, most=self.order.most)
        if order is None:
            raise Untracked("untracked while it was collected")
        self.order = order
        begun = listings.begin(session, order, listing, context.run_id, now=now)
        if begun is None:
            return None
        if context.most_posts is not None:
            left = min(left, ledger.posts_left(session, context.run_id, context.most_posts))
        search = self._search(begun, page_size(min(left, begun.wanted or left)))
        request = PageRequest(context.run_id, begun.id, str(search), search.max_results, self._content)
        return NextPage(begun, ledger.reserve(session, context.billing, request, days=context.days()))

    def reserve_look_back(self, session: Session, since_id: int) -> NextPage | None:
        """Reserve the page that is read again below a since_id, if that is due; raises BudgetSpent."""
        context, days = self._context, self._context.days()
        if context.stop.is_set():
            return None
        part = looking_back.begin(session, self.order, since_id, now=context.x.clock.now(), days=days)
        if part is None:
            return None
        listing = ListingPart(None, part.since_id, part.until_id, part.until_id, self.order.query)
        request = PageRequest(context.run_id, None, str(self._search(listing, part.posts)), part.posts, self._content)
        return NextPage(listing, ledger.reserve(session, context.billing, request, days=days))

    def buy(self, listing: ListingPart, reservation: HeldReservation) -> PageBought:
        """Request the reserved page and return it; if none comes, release the reservation, unless X may have sold a page.

        A page that X may have sold is requested again on the same day only, because on another day it costs once more.
        """
        search, context = self._search(listing, reservation.posts), self._context
        sold = before = reservation.again
        sent = reservation.days

        def before_sending() -> None:
            nonlocal sold, sent
            sold = before  # whatever this try sent until now was refused
            sent = context.days_of_sending(reservation)
            sold = True  # unless X says that it refused

        def request() -> PageBought:
            nonlocal sold, before
            before = sold
            try:
                answer = context.x.search(search, before_sending)
                found = self._parse(search, answer)
            except XFailure as failure:
                sold = before or failure.sold
                raise (failure if reservation.days.sure or not sold else failure.for_good()) from failure.__cause__
            days = context.x.clock.billed_days(answer.observed, sent)
            return PageBought(found, answer, reservation._replace(again=before), days)

        with ExitStack() as unless_bought:
            unless_bought.callback(lambda: self.release(reservation, sold=sold))
            try:
                purchase = context.tries.ask(request)
            except XFailure as failure:
                failure.sold = sold
                raise
            unless_bought.pop_all()
        return purchase

    def release(self, reservation: HeldReservation, *, sold: bool) -> None:
        """Release a reservation, or keep it if X may have sold a page. If the database fails, stop: nothing could be stored."""
        context = self._context
        days = context.days() if sold else None
        try:
            context.write(lambda session: ledger.release(session, reservation, sold=days))
        except DatabaseUnavailable as error:
            log.error("page not stored", extra={"tag": self.order.tag.tag, "reason": str(error)})
            context.stop.set()
        finally:
            context.in_flight.discard(reservation.id)

    @property
    def _content(self) -> PageContent:
        return PageContent.POSTS_WITH_AUTHORS if self._context.expands else PageContent.POSTS

    def _search(self, listing: ListingPart, posts: int) -> Search:
        return listing.search(self.order.query, posts)._replace(authors=self._context.expands)

    def _parse(self, search: Search, answer: SearchAnswer) -> ResultPage:
        found = page(answer.body, observed=answer.observed)
        self._empty_pages = 0 if found.posts else self._empty_pages + 1
        is_repeated = found.next_token == search.next_token and not found.posts
        if found.next_token and (is_repeated or self._empty_pages >= MOST_EMPTY_PAGES):
            raise XFailure("unwell", FailureScope.TAG, "X is unwell: its pages don't come to an end", sold=bool(found.users))
        for reason in found.refused:
            facts = {"tag": self.order.tag.tag, "reason": reason, "collection": self._context.run_id}
            log.warning("tweet refused", extra=facts)
        return found


def page_size(remaining: int) -> int:
    """Return how many posts to request, so that what remains afterwards is nothing or can be requested as well.

    The full archive would give 500 at once, but a lost page keeps its worst case reserved for the rest of the month.
    """
    if remaining <= LARGEST_PAGE:
        return remaining
    return min(LARGEST_PAGE, remaining - SMALLEST_PAGE) if remaining < LARGEST_PAGE + SMALLEST_PAGE else LARGEST_PAGE
