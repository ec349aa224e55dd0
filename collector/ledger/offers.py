"""Offers of backfills: what a period costs before it is bought, its purchase up to a price, and counts that X makes for it."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from contextlib import closing
from typing import NamedTuple

from sqlalchemy.orm import Session

from collector import sources
from collector.counters import request_counter
from collector.jobs import counting
from collector.jobs.counting import Due
from collector.ledger.calls import call_buyer
from collector.ledger.prices import Cost, dollars
from collector.ledger.pricing import Quote, missing_counts, quotes
from collector.runs import runs
from collector.runs.backfill import BackfillPeriod, most_posts
from collector.runs.collector import NONE_TRACKED, CollectionRunning, Collector, NothingTracked, RunningCollection
from collector.runs.tags import TagOrder
from collector.x.app_only import AppOnly
from collector.x.failures import FailureScope, XFailure
from queries.balances import authors
from queries.counters import live_token, x_now
from queries.volume import LATELY, usual


class PriceAbove(Exception):
    """A backfill costs more than its buyer wants to pay."""

    def __init__(self, offer: BackfillOffer, most: int) -> None:
        super().__init__(f"the price of {dollars(offer.price)} is above {dollars(most)}: nothing was bought")
        self.offer = offer


class BackfillOffer(NamedTuple):
    """What is to be bought of each tag, and its price in micro-dollars: by `cost`, or as X is known to charge for authors.

    The posts of hours that X never counted are estimated by the tag's mean; as they may hold more, the price and the cost's
    ceiling are then those of the most that a purchase buys. `counting` is what X charges at most to count them.
    """

    tags: tuple[Quote, ...]
    cost: Cost
    price: int
    counting: int

    @property
    def posts(self) -> int:
        """The number of posts of all tags."""
        return sum(quote.posts for quote in self.tags)


def backfill_offer(collector: Collector, session: Session, period: BackfillPeriod) -> BackfillOffer:
    """Return what a backfill costs, by the counts that are stored; nothing is requested from X.

    Raises NothingTracked, CollectionRunning, PollUnfinished, SourceRefused.
    """
    orders, missing = _missing_counts(collector, session, period)
    now, prices = x_now(session), collector.order.billing.prices
    found = zip(orders, quotes(session, orders, period, collector.clock), strict=True)
    tags = tuple(_estimated(quote, usual(session, order.tag.id, since=now - LATELY, until=now)) for order, quote in found)
    posts = sum(quote.posts for quote in tags)
    most = most_posts(posts) if any(quote.uncounted for quote in tags) else posts
    worst, known = prices.cost(posts=most, users=most), None if collector.looks_up_authors(session) else authors(session)
    cost = prices.cost(posts=posts, users=posts)._replace(ceiling=worst.ceiling)
    price = known.price(*worst) if known else worst.ceiling
    return BackfillOffer(tags, cost, price, counting.calls(missing) * prices.archive_count)


def buy_backfill(collector: Collector, period: BackfillPeriod, *, most: int) -> RunningCollection:
    """Start a backfill that costs at most `most` micro-dollars by its offer; raises PriceAbove, and as backfill_offer does."""
    with collector.database.reading() as session:
        offer = backfill_offer(collector, session, period)
    if offer.price > most:
        raise PriceAbove(offer, most)
    return collector.start(period=period._replace(quoted=offer.posts))


def buy_missing_counts(collector: Collector, period: BackfillPeriod, *, most: int) -> None:
    """Have X count the hours that an offer estimates, which costs at most `most` micro-dollars.

    Raises PriceAbove, XFailure, BudgetSpent, CallsLeaseTaken, and as backfill_offer does.
    """
    with collector.database.reading() as session:
        offer = backfill_offer(collector, session, period)
        _, missing = _missing_counts(collector, session, period)
    if offer.counting > most:
        raise PriceAbove(offer._replace(price=offer.counting), most)
    if missing:
        with closing(AppOnly(collector.source.reach(), collector.clock, request_counter(collector.database))) as x:
            set_clock(x)
            order = collector.order
            with call_buyer(collector.database, x, order.billing, order.retry_policy, threading.Event()) as buyer:
                for one in missing:
                    counting.count_archive(buyer, one)


def set_clock(x: AppOnly) -> None:
    """Set the clock to X's by a free request. Raises XFailure if X refuses every request."""
    try:
        x.usage()
    except XFailure as failure:
        if failure.reach is FailureScope.RUN:
            raise


def _missing_counts(collector: Collector, session: Session, period: BackfillPeriod) -> tuple[Sequence[TagOrder], list[Due]]:
    """Return the tags of a backfill, and the hours that X has not counted."""
    sources.require(session, collector.source.name)
    if live_token(session) is not None:
        raise CollectionRunning(runs.running(session))
    tracked = collector.orders(session)
    orders = period.of(tracked)
    if not orders:
        raise NothingTracked("none of these tags is tracked" if tracked else NONE_TRACKED)
    return orders, missing_counts(session, orders, period, collector.clock)


def _estimated(quote: Quote, an_hour: float | None) -> Quote:
    """Return a quote in which uncounted hours have the tag's usual number of posts, unless the period has told of its own."""
    more = 0 if quote.assumed else round((an_hour or 0.0) * quote.uncounted)
    return quote._replace(posts=quote.posts + more, assumed=quote.assumed + more)
