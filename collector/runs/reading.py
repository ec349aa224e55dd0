"""Reads one tag, listing by listing: each page is bought once, and stored in one transaction."""

from __future__ import annotations

import logging
from collections import Counter
from contextlib import ExitStack

from sqlalchemy.orm import Session

from collector import counters, sources
from collector.ledger import ledger
from collector.ledger.ledger import SMALLEST_PAGE, BudgetSpent, DayTurned, LedgerEntry
from collector.runs import backfill, listings, looking_back, runs
from collector.runs.backfill import BackfillIds
from collector.runs.buying import CollectionContext, NextPage, PageBought, PageBuyer, Progress, Untracked
from collector.runs.fields import fields_missing
from collector.runs.listings import ListingPart, TagListings
from collector.runs.tags import TagOrder
from collector.tweets.lookups import want_authors
from collector.tweets.store import store
from collector.values import ResultPage, TaggedTweet
from collector.x.client import SearchAnswer
from collector.x.failures import SEARCH, SEARCH_ALL, FailureScope, Stopped, XFailure

log = logging.getLogger(__name__)

MOST_STALLED_PAGES = 3


class EndlessListing(Exception):
    """X went on with a listing without older posts, so what is left of it was stored as a gap."""

    kind = "endless"

    def __init__(self) -> None:
        pages = f"{MOST_STALLED_PAGES} pages in a row brought no older post"
        super().__init__(f"X's listing does not end: {pages}; what is left is a gap, which a later run tries again")


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
        self._report(len(found.posts), bought.posts, added)
        return following

    def _report(self, posts: int, bought: int, added: int) -> None:
        context, tag = self._context, self._order.tag.tag
        facts = {"tag": tag, "posts": posts, "bought": bought, "added": added, "collection": context.run_id}
        log.info("page stored", extra=facts)
        context.on_progress(Progress(tag, posts, added, self._order.most))

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
