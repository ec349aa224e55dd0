"""Backfills: which posts of a period are still to be bought from the full archive, so that none is bought twice.

Already read are a tag's history except for its gaps, and the spans of earlier backfills. The rest of the period is stored as
listings before it is requested, as in a collection, so that a backfill that was killed resumes at its next page.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from collector.runs.listings import REACH, SETTLING, ListingPart, add_expired_gap, open_gaps, tag_listings
from collector.runs.tags import TagOrder
from models import BackfillSpan, Listing, Tag
from queries.gaps import first_id, snowflake_time

QUOTE_MARGIN, QUOTE_PAGE = 10, 100
FIRST_TIMED = datetime(2010, 11, 5, tzinfo=UTC)
"""Ids contain their time since then."""
INTERRUPTED = "its last collection was interrupted: collect once, then fill in what is older"
LONG_AGO = "it was last collected on {:%Y-%m-%d}: collect once, which records what it missed, then fill that in"


class PollUnfinished(Exception):
    """A tag must be collected before a backfill: nobody knows yet which of the posts since then would be bought twice."""

    kind = "unfinished"


class BackfillIds(NamedTuple):
    """The posts with ids between these two, both exclusive."""

    since_id: int
    until_id: int

    @property
    def start(self) -> datetime:
        """The time (UTC) from which X assigned these ids."""
        return snowflake_time(self.since_id + 1)

    @property
    def end(self) -> datetime:
        """The time (UTC) up to which X assigned these ids."""
        return snowflake_time(self.until_id)


class BackfillPeriod(NamedTuple):
    """From `since` to `until` (UTC), which is exclusive; `quoted` is the number of posts whose price was agreed to.

    Without `quoted`, only the budget limits what is bought; without the keys of some `tags`, it is bought of all.
    """

    since: datetime
    until: datetime
    quoted: int | None = None
    tags: frozenset[str] | None = None

    @property
    def most(self) -> int | None:
        """The most posts that may be bought of all tags together, or None."""
        return None if self.quoted is None else most_posts(self.quoted)

    def of(self, orders: Sequence[TagOrder]) -> list[TagOrder]:
        """Return what is bought of these tags."""
        return [order for order in orders if self.tags is None or order.tag.key in self.tags]

    def ids(self, *, now: datetime) -> BackfillIds:
        """Return the period as ids, at most up to SETTLING before `now`: posts become searchable 30 seconds late."""
        return BackfillIds(first_id(self.since) - 1, first_id(min(self.until, now - SETTLING)))


def most_posts(quoted: int) -> int:
    """Return how many posts may be bought where so many were quoted: 10 % and one page more, as X's counts are no promise."""
    return quoted + quoted // QUOTE_MARGIN + QUOTE_PAGE


def check(session: Session, tag_id: int, period: BackfillIds, *, now: datetime) -> None:
    """Raise PollUnfinished if a tag must be collected first."""
    since_id, unfinished, _ = tag_listings(session, tag_id)
    if unfinished:
        raise PollUnfinished(INTERRUPTED)
    if since_id is not None and since_id + 1 < period.until_id and snowflake_time(since_id) < now - REACH:
        raise PollUnfinished(LONG_AGO.format(snowflake_time(since_id)))


def history_end(session: Session, tag_id: int) -> datetime | None:
    """Return the time (UTC) up to which a tag was collected, or None."""
    since_id = session.scalar(select(Tag.since_id).where(Tag.id == tag_id))
    return None if since_id is None else snowflake_time(since_id)


def unread(session: Session, tag_id: int, period: BackfillIds) -> list[BackfillIds]:
    """Return what of the period was not bought yet, newest first, without what is newer than the tag's history."""
    pending = [_ids(listing) for listing in open_gaps(session, Listing.tag_id == tag_id)]
    whole = _fresh(session, tag_id, period) + [_within(one, period) for one in pending]
    return sorted((one for one in whole if one.until_id - one.since_id > 1), reverse=True)


def begin_listings(session: Session, order: TagOrder, period: BackfillIds, run_id: int, *, now: datetime) -> list[ListingPart]:
    """Store and return the listings to be read of the period, newest first; raises PollUnfinished."""
    tag_id = order.tag.id
    check(session, tag_id, period, now=now)
    for listing in open_gaps(session, Listing.tag_id == tag_id):
        _split(session, listing, period)
    fresh = _fresh(session, tag_id, period)
    if snowflake_time(period.until_id) > now - REACH:
        _begin_history(session, tag_id, period)
    for one in fresh:
        span = _add_span(session, tag_id, one)
        add_expired_gap(session, order, run_id, since_id=one.since_id, before=one.until_id, span_id=span)
    inside = (Listing.tag_id == tag_id, Listing.since_id >= period.since_id, Listing.before <= period.until_id)
    return [listing._replace(archive=True) for listing in open_gaps(session, *inside)]


def _begin_history(session: Session, tag_id: int, period: BackfillIds) -> None:
    """Begin the history of a tag that was never collected where the period ends, so that nothing of it is bought again.

    Called only if recent search still reaches the period's end; otherwise the history begins with the first collection.
    """
    ends = {"from_id": period.until_id - 1, "since_id": period.until_id - 1}
    session.execute(update(Tag).where(Tag.id == tag_id, Tag.since_id.is_(None)).values(**ends))


def _fresh(session: Session, tag_id: int, period: BackfillIds) -> list[BackfillIds]:
    """Return what of the period was neither read nor is stored as a gap.

    What is newer than the tag's history is left to collections.
    """
    since_id, from_id = session.execute(select(Tag.since_id, Tag.from_id).where(Tag.id == tag_id)).one()
    spans = session.execute(select(BackfillSpan.since_id, BackfillSpan.until_id).where(BackfillSpan.tag_id == tag_id)).all()
    taken = [BackfillIds(low, high) for low, high in spans]
    taken += [_ids(listing) for listing in open_gaps(session, Listing.tag_id == tag_id)]
    if since_id is not None:
        period = BackfillIds(period.since_id, min(period.until_id, since_id + 1))
        taken.append(BackfillIds(since_id if from_id is None else from_id, since_id + 1))
    return _without(period, taken)


def _without(whole: BackfillIds, taken: Iterable[BackfillIds]) -> list[BackfillIds]:
    """Return `whole` without the ids in `taken`, oldest first."""
    left, low = [], whole.since_id
    for one in sorted(taken):
        if one.until_id - 1 > low:
            left.append(BackfillIds(low, min(one.since_id + 1, whole.until_id)))
            low = max(low, one.until_id - 1)
    left.append(BackfillIds(low, whole.until_id))
    return [one for one in left if one.until_id - one.since_id > 1]


def _split(session: Session, listing: ListingPart, period: BackfillIds) -> None:
    """Split a gap where the period begins and ends, so that each part is inside or outside of it."""
    ids = _ids(listing)
    parts = [
        _within(ids, part)
        for part in (BackfillIds(-1, period.since_id + 1), period, BackfillIds(period.until_id - 1, 2**63 - 1))
    ]
    parts = [part for part in parts if part.until_id - part.since_id > 1]
    if len(parts) < 2:
        return
    row = session.scalars(select(Listing).where(Listing.id == listing.id)).one()
    kept = {"tag_id": row.tag_id, "run_id": row.run_id, "gap": True, "expired": row.expired, "query": row.query}
    for part in parts:
        ends = {"since_id": part.since_id, "until_id": part.until_id, "before": part.until_id}
        session.add(Listing(**kept, **ends, pages=0, span_id=_span(session, row, part)))
    session.execute(delete(Listing).where(Listing.id == listing.id))
    session.flush()


def _span(session: Session, row: Listing, part: BackfillIds) -> int | None:
    """Return the id of the span that a part of a backfill's listing extends: its own, or for a lower part a new one."""
    if row.span_id is None or part.until_id == row.before:
        return row.span_id
    return _add_span(session, row.tag_id, part)


def _add_span(session: Session, tag_id: int, ids: BackfillIds) -> int:
    """Add the span of a listing of which nothing has been read yet, and return its id."""
    span = BackfillSpan(tag_id=tag_id, since_id=ids.until_id - 1, until_id=ids.until_id)
    session.add(span)
    session.flush()
    return span.id


def _within(ids: BackfillIds, bounds: BackfillIds) -> BackfillIds:
    return BackfillIds(max(ids.since_id, bounds.since_id), min(ids.until_id, bounds.until_id))


def _ids(listing: ListingPart) -> BackfillIds:
    return BackfillIds(listing.since_id if listing.since_id is not None else -1, listing.before)
