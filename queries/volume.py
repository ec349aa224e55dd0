"""Volume: how many posts of a tag X counted, hour by hour, and how many of them are stored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from models import Count, Tag, TagHour

HOUR_S = 3600
LATELY = timedelta(days=7)


class Bucket(NamedTuple):
    """A stretch of time (UTC) of a tag; `counted` is None where X was never asked, `partial` where that holds for a part."""

    tag: str
    start: datetime
    end: datetime
    counted: int | None
    stored: int
    partial: bool


class Share(NamedTuple):
    """How many posts X counted, and how many of the same hours are stored."""

    counted: int
    stored: int

    @property
    def coverage(self) -> float | None:
        """Stored by counted, None where nothing was counted."""
        return self.stored / self.counted if self.counted else None


def volume(session: Session, *, tag_ids: Sequence[int], since: datetime, until: datetime, bucket: timedelta) -> list[Bucket]:
    """Return all buckets of these tags that overlap the time from `since` to `until`, tags in the order given, oldest first."""
    seconds = int(bucket.total_seconds())
    first, end = int(since.timestamp()) // seconds * seconds, -(-int(until.timestamp()) // seconds) * seconds
    names = {row.id: row.tag for row in session.execute(select(Tag.id, Tag.tag).where(Tag.id.in_(tag_ids)))}
    found = []
    for tag_id in tag_ids:
        counted = _hours(session, Count.start, Count.counted, tag_id, first, end)
        stored = _hours(session, TagHour.start, TagHour.tweets, tag_id, first, end)
        for start in range(first, end, seconds):
            hours = range(start, start + seconds, HOUR_S)
            asked = [counted[hour] for hour in hours if hour in counted]
            found.append(
                Bucket(
                    names[tag_id],
                    datetime.fromtimestamp(start, UTC),
                    datetime.fromtimestamp(start + seconds, UTC),
                    sum(asked) if asked else None,
                    sum(stored.get(hour, 0) for hour in hours),
                    len(asked) < len(hours),
                )
            )
    return found


def shares(session: Session, *, since: datetime, until: datetime) -> dict[int, Share]:
    """Return by tag id what X counted of the hours that begin in this time, and what is stored of these hours."""
    stored = func.coalesce(func.sum(TagHour.tweets), 0)
    rows = (
        select(Count.tag_id, func.sum(Count.counted), stored)
        .outerjoin(TagHour, (TagHour.tag_id == Count.tag_id) & (TagHour.start == Count.start))
        .where(Count.start >= int(since.timestamp()), Count.start < int(until.timestamp()))
        .group_by(Count.tag_id)
    )
    return {tag_id: Share(counted, kept) for tag_id, counted, kept in session.execute(rows)}


def total(found: Mapping[int, Share]) -> Share:
    """Return the shares of several tags as one."""
    return Share(sum(one.counted for one in found.values()), sum(one.stored for one in found.values()))


def expected(session: Session, tag_id: int, *, since: datetime, until: datetime, usual: float) -> float:
    """Return how many posts of a tag there were from `since` to `until`, if hours that X did not count had `usual` many."""
    first = int(since.timestamp()) // HOUR_S * HOUR_S
    counted, posts = _hours(session, Count.start, Count.counted, tag_id, first, int(until.timestamp()) + 1), 0.0
    for start in range(first, int(until.timestamp()) + 1, HOUR_S):
        within = min(start + HOUR_S, until.timestamp()) - max(start, since.timestamp())
        posts += counted.get(start, usual) * max(0.0, within) / HOUR_S
    return posts


def usual(session: Session, tag_id: int, *, now: datetime) -> float | None:
    """Return how many posts of a tag there are an hour, by what X counted of the last seven days; None where it did not."""
    lately = (Count.tag_id == tag_id, Count.start >= int((now - LATELY).timestamp()))
    posts, hours = session.execute(select(func.sum(Count.counted), func.count()).where(*lately)).one()
    return posts / hours if hours else None


def _hours(session: Session, start: Any, posts: Any, tag_id: int, first: int, end: int) -> dict[int, int]:
    table = start.class_
    rows = select(start, posts).where(table.tag_id == tag_id, start >= first, start < end)
    return {hour: posts for hour, posts in session.execute(rows)}  # noqa: C416 (a dict of rows)
