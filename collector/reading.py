"""Reading one tag: its listings page by page, each page bought once and stored whole."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

from sqlalchemy.orm import Session

from alchemy import Database, DatabaseUnavailable
from collector import figures, lease, ledger, listings, runs, sources
from collector.failures import OK, Reach, XFailure
from collector.ledger import SMALLEST_PAGE, Asked, Bought, Hold
from collector.listings import Stretch
from collector.parsing import page
from collector.prices import Billing
from collector.store import store
from collector.terms import TagOrder
from collector.tries import Stopped, Tries
from collector.values import Find, Page
from collector.x import Answer, Search, X

log = logging.getLogger(__name__)

T = TypeVar("T")
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


class TagReader:
    """Reads a tag until its number is reached: what was interrupted, then new posts, then gaps."""

    def __init__(self, job: Job, order: TagOrder) -> None:
        self._job, self._order = job, order
        self._left = order.most
        self._empty = 0

    def read(self) -> None:
        """Raises XFailure, BudgetSpent, Stopped, LeaseLost, SourceRefused, DatabaseUnavailable; what was stored stays."""
        tag_id, clock = self._order.tag.id, self._job.x.clock
        self._finish(self._listed(lambda session: listings.interrupted(session, tag_id)))
        for gap in self._listed(lambda session: listings.asked_before(session, tag_id, now=clock.now())):
            if self._left >= SMALLEST_PAGE:
                self._next_page(gap)
        self._finish(self._listed(lambda session: listings.poll(session, self._order, now=clock.now())))
        for gap in self._listed(lambda session: listings.gaps(session, tag_id)):
            self._finish(gap)

    def _listed(self, question: Callable[[Session], T]) -> T:
        with self._job.database.reading() as session:
            return question(session)

    def _finish(self, stretch: Stretch | None) -> None:
        while stretch and self._left >= SMALLEST_PAGE:
            stretch = self._next_page(stretch)

    def _next_page(self, stretch: Stretch) -> Stretch | None:
        """Buy and store a page, and return what is left of the stretch."""
        mended = False
        while True:
            begun, hold = self._reserved(stretch)
            if begun is None or hold is None:
                return None
            try:
                found, answer = self._bought(begun, hold)
            except XFailure as failure:
                if mended or failure.kind not in ("stale", "refused") or not (begun.next_token or failure.kind == "stale"):
                    self._forget(begun, failure)
                    raise
                mended, stretch = True, self._mended(begun)
                continue
            try:
                return self._stored(begun, hold, found, answer)
            except (DatabaseUnavailable, sources.SourceRefused):
                self._release_unstored(hold)
                raise

    def _reserved(self, stretch: Stretch) -> tuple[Stretch | None, Hold | None]:
        """Record the page that will be asked for with its worst case; wait where others may leave some of the budget."""
        job, allowed = self._job, min(self._left, stretch.wanted or self._left)
        while not job.stop.is_set():
            now = job.x.clock.now()
            with job.database.writing() as session:
                lease.renew(session, job.token)
                begun = listings.begun(session, self._order, stretch, job.run_id, now=now)
                if begun is None:
                    return None, None
                asked = Asked(job.run_id, begun.id, begun.pages, page_size(allowed))
                hold = ledger.reserve(session, job.billing, asked, now=now)
            if hold:
                return begun, hold
            stretch = begun
            job.stop.wait(SETTLED_CHECKED_EVERY_S)
        raise Stopped

    def _bought(self, stretch: Stretch, hold: Hold) -> tuple[Page, Answer]:
        """Return the page that X sells; where none comes, the reservation goes, unless X may have sold one."""
        search, sold = stretch.search(self._order.query, hold.posts), False

        def ask() -> tuple[Page, Answer]:
            nonlocal sold
            try:
                answer = self._job.x.search(search)
            except XFailure as failure:
                sold = sold or failure.sold
                raise
            sold = True
            return self._read(search, answer), answer

        try:
            return self._job.tries.ask(ask)
        except XFailure as failure:
            failure.sold = sold
            self._release(hold, sold=sold)
            raise
        except Stopped:
            self._release(hold, sold=sold)
            raise

    def _release(self, hold: Hold, *, sold: bool) -> None:
        with self._job.database.writing() as session:
            lease.renew(session, self._job.token)
            ledger.release(session, self._job.billing, hold, sold=sold)

    def _release_unstored(self, hold: Hold) -> None:
        """Keep the reservation of a page that was bought in vain; where that fails as well, nothing can be stored: stop."""
        try:
            self._release(hold, sold=True)
        except DatabaseUnavailable as error:
            log.error("page not stored", extra={"tag": self._order.tag.tag, "reason": str(error)})
            self._job.stop.set()

    def _read(self, search: Search, answer: Answer) -> Page:
        found = page(answer.body, observed=answer.observed)
        self._empty = 0 if found.posts else self._empty + 1
        if found.next_token and (found.next_token == search.next_token or self._empty >= MOST_EMPTY_PAGES):
            raise XFailure("unwell", Reach.TAG, "X is unwell: its pages don't come to an end", sold=True)
        for reason in found.refused:
            log.warning("tweet refused", extra={"tag": self._order.tag.tag, "reason": reason, "collection": self._job.run_id})
        return found

    def _mended(self, stretch: Stretch) -> Stretch:
        """Return the stretch without what X may not have taken: its token. A stale since_id is cut when it is asked again.

        A since_id is never lowered, for that would buy posts again: X's answer has told its time, by which the id is judged.
        """
        job = self._job
        with job.database.writing() as session:
            lease.renew(session, job.token)
            return listings.without_token(session, stretch)

    def _forget(self, stretch: Stretch, failure: XFailure) -> None:
        if not failure.sold:
            with self._job.database.writing() as session:
                lease.renew(session, self._job.token)
                listings.forget_unread(session, stretch)

    def _stored(self, stretch: Stretch, hold: Hold, found: Page, answer: Answer) -> Stretch | None:
        """Store a page in one transaction: its tweets, links and roll-ups, what it cost, and where its listing goes on."""
        job, tag = self._job, self._order.tag
        left = min(self._left, stretch.wanted or self._left) - len(found.posts)
        with job.database.writing() as session:
            lease.renew(session, job.token)
            sources.claim(session, job.source)
            added = store(session, [Find(tweet, (tag,)) for tweet in found.tweets], found.authors, run_id=job.run_id)
            bought = ledger.settle(session, job.billing, hold, day=answer.observed.date(), posts=found.posts, users=found.users)
            rest = listings.advanced(
                session,
                self._order,
                stretch,
                job.run_id,
                page=found,
                answer=answer,
                query=self._order.query,
                capped=left < SMALLEST_PAGE,
            )
            runs.add(session, job.run_id, tag, added=added)
            figures.asked_x(session, OK, remaining=answer.rate_limit.remaining)
            figures.heard_x(session, answer.observed)
            figures.changed(session)
        self._left -= len(found.posts)
        self._say(found, added, bought)
        return rest

    def _say(self, found: Page, added: int, bought: Bought) -> None:
        tag = self._order.tag.tag
        fields = {"tag": tag, "posts": len(found.posts), "bought": bought.posts, "added": added, "collection": self._job.run_id}
        log.info("page stored", extra=fields)
        self._job.on_progress(Progress(tag, len(found.posts), added, self._order.most))


def page_size(remaining: int) -> int:
    """Return how many posts to ask for, so that what remains afterwards is nothing or can be asked for as well."""
    if remaining <= LARGEST_PAGE:
        return remaining
    return min(LARGEST_PAGE, remaining - SMALLEST_PAGE) if remaining < LARGEST_PAGE + SMALLEST_PAGE else LARGEST_PAGE
