"""Backfills: which posts of a period are still to be bought from the full archive, so that none is bought twice.

What is known to be read: a tag's history but for its gaps, and the spans of earlier backfills. The rest of the period is put on
record as listings before it is asked for, as a collection's is, so that a backfill which is killed goes on from its next page.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from collector.runs.listings import REACH, SETTLING, ListingPart, open_gaps, unfinished_poll
from collector.runs.tags import TagOrder
from models import BackfillSpan, Listing, Tag
from queries.snowflakes import first_id, snowflake_time

INTERRUPTED = "its last collection was interrupted: collect once, then fill in what is older"
LONG_AGO = "it was last collected on {:%Y-%m-%d}: collect once, which records what it missed, then fill that in"


class PollUnfinished(Exception):
    """A tag must be collected before a backfill: nobody knows yet which of the posts since then would be bought twice."""


class BackfillIds(NamedTuple):
    """The posts with ids between these two, both exclusive."""

    since_id: int
    until_id: int

    @property
    def start(self) -> datetime:
        """The instant (UTC) from which these ids were given out."""
        return snowflake_time(self.since_id + 1)

    @property
    def end(self) -> datetime:
        """The instant (UTC) up to which they were."""
        return snowflake_time(self.until_id)


class BackfillPeriod(NamedTuple):
    """From `since` to `until` (UTC), which is exclusive."""

    since: datetime
    until: datetime

    def ids(self, *, now: datetime) -> BackfillIds:
        """Return the period as ids; posts become searchable 30 seconds late."""
        return BackfillIds(first_id(self.since) - 1, first_id(min(self.until, now - SETTLING)))


def check(session: Session, tag_id: int, period: BackfillIds, *, now: datetime) -> None:
    """Raise Interrupted where a tag must be collected first."""
    if unfinished_poll(session, tag_id):
        raise PollUnfinished(INTERRUPTED)
    since_id = session.scalar(select(Tag.since_id).where(Tag.id == tag_id))
    if since_id is not None and since_id + 1 < period.until_id and snowflake_time(since_id) < now - REACH:
        raise PollUnfinished(LONG_AGO.format(snowflake_time(since_id)))


def history_end(session: Session, tag_id: int) -> datetime | None:
    """Return the instant (UTC) up to which a tag was collected, or None."""
    since_id = session.scalar(select(Tag.since_id).where(Tag.id == tag_id))
    return None if since_id is None else snowflake_time(since_id)


def unread(session: Session, tag_id: int, period: BackfillIds) -> list[BackfillIds]:
    """Return what of the period was not bought yet, newest first. What is newer than the tag's history is for collections."""
    pending = [_ids(stretch) for stretch in open_gaps(session, Listing.tag_id == tag_id)]
    whole = _fresh(session, tag_id, period) + [_within(one, period) for one in pending]
    return sorted((one for one in whole if one.until_id - one.since_id > 1), reverse=True)


def begin_listings(session: Session, order: TagOrder, period: BackfillIds, run_id: int, *, now: datetime) -> list[ListingPart]:
    """Put on record what is to be read of the period and return it, newest first; raises PollUnfinished."""
    tag_id = order.tag.id
    check(session, tag_id, period, now=now)
    for stretch in open_gaps(session, Listing.tag_id == tag_id):
        _carve(session, stretch, period)
    fresh = _fresh(session, tag_id, period)
    if snowflake_time(period.until_id) > now - REACH:
        _begin_history(session, tag_id, period)
    for one in fresh:
        span = BackfillSpan(tag_id=tag_id, since_id=one.until_id - 1, until_id=one.until_id)
        session.add(span)
        session.flush()
        ends = {"since_id": one.since_id, "until_id": one.until_id, "before": one.until_id}
        session.add(
            Listing(tag_id=tag_id, run_id=run_id, gap=True, expired=True, query=order.query, pages=0, span_id=span.id, **ends)
        )
    session.flush()
    inside = (Listing.tag_id == tag_id, Listing.since_id >= period.since_id, Listing.before <= period.until_id)
    return [stretch._replace(archive=True) for stretch in open_gaps(session, *inside)]


def _begin_history(session: Session, tag_id: int, period: BackfillIds) -> None:
    """Let a tag that was never collected begin where the period ends, so that its first collection buys none of it again.

    Only where recent search still reaches it: elsewhere nothing is bought again, and a history begins with the first run.
    """
    ends = {"from_id": period.until_id - 1, "since_id": period.until_id - 1}
    session.execute(update(Tag).where(Tag.id == tag_id, Tag.since_id.is_(None)).values(**ends))


def _fresh(session: Session, tag_id: int, period: BackfillIds) -> list[BackfillIds]:
    """Return what of the period was neither read nor is on record as a gap.

    What is newer than the tag's history is left to collections.
    """
    since_id, from_id = session.execute(select(Tag.since_id, Tag.from_id).where(Tag.id == tag_id)).one()
    spans = session.execute(select(BackfillSpan.since_id, BackfillSpan.until_id).where(BackfillSpan.tag_id == tag_id)).all()
    taken = [BackfillIds(low, high) for low, high in spans]
    taken += [_ids(stretch) for stretch in open_gaps(session, Listing.tag_id == tag_id)]
    if since_id is not None:
        period = BackfillIds(period.since_id, min(period.until_id, since_id + 1))
        taken.append(BackfillIds(since_id if from_id is None else from_id, since_id + 1))
    return _without(period, taken)


def _without(whole: BackfillIds, taken: Iterable[BackfillIds]) -> list[BackfillIds]:
    """Return what is left of the ids, oldest first."""
    left, low = [], whole.since_id
    for one in sorted(taken):
        if one.until_id - 1 > low:
            left.append(BackfillIds(low, min(one.since_id + 1, whole.until_id)))
            low = max(low, one.until_id - 1)
    left.append(BackfillIds(low, whole.until_id))
    return [one for one in left if one.until_id - one.since_id > 1]


def _carve(session: Session, stretch: ListingPart, period: BackfillIds) -> None:
    """Split a gap where the period begins and ends, so that each part is inside or outside."""
    ids = _ids(stretch)
    parts = [
        _within(ids, part)
        for part in (BackfillIds(-1, period.since_id + 1), period, BackfillIds(period.until_id - 1, 2**63 - 1))
    ]
    parts = [part for part in parts if part.until_id - part.since_id > 1]
    if len(parts) < 2:
        return
    row = session.scalars(select(Listing).where(Listing.id == stretch.id)).one()
    kept = {"tag_id": row.tag_id, "run_id": row.run_id, "gap": True, "expired": row.expired, "query": row.query}
    for part in parts:
        ends = {"since_id": part.since_id, "until_id": part.until_id, "before": part.until_id}
        session.add(Listing(**kept, **ends, pages=0, span_id=_span(session, row, part)))
    session.execute(delete(Listing).where(Listing.id == stretch.id))
    session.flush()


def _span(session: Session, row: Listing, part: BackfillIds) -> int | None:
    """Return the span that a part of a backfill's listing grows: its own, or for a lower part a new one."""
    if row.span_id is None or part.until_id == row.before:
        return row.span_id
    span = BackfillSpan(tag_id=row.tag_id, since_id=part.until_id - 1, until_id=part.until_id)
    session.add(span)
    session.flush()
    return span.id


def _within(ids: BackfillIds, bounds: BackfillIds) -> BackfillIds:
    return BackfillIds(max(ids.since_id, bounds.since_id), min(ids.until_id, bounds.until_id))


def _ids(stretch: ListingPart) -> BackfillIds:
    return BackfillIds(stretch.since_id if stretch.since_id is not None else -1, stretch.before)
