"""Counting: X's own hourly counts of each tag's posts, with which coverage compares what is stored.

X counts the last seven days for the price of one post a call, so a count a day misses no hour. Only hours that are over are
kept, and each is counted once: posts become searchable up to 30 seconds late.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from sqlalchemy import ScalarSelect, or_, select
from sqlalchemy.orm import Session

from collector import counters
from collector.ledger.calls import CallBuyer
from collector.runs import tags
from collector.runs.tags import Rules, TagOrder
from collector.x.app_only import CountedPosts, Counting
from collector.x.failures import FailureScope, XFailure, unwell
from database.statements import upsert
from models import HourlyCount, Tag

log = logging.getLogger(__name__)

HOUR = timedelta(hours=1)
HOUR_S = 3600
REACH = timedelta(days=7) - timedelta(minutes=5)
SETTLING = timedelta(seconds=30)
ARCHIVE_PAGE = timedelta(days=31)


class Due(NamedTuple):
    """A tag that is to be counted, and the hours (UTC) to request from X."""

    order: TagOrder
    start: datetime
    end: datetime


def due(session: Session, *, now: datetime, every: timedelta) -> Sequence[Due]:
    """The tracked tags that were not counted for this long, with the hours that are over and were not counted yet.

    The hours start at the first missing one, because a call costs the same however many hours it returns.
    """
    waiting = or_(Tag.counted_at.is_(None), Tag.counted_at <= now - every, Tag.counted_at > now + every)
    ids = set(session.scalars(select(Tag.id).where(Tag.tracked, waiting)))
    earliest, end, found = whole_hour(now - REACH) + HOUR, whole_hour(now - SETTLING), list[Due]()
    for order in tags.orders(session, most=0) if ids else ():
        missing = uncounted_hours(session, order, [(earliest, end)], now=now) if order.tag.id in ids else ()
        if missing:
            found.append(Due(order, missing[-1].start, end))
    return found


def count(buyer: CallBuyer, wanted: Sequence[Due]) -> None:
    """Buy these counts from X and store them. A tag that X refuses does not stop the others; raises the first such XFailure.

    Raises BudgetSpent, Stopped, DatabaseUnavailable, and XFailure at once where X refuses everything.
    """
    refused: XFailure | None = None
    for one in wanted:
        try:
            _count(buyer, one)
        except XFailure as failure:
            log.warning("tag not counted", extra={"tag": one.order.tag.tag, "reason": str(failure)})
            if failure.reach is FailureScope.RUN:
                raise
            refused = refused or failure
    if refused:
        raise refused


def uncounted_hours(
    session: Session, order: TagOrder, periods: Iterable[tuple[datetime, datetime]], *, now: datetime
) -> list[Due]:
    """The hours of these periods that are over and were never requested from X, in as few periods as possible, newest first."""
    hours: set[int] = set()
    for start, end in periods:
        hours |= set(range(int(whole_hour(start).timestamp()), int(min(end, now - SETTLING - HOUR).timestamp()) + 1, HOUR_S))
    hours -= set(range(int(whole_hour(now - SETTLING).timestamp()), max(hours, default=0) + 1, HOUR_S))
    mine = (
        HourlyCount.tag_id == order.tag.id,
        HourlyCount.rules == _rules_key(order),
        HourlyCount.start >= min(hours, default=0),
    )
    found: list[Due] = []
    for hour in sorted(hours - set(session.scalars(select(HourlyCount.start).where(*mine))), reverse=True):
        begin = datetime.fromtimestamp(hour, UTC)
        if found and found[-1].start == begin + HOUR:
            found[-1] = found[-1]._replace(start=begin)
        else:
            found.append(Due(order, begin, begin + HOUR))
    return found


def _rules_key(order: TagOrder) -> ScalarSelect[str]:
    return select(Tag.rules).where(Tag.id == order.tag.id).scalar_subquery()


def count_archive(buyer: CallBuyer, one: Due) -> None:
    """Buy the counts of these hours from X's full archive, in pages of at most 31 days, and store them; raises as `count`."""
    request = Counting(one.order.query, one.start, one.end, archive=True)
    for _ in range(calls([one])):
        counted = _buy_count(buyer, one, request, buyer.billing.prices.archive_count)
        if counted.next_token is None:
            return
        request = request._replace(next_token=counted.next_token)
    raise unwell("its counts don't come to an end", sold=True)


def calls(wanted: Sequence[Due]) -> int:
    """How many calls counts from the archive take at most."""
    return sum(-(-(one.end - one.start) // ARCHIVE_PAGE) + 1 for one in wanted)


def whole_hour(when: datetime) -> datetime:
    """The beginning of the hour."""
    return when.replace(minute=0, second=0, microsecond=0)


def _count(buyer: CallBuyer, one: Due) -> None:
    counted = _buy_count(buyer, one, Counting(one.order.query, one.start, one.end), buyer.billing.prices.recent_count)
    log.info("tag counted", extra={"tag": one.order.tag.tag, "posts": counted.total})


def _buy_count(buyer: CallBuyer, one: Due, request: Counting, micro: int) -> CountedPosts:
    def store(session: Session, counted: CountedPosts) -> None:
        tag = session.scalars(select(Tag).where(Tag.id == one.order.tag.id)).one()
        if not request.archive:
            tag.counted_at = counted.observed
        if Rules.of_row(tag.lang, tag.exclude, None).query(tag.tag) != request.query:
            return  # its rules were changed meanwhile
        first, end = int(one.start.timestamp()), int(one.end.timestamp())
        whole = [(int(start.timestamp()), posts) for start, end_, posts in counted.counts if end_ - start == HOUR]
        row = {"tag_id": tag.id, "rules": tag.rules, "asked_at": counted.observed}
        hours = [(start, posts) for start, posts in whole if start % HOUR_S == 0 and first <= start < end]
        upsert(session, HourlyCount, [row | {"start": start, "counted": posts} for start, posts in hours])
        counters.bump_sequence(session)

    return buyer.buy(micro, lambda look: buyer.x.count(request, look), store)
