"""Prices before anything is bought: of a collection and of a backfill, by X's own counts, and what is left of the budget."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from functools import partial
from typing import NamedTuple

from sqlalchemy.orm import Session

from collector.jobs import counting
from collector.jobs.counting import Due
from collector.ledger.billing_days import counted_months
from collector.ledger.prices import Cost, Month, dollars
from collector.runs import backfill, listings
from collector.runs.backfill import BackfillIds, BackfillPeriod
from collector.runs.collector import Collector
from collector.runs.tags import TagOrder
from collector.x.clock import XClock
from queries.balances import Authors
from queries.counters import x_now
from queries.gaps import snowflake_time
from queries.spend import spend_between, unsettled_ceiling
from queries.volume import LATELY, expected_posts, stored_posts, usual


class TagPrice(NamedTuple):
    """How many tweets of a tag a collection buys at most, and probably by X's counts; None if X never counted the tag.

    `uncounted` is the number of hours for which X was asked and gave no count.
    """

    tag: str
    most: int
    likely: int | None
    uncounted: int = 0


class Price(NamedTuple):
    """What a collection of all tracked tags costs at most, and probably by X's counts of those `tags` that have one."""

    tags: tuple[TagPrice, ...]
    most: Cost
    likely: Cost

    @property
    def likely_counts(self) -> list[int]:
        """The likely numbers of tweets that are known."""
        return [tag.likely for tag in self.tags if tag.likely is not None]


class BudgetLeft(NamedTuple):
    """What is left of a billing month's budget, in micro-dollars; the month ends before `until`."""

    micro: int
    budget: int
    until: date


class Quote(NamedTuple):
    """How many posts of a tag a backfill would buy, and up to when (UTC) if it ends before the period does.

    `uncounted` is the number of hours for which X gave no count. They may hold any number of posts; `assumed` of `posts` are
    theirs, if a part of the period was read before.
    """

    tag: str
    posts: int
    until: datetime | None
    uncounted: int = 0
    assumed: int = 0


def price(collector: Collector, session: Session) -> Price:
    """Return what a collection would cost now."""
    orders, now, prices = collector.orders(session), x_now(session), collector.order.billing.prices
    tags = tuple(_tag_price(session, order, now=now) for order in orders)
    likely = sum(tag.likely for tag in tags if tag.likely is not None)
    return Price(tags, collector.most(orders), prices.cost(posts=likely, users=likely))


def budget_left(collector: Collector, session: Session) -> BudgetLeft | None:
    """Return what is left of this month's budget, or None without a budget. Of several months the one with the least."""
    billing = collector.order.billing
    if billing.budget is None:
        return None
    months = counted_months(session, billing, [x_now(session).date()])
    return min(_left(session, billing.budget, month) for month in months)


def _left(session: Session, budget: int, month: Month) -> BudgetLeft:
    used = spend_between(session, start=month.start, end=month.end).ceiling
    used += unsettled_ceiling(session, start=month.start, end=month.end)
    return BudgetLeft(max(0, budget - used), budget, month.end)


def in_words(cost: Cost, authors: Authors | None, *, looks_up: bool = False) -> str:
    """Return a price in words: one amount if it is known whether X charges for authors, else both.

    Where authors are looked up, it depends on how many of them are known.
    """
    if looks_up:
        posts, all_new = dollars(cost.floor), dollars(cost.ceiling)
        return f"{posts} for the tweets, {all_new} if all authors have to be looked up, each once a week at most"
    if authors:
        return dollars(authors.price(*cost))
    return f"{dollars(cost.floor)} for the tweets, {dollars(cost.ceiling)} with their authors, for whom X probably charges"


def missing_counts(session: Session, orders: Sequence[TagOrder], period: BackfillPeriod, clock: XClock) -> list[Due]:
    """Return the hours that must be counted by X before a price can be given; raises PollUnfinished."""
    now, found = _now(session, clock), list[Due]()
    for order in orders:
        ids = period.ids(now=now)
        try:
            backfill.check(session, order.tag.id, ids, now=now)
        except backfill.PollUnfinished as error:
            raise backfill.PollUnfinished(f"{order.tag.tag}: {error}") from error
        found += counting.fewest(_uncounted(session, order, backfill.unread(session, order.tag.id, ids), now=now))
    return found


def quotes(session: Session, orders: Sequence[TagOrder], period: BackfillPeriod, clock: XClock) -> list[Quote]:
    """Return how many posts of each tag are still to be bought of the period, as X counted them.

    An unfinished hour is assumed to be average, one that X did not count to be as those of the period that were read before.
    """
    now = _now(session, clock)
    return [_quote(session, order, period.ids(now=now), now=now) for order in orders]


def _tag_price(session: Session, order: TagOrder, *, now: datetime) -> TagPrice:
    """Return the price of a tag. Its posts are probably those since it was last read, and those of the gaps within reach."""
    earliest, listed = now - LATELY, listings.tag_listings(session, order.tag.id)
    periods = [(earliest if listed.since_id is None else max(earliest, snowflake_time(listed.since_id)), now)]
    for gap in listed.gaps:
        periods.append((max(earliest, snowflake_time(gap.since_id or 0)), snowflake_time(gap.before)))
    missing = counting.unanswered_hours(session, order, periods, now=now)
    likely = _probable_posts(session, order, periods, now=now)
    return TagPrice(order.tag.tag, order.most, likely, sum(one.hours for one in missing))


def _probable_posts(
    session: Session, order: TagOrder, periods: Sequence[tuple[datetime, datetime]], *, now: datetime
) -> int | None:
    """Return how many posts of these periods a collection will probably buy, or None if X never counted the tag."""
    an_hour = usual(session, order.tag.id, since=now - LATELY, until=now)
    if an_hour is None:
        return None
    posts = [expected_posts(session, order.tag.id, since=since, until=until, usual=an_hour) for since, until in periods]
    return min(order.most, round(sum(posts)))


def _uncounted(session: Session, order: TagOrder, parts: Sequence[BackfillIds], *, now: datetime) -> list[Due]:
    return counting.uncounted_hours(session, order, [(part.start, part.end) for part in parts], now=now)


def _quote(session: Session, order: TagOrder, ids: BackfillIds, *, now: datetime) -> Quote:
    tag_id, end = order.tag.id, backfill.history_end(session, order.tag.id)
    parts, over = backfill.unread(session, tag_id, ids), counting.whole_hour(now - listings.SETTLING)
    read, counted, assumed = _posts_an_hour(session, tag_id, ids, parts), 0.0, 0.0
    for part in parts:
        expected = partial(expected_posts, session, tag_id, since=part.start, until=min(part.end, over))
        an_hour = usual(session, tag_id, since=part.start - LATELY, until=part.end) or 0.0
        unfinished = expected_posts(session, tag_id, since=max(part.start, over), until=part.end, usual=an_hour)
        counted += expected(usual=0.0) + unfinished
        assumed += expected(usual=read) - expected(usual=0.0)
    hours = sum(one.hours for one in _uncounted(session, order, parts, now=now))
    until = end if end and end < ids.end else None
    return Quote(order.tag.tag, round(counted + assumed), until, hours, round(assumed))


def _posts_an_hour(session: Session, tag_id: int, ids: BackfillIds, parts: Sequence[BackfillIds]) -> float:
    """Return the mean number of posts that are stored of the hours of a period that were read, 0 if none was."""
    end = min(ids.end, backfill.history_end(session, tag_id) or ids.end)
    read = (end - ids.start) - sum((part.end - part.start for part in parts), timedelta())
    stored = stored_posts(session, tag_id, since=ids.start, until=end)
    return stored / (read / counting.HOUR) if read > timedelta() else 0.0


def _now(session: Session, clock: XClock) -> datetime:
    return clock.now() if clock.is_known else x_now(session)
