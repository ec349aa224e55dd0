"""Counting: X's own hourly counts of each tag's posts, with which coverage compares what is stored.

X counts the last seven days for the price of one post a call, so a count a day misses no hour. Only hours that are over are
kept, and each is counted once: posts become searchable up to 30 seconds late.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Iterable, Sequence, Set
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from sqlalchemy import ScalarSelect, or_, select
from sqlalchemy.orm import Session

from collector import counters
from collector.ledger.calls import CallBuyer
from collector.runs import tags
from collector.runs.tags import Rules, TagOrder
from collector.x.app_only import CountedPosts, Counting
from collector.x.failures import FailureScope, XFailure
from database.statements import upsert
from models import HourlyCount, Tag

log = logging.getLogger(__name__)

HOUR = timedelta(hours=1)
HOUR_S = 3600
REACH = timedelta(days=7) - timedelta(minutes=5)
SETTLING = timedelta(seconds=30)
ARCHIVE_PAGE = timedelta(days=31)
SPARE_CALLS = 3


class Due(NamedTuple):
    """A tag that is to be counted, and the hours (UTC) to request from X."""

    order: TagOrder
    start: datetime
    end: datetime

    @property
    def hours(self) -> int:
        """The number of hours."""
        return (self.end - self.start) // HOUR


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
        hours |= set(range(int(whole_hour(start).timestamp()), math.ceil(min(end, now).timestamp()), HOUR_S))
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


def unanswered_hours(
    session: Session, order: TagOrder, periods: Iterable[tuple[datetime, datetime]], *, now: datetime
) -> list[Due]:
    """The hours of these periods for which X's recent counts were requested, but did not come."""
    asked = session.scalar(select(Tag.counted_at).where(Tag.id == order.tag.id))
    earliest = whole_hour(now - REACH) + HOUR
    within = [(max(start, earliest), end) for start, end in periods if end > earliest]
    return uncounted_hours(session, order, within, now=min(now, asked)) if asked else []


def _rules_key(order: TagOrder) -> ScalarSelect[str]:
    return select(Tag.rules).where(Tag.id == order.tag.id).scalar_subquery()


def fewest(missing: Iterable[Due]) -> list[Due]:
    """The same hours of a tag, newest first, in as few calls as possible: a call costs the same however many it returns."""
    found: list[Due] = []
    for one in missing:
        joined = found[-1]._replace(start=one.start) if found else one
        if found and _pages(joined) <= _pages(found[-1]) + _pages(one):
            found[-1] = joined
        else:
            found.append(one)
    return found


def count_archive(buyer: CallBuyer, one: Due) -> None:
    """Buy the counts of these hours from X's full archive, in pages of at most 31 days, and store them; raises as `count`.

    Where they end early, they are requested again from the newest hour that did not come. Hours that never come stay unknown.
    """
    request = Counting(one.order.query, one.start, one.end, archive=True)
    missing = set(range(int(one.start.timestamp()), int(one.end.timestamp()), HOUR_S))
    for _ in range(calls([one])):
        counted = _buy_count(buyer, one, request, buyer.billing.prices.archive_count)
        left = missing - {int(start.timestamp()) for start, _, _ in counted.counts}
        rest = _rest(request, counted, left, is_shorter=len(left) < len(missing))
        if rest is None:
            return
        request, missing = rest, left


def _rest(request: Counting, counted: CountedPosts, left: Set[int], *, is_shorter: bool) -> Counting | None:
    """Return the request for what is left: by X's token while that brings hours, else from the newest hour that is missing."""
    if not left or not (is_shorter or request.next_token):
        return None
    if is_shorter and counted.next_token:
        return request._replace(next_token=counted.next_token)
    return request._replace(end=datetime.fromtimestamp(max(left) + HOUR_S, UTC), next_token=None)


def calls(wanted: Sequence[Due]) -> int:
    """How many calls counts from the archive take at most, where some end early."""
    return sum(_pages(one) + SPARE_CALLS for one in wanted)


def _pages(one: Due) -> int:
    return -(-(one.end - one.start) // ARCHIVE_PAGE)


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
