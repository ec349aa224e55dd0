"""Quotes: what a backfill would buy, by X's own counts of the archive, before anything is bought."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy.orm import Session

from collector import backfill, counting
from collector.backfill import Period
from collector.counting import Due
from collector.listings import interrupted
from collector.money.calls import Desk
from collector.terms import TagOrder
from collector.x.clock import XClock
from queries.figures import x_now
from queries.volume import expected


class Quote(NamedTuple):
    """How many posts of a tag a backfill would buy."""

    tag: str
    posts: int


def to_count(session: Session, orders: Sequence[TagOrder], period: Period, clock: XClock) -> list[Due]:
    """Return the hours that X has to be asked for before a price can be told; raises Interrupted."""
    now, found = clock.now() if clock.known else x_now(session), list[Due]()
    for order in orders:
        if interrupted(session, order.tag.id):
            raise backfill.Interrupted(f"{order.tag.tag}: {backfill.INTERRUPTED}")
        times = [(ids.start, ids.end) for ids in backfill.unread(session, order.tag.id, period.ids(now=now))]
        found += counting.uncounted(session, order, times, now=now)
    return found


def count(desk: Desk, wanted: Sequence[Due]) -> None:
    """Buy these counts and keep them; raises XFailure, BudgetSpent, Stopped, DatabaseUnavailable."""
    for one in wanted:
        counting.count_archive(desk, one)


def quotes(session: Session, orders: Sequence[TagOrder], period: Period, clock: XClock) -> list[Quote]:
    """Return what of the period is still to be bought of each tag."""
    now, found = clock.now() if clock.known else x_now(session), list[Quote]()
    for order in orders:
        parts = backfill.unread(session, order.tag.id, period.ids(now=now))
        posts = sum(expected(session, order.tag.id, since=ids.start, until=ids.end, usual=0) for ids in parts)
        found.append(Quote(order.tag.tag, round(posts)))
    return found
