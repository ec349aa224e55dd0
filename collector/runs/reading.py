"""Reads one tag, listing by listing: each page is reserved, bought once, and stored in one transaction."""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import NamedTuple, TypeVar

from sqlalchemy.orm import Session

from alchemy import Database, DatabaseUnavailable
from collector import counters, sources
from collector.ledger import ledger
from collector.ledger.ledger import SMALLEST_PAGE, BudgetSpent, DayTurned, HeldReservation, LedgerEntry, PageRequest
from collector.ledger.prices import Billing, PageContent
from collector.runs import backfill, lease, listings, looking_back, runs, tags
from collector.runs.backfill import BackfillIds
from collector.runs.fields import GivenFields, fields_missing
from collector.runs.listings import ListingPart, TagListings
from collector.runs.tags import TagOrder
from collector.tweets.lookups import want_authors
from collector.tweets.store import store
from collector.values import ResultPage, TaggedTweet
from collector.x.client import Search, SearchAnswer, X
from collector.x.clock import Days
from collector.x.failures import SEARCH, SEARCH_ALL, FailureScope, Stopped, Tries, XFailure
from collector.x.parsing import page

T = TypeVar("T")

log = logging.getLogger(__name__)

LARGEST_PAGE = 100
MOST_EMPTY_PAGES = 10
MOST_STALLED_PAGES = 3
SETTLED_CHECKED_EVERY_S = 0.2


class Untracked(Exception):
    """The tag was untracked while it was collected."""

    kind = "untracked"


class EndlessListing(Exception):
    """X went on with a listing without older posts, so what is left of it was stored as a gap."""

    kind = "endless"

    def __init__(self) -> None:
        pages = f"{MOST_STALLED_PAGES} pages in a row brought no older post"
        super().__init__(f"X's listing does not end: {pages}; what is left is a gap, which a later run tries again")


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


class TagReader:
    """Reads a tag until its number is reached: an interrupted poll first, then new posts, then gaps."""

    def __init__(self, context: CollectionContext, order: TagOrder) -> None:
        self._context, self._order = context, order
        self._buyer = PageBuyer(context, order)
        self._left = order.most
        self._reads_last_listing = self._is_done = False
        self._stalled = Counter[int | None]()  # pages in a row without an older post, by the listing's id
        self._endless: set[int | None] = set()
        self._missing: tuple[str, ...] = ()

    def read(self) -> None:
        """Read the tag and record that it is done; what was stored before an error stays.

        Raises XFailure, BudgetSpent, Untracked, Stopped, LeaseLost, SourceRefused, DatabaseUnavailable, and at the end
        EndlessListing if a listing had to be left.
        """
        tag, clock, database = self._order.tag, self._context.x.clock, self._context.database
        listed, following = self._begin_and_reserve()
        if listed.unfinished or listed.gaps:
            self._read_pages(listed.unfinished and NextPage(listed.unfinished))
            with database.reading() as session:
                lost = listings.lost_gaps(session, tag.id, now=clock.now())
            for gap in lost:
                if self._left >= SMALLEST_PAGE and gap.id not in self._endless:
                    self._page(NextPage(gap), last=True)
            with database.reading() as session:
                listed = listings.tag_listings(session, tag.id, now=clock.now())
            poll = listings.new_poll(self._order, listed.since_id, clock)
            following = NextPage(poll) if poll else None
        self._reads_last_listing = not listed.gaps
        self._read_pages(following)
        for gap in listed.gaps:
            if gap.id not in self._endless:
                self._read_pages(NextPage(gap))
        self._end()
        if listed.since_id is not None:
            self._look_back(listed.since_id)

    def read_archive(self, period: BackfillIds) -> None:
        """Read what was not bought of a period, newest first, from the full archive; raises as `read`, and PollUnfinished."""
        context, order, now = self._context, self._order, self._context.x.clock.now()
        context.write(self._begin)
        for part in context.write(lambda session: backfill.begin_listings(session, order, period, context.run_id, now=now)):
            self._read_pages(NextPage(part))
        self._end()

    def _begin_and_reserve(self) -> tuple[TagListings, NextPage | None]:
        """Record that the tag is running and return its listings; if nothing is to be resumed, reserve its poll's first page.

        Both are one transaction. If nothing can be reserved, only the first is committed.
        """
        listed = TagListings(None, None, [])

        def begin(session: Session) -> NextPage | None:
            nonlocal listed
            listed = self._begin(session)
            if listed.unfinished or listed.gaps:
                return None
            poll = listings.new_poll(self._order, listed.since_id, self._context.x.clock)
            return self._buyer.reserve(session, poll, self._left) if poll else None

        try:
            following = self._buyer.reserve_first(begin)
        except (BudgetSpent, Untracked):
            self._context.write(self._begin)
            raise
        return listed, following

    def _begin(self, session: Session) -> TagListings:
        context = self._context
        runs.set_tag_state(session, context.run_id, self._order.tag, "running")
        return listings.begin_tag(session, self._order, context.run_id, now=context.x.clock.now())

    def _end(self) -> None:
        """Record that the tag is done, unless its last page did; raises EndlessListing if a listing had to be left."""
        if self._endless:
            raise EndlessListing
        if not self._is_done:
            self._context.write(lambda session: runs.set_tag_state(session, self._context.run_id, self._order.tag, "done"))

    def _read_pages(self, following: NextPage | None) -> None:
        while following and self._left >= SMALLEST_PAGE:
            following = self._page(following)

    def _page(self, following: NextPage, *, last: bool = False) -> NextPage | None:
        """Buy and store a page, and return what follows it; after the `last` page nothing is reserved."""
        has_no_token = False
        while True:
            next_page = self._buyer.reserve_next(following, self._left)
            if next_page is None or (reservation := next_page.reservation) is None:
                return None
            listing = next_page.listing
            try:
                bought = self._buyer.buy(listing, reservation)
            except DayTurned:
                following = NextPage(listing)
                continue
            except XFailure as failure:
                if has_no_token or not _may_be_of_token(failure, listing):
                    if not failure.sold:
                        self._context.write(lambda session, listing=listing: listings.forget_unread(session, listing))  # type: ignore[misc]
                    raise
                has_no_token, following = True, NextPage(self._remove_token(listing))
                continue
            with ExitStack() as unless_stored:  # X has sold the page, and others must not wait for what is reserved
                unless_stored.callback(self._buyer.release, reservation, sold=True)
                rest = self._store(listing, bought, last=last)
                unless_stored.pop_all()
            if self._missing:
                raise fields_missing(self._missing)
            return rest

    def _look_back(self, since_id: int) -> None:
        """Read again what lies right below the id from which the poll began, for posts that were not searchable before.

        A failure that is no reason to stop the collection leaves it to the next one. Raises as `read`.
        """
        with self._context.database.reading() as session:
            if not looking_back.is_due(session, self._buyer.order, now=self._context.x.clock.now()):
                return
        try:
            reserved = self._buyer.reserve_first(lambda session: self._buyer.reserve_look_back(session, since_id))
            if reserved and reserved.reservation:
                self._store_late(reserved.listing, self._buyer.buy(reserved.listing, reserved.reservation))
        except (BudgetSpent, DayTurned, Stopped) as reason:
            log.info("late posts not looked for", extra={"tag": self._order.tag.tag, "reason": type(reason).__name__})
        except XFailure as failure:
            if failure.reach is FailureScope.RUN:
                raise
            log.warning("late posts not looked for", extra={"tag": self._order.tag.tag, "reason": str(failure)})

    def _store_late(self, listing: ListingPart, purchase: PageBought) -> None:
        """Store a page that was read again, with its price and what was late, in one transaction."""
        context, tag, (found, answer, reservation, days) = self._context, self._order.tag, purchase
        ids = {tweet.id for tweet in found.tweets}

        def store_late(session: Session) -> tuple[LedgerEntry, int]:
            sources.claim(session, context.source)
            before, now = looking_back.linked(session, tag, ids), context.x.clock.now()
            added = self._store_tweets(session, found, answer)
            bought = ledger.settle(
                session, context.billing, reservation, days=days, posts=found.posts, users=found.users, tweets_added=added
            )
            late = looking_back.linked(session, tag, ids) - before
            looking_back.end(session, tag, until_id=listing.until_id, late=late, now=now)
            runs.add_page(session, context.run_id, tag, added=added, done=False)
            counters.count_page(session, date=now, remaining=answer.remaining)
            return bought, len(late)

        with ExitStack() as unless_stored:
            unless_stored.callback(self._buyer.release, reservation, sold=True)
            bought, late = context.write(store_late)
            unless_stored.pop_all()
        context.in_flight.discard(reservation.id)
        facts = {"tag": tag.tag, "posts": len(found.posts), "bought": bought.posts, "late": late}
        log.info("late posts looked for", extra={**facts, "collection": context.run_id})

    def _remove_token(self, listing: ListingPart) -> ListingPart:
        """Remove the token that X may have refused. A stale since_id is cut when the listing is reserved again.

        A since_id is never lowered, because that would buy posts again: X's answer has told its time, which decides.
        """
        return self._context.write(lambda session: listings.without_token(session, listing))

    def _store(self, listing: ListingPart, purchase: PageBought, *, last: bool) -> NextPage | None:
        """Store a page in one transaction: its tweets, links and roll-ups, its price, and where its listing continues.

        The next page is reserved in the same transaction, so each page takes only one.
        """
        context, tag, (found, answer, reservation, days) = self._context, self._order.tag, purchase
        left = min(self._left, listing.wanted or self._left) - len(found.posts)
        stalled = self._stalled_pages(listing, found)
        is_endless = stalled >= MOST_STALLED_PAGES and left >= SMALLEST_PAGE and found.next_token is not None
        missing = self._missing = context.given.add(found)

        def store_page(session: Session) -> tuple[int, LedgerEntry, NextPage | None]:
            sources.claim(session, context.source)
            added = self._store_tweets(session, found, answer)
            bought = ledger.settle(
                session, context.billing, reservation, days=days, posts=found.posts, users=found.users, tweets_added=added
            )
            order, is_capped = self._buyer.order, left < SMALLEST_PAGE
            rest = listings.advance(session, order, listing, context.run_id, page=found, answer=answer, capped=is_capped)
            if rest and is_endless:
                listings.leave_gap(session, order, rest)
                counters.count_endless_listing(session)
                rest = None
            following = None if rest is None else self._following(session, rest, left, last=last or bool(missing))
            done = self._reads_last_listing and following is None and not (is_endless or self._endless)
            runs.add_page(session, context.run_id, tag, added=added, done=done)
            now, was_refused = context.x.clock.now(), context.was_refused and not missing
            endpoint = SEARCH_ALL if listing.archive else SEARCH
            counters.count_page(session, date=now, remaining=answer.remaining, was_refused=was_refused, endpoint=endpoint)
            return added, bought, following

        added, bought, following = context.write(store_page)
        if following and following.reservation:
            context.in_flight.add(following.reservation.id)
        context.in_flight.discard(reservation.id)
        self._left -= len(found.posts)
        self._stalled[listing.id] = stalled
        if is_endless:
            self._endless.add(listing.id)
        self._is_done = self._reads_last_listing and following is None and not self._endless
        facts = {"tag": tag.tag, "posts": len(found.posts), "bought": bought.posts, "added": added}
        log.info("page stored", extra={**facts, "collection": context.run_id})
        context.on_progress(Progress(tag.tag, len(found.posts), added, self._order.most))
        return following

    def _store_tweets(self, session: Session, found: ResultPage, answer: SearchAnswer) -> int:
        """Store the tweets of a page and record whose authors are still to be read; returns how many are new."""
        context, tweets = self._context, [TaggedTweet(tweet, (self._order.tag,)) for tweet in found.tweets]
        added = store(session, tweets, found.authors, run_id=context.run_id)
        if not context.expands:
            want_authors(session, (one.author_id for one in found.tweets), context.run_id, now=answer.observed)
        return added

    def _stalled_pages(self, listing: ListingPart, found: ResultPage) -> int:
        """Return how many pages of a listing in a row, this one included, brought posts and none below its lowest."""
        if found.oldest is not None and found.oldest < listing.before:
            return 0
        return self._stalled[listing.id] + bool(found.posts)

    def _following(self, session: Session, rest: ListingPart, left: int, *, last: bool) -> NextPage | None:
        """Return what follows a page, reserved if the budget has room for it now."""
        if last or left < SMALLEST_PAGE:
            return NextPage(rest)
        try:
            return self._buyer.reserve(session, rest, left)
        except (BudgetSpent, Untracked):
            return NextPage(rest)  # raised again when the page is about to be requested


def _may_be_of_token(failure: XFailure, listing: ListingPart) -> bool:
    """Tell whether X may accept the request without its token, which may be stale or refused."""
    return failure.kind == "stale" or (failure.kind == "refused" and listing.next_token is not None)


def page_size(remaining: int) -> int:
    """Return how many posts to request, so that what remains afterwards is nothing or can be requested as well.

    The full archive would give 500 at once, but a lost page keeps its worst case reserved for the rest of the month.
    """
    if remaining <= LARGEST_PAGE:
        return remaining
    return min(LARGEST_PAGE, remaining - SMALLEST_PAGE) if remaining < LARGEST_PAGE + SMALLEST_PAGE else LARGEST_PAGE
