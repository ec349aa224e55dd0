"""Volume: how many posts of a tag X counted in each hour, and how many of them are stored."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import NamedTuple

from sqlalchemy import and_, exists, func, or_, select
from sqlalchemy.orm import Session

from models import HourlyCount, Tag, TagHour
from models.tag import NO_RETWEETS

HOUR_S = 3600
LATELY = timedelta(days=7)


class VolumeBucket(NamedTuple):
    """A bucket of time (UTC) of a tag. If X was asked for no hour, `counted` is None; if not for all, `partial` is true."""

    tag: str
    start: datetime
    end: datetime
    counted: int | None
    stored: int
    partial: bool


class Share(NamedTuple):
    """The posts that X counted, and the tweets of the same hours that are stored."""

    counted: int
    stored: int

    @property
    def coverage(self) -> float | None:
        """Stored by counted; None where nothing was counted."""
        return self.stored / self.counted if self.counted else None


def whole(since: datetime, until: datetime, bucket: timedelta) -> tuple[datetime, datetime]:
    """Return the start of the first and the end of the last bucket (UTC) that overlap a period."""
    seconds = int(bucket.total_seconds())
    first, end = int(since.timestamp()) // seconds * seconds, -(-int(until.timestamp()) // seconds) * seconds
    return datetime.fromtimestamp(first, UTC), datetime.fromtimestamp(end, UTC)


def volume(
    session: Session, *, tag_ids: Sequence[int], since: datetime, until: datetime, bucket: timedelta
) -> list[VolumeBucket]:
    """Return all buckets of these tags that overlap a period, tags in the order given, oldest bucket first."""
    seconds = int(bucket.total_seconds())
    first, end = (int(bound.timestamp()) for bound in whole(since, until, bucket))
    names = {row.id: row.tag for row in session.execute(select(Tag.id, Tag.tag).where(Tag.id.in_(tag_ids)))}
    found = []
    for tag_id in tag_ids:
        counted, stored = _posts_counted(session, tag_id, first, end), _tweets_stored(session, tag_id, first, end)
        for start in range(first, end, seconds):
            hours = range(start, start + seconds, HOUR_S)
            asked = [counted[hour] for hour in hours if hour in counted]
            found.append(
                VolumeBucket(
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
    """Return the shares, by tag id, of the hours that begin in a period."""
    stored = func.coalesce(func.sum(TagHour.tweets), 0)
    rows = (
        select(HourlyCount.tag_id, func.sum(HourlyCount.counted), stored)
        .join(Tag, _BY_CURRENT_RULES)
        .outerjoin(TagHour, (TagHour.tag_id == HourlyCount.tag_id) & (TagHour.start == HourlyCount.start))
        .where(HourlyCount.start >= int(since.timestamp()), HourlyCount.start < int(until.timestamp()))
        .group_by(HourlyCount.tag_id)
    )
    return {tag_id: Share(counted, kept) for tag_id, counted, kept in session.execute(rows)}


class RulesChange(NamedTuple):
    """A change of a tag's rules (UTC), as X's counts show it: after one by the old rules, and before one by the new ones.

    `before` is None as long as X has not counted by the new ones.
    """

    tag: str
    after: datetime
    before: datetime | None


def rules_changes(session: Session, *, keys: Collection[str] = ()) -> list[RulesChange]:
    """Return the changes of the rules of the tags with these keys, or of all tags, by tag, oldest first."""
    other = (HourlyCount.rules < Tag.rules, HourlyCount.rules > Tag.rules)  # looked up in the key, which `!=` is not
    is_changed = or_(*(exists().where(HourlyCount.tag_id == Tag.id, one) for one in other))
    changed = select(Tag.id, Tag.tag, Tag.rules).where(is_changed).order_by(Tag.key)
    found = session.execute(changed.where(Tag.key.in_(keys)) if keys else changed).all()
    return [change for tag_id, tag, rules in found for change in _changes(session, tag_id, tag, rules)]


def _changes(session: Session, tag_id: int, tag: str, rules: str) -> Iterator[RulesChange]:
    """Yield the changes between sets of rules, in the order of their last counts; with or without retweets is the same set."""
    asked = func.min(HourlyCount.asked_at), func.max(HourlyCount.asked_at)
    rows = select(HourlyCount.rules, *asked).where(HourlyCount.tag_id == tag_id).group_by(HourlyCount.rules)
    times = defaultdict[str, list[datetime]](list)
    for counted_by, *both in session.execute(rows):
        times[counted_by.removesuffix(NO_RETWEETS)] += both
    own = rules.removesuffix(NO_RETWEETS)
    sets = sorted((max(both), min(both)) for counted_by, both in times.items() if counted_by != own)
    if own in times:
        sets.append((max(times[own]), min(times[own])))
    for (after, _), (last, first) in pairwise(sets):
        yield RulesChange(tag, after, first if first > after else max(last, after))
    if own not in times:
        yield RulesChange(tag, sets[-1][0], None)


class TagShare(NamedTuple):
    """A tag and its share; None if X was never asked."""

    tag: str
    share: Share | None


def per_tag(session: Session, *, keys: Collection[str], since: datetime, until: datetime) -> list[TagShare]:
    """Return the shares of the hours that begin in a period, for the tags with these keys or else all tracked ones, by name."""
    found = shares(session, since=since, until=until)
    tags = select(Tag.id, Tag.tag).where(Tag.key.in_(keys) if keys else Tag.tracked).order_by(Tag.key)
    return [TagShare(tag, found.get(tag_id)) for tag_id, tag in session.execute(tags)]


def total(found: Mapping[int, Share]) -> Share:
    """Return the sum of several tags' shares."""
    return Share(sum(one.counted for one in found.values()), sum(one.stored for one in found.values()))


def expected_posts(session: Session, tag_id: int, *, since: datetime, until: datetime, usual: float) -> float:
    """Return the number of posts of a tag in a period, assuming `usual` for each hour that X did not count."""
    first = int(since.timestamp()) // HOUR_S * HOUR_S
    counted, posts = _posts_counted(session, tag_id, first, int(until.timestamp()) + 1), 0.0
    for start in range(first, int(until.timestamp()) + 1, HOUR_S):
        within = min(start + HOUR_S, until.timestamp()) - max(start, since.timestamp())
        posts += counted.get(start, usual) * max(0.0, within) / HOUR_S
    return posts


def usual(session: Session, tag_id: int, *, since: datetime, until: datetime) -> float | None:
    """Return the mean number of posts of a tag in the hours of a period that X counted; None if it counted none."""
    counted = _posts_counted(session, tag_id, int(since.timestamp()), int(until.timestamp()))
    return sum(counted.values()) / len(counted) if counted else None


def stored_posts(session: Session, tag_id: int, *, since: datetime, until: datetime) -> int:
    """Return the number of stored tweets of a tag in the hours that begin in a period."""
    return sum(_tweets_stored(session, tag_id, int(since.timestamp()), int(until.timestamp())).values())


def counted_by_hour(session: Session, *, key: str, first: int, end: int) -> dict[int, int]:
    """Return X's counts of a tag in the hours that begin in a period, by the epoch second of the hour's start."""
    tag_id = session.scalar(select(Tag.id).where(Tag.key == key))
    return {} if tag_id is None else _posts_counted(session, tag_id, first, end)


def _posts_counted(session: Session, tag_id: int, first: int, end: int) -> dict[int, int]:
    """Return X's counts, by the tag's current rules, of the hours that begin in a period."""
    rows = select(HourlyCount.start, HourlyCount.counted).join(Tag, _BY_CURRENT_RULES)
    rows = rows.where(HourlyCount.tag_id == tag_id, HourlyCount.start >= first, HourlyCount.start < end)
    return {hour: posts for hour, posts in session.execute(rows)}  # noqa: C416 (a dict of rows)


def _tweets_stored(session: Session, tag_id: int, first: int, end: int) -> dict[int, int]:
    rows = select(TagHour.start, TagHour.tweets)
    rows = rows.where(TagHour.tag_id == tag_id, TagHour.start >= first, TagHour.start < end)
    return {hour: posts for hour, posts in session.execute(rows)}  # noqa: C416 (a dict of rows)


_BY_CURRENT_RULES = and_(Tag.id == HourlyCount.tag_id, Tag.rules == HourlyCount.rules)
