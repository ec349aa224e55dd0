"""Reading one tag: its listings page by page, each page bought once and stored whole."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import ExitStack
from typing import TypeVar

from sqlalchemy.orm import Session

from collector import figures, sources
from collector.ledger import ledger
from collector.ledger.ledger import SMALLEST_PAGE, BudgetSpent, DayTurned, LedgerEntry
from collector.runs import backfill, listings, runs
from collector.runs.backfill import BackfillIds
from collector.runs.buying import CollectionContext, NextPage, PageBought, PageBuyer, Progress, Untracked
from collector.runs.listings import ListingPart
from collector.runs.terms import TagOrder
from collector.tweets.store import store
from collector.values import ResultPage, TaggedTweet
from collector.x.failures import XFailure

log = logging.getLogger(__name__)

T = TypeVar("T")


class TagReader:
    """Reads a tag until its number is reached: what was interrupted, then new posts, then gaps."""

    def __init__(self, job: CollectionContext, order: TagOrder) -> None:
        self._job, self._order = job, order
        self._buyer = PageBuyer(job, order)
        self._left = order.most

    def read(self) -> None:
        """Raises XFailure, BudgetSpent, Stopped, LeaseLost, SourceRefused, DatabaseUnavailable; what was stored stays."""
        tag_id, clock = self._order.tag.id, self._job.x.clock
        self._finish(self._query(lambda session: listings.unfinished_poll(session, tag_id)))
        for gap in self._query(lambda session: listings.lost_gaps(session, tag_id, now=clock.now())):
            if self._left >= SMALLEST_PAGE:
                self._page(NextPage(gap), last=True)
        self._finish(self._query(lambda session: listings.poll(session, self._order, clock)))
        for gap in self._query(lambda session: listings.gaps(session, tag_id)):
            self._finish(gap)

    def read_archive(self, period: BackfillIds) -> None:
        """Read what was not bought of a period, newest first, from the full archive; raises as `read` does, and Interrupted."""
        job, now = self._job, self._job.x.clock.now()
        for stretch in job.write(lambda session: backfill.begin_listings(session, self._order, period, job.run_id, now=now)):
            self._finish(stretch)

    def _query(self, question: Callable[[Session], T]) -> T:
        with self._job.database.reading() as session:
            return question(session)

    def _finish(self, stretch: ListingPart | None) -> None:
        following = NextPage(stretch) if stretch else None
        while following and self._left >= SMALLEST_PAGE:
            following = self._page(following)

    def _page(self, following: NextPage, *, last: bool = False) -> NextPage | None:
        """Buy and store a page, and return what follows it; nothing is reserved for what follows the `last`."""
        mended = False
        while True:
            begun, hold = self._buyer.reserve_next(following, self._left)
            if begun is None or hold is None:
                return None
            try:
                bought = self._buyer.buy(begun, hold)
            except DayTurned:
                following = NextPage(begun)
                continue
            except XFailure as failure:
                if mended or failure.kind not in ("stale", "refused") or not (begun.next_token or failure.kind == "stale"):
                    self._forget(begun, failure)
                    raise
                mended, following = True, NextPage(self._mend(begun))
                continue
            with ExitStack() as unless_stored:  # X has sold the page, and others must not wait for what is reserved
                unless_stored.callback(self._buyer.release, hold, sold=True)
                rest = self._store(begun, bought, last=last)
                unless_stored.pop_all()
            return rest

    def _mend(self, stretch: ListingPart) -> ListingPart:
        """Return the stretch without what X may not have taken: its token. A stale since_id is cut when it is asked again.

        A since_id is never lowered, for that would buy posts again: X's answer has told its time, by which the id is judged.
        """
        return self._job.write(lambda session: listings.without_token(session, stretch))

    def _forget(self, stretch: ListingPart, failure: XFailure) -> None:
        if not failure.sold:
            self._job.write(lambda session: listings.forget_unread(session, stretch))

    def _store(self, stretch: ListingPart, purchase: PageBought, *, last: bool) -> NextPage | None:
        """Store a page in one transaction: its tweets, links and roll-ups, what it cost, and where its listing goes on.

        The next page is reserved in it as well, so that each page takes one transaction.
        """
        job, tag, (found, answer, hold, days) = self._job, self._order.tag, purchase
        left = min(self._left, stretch.wanted or self._left) - len(found.posts)

        def keep(session: Session) -> tuple[int, LedgerEntry, NextPage | None]:
            sources.claim(session, job.source)
            added = store(session, [TaggedTweet(tweet, (tag,)) for tweet in found.tweets], found.authors, run_id=job.run_id)
            bought = ledger.settle(session, job.billing, hold, days=days, posts=found.posts, users=found.users)
            rest = listings.advance(
                session,
                self._buyer.order,
                stretch,
                job.run_id,
                page=found,
                answer=answer,
                query=self._buyer.order.query,
                capped=left < SMALLEST_PAGE,
            )
            runs.add(session, job.run_id, tag, added=added)
            figures.count_page(session, date=job.x.clock.now(), remaining=answer.rate_limit.remaining)
            return added, bought, None if rest is None else self._following(session, rest, left, last=last)

        added, bought, following = job.write(keep)
        if following and following.reservation:
            self._job.in_flight.add(following.reservation.id)
        self._job.in_flight.discard(hold.id)
        self._left -= len(found.posts)
        self._say(found, added, bought)
        return following

    def _following(self, session: Session, rest: ListingPart, left: int, *, last: bool) -> NextPage | None:
        """Return what follows a page, reserved if the budget has room for it now."""
        if last or left < SMALLEST_PAGE:
            return NextPage(rest)
        try:
            begun, hold = self._buyer.reserve(session, rest, left)
        except (BudgetSpent, Untracked):
            return NextPage(rest)  # said when the page is about to be asked for
        return NextPage(begun, hold) if begun else None

    def _say(self, found: ResultPage, added: int, bought: LedgerEntry) -> None:
        tag = self._order.tag.tag
        fields = {"tag": tag, "posts": len(found.posts), "bought": bought.posts, "added": added, "collection": self._job.run_id}
        log.info("page stored", extra=fields)
        self._job.on_progress(Progress(tag, len(found.posts), added, self._order.most))
