"""Quotes: what a backfill would buy, by X's own counts of the archive, before anything is bought."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy.orm import Session

from collector.jobs import counting
from collector.jobs.counting import Due
from collector.ledger.calls import CallBuyer
from collector.runs import backfill
from collector.runs.backfill import BackfillIds, BackfillPeriod
from collector.runs.tags import TagOrder
from collector.x.clock import XClock
from queries.counters import x_now
from queries.volume import LATELY, expected_posts, usual


class Quote(NamedTuple):
    """How many posts of a tag a backfill would buy, and up to when (UTC) if it ends before the period does."""

    tag: str
    posts: int
    until: datetime | None


def to_count(session: Session, orders: Sequence[TagOrder], period: BackfillPeriod, clock: XClock) -> list[Due]:
    """Return the hours that must be counted by X before a price can be given; raises PollUnfinished."""
    now, found = _now(session, clock), list[Due]()
    for order in orders:
        ids = period.ids(now=now)
        try:
            backfill.check(session, order.tag.id, ids, now=now)
        except backfill.PollUnfinished as error:
            raise backfill.PollUnfinished(f"{order.tag.tag}: {error}") from error
        times = [(part.start, part.end) for part in backfill.unread(session, order.tag.id, ids)]
        found += counting.uncounted_hours(session, order, times, now=now)
    return found


def count(buyer: CallBuyer, wanted: Sequence[Due]) -> None:
    """Buy and store these counts; raises XFailure, BudgetSpent, Stopped, DatabaseUnavailable."""
    for one in wanted:
        counting.count_archive(buyer, one)


def quotes(session: Session, orders: Sequence[TagOrder], period: BackfillPeriod, clock: XClock) -> list[Quote]:
    """Return what of the period is still to be bought of each tag. An unfinished hour is assumed to be average."""
    now = _now(session, clock)
    return [_quote(session, order, period.ids(now=now)) for order in orders]


def _quote(session: Session, order: TagOrder, ids: BackfillIds) -> Quote:
    tag_id, end = order.tag.id, backfill.history_end(session, order.tag.id)
    posts = 0.0
    for part in backfill.unread(session, tag_id, ids):
        an_hour = usual(session, tag_id, since=part.start - LATELY, until=part.end) or 0.0
        posts += expected_posts(session, tag_id, since=part.start, until=part.end, usual=an_hour)
    return Quote(order.tag.tag, round(posts), end if end and end < ids.end else None)


def _now(session: Session, clock: XClock) -> datetime:
    return clock.now() if clock.is_known else x_now(session)
