"""Reading one tag: its listings page by page, each page bought once and stored whole."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import NamedTuple, TypeVar

from sqlalchemy.orm import Session

from alchemy import Database, DatabaseUnavailable
from collector import figures, lease, listings, runs, sources, tags
from collector.listings import Stretch
from collector.money import ledger
from collector.money.ledger import SMALLEST_PAGE, Asked, Bought, BudgetSpent, Hold
from collector.money.prices import Billing
from collector.terms import TagOrder
from collector.tweets.store import store
from collector.values import Find, Page
from collector.x.client import Answer, Search, X
from collector.x.failures import Reach, XFailure
from collector.x.parsing import page
from collector.x.tries import Stopped, Tries

log = logging.getLogger(__name__)

T = TypeVar("T")
LARGEST_PAGE = 100
MOST_EMPTY_PAGES = 10
SETTLED_CHECKED_EVERY_S = 0.2
DAYS_END = timedelta(seconds=10)


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


class DayTurned(Exception):
    """X's day has ended since a page was asked for that X may have sold: asked again, it costs once more."""


class Untracked(Exception):
    """The tag was untracked while it was collected."""


class Next(NamedTuple):
    """What is read next, and the reservation of its page, where it was made with the page before."""

    stretch: Stretch
    hold: Hold | None = None


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
                self._page(Next(gap), last=True)
        self._finish(self._listed(lambda session: listings.poll(session, self._order, now=clock.now())))
        for gap in self._listed(lambda session: listings.gaps(session, tag_id)):
            self._finish(gap)

    def _listed(self, question: Callable[[Session], T]) -> T:
        with self._job.database.reading() as session:
            return question(session)

    def _finish(self, stretch: Stretch | None) -> None:
        following = Next(stretch) if stretch else None
        while following and self._left >= SMALLEST_PAGE:
            following = self._page(following)

    def _page(self, following: Next, *, last: bool = False) -> Next | None:
        """Buy and store a page, and return what follows it; nothing is reserved for what follows the `last`."""
        mended = False
        while True:
            begun, hold = self._reserved(following)
            if begun is None or hold is None:
                return None
            try:
                found, answer = self._bought(begun, hold)
            except DayTurned:
                following = Next(begun)
                continue
            except XFailure as failure:
                if mended or failure.kind not in ("stale", "refused") or not (begun.next_token or failure.kind == "stale"):
                    self._forget(begun, failure)
                    raise
                mended, following = True, Next(self._mended(begun))
                continue
            try:
                return self._stored(begun, hold, found, answer, last=last)
            except (DatabaseUnavailable, sources.SourceRefused):
                self._release(hold, sold=True)
                raise

    def _reserved(self, following: Next) -> tuple[Stretch | None, Hold | None]:
        """Have the page on record with its worst case before it is asked for; wait where others may leave some budget."""
        job, (stretch, hold) = self._job, following
        while not job.stop.is_set():
            if hold:
                return stretch, hold
            with job.database.writing() as session:
                lease.renew(session, job.token)
                if not job.holds:
                    ledger.recover(session, job.billing, today=job.x.clock.now().date())  # nobody here will settle them
                begun, hold = self._reserve(session, stretch, self._left)
            if begun is None:
                return None, None
            stretch = begun
            if hold:
                job.holds.add(hold.id)
            else:
                job.stop.wait(SETTLED_CHECKED_EVERY_S)
        if hold:
            self._release(hold, sold=False)
        raise Stopped

    def _reserve(self, session: Session, stretch: Stretch, left: int) -> tuple[Stretch | None, Hold | None]:
        """Put a page on record as the tag is tracked now; raises BudgetSpent, Untracked."""
        job, now = self._job, self._job.x.clock.now()
        order = tags.order(session, self._order.tag.id, most=self._order.most)
        if order is None:
            raise Untracked("untracked while it was collected")
        self._order = order
        begun = listings.begun(session, order, stretch, job.run_id, now=now)
        if begun is None:
            return None, None
        search = begun.search(order.query, page_size(min(left, begun.wanted or left)))
        asked = Asked(job.run_id, begun.id, str(search), search.max_results)
        return begun, ledger.reserve(session, job.billing, asked, now=now)

    def _bought(self, stretch: Stretch, hold: Hold) -> tuple[Page, Answer]:
        """Return the page that X sells; where none comes, the reservation goes, unless X may have sold one."""
        search, sold = stretch.search(self._order.query, hold.posts), False

        def ask() -> tuple[Page, Answer]:
            nonlocal sold
            if sold:
                self._stay_in(hold)
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
            failure.sold = sold or hold.again
            self._release(hold, sold=sold)
            raise
        except (Stopped, DayTurned):
            self._release(hold, sold=sold)
            raise

    def _stay_in(self, hold: Hold) -> None:
        """Let a page that X may have sold be asked for again on the same day only; the last moments of a day are waited out."""
        clock = self._job.x.clock
        while (clock.now() + DAYS_END).date() != hold.day:
            if clock.now().date() != hold.day:
                raise DayTurned
            if self._job.stop.wait(SETTLED_CHECKED_EVERY_S):
                raise Stopped

    def _release(self, hold: Hold, *, sold: bool) -> None:
        """Give a reservation back, or keep it where X may have sold a page. Where that fails, nothing can be stored: stop."""
        job = self._job
        job.holds.discard(hold.id)
        sold_until = (job.x.clock.now() + DAYS_END).date() if sold else hold.day if hold.again else None
        try:
            with job.database.writing() as session:
                lease.renew(session, job.token)
                ledger.release(session, hold, sold_until=sold_until)
        except DatabaseUnavailable as error:
            log.error("page not stored", extra={"tag": self._order.tag.tag, "reason": str(error)})
            job.stop.set()

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

    def _stored(self, stretch: Stretch, hold: Hold, found: Page, answer: Answer, *, last: bool) -> Next | None:
        """Store a page in one transaction: its tweets, links and roll-ups, what it cost, and where its listing goes on.

        The next page is reserved in it as well, so that each page takes one transaction.
        """
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
            figures.page_stored(session, date=answer.observed, remaining=answer.rate_limit.remaining)
            following = None if rest is None else self._following(session, rest, left, last=last)
        self._job.holds.discard(hold.id)
        if following and following.hold:
            self._job.holds.add(following.hold.id)
        self._left -= len(found.posts)
        self._say(found, added, bought)
        return following

    def _following(self, session: Session, rest: Stretch, left: int, *, last: bool) -> Next | None:
        """Return what follows a page, reserved if the budget has room for it now."""
        if last or left < SMALLEST_PAGE:
            return Next(rest)
        try:
            begun, hold = self._reserve(session, rest, left)
        except (BudgetSpent, Untracked):
            return Next(rest)  # said when the page is about to be asked for
        return Next(begun, hold) if begun else None

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
