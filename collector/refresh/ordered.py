"""Ordered looks: stored tweets of a period are read again for money, after their price was shown.

Newest tweets come first. The order is kept in the database, so that it goes on after a kill or when the budget has room again:
by the scheduled job `refresh-order`, or by the same command. X charges for each post, except those bought on the same UTC day.

What X does not find is removed. If that is more than 20 % of a request, nothing of it is removed and nothing more is read for
an hour; then these ids are requested once more, and what X still does not find is removed.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from datetime import datetime
from typing import NamedTuple

from sqlalchemy.orm import Session

from collector import counters, sources
from collector.backups.sweeping import rewrite_file
from collector.ledger.ledger import QuoteReached
from collector.ledger.prices import dollars
from collector.refresh import records
from collector.refresh.looks import MANY_GONE, MOST_GONE, MOST_IDS, Look, LookPlan, LookStored
from collector.refresh.lookups import LookUps, is_reading, look_ups
from collector.runs import lease, runs
from collector.runs.backfill import most_posts
from collector.runs.collector import Collector
from collector.tweets import erasure
from collector.tweets.deletions import delete_tweet
from collector.x.parsing import LARGEST_ID
from queries.counters import x_now
from queries.refreshing import PostsToRead, RefreshOrder, posts_to_read, refresh_order, stored_between

log = logging.getLogger(__name__)

OnLook = Callable[[LookStored], None]


class LookPriceAbove(Exception):
    """A look costs more than its buyer wants to pay."""

    def __init__(self, offer: LookOffer, most: int) -> None:
        super().__init__(f"the price of {dollars(offer.price)} is above {dollars(most)}: nothing was bought")
        self.offer = offer


class LookOffer(NamedTuple):
    """What a look would read, what X charges for it in micro-dollars, and the order; `is_rest` of one that was begun before."""

    order: RefreshOrder
    posts: PostsToRead
    price: int
    is_rest: bool

    @property
    def charged(self) -> int:
        """The number of posts that X charges for."""
        return self.posts.tweets - self.posts.free


def look_offer(collector: Collector, session: Session, since: datetime, until: datetime | None) -> LookOffer:
    """Return what it costs to read the tweets of a period again; nothing is requested from X. Raises SourceRefused.

    Of an order for the same period that is not finished, only the rest. Without `until` the period ends now, or as that order.
    """
    sources.require(session, collector.source.name)
    clock, begun = collector.clock, refresh_order(session)
    now = clock.now() if clock.is_known else x_now(session)
    is_rest = begun is not None and begun.since == since and until in (None, begun.until)
    order = begun if begun and is_rest else RefreshOrder(since, until or now.replace(microsecond=0), LARGEST_ID)
    posts = posts_to_read(session, order, day=now.date())
    return LookOffer(order, posts, (posts.tweets - posts.free) * collector.order.billing.prices.post, is_rest)


def order_look(collector: Collector, since: datetime, until: datetime, *, most: int) -> RefreshOrder:
    """Order a look that costs at most `most` micro-dollars, in place of another; the scheduled job does it.

    Raises LookPriceAbove, SourceRefused.
    """

    def change(session: Session) -> RefreshOrder:
        lease.refuse_while_restoring(session)
        offer = look_offer(collector, session, since, until)
        if offer.price > most:
            raise LookPriceAbove(offer, most)
        return _record(session, offer)

    order = collector.database.write(change)
    log.info("look ordered", extra={"posts": order.most})
    return order


def cancel_look(collector: Collector) -> None:
    """Cancel the ordered look; a request that was sent is still stored."""

    def change(session: Session) -> None:
        lease.refuse_while_restoring(session)
        records.forget_order(session)

    collector.database.write(change)


def has_order(session: Session) -> bool:
    """Whether a look is ordered that no process is doing."""
    return refresh_order(session) is not None and not is_reading(session)


def do_ordered(collector: Collector, stop: threading.Event) -> None:
    """Do the look that was ordered, as far as the budget allows; raises as LookUps.look."""
    with look_ups(collector, stop) as using:
        _do(using)


def look_now(collector: Collector, offer: LookOffer, stop: threading.Event, on_look: OnLook) -> RefreshOrder | None:
    """Do an offered look in this process, and return what is left of it if it was stopped; raises as LookUps.look."""
    with look_ups(collector, stop) as using:
        using.write(lambda session: _record(session, offer))
        _do(using, on_look)
    with collector.database.reading() as session:
        return refresh_order(session)


def _record(session: Session, offer: LookOffer) -> RefreshOrder:
    """Store an order for what was offered, under a run of its own, by which its purchases are limited."""
    order = offer.order._replace(run_id=runs.begin_job_run(session), most=most_posts(offer.charged))
    records.record_order(session, order)
    counters.bump_sequence(session)
    return order


def _do(using: LookUps, on_look: OnLook = lambda _look: None) -> None:
    try:
        OrderedLook(using).run(on_look)
    finally:
        erasure.erase(using.database, rewrite=None if using.stop.is_set() else rewrite_file)


class OrderedLook:
    """The look that is on order, which may be cancelled meanwhile."""

    def __init__(self, using: LookUps) -> None:
        self._using, self._clock = using, using.x.clock
        self._tweets: dict[int, int] = {}

    def run(self, on_look: OnLook) -> None:
        """Read what is left; raises QuoteReached where X has charged for more than was agreed on, which ends the order."""
        order = self._ordered()
        if order is None:
            return
        self._using.run_id = order.run_id
        plan = LookPlan(
            choose=self._choose,
            chosen=lambda _session, _look: None,
            undo=lambda _session, _look: None,
            allow=lambda: None,
            gone=self._gone,
            stored=self._stored,
            most_posts=order.most,
        )
        try:
            while stored := self._using.look(plan):
                on_look(stored)
        except QuoteReached:
            self._using.write(records.forget_order)
            raise
        if self._ordered() is None:
            log.info("ordered look done")

    def _ordered(self) -> RefreshOrder | None:
        with self._using.database.reading() as session:
            return refresh_order(session)

    def _own(self, session: Session) -> RefreshOrder | None:
        """Return the order, unless it was cancelled or another one took its place."""
        order = refresh_order(session)
        return order if order and order.run_id == self._using.run_id else None

    def _choose(self, session: Session) -> Look | None:
        order = self._own(session)
        if order is None:
            return None
        if order.next_look:
            return Look(order.gone, is_second=True) if order.next_look <= self._clock.now() else None
        self._tweets = {row.version: row.id for row in session.execute(stored_between(order).limit(MOST_IDS))}
        if self._tweets:
            return Look(list(self._tweets))
        records.forget_order(session)
        return None

    def _gone(self, session: Session, look: Look, gone: frozenset[int]) -> int:
        """Remove what is gone, with tombstones; after a first look only if it is at most a fifth of the ids.

        Of an order that was cancelled meanwhile, that many stay: nobody looks for them again.
        """
        if MOST_GONE * len(gone) > len(look.ids) and not look.is_second:
            if order := self._own(session):
                looked = int(self._clock.now().timestamp())
                records.record_order(session, order._replace(gone=sorted(gone), looked=looked))
            log.warning(MANY_GONE, extra={"ids": len(gone)})
            return 0
        return sum(delete_tweet(session, one) for one in gone)

    def _stored(self, session: Session, look: Look, stored: LookStored) -> None:
        order = self._own(session)
        if order is None:
            return
        if look.is_second:
            order = order._replace(gone=[one for one in order.gone if one not in look.ids])
        else:
            order = order._replace(before=self._tweets[look.ids[-1]])
        records.record_order(session, order._replace(read=order.read + stored.posts))
