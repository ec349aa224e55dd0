"""How far each tag was collected: histories, gaps, and the ids of tweets as times (UTC)."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from sqlalchemy import ColumnElement, or_, select
from sqlalchemy.orm import Session

from models import BackfillSpan, Listing, Tag
from queries.counters import live_token

TWITTER_EPOCH = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=1288834974657)
TICK = timedelta(milliseconds=1)
"""The resolution of the time in ids."""


def snowflake_time(tweet_id: int) -> datetime:
    """Return the instant (UTC) at which X assigned this id; ids contain it since 2010-11-04."""
    return TWITTER_EPOCH + timedelta(milliseconds=tweet_id >> 22)


def first_id(when: datetime) -> int:
    """Return the lowest id that X assigns at this instant, never negative."""
    return max((when - TWITTER_EPOCH) // timedelta(milliseconds=1), 0) << 22


class Gap(NamedTuple):
    """The ids between `since_id` and `until_id`, both exclusive. An expired one is too old for X's recent search."""

    tag: str
    since_id: int
    until_id: int
    expired: bool
    run_id: int


class GapTime(NamedTuple):
    """The time of a gap (UTC), half-open; one without a lower bound begins with the first id that contains a time."""

    tag: str
    first: datetime
    end: datetime
    expired: bool


def gaps(session: Session, *, run_ids: Sequence[int] | None = None) -> list[Gap]:
    """Return the gaps by tag, newest first; with `run_ids`, those that these collections left or read last."""
    columns = (Tag.tag, Listing.since_id, Listing.before, Listing.expired, Listing.run_id)
    rows = select(*columns).join(Tag, Tag.id == Listing.tag_id)
    rows = rows.where(unread(session)).order_by(Tag.key, Listing.before.desc())
    if run_ids is not None:
        rows = rows.where(Listing.run_id.in_(run_ids))
    return [Gap._make(row) for row in session.execute(rows)]


def any_within(session: Session, *, keys: Collection[str], first: int, end: int) -> bool:
    """Return whether a gap overlaps a period (epoch seconds, half-open); with `keys`, a gap of one of these tags."""
    found = _gap_times(session, keys)
    return any(gap.first.timestamp() < end and (gap.end - TICK).timestamp() >= first for gap in found)


def gap_times(session: Session, *, keys: Collection[str] = ()) -> list[GapTime]:
    """Return the gaps as times, oldest first, ties by tag; with `keys`, those of these tags."""
    return sorted(_gap_times(session, keys), key=lambda gap: gap.first)


def _gap_times(session: Session, keys: Collection[str]) -> Iterator[GapTime]:
    """Yield the gaps that have a time, by tag."""
    columns = (Tag.tag, Listing.since_id, Listing.before, Listing.expired)
    rows = select(*columns).join(Tag, Tag.id == Listing.tag_id).where(unread(session)).order_by(Tag.key, Listing.id)
    for tag, since_id, until_id, expired in session.execute(rows.where(Tag.key.in_(keys)) if keys else rows):
        oldest, newest = snowflake_time((since_id or 0) + 1), snowflake_time(until_id - 1)
        if oldest <= newest:
            yield GapTime(tag, oldest, newest + TICK, expired)


def unread(session: Session) -> ColumnElement[bool]:
    """Return the condition on Listing that it is a gap.

    While no collection runs, a listing that was not read to its end is one as well.
    """
    idle = live_token(session) is None
    return or_(Listing.gap, Listing.since_id.is_not(None)) if idle else Listing.gap.is_(True)


class History(NamedTuple):
    """The instants (UTC) from which and until which a tag was collected, except for its gaps, and whether it is tracked now.

    Outside of its history a tag has no gaps, and its counts can't be compared.
    """

    tag: str
    begin: datetime
    end: datetime
    tracked: bool


def histories(session: Session, *, keys: Collection[str] = ()) -> list[History]:
    """Return the histories of the tags with these keys, or of all tags, by name, including untracked ones.

    A backfill that reaches up to a history extends it. A tag that was never collected has none, even if tweets of it were
    imported.
    """
    columns = select(Tag.id, Tag.tag, Tag.from_id, Tag.since_id, Tag.tracked).order_by(Tag.key)
    rows = columns.where(Tag.from_id.is_not(None), Tag.since_id.is_not(None))
    found = session.execute(rows.where(Tag.key.in_(keys)) if keys else rows).all()
    bought = session.execute(
        select(BackfillSpan.tag_id, BackfillSpan.since_id, BackfillSpan.until_id).order_by(BackfillSpan.until_id.desc())
    ).all()
    return [
        History(tag, _begin(first or 0, [span for of, *span in bought if of == tag_id]), snowflake_time(last or 0), tracked)
        for tag_id, tag, first, last, tracked in found
    ]


class BoughtTime(NamedTuple):
    """A time (UTC), half-open, whose tweets of a tag a backfill has read."""

    tag: str
    first: datetime
    end: datetime


def backfilled(session: Session, *, keys: Collection[str] = ()) -> list[BoughtTime]:
    """Return what backfills have read of the tags with these keys, or of all tags, by tag, oldest first."""
    rows = select(Tag.tag, BackfillSpan.since_id, BackfillSpan.until_id).join(Tag, Tag.id == BackfillSpan.tag_id)
    found = session.execute(rows.where(Tag.key.in_(keys)) if keys else rows)
    return sorted(BoughtTime(tag, snowflake_time(since_id + 1), snowflake_time(until_id)) for tag, since_id, until_id in found)


def _begin(first: int, spans: Sequence[Sequence[int]]) -> datetime:
    """Return when a history begins whose polls begin after an id, extended by the backfills (newest first) that reach it."""
    for since_id, until_id in spans:
        if until_id > first:
            first = min(first, since_id)
    return snowflake_time(max(first, 0))
